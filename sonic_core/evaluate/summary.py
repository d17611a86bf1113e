"""Many reports beside each other: means and spreads, paired differences, and the table of all that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .report import MEASURES, NOTHING, ClipReport, Measure
from .scores.sets import SET_MEASURES, SetScore

SIDE_BY_SIDE = 4
"""Videos that a table shows one by one; of more it shows means and spreads alone."""
LISTED = 3
"""Videos that are named one by one where something could not be measured."""


@dataclass(frozen=True)
class Spread:
    """What some numbers have in common."""

    mean: float
    deviation: float
    """Standard deviation of the numbers, with n − 1; 0 for one."""
    count: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """Sum up what there is; None where there is nothing."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else 0.0, len(known))

    def written(self, measure: Measure, *, signed: bool = False) -> str:
        """Write mean and deviation in a measure's digits."""
        mean = measure.written(self.mean, signed=signed)
        return mean if self.count == 1 else f"{mean} ± {self.deviation:.{measure.digits}f}"


@dataclass(frozen=True)
class Row:
    """A measure and what the columns say of it."""

    measure: Measure
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """What was measured, for a terminal or a page."""

    titles: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """Why something is missing, a sentence each."""


def summarise(reports: Sequence[ClipReport]) -> dict[str, Spread | None]:
    """Sum up every measure over some videos."""
    return {name: Spread.of([report.values[name] for report in reports]) for name in MEASURES}


def beyond_references(reports: Sequence[ClipReport]) -> dict[str, Spread | None]:
    """Sum up by how much each score lies above the reference's own."""
    return {name: Spread.of([report.beyond_reference(name) for report in reports]) for name in MEASURES}


def pair(reports: Sequence[ClipReport], others: Sequence[ClipReport]) -> list[tuple[ClipReport, ClipReport]]:
    """Put two models' videos of the same inputs together: by their names if those are the same, else by their order.

    Raises:
        InputError: Neither the names nor the numbers agree.
    """
    ours, theirs = ({report.name: report for report in some} for some in (reports, others))
    if ours.keys() & theirs.keys() and ours.keys() != theirs.keys():
        alone = sorted(ours.keys() ^ theirs.keys())
        raise InputError(f"Expected the same names on both sides of a comparison; {', '.join(alone)} is on one only.")
    if ours.keys() == theirs.keys() and len(ours) == len(reports) == len(others):
        return [(ours[name], theirs[name]) for name in ours]
    if len(reports) != len(others):
        raise InputError(
            f"Expected as many videos to compare with as there are, got {len(reports)} and {len(others)}; give what "
            "both models made of the same inputs, in the same order or under the same names."
        )
    return list(zip(reports, others, strict=True))


def paired_differences(pairs: Sequence[tuple[ClipReport, ClipReport]]) -> dict[str, Spread | None]:
    """Sum up the differences first − second of each measure, video by video."""
    apart: dict[str, list[float | None]] = {name: [] for name in MEASURES}
    for one, other in pairs:
        for name, values in apart.items():
            first, second = one.values[name], other.values[name]
            values.append(None if first is None or second is None else first - second)
    return {name: Spread.of(values) for name, values in apart.items()}


def tabulate(
    reports: Sequence[ClipReport], others: Sequence[ClipReport] = (), sets: Sequence[Mapping[str, SetScore]] = ()
) -> Table:
    """Write the table of some videos, and beside them that of others made from the same inputs.

    Measures that no video has are left to the notes.

    Args:
        reports: Of every video.
        others: Of the videos that they are compared with.
        sets: How far the first, and the second, are as sets from the references.

    Raises:
        InputError: The two cannot be put together in pairs.
    """
    titles, columns = [], []
    if len(reports) <= SIDE_BY_SIDE and not others:
        for report in reports:
            titles.append(report.name)
            columns.append({name: one.written(report.values[name]) for name, one in MEASURES.items()})
    summed: list[tuple[str, dict[str, Spread | None], bool]] = []
    if len(reports) > 1 or others:
        summed.append((f"mean of {len(reports)}", summarise(reports), False))
    references = [report.reference for report in reports if report.reference is not None]
    if references:
        summed.append(("reference", summarise(references), False))
        summed.append(("minus reference", beyond_references(reports), True))
    if others:
        summed.append(("against", summarise(others), False))
        summed.append(("minus against", paired_differences(pair(reports, others)), True))
    for title, values, signed in summed:
        titles.append(title)
        columns.append({name: _cell(values[name], MEASURES[name], signed) for name in MEASURES})
    rows = [Row(one, tuple(column[name] for column in columns)) for name, one in MEASURES.items()]
    told = tuple(row for row in rows if set(row.cells) != {NOTHING})
    far, notes = _set_rows(titles, sets)
    return Table(tuple(titles), (*told, *far), (*_notes([*reports, *others]), *notes))


def _set_rows(titles: Sequence[str], sets: Sequence[Mapping[str, SetScore]]) -> tuple[list[Row], list[str]]:
    """Write what sets score into the columns of their means, and say what is missing or to be known."""
    rows, notes = [], []
    mean = next((title for title in titles if title.startswith("mean of ")), next(iter(titles), ""))
    for name, measure in SET_MEASURES.items():
        scores = [one[name] for one in sets]
        values = {column: one.value for column, one in zip((mean, "against"), scores, strict=False)}
        if len(scores) > 1 and scores[0].value is not None and scores[1].value is not None:
            values["minus against"] = scores[0].value - scores[1].value
        if any(one.value is not None for one in scores):
            cells = (measure.written(values.get(title), signed=title.startswith("minus ")) for title in titles)
            rows.append(Row(measure, tuple(cells)))
        notes += [
            f"{measure.title}: {note.removesuffix('.')}." for note in dict.fromkeys(one.note for one in scores) if note
        ]
    return rows, notes


def _cell(value: Spread | None, measure: Measure, signed: bool) -> str:
    return NOTHING if value is None else value.written(measure, signed=signed)


def _notes(reports: Sequence[ClipReport]) -> list[str]:
    """Say why measures are missing: each reason once, with what it concerns."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for report in reports:
        for name, why in report.missing.items():
            measures, videos = found.setdefault(why, ([], []))
            measures += [] if MEASURES[name].title in measures else [MEASURES[name].title]
            videos += [] if report.name in videos else [report.name]
    notes = []
    for why, (measures, videos) in found.items():
        several = len(reports) > 1 and len(videos) < len(reports)
        named = ", ".join(videos[:LISTED]) + (f" and {len(videos) - LISTED} more" if len(videos) > LISTED else "")
        notes.append(f"{', '.join(measures)}{f' ({named})' if several else ''}: {why.removesuffix('.')}.")
    return notes
