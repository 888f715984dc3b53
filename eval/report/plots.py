"""The plots of a run, as SVG that stands in the page, takes its colours and scales with it.

Every plot is drawn in the width of a phone, so that its words can be read there; the page sets them side by side
where there is room.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import StringIO
from itertools import chain
from typing import Any
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from eval.metrics import RiskCoverage
from eval.records import FigureRecord
from eval.report.text import plain

_WIDTH_INCHES = 4.2
_HEIGHT_INCHES = 2.7
_LABEL_CHARS = 22

# Stand-ins that the page's colours replace: matplotlib wants values, the page has variables, light and dark.
_INK, _MUTED, _RULE, _CARD = "#0a0a01", "#0a0a02", "#0a0a03", "#0a0a04"
_SERIES = ("#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06")
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _RULE: "var(--rule)",
    _CARD: "var(--card)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, start=1)},
}
# Lines differ in more than colour.
_DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 2)),
    (0, (1.5, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
_MARKERS = "osD^vP"
_SHARE_TICKS = ([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])

# Any: the names of all settings of matplotlib are one literal type, too long to write.
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "text.parse_math": False,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _RULE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "svg.fonttype": "none",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: its heading, what it shows in words, and its SVG."""

    name: str
    title: str
    caption: str
    svg: Markup


Points = Sequence[tuple[int, FigureRecord]]


def recall_plot(name: str, title: str, lines: Mapping[str, Points]) -> Plot:
    """Draw recall over the number of hits looked at.

    Args:
        name: Of this plot alone in the page; its ids begin with it.
        title: The heading.
        lines: For each line its (k, recall), k rising.
    """
    ticks = sorted({k for points in lines.values() for k, _figure in points})
    with _style(name):
        figure, axes = _figure()
        for number, (label, points) in enumerate(lines.items()):
            axes.plot(
                [k for k, _figure in points],
                [point.value for _k, point in points],
                label=_short(label),
                color=_SERIES[number % len(_SERIES)],
                linestyle=_DASHES[number % len(_DASHES)],
                marker=_MARKERS[number % len(_MARKERS)],
                clip_on=False,
            )
        axes.set_xscale("log")
        axes.set_xticks(ticks, [str(k) for k in ticks])
        axes.minorticks_off()
        axes.set_xlabel("k, hits looked at")
        axes.set_ylabel("recall")
        axes.set_ylim(0, 1)
        axes.set_yticks(*_SHARE_TICKS)
        _legend(axes, len(lines))
        ends = "; ".join(f"{label} {points[-1][1].value:.3f} at {points[-1][0]}" for label, points in lines.items())
        count = max(point.n for point in chain.from_iterable((p for _k, p in points) for points in lines.values()))
        caption = (
            f"Share of what is relevant among the first k hits, mean over {count:,} questions. At the end: {ends}."
        )
        return Plot(name, title, caption, _svg(figure, name, title, caption))


def risk_plot(name: str, title: str, curve: RiskCoverage) -> Plot:
    """Draw how many answers are wrong when only the surest are given, and the best that could be."""
    count = len(curve.coverage)
    with _style(name):
        figure, axes = _figure()
        axes.plot(curve.coverage, curve.best_risk, label="best possible", color=_MUTED, linestyle=_DASHES[1])
        axes.plot(curve.coverage, curve.risk, label="this run", color=_SERIES[0])
        axes.fill_between(curve.coverage, curve.risk, curve.best_risk, color=_SERIES[0], alpha=0.1, linewidth=0)
        axes.set_xlim(0, 1)
        axes.set_xlabel("coverage: share of the answers, surest first")
        axes.set_ylabel("risk: share wrong")
        axes.set_ylim(0, max(0.1, *curve.risk) * 1.08)
        axes.legend(loc="best", labelcolor=_INK)
        caption = (
            f"Of {count:,} answers that were given. Area under the curve {curve.area:.3f}, best possible "
            f"{curve.best_area:.3f}; at full coverage {curve.risk[-1]:.3f} are wrong."
        )
        return Plot(name, title, caption, _svg(figure, name, title, caption))


