"""What is seen below the upper teeth of a mouth that opens wide: lower teeth, and dark that lets go softly."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from sonic_core.models.preview.puppet.cavity import MouthColours
from sonic_core.models.preview.puppet.light import LUMA, measure_light
from sonic_core.models.preview.puppet.lower_teeth import FULL, shown_at
from sonic_core.models.preview.puppet.own_mouth import cut_own_mouth, shows_all
from sonic_core.models.preview.puppet.pose import Pose
from tests.unit.models.preview_puppet.mouths import LIP, Mouth, drawn, photograph

WIDE = Pose(gap=0.3, jaw=1.0)


def column(mouth, pose):
    """Colours (n, 3) from the lower lip's edge up, and how many I each lies above it, over the middle's breadth."""
    frame, unit = mouth.frame(pose), mouth.shapes.parting.unit
    upper, lower = (line[len(line) // 2, :2] for line in mouth.shapes.lines(pose))
    x, bottom, top = round(lower[0]), int(lower[1]), int(upper[1])
    colours = frame[top:bottom, x - int(0.1 * unit) : x + int(0.1 * unit)].mean(1)[::-1]
    return colours, (np.arange(len(colours)) + lower[1] - bottom) / unit


def chroma(colours):
    """How far colours (n, 3) are from grey of their brightness."""
    return np.abs(colours / (colours @ LUMA)[:, None] - 1).max(-1)


def test_a_mouth_that_opens_wide_shows_pale_teeth_above_the_lower_lip(shut):
    colours, above = column(shut, WIDE)
    teeth, tongue = (colours[(above > low) & (above < high)] for low, high in ((0.03, 0.045), (0.09, 0.12)))
    upper = np.percentile(colours @ LUMA, 99)
    assert 1.05 * (tongue @ LUMA).mean() < (teeth @ LUMA).mean() < 0.75 * upper, "in the lip's shade, no second denture"
    assert chroma(teeth).mean() < 0.9 * chroma(tongue).mean()


def test_a_mouth_that_opens_a_little_shows_none():
    assert shown_at(0.0) == shown_at(0.15) == 0
    assert shown_at(0.35) == pytest.approx(FULL)
    seen = [shown_at(gap) for gap in np.linspace(0, 0.35, 71)]
    assert max(np.diff(seen)) < 0.15 * FULL, "they come without a jump"


def test_a_face_from_the_front_shows_as_many_on_both_sides(shut):
    rows = []
    for side in (1.0, -1.0):
        pose, shift = WIDE, side * 0.15 * shut.shapes.parting.unit
        _, lower = shut.shapes.lines(pose)
        frame = shut.frame(pose)
        x = round(lower[len(lower) // 2, 0] + shift)
        y = int(np.interp(x, lower[:, 0], lower[:, 1]) - 0.03 * shut.shapes.parting.unit)
        rows.append(float(frame[y, x] @ LUMA))
    assert rows[0] == pytest.approx(rows[1], rel=0.15)


def test_the_dark_under_own_teeth_ends_above_what_the_mouth_showed_of_a_lip(smiling):
    parting, image = smiling.shapes.parting, smiling.image.copy()
    middle = len(parting.upper) // 2
    (x, top, _), (_, bottom, _) = parting.upper[middle], parting.lower[middle]
    left, right = int(x - 0.1 * parting.unit), int(x + 0.1 * parting.unit)
    image[int(top + 0.5 * (bottom - top)) : int(bottom) + 2, left:right] = LIP
    palette = MouthColours(*np.array((LIP, (0.3, 0.17, 0.16), (0.25, 0.13, 0.11)), np.float32))
    aside, down = np.arange(-0.05, 0.05, 0.004, np.float32), np.arange(0, 0.35, 0.004, np.float32)
    gaping = copy(smiling.shapes)
    gaping.parting = replace(parting, gap=0.45)
    cover, tongue = (
        cut_own_mouth(image, shapes, palette, np.array((x, top), np.float32), x=aside, y=down)[:, len(aside) // 2, 3]
        for shapes in (smiling.shapes, gaping)
    )
    ends = down[np.flatnonzero(cover > 0.95)[-1]]
    assert ends < 0.75 * parting.gap
    below = np.searchsorted(down, ends + 0.105)
    assert cover[below] < 0.1
    assert tongue[below] > 0.2, "in one that gapes it is a tongue, which lies in the dark"


def test_nothing_lighter_begins_at_once_below_a_dark_part_of_the_own_mouth():
    image, landmarks = photograph()
    parting = Mouth(image, landmarks).shapes.parting
    for station in range(4, len(parting.upper) - 4):
        (x, top, _), (_, bottom, _) = parting.upper[station], parting.lower[station]
        image[int(top + 0.55 * (bottom - top)) : int(bottom) + 1, int(x) - 3 : int(x) + 4] = 0.02
    mouth = Mouth(image, landmarks)
    colours, above = column(mouth, Pose(gap=0.33, jaw=1.0))
    inside = above > FULL
    bright = (colours @ LUMA)[inside]
    dark = int(np.argmin(bright))
    assert bright[dark] < 0.15
    assert np.abs(np.diff(bright[: dark + 1])).max() < 0.05


def test_a_mouth_that_shows_all_gets_no_third():
    image, landmarks = photograph()
    light = measure_light(image, landmarks)
    parting = Mouth(image, landmarks).shapes.parting
    assert not shows_all(image, light, parting)
    assert not shows_all(*_shut())
    assert shows_all(image, light, replace(parting, gap=0.4)), "one that gapes shows its own tongue"
    for station in range(4, len(parting.upper) - 4):
        (x, top, _), (_, bottom, _) = parting.upper[station], parting.lower[station]
        line = top + 0.55 * (bottom - top)
        image[int(line) - 2 : int(line) + 3, int(x) - 3 : int(x) + 4] = (0.25, 0.15, 0.14)
    assert shows_all(image, light, parting)


def _shut():
    image, landmarks = drawn()
    return image, measure_light(image, landmarks), Mouth(image, landmarks).shapes.parting
