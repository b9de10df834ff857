"""``sedbench fetch``: recordings from a mirror, verified; and soundbanks that need none."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from sedbench.data.fetch import FetchReport
from sedbench.data.folder import FolderSoundbank
from sedbench.types import SoundbankInfo

FILES = {"foreground/Dog/a.wav": b"bark", "background/hum/b.wav": b"mmmm"}
HINT = "sedbench fetch house --from DIR"


@pytest.fixture
def home(tmp_path) -> Path:
    """Where the soundbank ``house`` belongs."""
    return tmp_path / "data" / "house"


@pytest.fixture
def mirror(tmp_path, offers, home) -> Path:
    """A mirror of the soundbank ``house``, which the made-up plugin offers."""
    root = tmp_path / "mirror"
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "role", "class", "split", "group", "sha256", "duration"])
        for name, content in FILES.items():
            (root / name).parent.mkdir(parents=True)
            (root / name).write_bytes(content)
            role, label, _ = name.split("/")
            digest = hashlib.sha256(content).hexdigest()
            rows.writerow([name, role, label, "train", name, digest, "1.0"])
    info = SoundbankInfo("house", "two sounds", fetch=HINT)
    offers.append((info, lambda: FolderSoundbank("house", home, manifest, fetch=HINT)))
    return root


def test_it_copies_verifies_and_keeps(cli, mirror, home):
    first = cli("fetch", "house", "--from", mirror)
    assert first.code == 0 and "2 copied, 0 kept" in first.out
    assert {n: (home / n).read_bytes() for n in FILES} == FILES
    again = cli("fetch", "house", "--from", mirror)
    assert again.code == 0 and "0 copied, 2 kept" in again.out
    check = cli("fetch", "house", "--check")
    assert check.code == 0 and check.err.startswith("check house: 2 of 2 in ")
    assert check.err.count("\n") == 1


def test_without_a_mirror_it_says_what_to_type(cli, mirror, home):
    answer = cli("fetch", "house")
    assert (answer.code, answer.out) == (4, "") and "--from DIR" in answer.err
    missing = cli("fetch", "house", "--check")
    assert missing.code == 4 and missing.err.endswith(f"hint: {HINT}\n")
    nowhere = cli("fetch", "house", "--from", "no/such/folder")
    assert nowhere.code == 4 and "no/such/folder" in nowhere.err
    assert not home.exists()


def test_a_wrong_file_ends_with_4_and_does_not_arrive(cli, mirror, home):
    (mirror / "foreground/Dog/a.wav").write_bytes(b"meow")
    answer = cli("fetch", "house", "--from", mirror)
    assert answer.code == 4 and "foreground/Dog/a.wav" in answer.err
    assert not (home / "foreground/Dog/a.wav").exists()
    assert (home / "background/hum/b.wav").exists()


def test_a_damaged_file_is_found_by_check(cli, mirror, home):
    cli("fetch", "house", "--from", mirror)
    (home / "background/hum/b.wav").write_bytes(b"nnnn")
    answer = cli("fetch", "house", "--check")
    assert answer.code == 4 and "1 wrong" in answer.err and answer.out == ""


def test_check_and_from_exclude_each_other(cli, mirror):
    assert cli("fetch", "house", "--check", "--from", mirror).code == 2


def test_a_bank_that_needs_nothing_says_so(cli):
    answer = cli("fetch", "made-bank")
    assert answer.code == 0 and "made-bank needs no fetching" in answer.out
    assert cli("fetch", "made-bank", "--check").code == 0


def test_a_bank_may_bring_itself(cli, offers, tmp_path):
    class Bank:
        name = "far-bank"

        def bring(self, source, check, progress):
            progress(1, 1)
            return FetchReport(tmp_path, copied=["foreground/Dog/a.wav"])

    offers.append((SoundbankInfo("far-bank", "from afar", fetch="sedbench fetch far-bank"), Bank))
    answer = cli("fetch", "far-bank")
    assert answer.code == 0 and "1 copied" in answer.out


def test_a_bank_that_can_only_be_fetched_by_hand_says_so(cli, offers):
    class Bank:
        name = "hand-bank"

    offers.append((SoundbankInfo("hand-bank", "by hand", fetch="write to the authors"), Bank))
    answer = cli("fetch", "hand-bank")
    assert answer.code == 2 and "hint: write to the authors" in answer.err


@pytest.mark.parametrize(("name", "near"), [("made-bnk", "made-bank"), ("hous", "house")])
def test_an_unknown_bank_ends_with_2(name, near, cli, mirror):
    answer = cli("fetch", name)
    assert answer.code == 2
    assert answer.err == f"error: unknown soundbank {name!r}\nhint: did you mean {near!r}?\n"
