"""``sedbench list``: every kind, as tables and as JSON, and plugins that did not load."""

from __future__ import annotations

import json

import pytest

from sedbench.registry import KINDS, Source

BROKEN = """
print("this must not spoil the JSON")
raise SystemExit(7)
"""


def fails():
    raise RuntimeError("half installed\nsecond line")


def test_without_a_kind_it_lists_everything(cli):
    answer = cli("list")
    assert answer.code == 0 and answer.err == ""
    for word in (*KINDS, "plugins", "loudest", "tiny-net", "made-bank", "closeness", "acme"):
        assert word in answer.out
    assert "broken" not in answer.out


def test_json_is_one_object_with_a_list_a_kind(cli):
    document = json.loads(cli("list", "--json").out)
    assert list(document) == ["methods", "models", "soundbanks", "tasks", "metrics", "plugins"]
    assert [m["name"] for m in document["methods"]] == ["loudest", "softest"]
    method = document["methods"][0]
    assert method["params"][0] == {
        "name": "width",
        "type": "int",
        "default": 3,
        "help": "frames",
        "choices": [],
        "minimum": 1,
        "maximum": 9,
    }
    assert method["supervision"] == "none" and method["distribution"] == "acme"
    assert document["tasks"] == []
    [plugin] = document["plugins"]
    assert plugin["status"] == "ok" and "model tiny-net" in plugin["offers"]


@pytest.mark.parametrize("kind", [*KINDS, "plugins"])
def test_a_kind_alone(kind, cli):
    assert list(json.loads(cli("list", kind, "--json").out)) == [kind]
    assert cli("list", kind).code == 0


def test_a_broken_plugin_is_listed_and_hides_nothing(cli, broken):
    broken.append(Source("half", "half-dist", "0.3", fails))
    table = cli("list")
    assert table.code == 0
    assert "loudest" in table.out and "broken plugins" in table.out and "half-dist" in table.out
    only = cli("list", "--broken")
    assert only.code == 0 and "loudest" not in only.out and "half installed" in only.out
    document = json.loads(cli("list", "--broken", "--json").out)
    assert document == {
        "plugins": [
            {
                "name": "half",
                "status": "broken",
                "distribution": "half-dist",
                "version": "0.3",
                "phase": "import",
                "error": "RuntimeError: half installed",
                "hint": "pip install --upgrade half-dist, or uninstall it",
                "offers": [],
            }
        ]
    }
    everything = json.loads(cli("list", "--json").out)["plugins"]
    assert [(p["name"], p["status"]) for p in everything] == [("half", "broken"), ("made_up", "ok")]


def test_broken_lists_plugins_only(cli):
    answer = cli("list", "methods", "--broken")
    assert answer.code == 2 and "hint: sedbench list --broken" in answer.err


def test_a_narrow_terminal_keeps_names_whole(cli, monkeypatch):
    wide = cli("list", "methods")
    monkeypatch.setenv("COLUMNS", "40")
    narrow = cli("list", "methods")
    assert max(map(len, narrow.out.splitlines())) <= 40 < max(map(len, wide.out.splitlines()))
    assert "loudest" in narrow.out


def test_no_color_and_colour(cli, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1m" in cli("list", "methods").out
    monkeypatch.setenv("NO_COLOR", "1")
    out = cli("doctor").out
    assert not any(f"\x1b[{code}m" in out for code in ("31", "32", "33", "1;31"))


def test_a_real_plugin_that_exits_and_prints_is_only_listed(process, package):
    path = package("rude_plugin", BROKEN)
    answer = process("list", "--json", path=path)
    assert answer.code == 0
    document = json.loads(answer.out)
    [rude] = [p for p in document["plugins"] if p["status"] == "broken"]
    assert (rude["name"], rude["error"]) == ("rude_plugin", "SystemExit: 7")
    assert document["methods"], "the built-in ones are still there"
    assert answer.err == "this must not spoil the JSON\n"


def test_a_broken_plugin_that_is_asked_for_ends_with_3(process, package):
    path = package("rude_plugin", BROKEN)
    answer = process("show", "rude_plugin", path=path)
    assert (answer.code, answer.out) == (3, "")
    assert "error: method 'rude_plugin' belongs to plugin 'rude_plugin'" in answer.err
