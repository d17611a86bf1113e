"""Draw what moves in an evaluated video: the page's curves as one picture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..media.pixels import as_frames
from .charts import Chart, paths, scale, ticks
from .page import charts
from .report import ClipReport

COLUMNS, CELL = 2, (180, 480)
"""Charts beside each other, and (h, w) of one in pixels."""
_FINE = 2
"""Factor by which everything is drawn larger, so that its edges become smooth."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 34, 26
"""Margins around what is drawn in a chart, pixels."""
_EDGE, _GAP, _KEY = 12, 16, 14
"""Room beside what is written, between two names of curves, and the length of the line before a name, pixels."""
_BASE, _UNDER = 20, 8
"""Where a title and the numbers below stand, pixels from the chart's upper and lower edge."""
_HALF = 4
"""Half the height of small letters, pixels."""
_LARGE, _SMALL = 0.46, 0.38
"""Sizes of letters, in the font's own."""
_PAPER, _LANE, _INK, _FAINT, _GRID = (24, 26, 31), (33, 36, 43), (228, 230, 235), (140, 146, 158), (52, 56, 65)
_COLOURS = {"a": (111, 168, 255), "b": (255, 157, 115), "c": (96, 214, 148), "p": (240, 180, 84), "r": (112, 118, 130)}
"""By the styles of a page's curves."""
_SAID = str.maketrans({"°": " deg", "×": "x", "−": "-", "–": "-"})
"""What the font has no letters for."""

Canvas = NDArray[np.uint8]
Colour = tuple[int, int, int]


def draw_report(report: ClipReport) -> torch.Tensor:
    """Draw the curves of a page about one video, two beside each other.

    Args:
        report: What was measured.

    Returns:
        (3, h, 960) RGB in [0, 1]; a chart of which nothing is known says so.
    """
    shown = charts(report)
    height, width = (side * _FINE for side in CELL)
    canvas = np.empty((-(-len(shown) // COLUMNS) * height, COLUMNS * width, 3), np.uint8)
    canvas[:] = _PAPER
    for number, chart in enumerate(shown):
        row, column = divmod(number, COLUMNS)
        _draw_chart(canvas[row * height : (row + 1) * height, column * width : (column + 1) * width], chart, report.fps)
    size = canvas.shape[1] // _FINE, canvas.shape[0] // _FINE
    return as_frames([np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)])[0]


def _draw_chart(cell: Canvas, chart: Chart, fps: float) -> None:
    """Draw one chart into its place, (h, w, 3) bytes."""
    height, width = CELL
    inside = slice(_TOP * _FINE, (height - _BOTTOM) * _FINE), slice(_LEFT * _FINE, (width - _RIGHT) * _FINE)
    cell[inside] = _LANE
    unit = f", {chart.unit.translate(_SAID).strip()}" if chart.unit else ""
    _write(cell, f"{chart.title.translate(_SAID)}{unit}", (_EDGE, _BASE), _INK, _LARGE)
    axes = scale(chart, fps)
    if axes is None:
        _write(cell, "nothing is known", (_LEFT + _EDGE, height // 2), _FAINT, _SMALL)
        return
    low, high, seconds = axes
    _draw_keys(cell, chart)

    def at(moment: float, value: float) -> tuple[int, int]:
        x = _LEFT + moment / seconds * (width - _LEFT - _RIGHT)
        y = height - _BOTTOM - (value - low) / (high - low) * (height - _TOP - _BOTTOM)
        return round(x * _FINE), round(y * _FINE)

    for value in ticks(low, high):
        cv2.line(cell, at(0, value), at(seconds, value), _GRID, 1)
        _write(cell, f"{value:g}", (_LEFT - _HALF, at(0, value)[1] // _FINE + _HALF), _FAINT, _SMALL, side=1.0)
    for moment in ticks(0.0, seconds):
        _write(cell, f"{moment:g} s", (at(moment, low)[0] // _FINE, height - _UNDER), _FAINT, _SMALL, side=0.5)
    for line in chart.lines:
        for path in paths(line.values, fps):
            points = np.array([at(*place) for place in path], np.int32)
            cv2.polylines(cell, [points], False, _COLOURS[line.style], _FINE, cv2.LINE_AA)


def _draw_keys(cell: Canvas, chart: Chart) -> None:
    """Name the curves of a chart with several, from the right."""
    right = CELL[1] - _RIGHT
    for line in reversed(chart.lines if len(chart.lines) > 1 else ()):
        right -= _write(cell, line.name, (right, _BASE), _FAINT, _SMALL, side=1.0) + _HALF
        left, end = ((x * _FINE, (_BASE - _HALF) * _FINE) for x in (right - _KEY, right))
        cv2.line(cell, left, end, _COLOURS[line.style], _FINE, cv2.LINE_AA)
        right -= _KEY + _GAP


def _write(cell: Canvas, text: str, place: tuple[int, int], colour: Colour, size: float, *, side: float = 0.0) -> int:
    """Write beside a place; tell the text's width in pixels.

    Args:
        cell: (h, w, 3) bytes.
        text: What to write.
        place: (x, y) of its foot.
        colour: RGB.
        size: Of its letters.
        side: Share of it that lies left of the place.
    """
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, size * _FINE, _FINE)
    left = round(place[0] * _FINE - side * width)
    cv2.putText(cell, text, (left, place[1] * _FINE), font, size * _FINE, colour, 1, cv2.LINE_AA)
    return round(width / _FINE)
