"""Backgrounds that a classifier hears as a target, in ``sedbench show``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sedbench.cli.heard import heard
from sedbench.data.folder import FolderSoundbank
from sedbench.errors import DataError
from sedbench.types import SoundbankInfo

FACTS = {
    "by": "big-net",
    "threshold": 0.3,
    "backgrounds": 9,
    "heard": [
        {
            "recording": "background/rain/a.wav",
            "classes": {"Water": {"clip": 0.1, "highest": 0.8}, "Dog": {"clip": 0, "highest": 0.4}},
        },
        {"recording": "background/rain/b.wav", "classes": {"Water": {"clip": 0.5, "highest": 0.9}}},
        {"recording": "background/hum/c.wav", "classes": {"Dog": {"clip": 0.1, "highest": 0.35}}},
    ],
}


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "heard.json"
    path.write_text(json.dumps(FACTS))
    return path


def test_facts_are_counted_by_label_and_target(facts: Path) -> None:
    found = heard(facts)
    assert found["backgrounds"] == 9 and found["by"] == "big-net"
    assert found["labels"] == {
        "hum": {"recordings": 1, "as": {"Dog": {"recordings": 1, "highest": 0.35}}},
        "rain": {
            "recordings": 2,
            "as": {
                "Water": {"recordings": 2, "highest": 0.9},
                "Dog": {"recordings": 1, "highest": 0.4},
            },
        },
    }
    assert list(heard(facts, ["Water"])["labels"]) == ["rain"]


def test_show_lists_them(cli, offers, facts, tmp_path) -> None:
    info = SoundbankInfo("garden", "sounds", heard=facts)
    offers.append((info, lambda: FolderSoundbank("garden", tmp_path)))
    out = " ".join(cli("show", "garden").out.split())
    assert "backgrounds that big-net hears as a target somewhere (above 0.3): 3 of 9" in out
    assert "rain 2 Water (2, 0.90), Dog (1, 0.40)" in out
    shown = json.loads(cli("show", "garden", "--json").out)
    assert shown["soundbanks"]["heard"]["labels"]["hum"]["recordings"] == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"heard": 3}', '{"heard": [{"recording": "x"}]}'])
def test_facts_that_cannot_be_read_are_one_error(facts: Path, text: str) -> None:
    facts.write_text(text)
    with pytest.raises(DataError, match=r"heard\.json"):
        heard(facts)
