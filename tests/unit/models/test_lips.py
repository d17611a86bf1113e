"""Lips that part: how far, how thick they get, and what is seen between them."""

from __future__ import annotations

import numpy as np
import pytest

from sonic_core.models.preview.anatomy import measure_anatomy
from sonic_core.models.preview.drawing import Drawing
from sonic_core.models.preview.pose import Pose

from .drawn import UNIT, drawn_face


def drawing_of(**face: object) -> Drawing:
    portrait = drawn_face(**face)
    return Drawing(np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy()), measure_anatomy(portrait))


def gap_of(drawing: Drawing, opening: float) -> float:
    """Return how high the gap is at an opening, both in pixels."""
    gap = drawing.lips.undo(*drawing.head.undo(Pose()), Pose(opening=opening))
    return float(gap.height.max(initial=0.0)) if gap.parted else 0.0


def reds(drawing: Drawing, opening: float) -> int:
    """Count the rows that are as red as the drawn lips in the column through the middle of the mouth."""
    column = drawing.frame(Pose(opening=opening))[250:400, 256]
    return int(((column[:, 0] > 1.8 * column[:, 1]) & (column[:, 0] > 0.4)).sum())


def test_shut_lips_show_the_portrait_and_part_at_once():
    drawing = drawing_of(line=2.5)
    assert np.array_equal(drawing.frame(Pose()), drawing.image)
    gaps = [gap_of(drawing, opening) for opening in (0.0, 1.0, 3.0, 6.0, 12.0, 24.0)]
    assert gaps[0] == 0
    assert np.diff(gaps[1:]) == pytest.approx([2, 3, 6, 12], rel=0.15)
    assert gaps[-1] == pytest.approx(24 + sum(drawing.lips.anatomy.mouth.shadow), rel=0.1)


def test_the_dark_line_stays_with_neither_lip():
    """Where shut lips meet in a dark line, none of it is left beside the teeth."""
    drawing = drawing_of(line=2.5)
    shut, parted = (drawing.frame(Pose(opening=opening))[:, 256] for opening in (0.0, 0.25 * UNIT))
    assert shut[300:313].min() < 0.15
    gap = drawing.lips.undo(*drawing.head.undo(Pose()), Pose(opening=0.25 * UNIT))
    top = gap.rows.start + int(np.argmax(gap.below[:, 256 - gap.columns.start] > 0))
    assert parted[top - 8 : top - 1, 0].min() > 0.5
    assert parted[top + 1, 0] > 0.35


@pytest.mark.parametrize(("lips", "grows"), [((4.0, 6.0), True), ((12.0, 19.0), False)])
def test_thin_lips_roll_out_when_they_part(lips, grows):
    drawing = drawing_of(lips=lips)
    more = reds(drawing, 0.15 * UNIT) - reds(drawing, 0.0)
    assert (more >= 4) == grows
    assert more <= 0.9 * sum(lips)


def test_a_narrow_gap_lets_less_light_in():
    drawing, deep = drawing_of(), []
    for opening in (0.12, 0.3):
        pose = Pose(opening=opening * UNIT, jaw=opening / 0.3)
        frame = drawing.frame(pose)
        gap = drawing.lips.undo(*drawing.head.undo(pose), pose)
        inside = (gap.below > 0.55 * gap.height) & (gap.below < gap.height - 2) & (np.abs(gap.along) < 0.3)
        deep.append(frame[gap.rows, gap.columns][inside].mean())
    assert deep[0] < 0.75 * deep[1]
    assert deep[1] < 0.35
