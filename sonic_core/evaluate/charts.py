"""Curves over time as inline SVG: no script, no file beside the page, colours from the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 190
"""Of a chart, in its own units; the page scales it."""
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 24
"""Margins around what is drawn."""
MOST = 800
"""Points of a line; of more, each few frames show their lowest and highest."""
TICKS = 4
ROUND = (1, 2, 2.5, 5, 10)
"""What numbers beside an axis are multiples of, times a power of ten."""
ROOM = 0.06
"""Share of the range that is left free above and below."""
LEAST = 1e-6
"""What an axis spans at least, in its own unit."""


@dataclass(frozen=True, eq=False)
class Series:
    """A curve and what it is called."""

    name: str
    values: NDArray[np.float64]
    """(n,) one a frame; gaps where it is not a number."""
    style: str = "a"
    """Class of the page's style: a, b, c for three colours, r for a reference, p for what a sound predicts."""


@dataclass(frozen=True)
class Chart:
    """Some curves in one frame."""

    title: str
    unit: str
    lines: tuple[Series, ...]
    low: float | None = None
    """What the axis begins with; None for a little below the lowest value."""


def draw(chart: Chart, fps: float) -> str:
    """Draw a chart of curves at ``fps`` values a second as an ``<svg>``; nothing where no value is known."""
    axes = scale(chart, fps)
    if axes is None:
        return ""
    low, high, seconds = axes

    def x(moment: float) -> float:
        return LEFT + moment / seconds * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    name = escape(f"{chart.title} over time, {chart.unit}")
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">']
    for value in ticks(low, high):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y(value) + 3.5:.1f}" text-anchor="end">{value:g}</text>')
    under = f'y="{HEIGHT - 7}" text-anchor="middle"'
    parts += [f'<text class="tick" x="{x(at):.1f}" {under}>{at:g}&#8201;s</text>' for at in ticks(0.0, seconds)]
    for line in chart.lines:
        for path in paths(line.values, fps):
            places = "M" + "L".join(f"{x(moment):.1f} {y(value):.1f}" for moment, value in path)
            parts.append(f'<path class="line {line.style}" d="{places}"/>')
    return "".join([*parts, "</svg>"])


def scale(chart: Chart, fps: float) -> tuple[float, float, float] | None:
    """Choose the axes of a chart: lowest and highest value, and seconds; None where no value is known."""
    known = [line.values[np.isfinite(line.values)] for line in chart.lines]
    known = [values for values in known if len(values)]
    if not known:
        return None
    low, high = float(min(values.min() for values in known)), float(max(values.max() for values in known))
    span = max(high - low, LEAST)
    seconds = max(len(line.values) for line in chart.lines) / fps
    return low - ROOM * span if chart.low is None else chart.low, high + ROOM * span, max(seconds, LEAST)


def ticks(low: float, high: float) -> list[float]:
    """Choose a few round numbers between two.

    >>> ticks(0.03, 0.31), ticks(0.0, 7.9)
    ([0.1, 0.2, 0.3], [0.0, 2.0, 4.0, 6.0])
    """
    rough = (high - low) / TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in ROUND if power * factor >= rough)
    return [
        round(float(step * number), 6) for number in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)
    ]


def paths(values: NDArray[np.float64], fps: float) -> list[list[tuple[float, float]]]:
    """Break a curve (n,) where nothing is known: of each part its moments in seconds and its values."""
    group = -(-len(values) * 2 // MOST) if len(values) > MOST else 1
    found: list[list[tuple[float, float]]] = [[]]
    for start in range(0, len(values), group):
        some = values[start : start + group]
        if not np.isfinite(some).all():
            found.append([])
            continue
        ends = sorted({int(some.argmin()), int(some.argmax())})
        found[-1] += [((start + place) / fps, float(some[place])) for place in ends]
    return [path for path in found if len(path) > 1]


def legend(lines: Sequence[Series]) -> str:
    """Name the curves of a chart with several."""
    if len(lines) == 1:
        return ""
    names = (f'<span class="key {line.style}">{escape(line.name)}</span>' for line in lines)
    return f'<span class="keys">{"".join(names)}</span>'
