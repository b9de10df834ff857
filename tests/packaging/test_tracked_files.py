"""The repository holds no path of a machine, no package host, no audio, and nothing unpicklable."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 3_000_000  # bytes

# In pieces, so that this file does not hold what it looks for.
HOSTS = "|".join(
    [
        r"pypi\." + "org",
        r"python" + r"hosted\.org",
        r"download\.py" + r"torch\.org",
        r"--(?:extra-)?index" + "-url",
        "find" + "-links",
    ]
)
FOLDERS = r"(?<![\w.$}>*~:/-])/(?:home|Users|root|work|opt|mnt|workspace)" + r"/\w"
BINARY = {".safetensors", ".npz", ".png"}
NEVER = {".wav", ".flac", ".ogg", ".mp3", ".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy"}


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git tracks, or would."""
    if not (ROOT / ".git").exists():
        return ()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


@pytest.fixture(autouse=True)
def _needs_a_checkout():
    if not tracked():
        pytest.skip("not a git checkout: nothing is tracked")


def texts():
    for path in tracked():
        if path.suffix not in BINARY:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", [HOSTS, FOLDERS], ids=["package hosts", "folders of a machine"])
def test_no_file_names(what):
    pattern = re.compile(what)
    found = [
        f"{path}:{number}: {match[0]}"
        for path, text in texts()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert not found, "\n".join(found)


def test_the_search_finds_what_it_looks_for():
    for text in ("/ho" + "me/ann/x", "see (/ro" + "ot/y)", '"/op' + 't/z"'):
        assert re.search(FOLDERS, text), text
    for text in ("~/work/x", "https://a.org/work/x", "$work/test/x", "network/opt/x"):
        assert not re.search(FOLDERS, text), text
    assert re.search(HOSTS, "https://py" + "pi.org/simple")


def test_no_audio_and_nothing_that_has_to_be_unpickled():
    assert [str(p) for p in tracked() if p.suffix.lower() in NEVER] == []


def test_no_file_is_large():
    assert [str(p) for p in tracked() if p.stat().st_size > LARGEST] == []


def test_ci_can_be_executed():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
