"""A figure as part of a page: an SVG that takes its colours from the page, dark or light.

What is painted in black, white and grey becomes the page's own text, ground and lines; a method's
colour becomes a variable that is lighter on a dark ground. Ids are made unique, since several
figures stand in one page, and rules that would reach beyond the figure are taken out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

from sedbench.report.drawings import Drawing

_OURS = {
    "#000000": "var(--text)",
    "#ffffff": "var(--ground)",
    "#7f7f7f": "var(--dim)",
    "#666666": "var(--dim)",
    "#d0d0d0": "var(--line)",
}
_DIGITS = re.compile(r"(\.\d\d)\d+")  # a hundredth of a point is finer than any screen
_LIGHTER = 0.38  # of the way to white, on a dark ground


def inline(drawing: Drawing, palette: Mapping[str, str]) -> str:
    """Paint a figure for a page.

    Parameters
    ----------
    drawing : Drawing
    palette : mapping of str to str
        Name of a method to its colour.

    Returns
    -------
    str
        An ``svg`` element.
    """
    text = drawing.encoded("svg").decode()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    # matplotlib's rule for everything in a document holds for the figure by inheritance.
    text = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", text, count=1, flags=re.S)
    text = text.replace("xlink:href", "href")
    text = _ids(text, drawing.name)
    text = re.sub(r"font-family: [^;\"]*;?\s*", "", text)  # the page's own
    text = re.sub(r'\b(?:d|x|y)="[^"]*"', lambda m: _DIGITS.sub(r"\1", m[0]), text)
    text = _colours(text, palette)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None  # or it is no figure
    root = f'<svg {box[0]} role="img" aria-label="{escape(drawing.alt)}" class="figure">'
    body = re.sub(r"\s*\n\s*", "\n", text[text.index(">") + 1 :])
    return root + body


def _ids(text: str, name: str) -> str:
    """Keep the ids that something refers to, with the figure's name before them."""
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))

    def kept(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r'\sid="([^"]*)"', kept, text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    return re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)


def _colours(text: str, palette: Mapping[str, str]) -> str:
    known = {colour.lower(): f"var(--m{i})" for i, colour in enumerate(palette.values())} | _OURS
    # Only within styles: a spectrogram's own bytes, and text, are left alone.
    return re.sub(
        r'style="([^"]*)"',
        lambda match: re.sub(r"#[0-9a-f]{6}", lambda c: known.get(c[0], c[0]), match[0]),
        text,
    )


def rules(palette: Iterable[str]) -> str:
    """Style rules that give each method's colour its light and its dark shade."""
    light = "".join(f"--m{i}:{colour};" for i, colour in enumerate(palette))
    dark = "".join(f"--m{i}:{lighter(colour)};" for i, colour in enumerate(palette))
    return (
        f":root{{{light}}}\n"
        f'@media (prefers-color-scheme: dark){{:root:not([data-theme="light"]){{{dark}}}}}\n'
        f':root[data-theme="dark"]{{{dark}}}\n'
    )


def lighter(colour: str) -> str:
    """A colour for a dark ground."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (255 - p) * _LIGHTER):02x}" for p in parts)
