"""The anatomy of a portrait: measured on the bundled photograph and on a drawn face whose edges are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sonic_core import Settings
from sonic_core.media.image import read_image
from sonic_core.models.preview.anatomy import EYE_STATIONS, MOUTH_STATIONS, Anatomy, measure_anatomy
from sonic_core.pipeline import prepare_portrait
from sonic_core.types import Face, Placement, Portrait
from tests.unit.models.drawn import RED, UNIT, bow, drawn_face

ASSETS = Path(__file__).resolve().parents[3] / "assets"
MIDDLE = len(MOUTH_STATIONS) // 2


@pytest.fixture(scope="module")
def portrait():
    return prepare_portrait(read_image(ASSETS / "portrait.png"), Settings(min_resolution=384))


@pytest.fixture(scope="module")
def anatomy(portrait):
    return measure_anatomy(portrait)


def in_units(anatomy: Anatomy) -> np.ndarray:
    """List the lengths that make a face, in face units."""
    mouth = anatomy.mouth
    edges = [edge[MIDDLE] for edge in (mouth.upper_outer, mouth.upper_inner, mouth.lower_inner, mouth.lower_outer)]
    lids = [value for eye in anatomy.eyes for value in (eye.half_width, eye.upper_lid.min(), eye.lower_lid.max())]
    return np.array([mouth.half_width, mouth.chin, *edges, *lids]) / anatomy.unit


def test_the_edges_of_the_lips_are_ordered_and_meet_at_the_corners(anatomy):
    mouth = anatomy.mouth
    edges = np.stack([mouth.upper_outer, mouth.upper_inner, mouth.teeth, mouth.lower_inner, mouth.lower_outer])
    assert edges.shape == (5, len(MOUTH_STATIONS))
    assert np.diff(edges, axis=0).min() > -1e-3
    assert np.abs(edges[:, [0, -1]]).max() < 0.01 * anatomy.unit
    assert edges[-1].max() < mouth.chin


def test_a_smile_bares_its_teeth(anatomy):
    mouth = anatomy.mouth
    gap = (mouth.lower_inner - mouth.upper_inner)[MIDDLE] / anatomy.unit
    assert 0.05 < gap < 0.2
    assert (mouth.teeth - mouth.upper_inner)[MIDDLE] > 0.6 * gap * anatomy.unit


def test_lids_lie_around_the_iris(portrait, anatomy):
    grey = cv2.cvtColor(np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy()), cv2.COLOR_RGB2GRAY)
    for eye in anatomy.eyes:
        middle = len(EYE_STATIONS) // 2
        assert eye.upper_lid[middle] < -0.03 * anatomy.unit
        assert eye.lower_lid[middle] > 0.02 * anatomy.unit
        assert eye.brow > -eye.upper_lid.min()
        y, x = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
        along, down = eye.frame.local(x, y)
        share = along / eye.half_width
        inside = (np.abs(share) < 1) & (down > np.interp(share, EYE_STATIONS, eye.upper_lid))
        inside &= down < np.interp(share, EYE_STATIONS, eye.lower_lid)
        cheek = (np.abs(share) < 1) & (np.abs(down - 0.35 * anatomy.unit) < 0.08 * anatomy.unit)
        assert np.percentile(grey[inside], 10) < 0.6 * np.median(grey[cheek])


def mirrored(portrait: Portrait) -> Portrait:
    image = portrait.image.flip(2)
    width = image.shape[2]
    one, other, nose, corner, last = [(width - 1 - x, y) for x, y in portrait.face.points]
    left, top, right, bottom = portrait.face.box
    box = (width - 1 - right, top, width - 1 - left, bottom)
    return Portrait(
        image, Face(box, (other, one, nose, last, corner), 1.0), portrait.mask.flip(2), Placement(image, (0, 0, 1, 1))
    )


def test_the_mirror_image_has_the_mirrored_anatomy(portrait, anatomy):
    other = measure_anatomy(mirrored(portrait))
    swapped = [0, 1, 2, 3, 4, 5, 9, 10, 11, 6, 7, 8]
    assert np.abs(in_units(other)[swapped] - in_units(anatomy)).max() < 0.04
    assert other.turn == pytest.approx(-anatomy.turn, abs=3)
    assert np.array(other.mouth.sides[::-1]) / other.unit == pytest.approx(
        np.array(anatomy.mouth.sides) / anatomy.unit, abs=0.06
    )


def test_a_larger_crop_has_the_same_anatomy(portrait, anatomy):
    image = torch.nn.functional.interpolate(portrait.image[None], scale_factor=2, mode="bilinear")[0]
    one, other, nose, corner, last = ((2 * x + 0.5, 2 * y + 0.5) for x, y in portrait.face.points)
    face = Face(portrait.face.box, (one, other, nose, corner, last), 1.0)
    larger = measure_anatomy(Portrait(image, face, portrait.mask, portrait.placement))
    assert larger.unit == pytest.approx(2 * anatomy.unit)
    assert np.abs(in_units(larger) - in_units(anatomy)).max() < 0.03


@pytest.mark.parametrize("gap", [0.0, 24.0])
def test_known_lips_are_measured(gap):
    anatomy = measure_anatomy(drawn_face(gap))
    mouth = anatomy.mouth
    tops = mouth.frame.centre[1] + np.array(
        [edge[MIDDLE] for edge in (mouth.upper_outer, mouth.upper_inner, mouth.lower_inner, mouth.lower_outer)]
    )
    assert tops == pytest.approx([296, 306, 306 + gap, 321 + gap], abs=0.06 * anatomy.unit)
    assert mouth.frame.centre == pytest.approx((256, 306), abs=0.03 * anatomy.unit)
    assert mouth.half_width == pytest.approx(40, abs=0.05 * anatomy.unit)
    assert np.array_equal(mouth.upper_inner, mouth.lower_inner) == (gap == 0)


def test_the_seam_is_followed_where_the_lips_meet_in_a_bow():
    mouth = measure_anatomy(drawn_face(dip=6.0)).mouth
    within = np.abs(MOUTH_STATIONS) < 0.8
    seam = mouth.frame.centre[1] + mouth.upper_inner[within]
    true = 306 + 6.0 * bow(mouth.half_width * MOUTH_STATIONS[within] / 40)
    assert np.abs(seam - true).max() < 0.02 * UNIT
    assert np.ptp(seam) > 4


@pytest.mark.parametrize("line", [1.0, 2.5])
def test_the_dark_line_between_shut_lips_is_theirs_not_a_lips(line):
    above, below = measure_anatomy(drawn_face(line=line)).mouth.shadow
    assert above == pytest.approx(line, abs=1.2)
    assert below == pytest.approx(line, abs=1.2)


def test_a_lip_that_is_but_a_painted_line_is_no_shadow():
    assert max(measure_anatomy(drawn_face(lips=(2.0, 4.0), line=1.0, inside=RED)).mouth.shadow) < 0.005 * UNIT


def test_teeth_in_the_lips_shade_show_that_lips_are_parted():
    mouth = measure_anatomy(drawn_face(gap=8.0, line=0.0, inside=(0.5, 0.4, 0.36))).mouth
    assert (mouth.lower_inner - mouth.upper_inner).max() == pytest.approx(8, abs=4)
    assert mouth.shadow == (0, 0)


def test_a_beard_is_not_the_inside_of_a_mouth():
    mouth = measure_anatomy(drawn_face(beard=True)).mouth
    assert (mouth.lower_inner - mouth.upper_inner).max() < 0.06 * UNIT
    assert mouth.frame.centre[1] == pytest.approx(306, abs=0.08 * UNIT)


def test_a_turned_head_has_a_near_and_a_far_side():
    straight, right = measure_anatomy(drawn_face(0.0)), measure_anatomy(drawn_face(0.0, turn=15))
    assert abs(straight.turn) < 3
    assert 7 < right.turn < 23
    assert right.mouth.sides[0] > right.mouth.sides[1] + 0.3 * right.unit
