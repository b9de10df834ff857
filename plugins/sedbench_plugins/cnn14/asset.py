"""Bringing the published checkpoint here, once, and finding it again.

Zenodo publishes the file's size and md5. md5 does not stop a forger, so the sha256 is pinned
too; it is not Zenodo's but the one that unrelated projects have recorded of their downloads.
A file is accepted only if all three agree. It is then converted (see
:mod:`sedbench_plugins.cnn14.checkpoint`), and removed: what stays is ``cnn14.safetensors``
and a card beside it, which names the converted file's sha256 and the checkpoint it was made
from. Torch is imported only to convert.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.files import data_root, write_atomic

if TYPE_CHECKING:
    from torch import Tensor

    from sedbench.data.fetch import FetchReport

FETCH = "sedbench fetch cnn14"
CONVERTED = "cnn14.safetensors"


@dataclass(frozen=True)
class Asset:
    """A published checkpoint.

    Attributes
    ----------
    name, url : str
    md5, sha256 : str
        Hexadecimal.
    size : int
        Bytes.
    widths : tuple of int
        Channels of its blocks.
    """

    name: str
    url: str
    md5: str
    sha256: str
    size: int
    widths: tuple[int, ...]

    @property
    def path(self) -> Path:
        """Where the converted checkpoint lies."""
        return data_root() / "models" / "cnn14" / CONVERTED

    def state(self) -> str:
        """Tell whether the converted checkpoint is ``right``, ``wrong`` or ``missing``."""
        card = self._card()
        if not self.path.is_file() or card is None:
            return "missing"
        right = card.get("source_sha256") == self.sha256 and card.get("sha256") == _digest(
            self.path, "sha256"
        )
        return "right" if right else "wrong"

    def tensors(self) -> dict[str, Tensor]:
        """Read the converted checkpoint, verified.

        Returns
        -------
        dict of str to Tensor
            Named and laid out as published, without the front end.

        Raises
        ------
        MissingDataError
            It has to be fetched first.
        HashMismatchError
            It is not the file that its card records, or was made from another checkpoint.
        """
        state = self.state()
        if state == "missing":
            raise MissingDataError(f"CNN14's checkpoint is not in {self.path.parent}", FETCH)
        if state == "wrong":
            raise HashMismatchError(f"{self.path} is not the file that its card records", FETCH)
        from sedbench_plugins.cnn14.checkpoint import read_converted

        return read_converted(self.path)

    def bring(
        self,
        source: str | Path | None = None,
        check: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> FetchReport:
        """Download the checkpoint, verify and convert it; or verify what is here.

        Parameters
        ----------
        source : str or Path, optional
            A file, a folder or a URL in place of the published one.
        check : bool, optional
            Verify only; nothing is written.
        progress : callable, optional
            Called with (bytes, bytes in all); if it has a method ``bytes``, that is, and it
            is itself called with (files, files in all).

        Raises
        ------
        HashMismatchError
            The file is not the published one.
        DataError
            It cannot be read safely, or holds other tensors.
        """
        from sedbench.data.download import Remote, obtain
        from sedbench.data.fetch import FetchReport

        report = FetchReport(self.path.parent)
        state = self.state()
        if state == "right":
            report.kept.append(CONVERTED)
            return report
        if check:
            (report.wrong if state == "wrong" else report.missing).append(CONVERTED)
            return report
        remote = Remote(self.name, self.url, self.sha256, self.size)
        brought = obtain(remote, self.path.parent, source, progress)
        try:
            if _digest(brought, "md5") != self.md5:
                raise HashMismatchError(
                    f"{brought} does not have the published md5 {self.md5}", FETCH
                )
            self._convert(brought)
        except HashMismatchError:
            brought.unlink(missing_ok=True)
            raise
        # Only now: a conversion that was interrupted need not download again.
        brought.unlink(missing_ok=True)
        report.copied.append(CONVERTED)
        if progress is not None and hasattr(progress, "bytes"):  # then it counts files too
            progress(1, 1)
        return report

    def _convert(self, brought: Path) -> None:
        from sedbench_plugins.cnn14.checkpoint import read_published, write_converted

        write_converted(read_published(brought, self.widths), self.path)
        card = {
            "sha256": _digest(self.path, "sha256"),
            "source": self.name,
            "source_url": self.url,
            "source_md5": self.md5,
            "source_sha256": self.sha256,
        }
        # The card comes last, so that it vouches for a file that is there.
        text = json.dumps(card, indent=2, sort_keys=True) + "\n"
        write_atomic(self.path.with_suffix(".json"), text.encode())

    def _card(self) -> dict[str, Any] | None:
        try:
            card = json.loads(self.path.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return card if isinstance(card, dict) else None


PUBLISHED = Asset(
    name="Cnn14_mAP=0.431.pth",
    url="https://zenodo.org/records/3987831/files/Cnn14_mAP%3D0.431.pth",
    md5="541141fa2ee191a88f24a3219fff024e",
    sha256="0dc499e40e9761ef5ea061ffc77697697f277f6a960894903df3ada000e34b31",
    size=327_428_481,
    widths=(64, 128, 256, 512, 1024, 2048),
)


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=algorithm != "md5")
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror}", "check the file's permissions"
        ) from error
    return digest.hexdigest()
