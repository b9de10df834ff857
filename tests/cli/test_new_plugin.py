"""``sedbench new-plugin`` and ``sedbench test``: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sedbench.registry import Source
from sedbench.types import Answer, FrameScores, MethodInfo, Param

SOUND = '''
"""A plugin of one module."""

import numpy as np

from sedbench import hookimpl
from sedbench.types import Answer, FrameScores, MethodInfo

INFO = MethodInfo("flat", "the same everywhere", kind="baseline", needs=frozenset())


class Flat:
    def answer(self, query, model):
        values = np.ones((len(query.pairs), query.grid.n_frames))
        return Answer(FrameScores(values, query.grid.edges), query.grid.frame)


@hookimpl
def sedbench_register_methods(register):
    register(INFO, Flat)
'''


class Level:
    """Mean amplitude of each frame, to a power."""

    def __init__(self, power: float = 1.0, steps: int = 50) -> None:
        self.power = power

    def answer(self, query, model):
        frames = np.array_split(np.abs(query.waveforms), query.grid.n_frames, axis=1)
        level = np.stack([f.mean(axis=1) for f in frames], axis=1) ** self.power
        return Answer(FrameScores(level[query.pairs[:, 0]], query.grid.edges), query.grid.frame)


class Late(Level):
    """Half a clip too many."""

    def answer(self, query, model):
        answer = super().answer(query, model)
        return Answer(FrameScores(answer.scores.values, answer.scores.edges * 1.5), 0.15)


PARAMS = (Param("power", 1.0, "exponent", minimum=0.1), Param("steps", 50, "not used", minimum=1))


@pytest.fixture
def offers():
    return [
        (MethodInfo("level", "mean amplitude", params=PARAMS, needs=frozenset()), Level),
        (MethodInfo("late", "wrong times", params=PARAMS, needs=frozenset()), Late),
    ]


def test_a_table_of_what_passes_and_what_is_skipped_and_why(cli):
    answer = cli("test", "level")
    assert answer.code == 0 and answer.err == ""
    head, *rows = answer.out.splitlines()
    assert head == "method 'level'  with steps=8"
    assert rows[-1] == "21 passed, 2 skipped"
    assert any(row.startswith("pass  shape") for row in rows)
    [skipped] = [row for row in rows if row.startswith("skip  impulse")]
    assert "it hears no model" in skipped


def test_what_fails_is_named_with_its_reason_and_ends_with_1(cli):
    answer = cli("test", "late")
    assert answer.code == 1
    [failed] = [row for row in answer.out.splitlines() if row.startswith("FAIL")]
    assert (
        failed.startswith("FAIL  edges") and "from 0 to 3 s, and the clip from 0 to 2 s" in failed
    )
    assert "'edges' has to pass first" in answer.out


def test_json_has_every_check_with_its_status_and_reason(cli):
    answer = cli("test", "late", "--json")
    assert answer.code == 1
    document = json.loads(answer.out)
    [tested] = document["tests"]
    assert not document["passed"] and not tested["passed"]
    assert (tested["kind"], tested["name"], tested["distribution"]) == ("method", "late", "acme")
    checks = {check["check"]: check for check in tested["checks"]}
    assert checks["shape"]["status"] == "pass" and checks["shape"]["reason"] == ""
    assert checks["edges"]["status"] == "fail" and checks["edges"]["about"]
    assert all(check["seconds"] >= 0 for check in tested["checks"])


def test_parameters_are_taken_as_they_are_given(cli):
    assert cli("test", "level[steps=20]").out.splitlines()[0] == "method 'level'"
    assert cli("test", "level", "--full").out.splitlines()[0] == "method 'level'"
    wrong = cli("test", "level[stepps=20]")
    assert wrong.code == 2 and "did you mean 'steps'" in wrong.err


def test_a_plugins_name_tests_everything_that_it_offers(cli):
    document = json.loads(cli("test", "made_up", "--json").out)
    assert [tested["name"] for tested in document["tests"]] == ["late", "level"]
    other = cli("test", "made_up", "--kind", "models")
    assert (other.code, other.out) == (5, "")


def test_names_that_nothing_answers_to(cli):
    answer = cli("test", "levle")
    assert answer.code == 2 and "did you mean 'level'?" in answer.err
    assert cli("test", "./nowhere").code == 2


def test_a_broken_plugin_ends_with_3(cli, broken):
    def fails():
        raise ImportError("half installed")

    broken.append(Source("half", "half-dist", "0.3", fails))
    answer = cli("test", "half")
    assert answer.code == 3 and "half installed" in answer.err


def test_a_module_is_tested_where_it_lies(cli, tmp_path):
    path = tmp_path / "flat_plugin.py"
    path.write_text(SOUND)
    answer = cli("test", str(path))
    assert answer.code == 0 and answer.out.startswith("method 'flat'")
    path.write_text("import nothing_of_that_name\n")
    answer = cli("test", str(tmp_path / "flat_plugin.py"))
    assert answer.code in (0, 3), "a module that is imported already is taken as it is"
    other = tmp_path / "other_plugin.py"
    other.write_text("import nothing_of_that_name\n")
    answer = cli("test", str(other))
    assert answer.code == 3 and "nothing_of_that_name" in answer.err


def test_a_folder_that_is_no_plugin_says_what_one_is(cli, tmp_path):
    answer = cli("test", str(tmp_path))
    assert answer.code == 2 and "pyproject.toml" in answer.err
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    answer = cli("test", str(tmp_path))
    assert answer.code == 2 and "[project.entry-points.sedbench]" in answer.err


def test_a_new_plugin_says_what_it_wrote_and_what_comes_next(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = cli("new-plugin", "my-method")
    assert answer.code == 0
    files = [Path(line) for line in answer.out.splitlines()]
    assert Path("my-method/src/my_method/__init__.py") in files
    assert all(path.is_file() for path in files)
    assert answer.err == "next: pip install -e my-method && sedbench test my-method\n"
    again = cli("new-plugin", "my-method")
    assert again.code == 2 and "not empty" in again.err
    assert cli("new-plugin", "other", "--kind", "methd").code == 2
    elsewhere = cli("new-plugin", "other", "--kind", "metric", "--to", tmp_path / "deep" / "er")
    assert elsewhere.code == 0 and (tmp_path / "deep" / "er" / "pyproject.toml").is_file()
