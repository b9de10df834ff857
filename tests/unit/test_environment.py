from __future__ import annotations

import getpass
import json
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sedbench
from sedbench import environment
from sedbench.environment import Requirement


@pytest.fixture
def no_cache():
    environment._declared.cache_clear()
    yield
    environment._declared.cache_clear()


def test_facts_are_plain_json():
    facts = environment.environment()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["sedbench"] == sedbench.__version__
    assert facts["python"] == platform.python_version()
    assert facts["cpu"]["cores"] >= 1
    assert facts["packages"]["torch"].startswith("2.")


def test_nothing_personal_is_told():
    text = json.dumps(environment.environment())
    assert platform.node() not in text
    assert str(Path.home()) not in text
    assert f'"{getpass.getuser()}"' not in text
    assert str(Path.cwd()) not in text


def test_no_heavy_package_is_imported():
    code = (
        "import sys, sedbench.environment as e; e.environment(); e.requirements();"
        "print([m for m in ('torch', 'scaper', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(sedbench.__file__).parents[1]), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wanted", "found", "ok"),
    [
        (">=2.13,<2.14", "2.13.0", True),
        (">=2.13,<2.14", "2.13.0+cpu", True),
        (">=2.13,<2.14", "2.14.0", False),
        ("==1.5.1", "1.6.5", False),
        ("", "0.1", True),
        ("", None, False),
    ],
)
def test_versions_are_compared_with_what_is_wanted(wanted, found, ok):
    assert Requirement("x", wanted, found).ok is ok


def test_requirements_are_read_from_a_checkout_that_is_not_installed(
    tmp_path, monkeypatch, no_cache
):
    def absent(name: str) -> list[str]:
        raise environment.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.importlib.metadata, "requires", absent)
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    assert environment.requirements() == []
    environment._declared.cache_clear()
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["no-such-thing>=2", "numpy; python_version < \'3\'", "rich"]\n'
    )
    found = environment.requirements()
    assert [(r.name, r.wanted, r.found is None) for r in found] == [
        ("no-such-thing", ">=2", True),
        ("rich", "", False),
    ]


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_the_commit_of_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    assert environment.commit_state() == {}  # installed: no checkout
    git(tmp_path, "init", "-q")
    (tmp_path / "pyproject.toml").write_text("")
    assert environment.commit_state() == {"commit": None, "dirty": True}
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert environment.commit_state() == {"commit": head, "dirty": False}
    (tmp_path / "new.py").write_text("")
    assert environment.commit_state() == {"commit": head, "dirty": True}


def test_without_git_nothing_is_claimed(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.commit_state() == {}


def test_every_dependency_of_the_project_is_recorded():
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert len(environment.requirements()) == len(project["dependencies"])
