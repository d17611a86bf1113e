"""Many reports: means, spreads, pairs; and the page about them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sonic_core.errors import InputError, MediaError
from sonic_core.evaluate.charts import Chart, Series, draw, paths, ticks
from sonic_core.evaluate.page import beside, page, write_report
from sonic_core.evaluate.report import MEASURES, ClipReport, Moment
from sonic_core.evaluate.summary import Spread, pair, paired_differences, summarise, tabulate

CURVES = ("opening", "predicted", "yaw", "pitch", "roll", "brows", "lids", "gaze_x", "gaze_y", "warping")


def made(name, mouth=0.2, length=50, reference=None, **more):
    curves = {key: 0.1 + 0.05 * np.sin(np.arange(length) / 5) for key in CURVES}
    curves["opening"][10:20] = np.nan
    return ClipReport(
        name, length, 25.0, (64, 64), 1.0, 0, mouth=mouth, missing={"psnr": "no reference was given"},
        reference=reference, curves=curves, moments=(Moment(0.5, b"\xff\xd8jpeg"),), **more,
    )  # fmt: skip


def cells(table, name):
    return dict(zip(table.titles, next(row.cells for row in table.rows if row.measure.name == name), strict=True))


def test_a_spread_leaves_out_what_is_missing():
    assert Spread.of([1.0, None, 3.0]) == Spread(2.0, pytest.approx(2**0.5), 2)
    assert Spread.of([None]) is None
    assert summarise([made("a", 0.1), made("b", 0.3)])["mouth"] == Spread(
        pytest.approx(0.2), pytest.approx(0.1414, abs=1e-3), 2
    )


def test_the_references_own_score_stands_beside_the_score():
    table = tabulate([made("a", 0.15, reference=made("real", 0.2))])
    assert table.titles == ("a", "reference", "minus reference")
    assert cells(table, "mouth") == {"a": "0.150", "reference": "0.200", "minus reference": "-0.050"}
    assert [row.measure.name for row in table.rows] == ["mouth"], "what nobody has is not listed"
    assert table.notes == ("PSNR: no reference was given.",)


def test_a_reason_that_is_a_sentence_ends_once():
    (note,) = tabulate([replace(made("a"), missing={"offset": "Expected 3 s of speech; use a longer clip."})]).notes
    assert note == "sound late by: Expected 3 s of speech; use a longer clip."


def test_pairs_tell_what_means_do_not():
    ours, theirs = [made("a", 0.1), made("b", 0.5)], [made("b", 0.49), made("a", 0.09)]
    assert [(one.name, other.name) for one, other in pair(ours, theirs)] == [("a", "a"), ("b", "b")]
    apart = paired_differences(pair(ours, theirs))["mouth"]
    assert (apart.mean, apart.deviation) == pytest.approx((0.01, 0), abs=1e-9)
    table = tabulate(ours, theirs)
    assert cells(table, "mouth")["minus against"] == "+0.010 ± 0.000"
    assert cells(table, "mouth")["mean of 2"] == "0.300 ± 0.283"


def test_what_has_other_names_is_paired_in_order_and_what_is_too_few_is_refused():
    pairs = pair([made("a"), made("b")], [made("x"), made("y")])
    assert [(one.name, other.name) for one, other in pairs] == [("a", "x"), ("b", "y")]
    with pytest.raises(InputError, match="got 2 and 1"):
        pair([made("a"), made("b")], [made("x")])
    with pytest.raises(InputError, match="b, c"):
        pair([made("a"), made("b")], [made("a"), made("c")])


def test_a_page_needs_nothing_beside_it(tmp_path):
    written = write_report(tmp_path / "r.html", [made("<one>", reference=made("real"))], [made("two")])
    text = written.read_text(encoding="utf-8")
    assert not re.search(r"https?:|<script|<link|url\(|src=\"(?!data:)", text)
    assert text.count("<svg") == 12 and text.count("data:image/jpeg;base64,") == 2
    assert "&lt;one&gt;" in text and "<one>" not in text
    assert MEASURES["mouth"].title in text and "PSNR: no reference was given." in text
    assert "prefers-color-scheme:dark" in text
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(MediaError, match="html"):
        write_report(tmp_path / "r.txt", [made("a")])


def test_curves_break_where_nothing_is_known():
    values = np.array([0.0, 1, np.nan, 2, 3, 4])
    assert [[place for place, _ in path] for path in paths(values, 1.0)] == [[0, 1], [3, 4, 5]]
    chart = Chart("opening", "I", (Series("lips", values), Series("sound", values, "p")))
    assert draw(chart, 25.0).count('<path class="line') == 4
    assert draw(Chart("nothing", "", (Series("lips", np.full(5, np.nan)),)), 25.0) == ""


def test_an_hour_is_drawn_with_its_peaks_and_few_points():
    values = np.zeros(90_000)
    values[54_321] = 7.0
    (path,) = paths(values, 25.0)
    assert len(path) < 1_000
    assert (54_321 / 25, 7.0) in path


def test_axes_have_a_few_round_numbers():
    assert ticks(-3.2, 4.1) == [-2, 0, 2, 4]
    assert 3 <= len(ticks(0.0, 12.3)) <= 6


def test_a_reference_of_another_rate_is_drawn_at_the_videos_moments():
    real = made("real", length=100)
    at_half = ClipReport("real", 100, 50.0, (64, 64), 1.0, 0, curves=real.curves)
    seen = beside(made("a", length=60, reference=at_half), "yaw")
    assert len(seen) == 60
    assert np.allclose(seen[:50], real.curves["yaw"][::2]) and np.isnan(seen[50:]).all()


def test_a_page_without_a_reference_says_so():
    assert "no reference was given" in page([made("a")])
