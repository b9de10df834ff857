"""Annotated recordings as a soundbank: real scenes, in which people marked what sounds when.

A folder holds the recordings, the files that annotate them (any format of
:mod:`sedbench.data.annotations`) and, if there are any, UEM files that say which stretches
were annotated. A manifest (:mod:`sedbench.data.recording_manifest`) lists them all. A
recording's id is its ``file`` there. An annotation file may call it by that path, by its last
part, or by either without the extension, as long as only one recording answers to the name;
a name to which none answers is an error. :mod:`sedbench.data.windows` cuts clips from them.

Listing needs no file but the manifest. Whatever is read, audio or annotations, is first
compared with its sha256. A recording that no annotation names has no events; where there are
UEM files and none of them names it, it was not annotated either, and nothing can be cut
from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sedbench.data.annotations import Annotation, AnnotationSet, Clip, Regions, read, read_uem
from sedbench.data.annotations.collect import ROUNDING
from sedbench.data.fetch import FetchReport
from sedbench.data.folder import read_audio, sha256_of
from sedbench.data.recording_manifest import Item, read_manifest
from sedbench.data.soundbank import Recording
from sedbench.data.windows import Window, excerpt, windows
from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.files import fingerprint
from sedbench.types import Event

if TYPE_CHECKING:
    from sedbench.data.download import Remote

__all__ = ["AnnotatedBank", "Window", "excerpt", "windows"]


class AnnotatedBank:
    """Annotated recordings in a folder.

    Parameters
    ----------
    name : str
        The bank's name.
    root : Path
        The folder. It need not exist before something of it is asked for.
    manifest : Path
        See the module's docstring.
    labels : iterable of str, optional
        The only classes that annotations may hold.
    speaker_label : str or None, optional
        The class of every turn of RTTM files; None for the speakers' names.
    clip : {"error", "trim"}, optional
        What becomes of an event that ends after its recording;
        see :func:`sedbench.data.annotations.read`.
    format : str, optional
        Of the annotation files, where the files themselves do not tell.
    fetch : str, optional
        What to type when a file is missing.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        manifest: Path,
        *,
        labels: Iterable[str] | None = None,
        speaker_label: str | None = "Speech",
        clip: Clip = "error",
        format: str | None = None,
        fetch: str = "",
    ) -> None:
        self.name, self.root, self.manifest, self.fetch = name, root, manifest, fetch
        self.labels = None if labels is None else tuple(sorted(labels))
        self.speaker_label, self.clip, self.format = speaker_label, clip, format
        self._verified: set[str] = set()

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every row of the manifest, sorted by file."""
        return read_manifest(self.manifest)

    @cached_property
    def _recordings(self) -> dict[str, Recording]:
        return {i.file: i.recording for i in self.items if i.recording is not None}

    def recordings(self) -> Sequence[Recording]:
        """Every recording, sorted by id; nothing but the manifest is read."""
        return tuple(self._recordings.values())

    def recording(self, recording_id: str) -> Recording:
        """One of them.

        Raises
        ------
        DataError
            There is no such recording.
        """
        if recording_id not in self._recordings:
            raise DataError(f"soundbank {self.name!r} has no recording {recording_id!r}")
        return self._recordings[recording_id]

    def folds(self) -> Mapping[str, int]:
        """The fold of every recording, by id."""
        return {i.file: i.fold for i in self.items if i.recording is not None}

    def fingerprint(self) -> str:
        """Hexadecimal sha256 over every file's hash, and over how annotations are read."""
        rows = [
            [i.kind, i.file, i.sha256, i.fold]
            + ([r.duration, r.group, r.split] if (r := i.recording) else [])
            for i in self.items
        ]
        return fingerprint([rows, self.labels, self.speaker_label, self.clip, self.format])

    def audio(self, recording_id: str, sample_rate: int) -> NDArray[np.float32]:
        """The whole recording, mono, shape (samples,), in [-1, 1].

        Raises
        ------
        MissingDataError
            The folder or the file is absent.
        HashMismatchError
            The file is not the one that the manifest records.
        DataError
            The id is unknown, or the file is unreadable, empty or holds NaN.
        """
        recording = self.recording(recording_id)
        return read_audio(self._right(recording.id, recording.sha256), sample_rate)

    def events(self, recording_id: str) -> tuple[Event, ...]:
        """What sounds in a recording, merged and sorted; seconds from its start.

        Raises
        ------
        MissingDataError, HashMismatchError
            An annotation file is absent, or not the recorded one.
        DataError
            The id is unknown, or an annotation cannot be.
        """
        return self._events[self.recording(recording_id).id].events

    def regions(self, recording_id: str) -> Regions:
        """The annotated stretches of a recording, in seconds; the whole of it without UEM."""
        return self._regions[self.recording(recording_id).id]

    @cached_property
    def annotations(self) -> AnnotationSet:
        """Every recording's annotation under its id, and what was merged, trimmed or dropped."""
        durations = {name: self._recordings[i].duration for name, i in self._names.items()}
        found: dict[str, Annotation] = {}
        counts: Counter[str] = Counter()
        for item in (i for i in self.items if i.kind == "annotations"):
            path = self._right(item.file, item.sha256)
            told = read(
                path,
                self.format,
                labels=self.labels,
                files=durations,
                durations=durations,
                clip=self.clip,
                speaker_label=self.speaker_label,
                recording=path.stem if path.stem in durations else None,
            )
            for key in ("merged", "trimmed", "dropped"):
                counts[key] += getattr(told, key)
            for annotation in (a for a in told if a.events):
                recording = self._recordings[self._names[annotation.file]]
                if recording.id in found:
                    raise DataError(
                        f"{path}: {recording.id!r} is annotated twice",
                        "one file annotates a recording, and calls it by one name",
                    )
                found[recording.id] = Annotation(
                    recording.id, annotation.events, recording.duration
                )
        for recording in self.recordings():
            found.setdefault(recording.id, Annotation(recording.id, (), recording.duration))
        return AnnotationSet(tuple(found[key] for key in sorted(found)), **counts)

    @cached_property
    def _events(self) -> dict[str, Annotation]:
        return {annotation.file: annotation for annotation in self.annotations}

    @cached_property
    def _names(self) -> dict[str, str]:
        """Every name that exactly one recording answers to, with that recording's id."""
        answering: dict[str, set[str]] = {}
        for recording_id in self._recordings:
            path = PurePosixPath(recording_id)
            for name in (recording_id, path.name, path.stem, str(path.with_suffix(""))):
                answering.setdefault(name, set()).add(recording_id)
        return {name: ids.pop() for name, ids in answering.items() if len(ids) == 1}

    @cached_property
    def _regions(self) -> dict[str, Regions]:
        files = [i for i in self.items if i.kind == "regions"]
        if not files:
            return {r.id: ((0.0, r.duration),) for r in self.recordings()}
        found: dict[str, Regions] = dict.fromkeys(self._recordings, ())
        for item in files:
            path = self._right(item.file, item.sha256)
            for name, regions in read_uem(path).items():
                if name not in self._names:
                    raise DataError(f"{path}: unknown recording {name!r}")
                recording = self._recordings[self._names[name]]
                if found[recording.id]:
                    raise DataError(f"{path}: {recording.id!r} has regions twice")
                if regions[-1][1] > recording.duration + ROUNDING:
                    raise DataError(
                        f"{path}: a region of {name!r} ends at {regions[-1][1]:g} s, past the "
                        f"recording's {recording.duration:g} s"
                    )
                found[recording.id] = tuple((a, min(b, recording.duration)) for a, b in regions)
        return found

    def _right(self, file: str, content: str) -> Path:
        """Where a file of the manifest lies, having made sure that it is the right one."""
        path = self.root / file
        if file in self._verified:
            return path
        if not path.is_file():
            lost = path if self.root.is_dir() else self.root
            raise MissingDataError(
                f"soundbank {self.name!r}: {lost} is missing", self.fetch or "check the path"
            )
        if (found := sha256_of(path)) != content:
            raise HashMismatchError(
                f"{path} has sha256 {found[:16]}..., the manifest records {content[:16]}...",
                self.fetch or "restore the file",
            )
        self._verified.add(file)
        return path

    def bring(
        self,
        source: str | Path | None,
        check: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> FetchReport:
        """Bring every file of the manifest from a mirror, or verify what is here.

        A file is compared with its sha256 before it gets its name
        (:func:`sedbench.data.download.obtain`); those that are right already are kept. One that
        the mirror lacks or has wrong does not stop the others.

        Parameters
        ----------
        source : str, Path or None
            A folder of the same layout, or its URL. Not needed with ``check``, or where every
            file is there.
        check : bool, optional
            Verify only; nothing is written.
        progress : callable, optional
            Called with (files done, files in all).

        Raises
        ------
        MissingDataError
            A file is not there and no mirror was named, or what was named is no folder or
            cannot be reached.
        DataError
            The bank's folder cannot be written.
        """
        # Late: it brings the network's modules along, which no listing needs.
        from sedbench.data.download import Remote, verified

        local = source is not None and "://" not in str(source)
        if local and not check and not Path(str(source)).is_dir():
            raise MissingDataError(f"{source} is no folder", self.fetch)
        report = FetchReport(self.root)
        for done, item in enumerate(self.items, 1):
            remote = Remote(item.file, "", item.sha256)
            here = self.root / item.file
            if verified(here, remote):
                report.kept.append(item.file)
            elif check:
                (report.wrong if here.is_file() else report.missing).append(item.file)
            elif source is None:
                raise MissingDataError(
                    f"{len(self.items)} files belong in {self.root}, and {item.file} is not there",
                    self.fetch or "name a folder that has them: --from DIR",
                )
            else:
                self._bring(remote, source, report)
            if progress is not None:
                progress(done, len(self.items))
        return report

    def _bring(self, remote: Remote, source: str | Path, report: FetchReport) -> None:
        from sedbench.data.download import UnreachableError, obtain

        try:
            obtain(remote, self.root, source)
        except UnreachableError:
            raise  # the other files cannot be reached either
        except HashMismatchError:
            report.wrong.append(remote.name)
        except MissingDataError:
            report.missing.append(remote.name)
        else:
            report.copied.append(remote.name)
