"""What turns the repository's documents and docstrings into the site; ``mkdocs.yml`` calls it.

Documents are written to be read where they lie: a page in ``docs`` links to ``../README.md``, to
a plugin's folder or to the licence. :class:`Repository` brings whatever is linked to that lies
outside ``docs`` into the site, and links are pointed there. The home page is ``README.md`` itself.

Docstrings are in the style of numpydoc, with the roles of reStructuredText. :class:`Docstrings`
turns those into links, and what does not exist into a warning, which ends a strict build.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
HOME = "README.md"
ELSEWHERE = "repository"
"""Folder of the site for what lies outside ``docs``."""

_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)(#[^)\s]*)?(?=\))")
_CITED = re.compile(r"\[(\d+)\](?![\[(:])")
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc|obj):`(?:[^`<]*<)?(~?)([\w.]+)>?`")
_CODE = re.compile(r"::(?=\n\n? {4})")
_log = logging.getLogger("mkdocs.hooks.site")


def place(source: str) -> str:
    """Where a file of the repository lies in the site.

    >>> place("docs/api/types.md"), place("README.md"), place("LICENSE")
    ('api/types.md', 'index.md', 'repository/LICENSE')
    """
    if source == HOME:
        return "index.md"
    return source.removeprefix("docs/") if source.startswith("docs/") else f"{ELSEWHERE}/{source}"


def target(source: str, link: str) -> str:
    """What a link in a file means, as a path in the repository; of a folder its README."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return f"{path}/README.md" if (ROOT / path).is_dir() else path


def linked(source: str) -> Iterator[str]:
    """The files of the repository that a Markdown file links to."""
    for link, _ in _LINK.findall((ROOT / source).read_text(encoding="utf-8")):
        found = target(source, link)
        if not found.startswith("../") and (ROOT / found).is_file():
            yield found


class Repository:
    """What the site shows of the repository beside ``docs``: by its place in the site, the file."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}

    def find(self, pages: list[str]) -> list[str]:
        """Everything outside ``docs`` that can be reached from some pages, the home page first."""
        found = dict.fromkeys([HOME])
        waiting = [HOME, *pages]
        while waiting:
            for each in linked(waiting.pop(0)):
                if each not in found and not each.startswith("docs/"):
                    found[each] = None
                    if each.endswith(".md"):
                        waiting.append(each)
        return list(found)


_repository = Repository()


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside ``docs`` that pages link to."""
    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    _repository.sources = {place(page): page for page in pages}
    for source in _repository.find(pages):
        _repository.sources[place(source)] = source
        path = ROOT / source
        files.append(File.generated(config, place(source), abs_src_path=os.fspath(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point relative links at where the site has their files; a number in brackets is no link."""
    source = _repository.sources[page.file.src_uri]
    here = posixpath.dirname(page.file.src_uri)

    def moved(found: re.Match[str]) -> str:
        wanted = target(source, found[1])
        if not (ROOT / wanted).is_file():
            return found[0]  # MkDocs warns of it
        return posixpath.relpath(place(wanted), here or ".") + (found[2] or "")

    return _LINK.sub(moved, _CITED.sub(r"\\[\1\\]", markdown))


class Docstrings(griffe.Extension):
    """Roles of reStructuredText as links, and its sign for a block of code as Markdown has it."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **_: Any) -> None:
        """Rewrite every docstring of a package, once it was read."""
        for each in _objects(pkg):
            if each.docstring is not None:
                each.docstring.value = self._rewritten(each, loader)

    def _rewritten(self, of: griffe.Object, loader: griffe.GriffeLoader) -> str:
        assert of.docstring is not None

        def link(found: re.Match[str]) -> str:
            path = found[2]
            if path.startswith(f"{of.package.path}.") and not _there(path, loader):
                _log.warning("%s speaks of %s, which does not exist", of.path, path)
            text = path.rpartition(".")[2] if found[1] else path
            return f'<autoref identifier="{path}" optional><code>{text}</code></autoref>'

        return _CODE.sub(":", _ROLE.sub(link, of.docstring.value))


def _objects(of: griffe.Object) -> Iterator[griffe.Object]:
    yield of
    for member in of.members.values():
        if isinstance(member, griffe.Object):
            yield from _objects(member)


def _there(path: str, loader: griffe.GriffeLoader) -> bool:
    try:
        loader.modules_collection.get_member(path)
    except (KeyError, griffe.AliasResolutionError):
        return False
    return True
