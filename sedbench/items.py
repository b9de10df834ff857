"""The items file: the frame scores and the truth of every pair, validation and test.

A result's figures are means over pairs. The items beside it hold what the figures were
computed from, so that anyone can compute them again without running a model, check the
choice of a threshold (hence the validation split), and draw a clip.

Form
----
An ``.npz`` archive that ``numpy.load(..., allow_pickle=False)`` opens anywhere. Each split's
members start with its name, ``test/scores.planes`` for instance, and end in how they are coded:

``.planes``
    Floating-point numbers cut into bytes, the most significant byte first, shape
    ``(itemsize, *shape)``. Neighbouring exponents are alike and the bytes behind a quantised
    mantissa are zero, so that the planes deflate far better than the numbers; the numbers
    come back bit by bit.
``.bits``
    Truth values, eight a byte along the last axis, the first one in the highest bit.
``.json``
    Text, as the bytes of its JSON: ids, classes, source groups.
``.index``, ``.number``
    Rows (int32) and plain float64 numbers.

The archive holds no date and its members have one order: the same items give the same bytes
(with one version of zlib), and a sha256 names them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import DataError
from sedbench.protocol.pairs import Scored
from sedbench.types import FrameGrid, PairTable

FORMAT = 1
"""Raised whenever an older reader could not read the file."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FLOATS = {2: ">f2", 4: ">f4", 8: ">f8"}
_Members = dict[str, NDArray[Any]]


def pack(validation: Scored, test: Scored) -> bytes:
    """The items file of one result.

    Parameters
    ----------
    validation, test : Scored
        What was scored, scores already quantised.

    Returns
    -------
    bytes
        The same for the same items.
    """
    members: _Members = {"format.index": np.array([FORMAT], np.int32)}
    for split, scored in (("validation", validation), ("test", test)):
        members |= {f"{split}/{key}": value for key, value in _members(scored).items()}
    return _archive(members)


def unpack(content: bytes, name: str = "the items file") -> tuple[Scored, Scored]:
    """Read what :func:`pack` wrote.

    Parameters
    ----------
    content : bytes
    name : str
        What to call the file in an error.

    Returns
    -------
    validation, test : Scored
        Equal to what was packed, bit by bit.

    Raises
    ------
    DataError
        The bytes are no items file, or one of a newer sedbench.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            members = {key: archive[key] for key in archive.files}
        found = int(members["format.index"][0])
        if found == FORMAT:
            return _scored(members, "validation/"), _scored(members, "test/")
    # A damaged archive fails in whatever layer first trips over the damage: the zip directory,
    # zlib, the array's header, JSON or the shapes; none of them says more than "damaged".
    except Exception as error:
        raise DataError(
            f"{name} cannot be read as items: {type(error).__name__}: {error}",
            "delete it together with the result beside it, and run the method again",
        ) from error
    raise DataError(
        f"{name} has format {found}, this sedbench reads {FORMAT}",
        "install the version of sedbench that wrote it",
    )


def _members(scored: Scored) -> _Members:
    table = scored.table
    members: _Members = {
        "clip_ids.json": _text(table.clip_ids),
        "classes.json": _text(table.classes),
        "groups.json": _text(table.groups),
        "clip.index": table.clip.astype(np.int32),
        "label.index": table.label.astype(np.int32),
        "grid.number": np.array([table.grid.duration, table.grid.frame], np.float64),
    }
    if scored.fold is not None:
        members["fold.index"] = scored.fold.astype(np.int32)
    values: dict[str, NDArray[Any]] = {
        "scores": scored.scores,
        "scored": scored.scored,
        "detected": scored.detected,
    }
    for key, array in (("mask", scored.mask), ("own", scored.own)):
        if array is not None:
            values[key] = array
    values |= {f"truths/{key}": truth for key, truth in table.truths.items()}
    values |= {f"others/{key}": truth for key, truth in table.others.items()}
    for key, array in values.items():
        coding, coded = _encode(array)
        members[f"{key}.{coding}"] = coded
    return members


def _scored(members: Mapping[str, NDArray[Any]], split: str) -> Scored:
    own = {k.removeprefix(split): v for k, v in members.items() if k.startswith(split)}
    duration, frame = own["grid.number"].tolist()
    grid = FrameGrid(duration, frame)
    classes = tuple(_read_text(own["classes.json"]))

    def per_frame(prefix: str) -> dict[str, Any]:
        keys = [k for k in own if k.startswith(prefix)]
        return {k[len(prefix) : k.rindex(".")]: _decode(k, own[k], grid.n_frames) for k in keys}

    def optional(key: str, width: int) -> NDArray[Any] | None:
        for coding in ("planes", "bits"):
            if f"{key}.{coding}" in own:
                return _decode(f"{key}.{coding}", own[f"{key}.{coding}"], width)
        return None

    def required(key: str, width: int) -> NDArray[Any]:
        found = optional(key, width)
        if found is None:
            raise KeyError(f"{split}{key}")
        return found

    table = PairTable(
        clip_ids=tuple(_read_text(own["clip_ids.json"])),
        classes=classes,
        clip=own["clip.index"].astype(np.int64),
        label=own["label.index"].astype(np.int64),
        groups=tuple(tuple(names) for names in _read_text(own["groups.json"])),
        truths=per_frame("truths/"),
        others=per_frame("others/"),
        grid=grid,
    )
    return Scored(
        table=table,
        scores=required("scores", grid.n_frames),
        scored=required("scored", len(table)),
        mask=optional("mask", grid.n_frames),
        detected=required("detected", len(classes)),
        own=optional("own", len(classes)),
        fold=own["fold.index"].astype(np.int64) if "fold.index" in own else None,
    )


def _encode(array: NDArray[Any]) -> tuple[str, NDArray[np.uint8]]:
    if array.dtype == np.bool_:
        return "bits", np.packbits(array, axis=-1)
    big_endian = np.ascontiguousarray(array, _FLOATS[array.dtype.itemsize])
    cut = big_endian.view(np.uint8).reshape(*array.shape, array.dtype.itemsize)
    return "planes", np.ascontiguousarray(np.moveaxis(cut, -1, 0))


def _decode(key: str, coded: NDArray[Any], width: int) -> NDArray[Any]:
    if key.endswith(".bits"):
        return np.unpackbits(coded, axis=-1, count=width).astype(bool)
    numbers = np.ascontiguousarray(np.moveaxis(coded, 0, -1)).view(_FLOATS[coded.shape[0]])
    return numbers[..., 0].astype(numbers.dtype.newbyteorder("="))


def _text(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, separators=(",", ":")).encode("ascii"), np.uint8)


def _read_text(coded: NDArray[Any]) -> Any:
    return json.loads(coded.tobytes().decode("ascii"))


def _archive(members: _Members) -> bytes:
    """An npz whose bytes depend on its content alone: ``numpy.savez`` writes the date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in members.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            archive.writestr(entry, member.getvalue(), compresslevel=9)
    return out.getvalue()
