"""What is painted between the lips, and how a frame's mouth is put together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from sonic_core.faces.geometry import eye_distance
from sonic_core.models.preview.puppet.cavity import MouthColours, draw_cavity, shows_teeth
from sonic_core.models.preview.puppet.light import LUMA, luma_of, measure_light
from sonic_core.models.preview.puppet.own_mouth import cut_own_mouth, ends_in_lip
from sonic_core.models.preview.puppet.parting import find_parting
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.models.preview.puppet.teeth import draw_teeth, unroll
from tests.unit.models.preview_puppet.mouths import LIP, Mouth, drawn, paint_lips, photograph

PALETTE = MouthColours(*np.array(((0.7, 0.4, 0.38), (0.3, 0.17, 0.16), (0.25, 0.13, 0.11)), np.float32))
X, Y = np.arange(-0.5, 0.5, 0.004, np.float32), np.arange(-0.2, 0.2, 0.004, np.float32)


def brightness_inside(mouth, pose):
    """Brightness of all pixels between the lips against the skin's."""
    light = measure_light(mouth.image, mouth.landmarks)
    return (mouth.frame(pose) @ LUMA)[mouth.inside(pose)] / light.level


@pytest.mark.parametrize("name", ["shut", "smiling"])
def test_a_mouth_at_rest_is_the_portraits_to_the_bit(name, request):
    mouth = request.getfixturevalue(name)
    pose = Pose(gap=0.2, jaw=0.5, rounding=1, rest=1)
    assert np.array_equal(mouth.frame(pose), mouth.warp(np.zeros((*mouth.nodes.shape[:2], 3), np.float32)))


def test_a_mouth_touches_nothing_outside_its_window(shut):
    pose = Pose(gap=0.3, jaw=1)
    frame, lower = (shut.warp(field) for field in shut.shapes.displace(pose))
    before = frame.copy()
    window = shut.interior.window(shut.project, pose, *shut.image.shape[:2])
    shut.interior.paint(frame, np.ascontiguousarray(lower[window]), window, shut.project, pose)
    assert not np.array_equal(frame[window], before[window])
    frame[window] = before[window]
    assert np.array_equal(frame, before)


@pytest.mark.parametrize("gap", [0.1, 0.2, 0.3])
def test_the_inside_is_as_bright_as_real_mouths_are(shut, gap):
    inside = brightness_inside(shut, Pose(gap=gap, jaw=gap / 0.3))
    assert 0.35 < np.median(inside) < 0.75
    assert (inside < 0.08).mean() < 0.12


