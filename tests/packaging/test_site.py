"""The site: every document and every public module has its place, and links lead somewhere.

Building it is a part of ``.ci/run``; what needs the tools of the site is skipped without them.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

import sedbench

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def entries(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
        return
    for each in nav if isinstance(nav, list) else nav.values():
        yield from entries(each)


def documented() -> set[str]:
    pages = DOCS.glob("api/*.md")
    return {m for page in pages for m in re.findall(r"^::: ([\w.]+)$", page.read_text(), re.M)}


def test_every_document_has_its_place():
    placed = list(entries(SITE["nav"]))
    assert len(placed) == len(set(placed))
    own = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")}
    assert {p for p in placed if not p.startswith(("index.md", "repository/"))} == own


def test_a_warning_ends_the_build():
    assert SITE["strict"] is True
    assert "mkdocs build --strict" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f"/{SITE['site_dir']}/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_every_public_module_is_documented():
    assert sedbench.__doc__ is not None
    public = set(re.findall(r":mod:`(sedbench\.[\w.]*)`", sedbench.__doc__))
    assert len(public) > 10
    found = documented()
    for module in public:
        assert any(f"{each}.".startswith(f"{module}.") for each in found), module
    # And nothing else: a page is a promise.
    allowed = (*public, "sedbench.info", "sedbench.api", "sedbench.results")
    for each in found:
        assert any(f"{each}.".startswith(f"{module}.") for module in allowed), each


def test_the_table_of_pages_names_them_all():
    table = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    others = {p.name for p in DOCS.glob("api/*.md")} - {"index.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", table)) == others


# --- what needs the tools of the site ---------------------------------------------------------


@pytest.fixture(scope="module")
def site() -> ModuleType:
    for name in ("mkdocs", "griffe"):
        pytest.importorskip(name)
    spec = importlib.util.spec_from_file_location("site_of_docs", ROOT / ".ci" / "site.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_lies_outside_docs_is_brought_in(site):
    found = site.Repository().find(["docs/plugins.md", "docs/metrics.md"])
    assert {"README.md", "LICENSE", "ARCHITECTURE.md"} <= set(found)
    assert "plugins/sedbench-example/README.md" in found  # a folder is its README
    assert not [each for each in found if each.startswith("docs/")]
    assert all((ROOT / each).is_file() for each in found)


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        ("docs/plugins.md", "[x](../plugins/sedbench-example)",
         "[x](repository/plugins/sedbench-example/README.md)"),
        ("docs/plugins.md", "[x](tasks.md#a) [y](#b)", "[x](tasks.md#a) [y](#b)"),
        ("docs/submitting.md", "[x](../README.md)", "[x](index.md)"),
        ("docs/api/index.md", "[x](types.md)", "[x](types.md)"),
        ("README.md", "[x](docs/tasks.md), [y](LICENSE)", "[x](tasks.md), [y](repository/LICENSE)"),
        ("ARCHITECTURE.md", "[x](docs/tasks.md)", "[x](../tasks.md)"),
        ("README.md", "[x](https://a.org/b.md)", "[x](https://a.org/b.md)"),
        ("README.md", "[x](gone.md)", "[x](gone.md)"),  # which MkDocs warns of
        ("docs/metrics.md", "IoU [7] [8], [9](tasks.md)", r"IoU \[7\] \[8\], [9](tasks.md)"),
    ],
)  # fmt: skip
def test_links_are_moved_with_their_files(site, source, before, after):
    place = site.place(source)
    site._repository.sources[place] = source
    page = SimpleNamespace(file=SimpleNamespace(src_uri=place))
    assert site.on_page_markdown(before, page) == after


def test_roles_become_links_and_what_is_not_there_is_said(site, tmp_path, caplog):
    import griffe

    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "__init__.py").write_text(
        '"""See :class:`~thing.a.A` and :func:`thing.gone`::\n\n    code\n\nEnd.\n"""\n'
    )
    (tmp_path / "thing" / "a.py").write_text('class A:\n    """It is :mod:`numpy`."""\n')
    extensions = griffe.load_extensions(site.Docstrings)
    found = griffe.load("thing", search_paths=[tmp_path], extensions=extensions)
    assert found.docstring.value == (
        'See <autoref identifier="thing.a.A" optional><code>A</code></autoref> and '
        '<autoref identifier="thing.gone" optional><code>thing.gone</code></autoref>:'
        "\n\n    code\n\nEnd."
    )
    assert "<code>numpy</code>" in found["a.A"].docstring.value
    assert [r.getMessage() for r in caplog.records if r.name == "mkdocs.hooks.site"] == [
        "thing speaks of thing.gone, which does not exist"
    ]
