"""Lines, and what of them reaches the goals."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median_low
from typing import Any

Figures = dict[str, Any]

COLUMNS = {
    "tracked": ("tracked", "{:7.3f}"), "r": ("r", "{:6.3f}"), "best_r": ("best r", "{:6.3f}"), "lag": ("lag", "{:+3d}"),
    "reach": ("reach", "{:5.2f}"), "widest": ("widest", "{:6.2f}"), "shut_gap": ("shut", "{:5.3f}"),
    "inside": ("inside", "{:6.2f}"), "black": ("black", "{:5.2f}"), "open_frames": ("open", "{:4d}"),
    "yaw": ("yaw°", "{:5.2f}"), "pitch": ("pitch°", "{:6.2f}"), "roll": ("roll°", "{:5.2f}"),
    "sway": ("sway", "{:5.3f}"), "gaze": ("gaze°", "{:5.2f}"), "brows": ("brows", "{:5.3f}"),
    "blinks": ("blinks", "{:6d}"), "shut": ("lids", "{:4.2f}"), "corners": ("corners", "{:7.4f}"),
    "rim": ("rim", "{:6.4f}"),
}  # fmt: skip
"""Figure → its column's title and format."""
NOTES = """
tracked  share of frames in which the face is found        r        seen gap of the lips against the asked one
best r   the same at the best lag (+: seen later)          reach    seen range of the gap over the asked one
widest   95th percentile of the gap, I                     shut     mean gap where none is asked, I
inside   median brightness in the open mouth over skin     black    share of it below 0.08 of the skin
open     frames with a gap above 0.1 I                     yaw…roll standard deviation, degrees
sway     standard deviation of the head's place, I         gaze     standard deviation of the irises, degrees
brows    standard deviation of their height, I             lids     lowest opening of the eyes over their usual one
corners  share of the upper corners that ever changed      rim      share of the outermost two pixels that did
"""


def _reached(name: str, holds: Callable[[float], bool]) -> Callable[[Figures], bool]:
    return lambda row: row.get(name) is not None and not math.isnan(row[name]) and holds(row[name])


GOALS: dict[str, tuple[Callable[[Figures], bool], Callable[[Figures], bool]]] = {
    "face tracked in at least 99 % of frames": (lambda row: True, _reached("tracked", lambda value: value >= 0.99)),
    "lips follow with r of at least .9": (lambda row: True, _reached("r", lambda value: value >= 0.9)),
    "inside of the open mouth .35 … .75 of skin": (
        lambda row: row.get("open_frames", 0) > 0,
        _reached("inside", lambda value: 0.35 <= value <= 0.75),
    ),
    "at most 12 % of it near black": (
        lambda row: row.get("open_frames", 0) > 0,
        _reached("black", lambda value: value <= 0.12),
    ),
    "yaw 1.5 … 3 degrees": (lambda row: True, _reached("yaw", lambda value: 1.5 <= value <= 3)),
    "pitch 1.5 … 3 degrees": (lambda row: True, _reached("pitch", lambda value: 1.5 <= value <= 3)),
    "roll 1 … 2 degrees": (lambda row: True, _reached("roll", lambda value: 1 <= value <= 2)),
    "upper corners still": (lambda row: "corners" in row, _reached("corners", lambda value: value < 0.001)),
}
"""What is aimed at → which clips it applies to, and which reach it."""


def print_head() -> None:
    """Print the columns' titles."""
    titles = [f"{title:>{len(form.format(0))}}" for title, form in COLUMNS.values()]
    print(f"{'':34s} {'  '.join(titles)}", flush=True)


def print_line(row: Figures) -> None:
    """Print one clip's figures."""
    cells = []
    for name, (_, form) in COLUMNS.items():
        value, width = row.get(name), len(form.format(0))
        known = value is not None and not math.isnan(value)
        cells.append(form.format(value) if known else " " * (width - 1) + "–")
    print(f"{row['clip'][:32] + (' *' if row['real'] else ''):34s} {'  '.join(cells)}", flush=True)


def print_goals(rows: list[Figures]) -> None:
    """Print what the columns mean, the medians, and how many of the drawn clips reach each goal."""
    drawn = [row for row in rows if not row["real"]]
    if len(drawn) > 1:
        middle: Figures = {"clip": "median", "real": False}
        for name in COLUMNS:
            values = [row[name] for row in drawn if row.get(name) is not None and not math.isnan(row[name])]
            middle[name] = median_low(values) if values else None
        print_line(middle)
    print(f"* not drawn: real, or without its npz\n{NOTES}")
    for goal, (applies, reached) in GOALS.items():
        asked = [row for row in drawn if applies(row)]
        missed = [row["clip"] for row in asked if not reached(row)]
        if asked:
            print(f"{goal}: {len(asked) - len(missed)} of {len(asked)}{'; not: ' if missed else ''}{', '.join(missed)}")
