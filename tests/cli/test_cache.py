"""``sedbench cache``: what can be made again is shown, and removed when asked; nothing else is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sedbench.cli.cache import KINDS, size
from sedbench.files import cache_root, write_atomic


@pytest.fixture
def filled(cli):
    cli("cache")  # sets the folders that the fixture wants
    for kind in KINDS:
        write_atomic(cache_root() / kind / "ab" / "one", b"x" * 1500)
    write_atomic(cache_root() / "mine" / "letter", b"y" * 10)
    return cache_root()


def kinds(answer):
    return {each["kind"]: each for each in json.loads(answer.out)["kinds"]}


def test_an_empty_cache_is_no_error(cli):
    assert cli("cache").code == 0
    assert {each["bytes"] for each in kinds(cli("cache", "--json")).values()} == {0}


def test_what_is_kept_is_counted_and_left(cli, filled):
    answer = cli("cache")
    assert answer.code == 0
    assert "masked" in answer.out and size(1500 * len(KINDS)) in answer.out
    found = kinds(cli("cache", "--json"))
    assert set(found) == set(KINDS)
    assert {(each["files"], each["bytes"]) for each in found.values()} == {(1, 1500)}
    assert "freed_bytes" not in json.loads(cli("cache", "--json").out)


def test_one_kind_is_removed_and_the_rest_stays(cli, filled):
    answer = cli("cache", "--clear", "masked", "--json")
    assert answer.code == 0 and json.loads(answer.out)["freed_bytes"] == 1500
    assert not (filled / "masked").exists()
    assert all((filled / kind / "ab" / "one").exists() for kind in KINDS if kind != "masked")


def test_all_leaves_what_is_not_the_caches_own(cli, filled):
    assert "freed: 8 kB" in cli("cache", "--clear", "all").out
    assert [path.name for path in filled.iterdir()] == ["mine"]


def test_a_link_is_removed_and_what_it_points_to_is_not(cli, filled, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (filled / "masked").rename(elsewhere)
    (filled / "masked").symlink_to(elsewhere)
    assert cli("cache", "--clear", "masked").code == 0
    assert (elsewhere / "ab" / "one").exists() and not (filled / "masked").is_symlink()


def test_a_kind_that_is_none(cli):
    answer = cli("cache", "--clear", "maskd")
    assert answer.code == 2 and "masked" in answer.err


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (2_500_000, "2.5 MB"), (3_000_000_000, "3.0 GB")],
)
def test_sizes(count, shown):
    assert size(count) == shown


def test_every_folder_of_the_cache_is_known():
    root = Path(__file__).parents[2]
    sources = [path for part in ("sedbench", "plugins") for path in (root / part).rglob("*.py")]
    told = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert set(re.findall(r'cache_root\(\) / "(\w+)"', told)) == set(KINDS)
