"""Figures of evaluated videos for whoever reads no page: a table of text, and what JSON knows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .report import ClipReport
from .scores.sets import SetScore
from .summary import (
    Spread,
    Table,
    beyond_references,
    pair,
    paired_differences,
    summarise,
    tabulate,
)


def describe_reports(
    reports: Sequence[ClipReport], others: Sequence[ClipReport] = (), sets: Sequence[Mapping[str, SetScore]] = ()
) -> str:
    """Write what some videos score as a table of text, and below it why something is missing.

    Args:
        reports: Of every video.
        others: Of the same inputs made by another model.
        sets: How far the first, and the second, are as sets from the references.

    Raises:
        InputError: The two cannot be put together in pairs.
    """
    return written(tabulate(reports, others, sets))


def written(table: Table) -> str:
    """Write a table for a terminal, its columns as wide as they need to be."""
    names = [f"{row.measure.title}{f', {row.measure.unit}' if row.measure.unit else ''}" for row in table.rows]
    left = max(map(len, names), default=0) + 2
    widths = [
        max([len(title), *(len(row.cells[number]) for row in table.rows)]) + 2
        for number, title in enumerate(table.titles)
    ]
    lines = [" " * left + "".join(f"{title:>{width}}" for title, width in zip(table.titles, widths, strict=True))]
    group = ""
    for name, row in zip(names, table.rows, strict=True):
        if row.measure.group != group:
            group = row.measure.group
            lines.append(group)
        cells = "".join(f"{cell:>{width}}" for cell, width in zip(row.cells, widths, strict=True))
        lines.append(f"  {name:<{left - 2}}{cells}")
    return "\n".join([*lines, *(f"– {note}" for note in table.notes)])


def list_figures(
    reports: Sequence[ClipReport],
    others: Sequence[ClipReport] = (),
    page: str | None = None,
    sets: Sequence[Mapping[str, SetScore]] = (),
) -> dict[str, Any]:
    """List what some videos score in what JSON knows.

    Args:
        reports: Of every video.
        others: Of the same inputs made by another model.
        page: Where a page about them was written.
        sets: How far the first, and the second, are as sets from the references.

    Returns:
        ``videos`` (of each ``measures``, and why one is ``missing``) and ``summary``; ``beyond_reference``, ``against``
        ``paired_differences``, ``set`` and ``against_set`` where there is anything to compare with; ``page``.

    Raises:
        InputError: The two cannot be put together in pairs.
    """
    told: dict[str, Any] = {"videos": [_told(one) for one in reports], "summary": _spreads(summarise(reports))}
    if any(report.reference is not None for report in reports):
        told["beyond_reference"] = _spreads(beyond_references(reports))
    if others:
        told["against"] = [_told(one) for one in others]
        told["paired_differences"] = _spreads(paired_differences(pair(reports, others)))
    for name, scores in zip(("set", "against_set"), sets, strict=False):
        told[name] = {measure: _set(score) for measure, score in scores.items()}
    return told | ({"page": page} if page else {})


def _set(score: SetScore) -> dict[str, Any]:
    value = None if score.value is None else _short(score.value)
    return {"value": value, "samples": list(score.samples), "note": score.note}


def _told(report: ClipReport) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": report.name,
        "frames": report.length,
        "fps": report.fps,
        "size": list(report.size),
        "seen": round(report.seen, 4),
        "cuts": report.cuts,
        "measures": {name: None if value is None else _short(value) for name, value in report.values.items()},
        "missing": dict(report.missing),
    }
    if report.reference is not None:
        told["reference"] = _told(report.reference)
    return told


def _spreads(summed: dict[str, Spread | None]) -> dict[str, Any]:
    return {
        name: None
        if one is None
        else {"mean": _short(one.mean), "deviation": _short(one.deviation), "count": one.count}
        for name, one in summed.items()
    }


def _short(value: float) -> float:
    """Keep six digits that mean something."""
    return float(f"{value:.6g}") if math.isfinite(value) else value
