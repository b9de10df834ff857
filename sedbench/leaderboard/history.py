"""What was recorded before: no result changes or goes away without a word.

Two records can be compared with:

- ``leaderboard.json``, which ``build`` writes and which holds the digest of every result;
- a git commit (``--base``), whose own files are read, so that a changed ``leaderboard.json`` beside
  changed results does not help.

A result that differs from the recorded one has to name its digest in ``supersedes``, and so does
one that takes another's place under another name. Everything else is an edit that nobody meant,
or one that somebody hoped would pass.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sedbench.errors import DataError, SedbenchError, UsageError
from sedbench.leaderboard.documents import SUPERSEDES, digest, loads
from sedbench.leaderboard.entries import Entry, results_folder
from sedbench.leaderboard.problem import Problem

INDEX = "leaderboard.json"
_PATIENCE = 120.0  # seconds that git may take


@dataclass(frozen=True)
class Record:
    """The digests of a board at some time.

    Attributes
    ----------
    what : str
        Whose record it is, for messages.
    digests : mapping of str to str
        Place on the board to digest.
    """

    what: str
    digests: Mapping[str, str]


def recorded(board: Path) -> Record | None:
    """What ``leaderboard.json`` holds; None where there is none yet.

    Raises
    ------
    DataError
        The file is damaged.
    """
    path = board / INDEX
    try:
        held = json.loads(path.read_text(encoding="utf-8"))["digests"]
        if not isinstance(held, dict) or not all(isinstance(v, str) for v in held.values()):
            raise ValueError("its digests are not texts")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read as a board: {type(error).__name__}: {error}",
            "bring it back from git, then: sedbench leaderboard build",
        ) from error
    return Record(INDEX, held)


def committed(board: Path, reference: str) -> Record:
    """What a commit holds, digests computed from its own result files.

    Parameters
    ----------
    board : Path
        In a git checkout.
    reference : str
        A commit, a branch or a tag.

    Raises
    ------
    UsageError
        There is no such commit, or no checkout.
    """
    folder = results_folder(board)
    commit = _git(board, "rev-parse", "--verify", "--quiet", "--end-of-options",
                  f"{reference}^{{commit}}").decode().strip()  # fmt: skip
    listed = _git(folder if folder.is_dir() else board, "ls-tree", "-r", "-z", commit, "--", ".")
    digests: dict[str, str] = {}
    changed: list[tuple[str, str]] = []
    for line in listed.decode().split("\0"):
        head, _, name = line.partition("\t")
        if name.endswith(".json"):
            changed.append((name, head.split()[2]))
    contents = _blobs(board, [blob for _, blob in changed])
    for (name, _), content in zip(changed, contents, strict=True):
        try:
            digests[name] = digest(loads(content, f"{name} at {reference}"))
        except SedbenchError:  # what was refused then is not held against anyone now
            continue
    return Record(reference, digests)


def _git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            input=given,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"cannot ask git: {error}", "leave --base out") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(
            f"git cannot tell what the base holds: {said[-1] if said else 'no such commit'}",
            "name a commit, branch or tag of the checkout that the board lies in",
        )
    return done.stdout


def _blobs(folder: Path, names: Sequence[str]) -> list[bytes]:
    if not names:
        return []
    out = _git(folder, "cat-file", "--batch", given="".join(f"{n}\n" for n in names).encode())
    found, at = [], 0
    for _ in names:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[2])
        found.append(out[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return found


def changes(entries: Sequence[Entry], record: Record, *, whole: bool) -> Iterator[Problem]:
    """Results that changed, or went away, and do not say so.

    Parameters
    ----------
    entries : sequence of Entry
    record : Record
    whole : bool
        Whether these are all results of the board, so that a missing one went away.
    """
    named = {entry.document.get(SUPERSEDES) for entry in entries}
    held = set(record.digests.values())
    for entry in entries:
        before = record.digests.get(entry.name)
        if before == entry.digest:
            continue
        claimed = entry.document.get(SUPERSEDES)
        if before is not None and claimed != before:
            yield Problem(
                entry.name, SUPERSEDES,
                f"differs from {record.what} and does not say that it supersedes {before}",
                "bring the file back; or, where it was measured again: sedbench leaderboard add "
                "--replace",
            )  # fmt: skip
        elif before is None and claimed is not None and claimed not in held:
            yield Problem(
                entry.name, SUPERSEDES, f"names {claimed}, which {record.what} does not hold"
            )
    if whole:
        present = {entry.name for entry in entries}
        for name, before in sorted(record.digests.items()):
            if name not in present and before not in named:
                yield Problem(
                    name, "", f"is gone, and {record.what} holds it",
                    "bring it back: a stale result is kept, shown and not ranked; or let the one "
                    f"that takes its place say that it supersedes {before}",
                )  # fmt: skip