def latency_plot(name: str, title: str, times: Sequence[float], marks: Mapping[str, float]) -> Plot:
    """Draw how answer times are distributed, with some of them marked.

    Args:
        name: Of this plot alone in the page.
        title: The heading.
        times: Milliseconds, at least one.
        marks: Labelled times to mark, rising.
    """
    low, high = max(min(times), 0.01), max(*times, 0.02)
    wide = high / low > 30
    edges = np.geomspace(low, high * 1.001, 25) if wide else np.linspace(0, high * 1.001, 25)
    with _style(name):
        figure, axes = _figure()
        axes.hist(np.maximum(times, 0.01), bins=edges.tolist(), color=_SERIES[0], alpha=0.75)
        if wide:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g}")
        axes.set_xlim(edges[0], edges[-1])
        taken = 0.0
        for number, (label, value) in enumerate(marks.items()):
            axes.axvline(max(value, 0.01), color=_INK, linewidth=1.1, linestyle=_DASHES[number % 2])
            place = float(axes.transAxes.inverted().transform(axes.transData.transform((max(value, 0.01), 0)))[0])
            # A label that would run into the one before goes above it.
            raised, taken = number > 0 and place - taken < 0.22, place
            axes.annotate(
                f"{label} {value:,.0f}" if value >= 10 else f"{label} {value:.1f}",
                (value, 1),
                xycoords=("data", "axes fraction"),
                xytext=(-3 if place > 0.7 else 3, 14 if raised else 3),
                textcoords="offset points",
                ha="right" if place > 0.7 else "left",
            )
        axes.set_xlabel("milliseconds" + (", logarithmic" if wide else ""))
        axes.set_ylabel("answers")
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        said = ", ".join(f"{label} {value:,.1f} ms" for label, value in marks.items())
        caption = f"{len(times):,} answers, from {min(times):,.1f} to {max(times):,.1f} ms; {said}."
        return Plot(name, title, caption, _svg(figure, name, title, caption))


def bars_plot(name: str, title: str, bars: Mapping[str, FigureRecord], meaning: str) -> Plot:
    """Draw one share for several groups as bars, each with its value, its n, and its interval where there is one."""
    labels = [_short(label.replace("_", " ")) for label in bars]
    with _style(name):
        figure, axes = _figure(height=0.62 + 0.27 * len(bars))
        places = range(len(bars))
        axes.barh(places, [figure.value for figure in bars.values()], height=0.62, color=_SERIES[0], alpha=0.75)
        for place, bar in zip(places, bars.values(), strict=True):
            if bar.low is not None and bar.high is not None:
                axes.plot([bar.low, bar.high], [place, place], color=_INK, linewidth=1)
            # Beside the plot, where no bar and no whisker runs through it.
            axes.annotate(
                f"{bar.value:.2f} · n {bar.n:,}",
                (1, place),
                xycoords=("axes fraction", "data"),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(list(places), labels)
        axes.tick_params(axis="y", length=0, labelcolor=_INK)
        axes.set_ylim(len(bars) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 1)
        axes.set_xticks(*_SHARE_TICKS)
        return Plot(name, title, meaning, _svg(figure, name, title, meaning))


def _short(label: str) -> str:
    """Shorten a label to what leaves room for the plot; the page's tables have the whole."""
    words = plain(" ".join(label.split()))
    return words if len(words) <= _LABEL_CHARS else f"{words[: _LABEL_CHARS - 1]}…"


def _figure(height: float = _HEIGHT_INCHES) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    return figure, figure.add_subplot()


def _style(name: str) -> AbstractContextManager[None]:
    # The salt makes ids that are the same for every run of the same plot, and others for every plot.
    return rc_context({**_STYLE, "svg.hashsalt": name})


def _legend(axes: Axes, count: int) -> None:
    if count > 1:
        axes.legend(loc="lower right", labelcolor=_INK, handlelength=2.6)


def _svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    """Write a figure as an element of the page: ids of its own, no colours of its own, a name for who cannot see it."""
    written = StringIO()
    with warnings.catch_warnings():
        # Only the measuring lacks the glyph: the browser takes another font.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = ElementTree.fromstring(written.getvalue())  # noqa: S314  # written by matplotlib above
    for element in svg.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {key.rpartition("}")[2]: _own(name, key, value) for key, value in element.attrib.items()}
    for element in list(svg.iter()):
        for child in list(element):
            # The style is for `*`, the whole page; the metadata name resources elsewhere.
            if child.tag in {"style", "metadata"}:
                element.remove(child)
    svg.attrib = {
        "class": "plot",
        "viewBox": svg.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
    }
    for place, (tag, words) in enumerate((("title", title), ("desc", description))):
        label = ElementTree.Element(tag, {"id": f"{name}-{tag}"})
        label.text = plain(words)
        svg.insert(place, label)
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704  # ElementTree has escaped it


def _own(name: str, key: str, value: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key.endswith("href"):
        return value.replace("#", f"#{name}-", 1)
    value = re.sub(r"url\(#", f"url(#{name}-", value)
    if key == "style":
        # The page's font; matplotlib's is only what it measures with.
        value = re.sub(r"font-family: [^;]*;? ?", "", value)
    return re.sub(r"#0a0[ab]0\d", lambda found: _VARIABLES[found.group()], value)
