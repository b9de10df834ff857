"""The contract of a soundbank: its list is cheap and holds together, its audio is what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, get_args

import numpy as np

from sedbench.data.soundbank import Recording, Role, Soundbank
from sedbench.spec import NAME
from sedbench.testing.checks import Contract, Skipped, check, need
from sedbench.types import SPLITS, SoundbankInfo

RATES = (16000, 8000)  # Hz
HEARD = 3  # recordings whose audio is read


class SoundbankContract(Contract):
    """Every check of a soundbank; see :func:`sedbench.testing.soundbank_contract`."""

    kind = "soundbank"

    def __init__(self, info: SoundbankInfo, factory: Callable[..., Any]) -> None:
        self.info, self.factory = info, factory
        super().__init__(info.name)

    @cached_property
    def bank(self) -> Soundbank:
        """What the factory returns."""
        made: Soundbank = self.factory(**{p.name: p.default for p in self.info.params})
        return made

    @cached_property
    def listed(self) -> tuple[Recording, ...]:
        """Its recordings."""
        return tuple(self.bank.recordings())

    def heard(self) -> list[Recording]:
        """A few of them, from the beginning, the middle and the end."""
        found = self.listed
        places = sorted({0, len(found) // 2, len(found) - 1})
        return [found[place] for place in places][:HEARD]

    @check("its metadata is whole")
    def declared(self) -> None:
        """Name, summary, licence."""
        info = self.info
        need(NAME.match(info.name) is not None, f"{info.name!r} is no name")
        need(bool(info.summary.strip()) and "\n" not in info.summary, "the summary is one line")
        need(bool(info.licence.strip()), "it names no licence")

    @check("it has a name, recordings, audio and a fingerprint")
    def surface(self) -> None:
        """Look at what the factory returns."""
        need(
            isinstance(self.bank, Soundbank),
            f"a {type(self.bank).__name__} has not name, recordings(), audio() and fingerprint()",
        )
        need(self.bank.name == self.info.name, f"it calls itself {self.bank.name!r}")

    @check("recordings are sorted by id, unique, and whole", "surface")
    def recordings(self) -> None:
        """Read the list."""
        found = self.listed
        need(bool(found), "it has no recordings")
        ids = [r.id for r in found]
        need(ids == sorted(ids), "recordings are not sorted by id")
        need(len(set(ids)) == len(ids), "an id stands there twice")
        for r in found:
            need(isinstance(r, Recording), f"a {type(r).__name__} is no Recording")
            need(r.role in get_args(Role), f"{r.id}: role {r.role!r}")
            need(r.split in SPLITS, f"{r.id}: split {r.split!r}")
            need(np.isfinite(r.duration) and r.duration > 0, f"{r.id}: duration {r.duration}")
            need(bool(r.group), f"{r.id}: it has no group")
            need(
                r.role == "recording" or r.id.startswith(f"{r.role}/{r.label}/"),
                f"{r.id}: an id is <role>/<label>/<name>, here {r.role}/{r.label}/...",
            )
        need(
            [r.id for r in self.bank.recordings()] == ids, "asked twice, it lists other recordings"
        )

    @check("nobody is in two splits", "recordings")
    def groups(self) -> None:
        """A group (an author, a house) is learnt from or tested with, never both."""
        splits: dict[str, set[object]] = {}
        for r in self.listed:
            # A bank in folds keeps its groups apart by fold: splits take turns.
            splits.setdefault(r.group, set()).add(r.split if r.fold is None else r.fold)
        both = sorted(group for group, found in splits.items() if len(found) > 1)
        need(not both, lambda: f"group {both[0]!r} is in {sorted(map(str, splits[both[0]]))}")

    @check("audio is finite mono float32 of the declared length, at any rate, twice the same")
    def audio(self) -> None:
        """Read a few recordings."""
        if not self.listed:
            raise Skipped("it has no recordings")
        for r in self.heard():
            for rate in RATES:
                wave = self.bank.audio(r.id, rate)
                where = f"{r.id} at {rate} Hz"
                need(wave.ndim == 1, f"{where} has shape {wave.shape}; mono is (samples,)")
                need(wave.dtype == np.float32, f"{where} is {wave.dtype}, not float32")
                need(bool(np.isfinite(wave).all()), f"{where}: not all samples are finite")
                need(bool(wave.any()), f"{where} is silent throughout")
                need(
                    abs(len(wave) / rate - r.duration) <= 0.05,
                    f"{where} lasts {len(wave) / rate:g} s, and its list says {r.duration:g} s",
                )
            again = self.bank.audio(r.id, RATES[-1])
            need(np.array_equal(wave, again), f"{r.id}: read twice, it is not the same")

    @check("its fingerprint is a sha256, the same every time", "surface")
    def fingerprint(self) -> None:
        """Ask for it twice, of two objects."""
        first = self.bank.fingerprint()
        need(
            isinstance(first, str) and re.fullmatch("[0-9a-f]{64}", first) is not None,
            f"{first!r} is no hexadecimal sha256",
        )
        other = self.factory(**{p.name: p.default for p in self.info.params}).fingerprint()
        need(other == first, "built again, it has another fingerprint: results would be stale")
