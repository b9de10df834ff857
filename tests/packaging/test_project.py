"""What the project says of itself agrees: versions, entry points, shipped files, the picture."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import sedbench
from sedbench.registry import Source, build

ROOT = Path(__file__).parents[2]


@cache
def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def citation() -> dict[str, Any]:
    found = yaml.safe_load(read("CITATION.cff"))
    assert isinstance(found, dict)
    return found


def test_one_version_everywhere():
    version = sedbench.__version__
    assert project()["project"]["version"] == version
    assert citation()["version"] == version
    assert re.search(r"^## \[([^\]]+)\]", read("CHANGELOG.md"), re.M)[1] == version


@pytest.mark.parametrize("name", project()["project"]["entry-points"]["sedbench"])
def test_entry_points_resolve_to_plugins_that_load(name):
    target = project()["project"]["entry-points"]["sedbench"][name]
    (point,) = [
        p
        for p in importlib.metadata.entry_points(group="sedbench", name=name)
        if p.dist is not None and p.dist.name == "sedbench"
    ]
    assert point.value == target, "the installation is older than pyproject.toml: install again"
    found = build([Source(name, "sedbench", "0", point.load)])
    assert found.broken == []
    assert found.plugins[0].offers


def test_the_command_is_installed():
    (script,) = [
        p for p in importlib.metadata.entry_points(group="console_scripts") if p.name == "sedbench"
    ]
    assert callable(script.load())


def test_data_files_are_in_the_package():
    package = importlib.resources.files("sedbench")
    assert (package / "py.typed").is_file()
    for schema in (package / "schemas").iterdir():
        json.loads(schema.read_text(encoding="utf-8"))


def test_the_board_is_forced_into_the_wheel_and_its_folder_is_never_empty():
    forced = project()["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert forced == {"leaderboard/results": "sedbench/board"}
    # git keeps no empty folder, and a build without the folder fails.
    assert (ROOT / "leaderboard" / "results" / "README.md").is_file()


def test_the_source_distribution_holds_what_the_build_needs():
    listed = project()["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in listed:
        assert (ROOT / name.lstrip("/")).exists(), name
    assert {"/leaderboard", "/README.md", "/LICENSE", "/constraints.txt"} <= set(listed)


# What Citation File Format 1.2.0 asks for, of the keys that are used here.
PERSON = {"family-names", "given-names", "name", "orcid"}
TOP = {
    "cff-version", "message", "type", "title", "abstract", "version", "license", "keywords",
    "authors", "references",
}  # fmt: skip


def test_the_citation_is_one():
    found = citation()
    assert {"cff-version", "message", "title", "authors"} <= found.keys() <= TOP
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "software"
    assert found["license"] == project()["project"]["license"] == "MIT"
    for author in found["authors"]:
        assert author.keys() <= PERSON
    assert len(set(found["keywords"])) == len(found["keywords"])


def test_the_study_is_cited():
    (study,) = citation()["references"]
    assert {"type", "title", "authors"} <= study.keys()
    assert study["type"] == "article"
    assert [a["family-names"] for a in study["authors"]] == ["Dumpis", "Virtanen"]
    assert study["year"] == 2026
    assert study["identifiers"][0]["value"] == "arXiv:2605.23293"
    assert study["url"].endswith("2605.23293")


def rooms() -> set[str]:
    """Modules and packages of the framework, as ARCHITECTURE.md writes them."""
    folder = ROOT / "sedbench"
    modules = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    packages = {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    return modules | packages


def test_the_picture_of_floors_shows_every_room_and_no_other():
    picture = re.search(r"^ cli/  __main__.*?^```", read("ARCHITECTURE.md"), re.M | re.S)[0]
    # Names stand two blanks apart, and behind a wider gap is what they are.
    names = {
        name
        for line in picture.splitlines()[:-1]
        if not line.startswith(" ──")
        for name in re.split(r" {3,}", line.strip())[0].split()
    }
    assert names == rooms()


def test_the_table_of_rooms_is_complete():
    table = re.search(r"^## Rooms\n(.*?)^## ", read("ARCHITECTURE.md"), re.M | re.S)[1]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert named == rooms() - {"__main__"}


@pytest.mark.parametrize(
    "name",
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/protocol.md", "docs/submitting.md"],
)
def test_links_lead_somewhere(name):
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)#]+)", read(name)):
        if "://" not in target:
            assert (folder / target).exists(), target


def test_the_policies_and_metrics_of_the_protocol_are_described():
    from sedbench.metrics import METRICS
    from sedbench.protocol.thresholds import POLICIES

    text = read("docs/protocol.md")
    for name in (*(m.name for m in METRICS), *POLICIES):
        assert re.search(rf"^\| `{name}` \|", text, re.M), name


def test_the_example_record_has_the_fields_of_a_record():
    from sedbench.schema import result_schema

    text = re.search(r"```json\n(.*?)```", read("docs/protocol.md"), re.S)[1]
    record = json.loads(text)
    schema = result_schema()["properties"]["scores"]["items"]
    assert record.keys() == set(schema["required"])