def test_a_tongue_is_round_with_a_line_along_its_middle(shut):
    light = measure_light(shut.image, shut.landmarks)
    wide, small = (luma_of(draw_cavity(light, PALETTE, share)) / light.level for share in (1.0, 0.0))
    depths = np.linspace(0, 1, len(wide))
    crest = depths[np.argmax(wide[:, len(wide) // 6])]
    assert 0.65 < crest < 0.9, "it is lightest before it goes down behind the lip"
    assert wide[:, 0].max() > 1.05 * wide[-1, 0]
    line = wide[round(0.75 * len(wide))]
    assert line[0] < 0.97 * line[round(0.2 * len(line))]
    line = small[round(0.75 * len(small))]
    assert line[0] > line[round(0.2 * len(line))], "in a small opening none is seen"


def test_the_inside_darkens_towards_the_corners(shut):
    pose = Pose(gap=0.25, jaw=0.8)
    frame, mask = shut.frame(pose) @ LUMA, shut.inside(pose)
    columns = np.flatnonzero(mask.any(0))
    means = [frame[:, column][mask[:, column]].mean() for column in columns]
    sixth = len(means) // 6
    assert max(np.mean(means[:sixth]), np.mean(means[-sixth:])) < 0.75 * np.mean(means[2 * sixth : -2 * sixth])


def test_the_opening_tapers_to_the_corners(shut):
    upper, lower = shut.shapes.lines(Pose(gap=0.3, jaw=1))
    heights = (lower - upper)[:, 1]
    centre = len(heights) // 2
    assert heights[0] == pytest.approx(0, abs=1e-3) and heights[-1] == pytest.approx(0, abs=1e-3)
    assert heights[3] < 0.6 * heights[centre] and (np.diff(heights[: centre - 3]) > -0.3).all()


@pytest.mark.parametrize("name", ["shut", "smiling"])
def test_frames_follow_the_gap_without_a_jump(name, request):
    mouth = request.getfixturevalue(name)
    frames = [mouth.frame(Pose(gap=gap, jaw=gap / 0.3)) for gap in np.linspace(0, 0.06, 13)]
    rows, columns = mouth.interior.window(mouth.project, Pose(gap=0.06), *mouth.image.shape[:2])
    changes = [np.abs(b - a)[rows, columns].mean() for a, b in pairwise(frames)]
    assert max(changes) < 3 * np.median(changes) + 1e-3


def test_lips_that_hardly_part_hardly_change_the_picture(shut):
    still, parted = shut.frame(Pose()), shut.frame(Pose(gap=1e-4))
    assert np.abs(still - parted).max() < 0.02


def test_own_teeth_are_shown_and_stand_still(smiling):
    gap = smiling.shapes.own_gap
    shown = brightness_inside(smiling, Pose(gap=gap))
    own = (smiling.image @ LUMA)[smiling.inside(Pose(rest=1))] / measure_light(smiling.image, smiling.landmarks).level
    assert np.median(shown) == pytest.approx(np.median(own), abs=0.16)
    wider = smiling.frame(Pose(gap=0.3, jaw=1))
    teeth = smiling.inside(Pose(gap=0.12), shrink=0.35)
    assert np.abs(wider - smiling.frame(Pose(gap=gap)))[teeth].mean() < 0.08


def test_a_grey_portrait_gets_a_grey_mouth():
    mouth = Mouth(*photograph(grey=True))
    frame = mouth.frame(Pose(gap=0.3, jaw=1))
    assert np.ptp(frame, axis=-1).max() < 0.02


@pytest.mark.parametrize("size", [384, 1024])
def test_a_mouth_is_drawn_at_any_size(size):
    mouth = Mouth(*drawn(size))
    inside = brightness_inside(mouth, Pose(gap=0.2, jaw=0.6))
    assert 0.35 < np.median(inside) < 0.75


def test_a_mouth_that_leaves_the_frame_is_cut_off(shut):
    pose = Pose(gap=0.2)

    def away(points):
        return np.asarray(points)[:, :2] + (400.0, 0.0)

    frame = shut.image.copy()
    window = shut.interior.window(away, pose, *frame.shape[:2])
    shut.interior.paint(frame, np.ascontiguousarray(frame[window]), window, away, pose)
    assert np.isfinite(frame).all()


@pytest.mark.parametrize(("teeth", "kept"), [(1.0, True), (0.25, False), (0.0, False)])
def test_single_teeth_and_pieces_of_lip_in_a_narrow_mouth_are_painted_anew(teeth, kept):
    image, landmarks = photograph()
    parting = replace(find_parting(image, landmarks), gap=0.10, shown=True)
    lips = np.ascontiguousarray(image)
    paint_lips(lips, landmarks.points)
    white = lips.copy()
    paint_lips(white, landmarks.points, inside=(0.85, 0.83, 0.78))
    left, right = landmarks.points[[78, 308], 0]
    until = int(left + teeth * (right - left))
    lips[:, :until] = white[:, :until]
    assert shows_teeth(lips, measure_light(lips, landmarks), parting) == kept


def test_painted_lips_tell_a_coloured_picture_where_the_skin_is_pale():
    image, landmarks = photograph(grey=True)
    assert measure_light(image, landmarks).tint < 0.1
    paint_lips(image, landmarks.points)
    assert measure_light(image, landmarks).tint > 0.9


def test_gaps_between_teeth_are_as_soft_as_the_portraits_edges():
    image, landmarks = photograph()
    light = measure_light(image, landmarks)
    x, y = np.arange(-0.6, 0.6, 0.006, np.float32), np.arange(-0.2, 0.2, 0.006, np.float32)

    def steepest(softness):
        teeth = draw_teeth(x, y, light, PALETTE, halves=np.full(2, 0.4), whitest=1.0, softness=softness)
        row = teeth[np.searchsorted(y, -0.05), np.abs(x) < 0.06, :3] @ LUMA
        return np.abs(np.diff(row)).max()

    assert steepest(0.03) < 0.3 * steepest(0.005)
    assert steepest(0.005) == pytest.approx(steepest(0.003), rel=0.01)


def test_teeth_are_as_warm_as_what_is_white_in_the_picture():
    """In old varnish the whites of eyes are yellow; teeth that were not looked blue."""
    image, landmarks = photograph()
    varnish = np.float32((1.05, 0.98, 0.6))
    hues = []
    for picture in (image, image * varnish):
        light = measure_light(picture, landmarks)
        row = draw_teeth(X, Y, light, PALETTE, halves=np.full(2, 0.45), whitest=1.0, softness=0.005)[
            np.searchsorted(Y, -0.03), np.abs(X) < 0.06, :3
        ].mean(0)
        hues.append(row[2] / row[0])
        assert light.white[2] / light.white[0] >= 0.99 * light.skin[2] / light.skin[0], "never warmer than the skin"
    assert hues[1] / hues[0] < 0.76, "the varnish takes .57 of blue over red"


def test_what_lies_before_the_eyes_does_not_make_the_mouth_soft():
    """The soft edges of dark lenses are the steepest of a face; its teeth were as soft as they."""
    image, landmarks = photograph()
    lenses, unit = np.zeros(image.shape[:2], np.float32), eye_distance(landmarks.points)
    for middle in landmarks.irises[:, 0]:
        cv2.circle(lenses, (int(middle[0]), int(middle[1])), int(0.42 * unit), 1.0, -1)
    lenses = cv2.GaussianBlur(lenses, (0, 0), 6.0)[..., None]
    worn = (image * (1 - 0.9 * lenses)).astype(np.float32)
    assert measure_light(worn, landmarks).blur < 1.3 * measure_light(image, landmarks).blur


def chroma(colours):
    """How far colours (n, 3) are from grey of their brightness."""
    return np.abs(colours / (colours @ LUMA)[:, None] - 1).max(-1).mean()


def test_lit_teeth_are_far_paler_than_skin_and_canines_yellower():
    light = measure_light(*photograph())
    teeth = draw_teeth(X, Y, light, PALETTE, halves=np.full(2, 0.45), whitest=1.0, softness=0.005)
    row = teeth[np.searchsorted(Y, -0.03), :, :3]
    incisors, canines = row[np.abs(np.abs(X) - 0.06) < 0.03], row[np.abs(np.abs(X) - 0.25) < 0.02]
    assert chroma(incisors) < 0.5 * chroma(light.skin[None])
    assert chroma(canines) > 1.3 * chroma(incisors)


def test_each_tooth_ends_in_its_own_edge():
    teeth = draw_teeth(
        X, Y, measure_light(*photograph()), PALETTE, halves=np.full(2, 0.45), whitest=1.0, softness=0.005
    )
    bright = teeth[..., :3] @ LUMA
    edge = np.array([Y[np.flatnonzero(column > 0.5 * column.max())[-1]] for column in bright[:, np.abs(X) < 0.3].T])
    aside = np.abs(X[np.abs(X) < 0.3])
    between = [edge[np.abs(aside - place) < 0.006].min() for place in (0.124, 0.217)]
    middles = [edge[np.abs(aside - place) < 0.03].max() for place in (0.062, 0.171)]
    assert middles[0] > middles[1]
    assert middles[0] - between[0] > 0.015 and middles[1] - between[1] > 0.010


def test_teeth_in_shadow_take_the_hue_of_the_skin(shut):
    pose = Pose(gap=0.2, jaw=0.6)
    frame = shut.frame(pose)
    upper, lower = (line[len(line) // 2] for line in shut.shapes.lines(pose))
    column = frame[int(upper[1]) : int(lower[1]), int(upper[0]) + 4]
    column = column[3 : len(column) * 2 // 5]
    dim, lit = column[:2], column[np.argsort(column @ LUMA)[-2:]]
    assert (dim @ LUMA).max() < 0.9 * (lit @ LUMA).min()
    assert chroma(dim) > 1.2 * chroma(lit)


def test_teeth_all_but_covered_by_red_lips_are_lit_by_them(shut):
    frame = shut.frame(Pose(gap=0.07, jaw=0.2))
    upper, lower = (line[len(line) // 2] for line in shut.shapes.lines(Pose(gap=0.07, jaw=0.2)))
    between = frame[int(upper[1]) + 1 : int(lower[1]), int(upper[0]) - 4 : int(upper[0]) + 5].mean(1)
    teeth = between[np.argmax(between @ LUMA)]
    assert chroma(teeth[None]) > 0.76 * chroma(measure_light(*drawn()).skin[None]), "grey bands are no teeth"


def test_an_open_mouth_is_dark_behind_the_upper_teeth_and_a_tongue_lies_before_it(shut):
    pose = Pose(gap=0.3, jaw=1.0)
    frame = shut.frame(pose) @ LUMA
    upper, lower = (line[len(line) // 2] for line in shut.shapes.lines(pose))
    skin = measure_light(*drawn()).level
    inside = frame[int(upper[1]) : int(lower[1]), int(upper[0]) - 4 : int(upper[0]) + 5].mean(1) / skin
    teeth, throat = np.argmax(inside), len(inside) // 4 + np.argmin(inside[len(inside) // 4 : len(inside) * 3 // 4])
    assert teeth < throat and 0.12 < inside[throat] < 0.45
    assert inside[len(inside) * 3 // 4] > 1.6 * inside[throat]


def shaded():
    """A drawn face whose shut lips shade the lower one, and its mouth."""
    image, landmarks = drawn()
    parting = find_parting(image, landmarks)
    for x, y in parting.lower[20:45, :2].astype(int):
        rows = np.arange(y, y + int(0.05 * parting.unit))
        light = 0.45 + 0.55 * (rows - y) / (0.05 * parting.unit)
        image[rows, x - 1 : x + 2] = np.array(LIP) * light[:, None, None]
    return Mouth(image, landmarks)


def test_no_shadow_of_shut_lips_is_left_as_an_outline_on_the_lower_lip():
    mouth = shaded()
    unit, pose = mouth.shapes.parting.unit, Pose(gap=0.25, jaw=0.8)
    frame, lower = mouth.frame(pose) @ LUMA, mouth.shapes.lines(pose)[1]
    x, y = lower[len(lower) // 2, :2].astype(int)
    just, deeper = (
        frame[y + int(first * unit) : y + int(last * unit), x].mean() for first, last in ((0.015, 0.025), (0.06, 0.09))
    )
    assert just > 0.9 * deeper


@pytest.mark.parametrize("stretched", [0.6, 1.0, 2.5])
def test_the_light_that_a_lip_lacked_goes_along_as_it_rolls_in_or_out(stretched):
    mouth = shaded()
    parting, pose = mouth.shapes.parting, Pose(gap=0.25, jaw=0.8)
    x, y = parting.lower[len(parting.lower) // 2, :2].astype(int)
    depth = np.linspace(0, 0.07 * parting.unit, round(24 * stretched))
    places = np.stack((np.full_like(depth, x), y + depth), -1)[:, None].astype(np.float32)
    lip = cv2.remap(mouth.image, places, None, cv2.INTER_LINEAR)
    before = (lip @ LUMA)[:, 0] / (np.array(LIP) @ LUMA)
    mouth.interior.light_lip(lip, places, pose)
    after = (lip @ LUMA)[:, 0] / (np.array(LIP) @ LUMA)
    assert before.min() < 0.6
    assert after.min() > 0.85
    assert np.ptp(after[3:]) < 0.15


@pytest.mark.parametrize(("begins", "kept"), [(0.0, False), (0.045, True)])
def test_a_tooth_at_the_edge_of_lips_that_were_taken_for_shut_goes_and_shine_on_them_stays(begins, kept):
    image, landmarks = drawn()
    parting = find_parting(image, landmarks)
    unit, (x, y) = parting.unit, parting.lower[len(parting.lower) // 2, :2].astype(int)
    first, last = y + int(begins * unit), y + int((begins + 0.03) * unit)
    image[first:last, x - 12 : x + 13] = (0.85, 0.80, 0.75)
    mouth = Mouth(image, landmarks)
    assert not mouth.shapes.parting.shown
    rows = np.arange(first + 1, last - 1)
    places = np.stack((np.full_like(rows, x), rows), -1)[:, None].astype(np.float32)
    lip = np.ascontiguousarray(image[rows, x][:, None])
    mouth.interior.light_lip(lip, places, Pose(gap=0.2, jaw=0.6))
    away = float(np.abs(lip - np.float32(LIP)).max())
    assert away > 0.3 if kept else away < 0.15


def test_no_light_of_teeth_is_left_as_a_halo_on_the_lower_lip():
    image, landmarks = photograph()
    parting = find_parting(image, landmarks)
    for x, y in parting.lower[16:49, :2].astype(int):
        rows = np.arange(y, y + int(0.10 * parting.unit))
        light = 0.3 * np.clip(1 - (rows - y) / (0.05 * parting.unit), 0, 1)[:, None, None]
        image[rows, x - 4 : x + 5] = np.array(LIP) + light
    mouth = Mouth(image, landmarks)
    pose = Pose(gap=0.5 * parting.gap)
    frame, lower = mouth.frame(pose) @ LUMA, mouth.shapes.lines(pose)[1]
    x, y = lower[len(lower) // 2, :2].astype(int)
    just, deeper = (
        frame[y + int(first * parting.unit) : y + int(last * parting.unit), x].mean()
        for first, last in ((0.018, 0.028), (0.07, 0.09))
    )
    assert just < 1.15 * deeper


def test_the_portraits_own_teeth_dim_as_the_lips_shut_over_them(smiling):
    gap = smiling.shapes.own_gap
    shown = [np.percentile(brightness_inside(smiling, Pose(gap=share * gap)), 80) for share in (0.35, 1.0)]
    assert 0.7 * shown[1] < shown[0] < 0.9 * shown[1], "some, and no grey plate"


def test_what_lies_below_a_lip_in_an_own_mouth_is_not_taken_for_teeth(smiling):
    parting, shapes = smiling.shapes.parting, smiling.shapes
    image = smiling.image.copy()
    middle = len(parting.upper) // 2
    (x, top, _), (_, bottom, _) = parting.upper[middle], parting.lower[middle]
    high = bottom - top
    left, right = int(x - 0.1 * parting.unit), int(x + 0.1 * parting.unit)
    image[int(top + 0.60 * high) : int(bottom) + 2, left:right] = PALETTE.lip
    image[int(top + 0.80 * high) : int(top + 0.86 * high), left:right] = 1.0
    palette = replace(PALETTE, dark=np.zeros(3, np.float32))
    origin = np.array((x, top), np.float32)
    cut = cut_own_mouth(image, shapes, palette, origin, x=X[np.abs(X) < 0.05], y=Y[Y > 0])
    piece = cut[np.searchsorted(Y[Y > 0], 0.82 * high / parting.unit)]
    assert piece[:, :3].max() < 0.5


def test_rounded_lips_keep_light_out(shut):
    flat, pushed = (np.median(brightness_inside(shut, Pose(gap=0.2, jaw=0.6, rounding=share))) for share in (0.0, 1.0))
    assert pushed < 0.85 * flat


def test_a_tongue_over_the_lower_lip_is_told_from_a_mouth_that_ends_in_lip(smiling):
    parting = replace(smiling.shapes.parting, gap=0.25)
    assert ends_in_lip(smiling.image, parting)
    tongue = smiling.image.copy()
    middle = len(parting.upper) // 2
    x, top = parting.upper[middle, :2].astype(int)
    aside, down = int(0.2 * parting.unit), int(0.35 * parting.unit)
    tongue[top:][:down, x - aside : x + aside] = (0.75, 0.45, 0.45)
    assert not ends_in_lip(tongue, parting)
    assert ends_in_lip(tongue, replace(parting, shown=False))


def test_a_turned_head_shows_more_of_the_nearer_side_of_the_arch():
    seen = np.linspace(-0.25, 0.25, 81, dtype=np.float32)
    assert np.array_equal(unroll(seen, 0.0), seen)
    arch = unroll(seen, -0.4)  # what is behind appears to the left: the head looks to the right
    assert (np.diff(arch) > 0).all() and arch[40] == pytest.approx(0, abs=1e-6)
    assert -arch[0] < 0.85 * arch[-1]
