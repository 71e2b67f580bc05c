"""Charts as inline SVG whose colours are the page's own, so that they follow its light and dark theme."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["ACCENT", "DASHES", "INK", "MUTED", "RULE", "SERIES", "SOURCE", "TARGET", "Canvas", "Chart", "themed"]

INK, MUTED, RULE = "#000001", "#000002", "#000003"
ACCENT, SOURCE, TARGET = "#000005", "#000006", "#000007"
SERIES = tuple(f"#0000{16 + place:02x}" for place in range(7))
"""Colours to draw with; in the page they become CSS variables."""

DASHES = ("", "6 3", "2 2.5", "8 2.5 2 2.5")
"""Patterns of lines, told apart without colour."""

_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    ACCENT: "var(--accent)",
    SOURCE: "var(--source)",
    TARGET: "var(--target)",
    **{colour: f"var(--s{place})" for place, colour in enumerate(SERIES)},
}

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "limbeck",
    "text.parse_math": False,  # names may hold a $
    "font.family": "sans-serif",
    "savefig.bbox": None,  # a user's matplotlibrc may say otherwise, of this and the next two
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
}

_ROOT = re.compile(r'<svg\b[^>]*viewBox="([^"]+)"[^>]*>')
_HEAD = re.compile(r"^.*?(?=<svg\b)|<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL)
_TAG = re.compile(r"<[^<>]+>")  # text is escaped, so that nothing of a user's looks like a tag

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Chart:
    """A picture and the words above it."""

    title: str
    svg: Markup
    note: str = ""


def themed(draw: Callable[P, R]) -> Callable[P, R]:
    """Give a drawing function the page's style."""
    return rc_context(_STYLE)(draw)


class Canvas:
    """One figure, measured in CSS pixels.

    key: letters that tell this figure's ids from those of the others on the page.
    """

    def __init__(self, key: str, width: int, height: int) -> None:
        self.key = key
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)

    def axes(self, left: int, top: int, right: int, bottom: int) -> Axes:
        """Axes with these margins."""
        width, height = self.width - left - right, self.height - top - bottom
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)

    def svg(self, label: str) -> Markup:
        """The figure as an SVG element; `label` is what a screen reader says."""
        text = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser has more fonts
            self.figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        svg = _TAG.sub(self._tag, _HEAD.sub("", text.getvalue()))
        root = (
            f'<svg class="chart" role="img" aria-label="{escape(label)}" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}">'
        )
        return Markup(_ROOT.sub(lambda _: root, svg, count=1))  # matplotlib escapes all text

    def _tag(self, match: re.Match[str]) -> str:
        tag = re.sub(r"\s+", " ", match[0])
        if tag.startswith("<g "):
            tag = re.sub(r' id="[^"]*"', "", tag)
        tag = re.sub(r' id="', f' id="{self.key}-', tag)
        tag = re.sub(r' xlink:href="#', f' href="#{self.key}-', tag)
        tag = tag.replace("url(#", f"url(#{self.key}-")
        tag = re.sub(r" font-family: [^;\"]*;", "", tag)
        tag = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", tag)
        tag = re.sub(r"(\d\.\d\d)\d+", r"\1", tag)
        return re.sub(r"#0000[0-9a-f]{2}\b", lambda colour: _VARIABLES.get(colour[0], colour[0]), tag)
