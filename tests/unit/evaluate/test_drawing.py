"""The picture of a report: the page's curves, and nothing where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from sonic_core.evaluate.charts import Chart, Series, scale
from sonic_core.evaluate.picture import _COLOURS, CELL, draw_report
from sonic_core.evaluate.report import ClipReport
from tests.unit.evaluate.test_summary import CURVES, made


def coloured(picture, style):
    """Count the pixels of a curve's colour: (rows, columns) where it is."""
    apart = picture.permute(1, 2, 0).numpy() * 255 - np.array(_COLOURS[style])
    return np.nonzero(np.abs(apart).max(2) < 8)


def test_every_curve_of_the_page_is_drawn_in_its_place():
    picture = draw_report(made("a", reference=made("real")))
    height, width = CELL
    assert picture.shape == (3, 3 * height, 2 * width)
    rows, columns = coloured(picture, "a")
    cells = {(row // height, column // width) for row, column in zip(rows, columns, strict=True)}
    assert cells == {(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)}
    assert {*(coloured(picture, "p")[0] // height)} == {0}, "what the sound predicts lies over the lips alone"


def test_a_curve_goes_up_where_its_values_do_and_is_broken_where_nothing_is_known():
    values = np.linspace(0, 1, 50)
    values[20:30] = np.nan
    curves = {name: np.full(50, np.nan) for name in CURVES} | {"warping": values}
    picture = draw_report(ClipReport("a", 50, 25.0, (64, 64), 1.0, 0, curves=curves))
    height, width = CELL
    last = picture[:, 2 * height :, width:]
    rows, columns = coloured(last[:, 40:], "a")
    assert len(rows) > 200
    left, right = rows[columns < 150].mean(), rows[columns > 350].mean()
    assert left - right > 50
    assert not np.isin(np.arange(240, 260), columns).any(), "a gap"
    assert len(coloured(picture[:, : 2 * height], "a")[0]) == 0


def test_an_axis_holds_all_values_and_spans_something():
    chart = Chart("still", "I", (Series("lips", np.full(5, 3.0)),))
    low, high, seconds = scale(chart, 25.0)
    assert low < 3.0 < high and seconds == pytest.approx(0.2)
    assert scale(Chart("nothing", "", (Series("lips", np.full(5, np.nan)),)), 25.0) is None
