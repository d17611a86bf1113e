"""Lids where something is painted on them, stands before them, or where eyes are drawn bigger than any mesh."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sonic_core.faces.geometry import LEFT_BROW_LOWER, RIGHT_BROW_LOWER, eye_distance
from sonic_core.models.preview.puppet.brows import Brows
from sonic_core.models.preview.puppet.eye_frame import LOWER_BROWS, STATIONS, UPPER_LIDS, eye_frames
from sonic_core.models.preview.puppet.eye_light import face_brightness, fill, fit_frame, look_around
from sonic_core.models.preview.puppet.eye_signs import wears_glasses
from sonic_core.models.preview.puppet.eyes import Eyes
from sonic_core.models.preview.puppet.grid import Grid
from sonic_core.models.preview.puppet.lashes import find_lashes
from sonic_core.models.preview.puppet.lids import _shut_line

from .test_eyes import BROWN, GREY, INK, SKIN, apply, draw_face, load, opening


@pytest.fixture(scope="module")
def landmarks():
    return load()[1]


@pytest.fixture(scope="module")
def face(landmarks):
    return draw_face(landmarks, (1024, 1024))


def hue(colour):
    return np.asarray(colour) / np.mean(colour)


def test_eye_shadow_stays_on_a_shut_lid(landmarks, face):
    paint, unit = np.float32((0.75, 0.4, 0.75)), eye_distance(landmarks.points)
    made_up = np.zeros(face.shape[:2], np.float32)
    for number in (0, 1):
        line = np.rint(landmarks.points[list(UPPER_LIDS[number]), :2] - (0, 0.05 * unit)).astype(np.int32)
        cv2.polylines(made_up, [line], False, 1.0, int(0.14 * unit), cv2.LINE_AA)
        made_up[opening(face.shape, landmarks, number)] = 0
    made_up = cv2.GaussianBlur(made_up, (0, 0), 2)[..., None]
    texture = (face * (1 - made_up) + paint * made_up).astype(np.float32)
    shut = apply(texture, Eyes(texture, landmarks), 1.0, 0.0, 0.0)
    for number, middle in ((0, 159), (1, 386)):
        x, y = np.rint(landmarks.points[middle, :2] + (0, 0.02 * unit)).astype(int)
        lid = hue(shut[y - 3 : y + 4, x - 10 : x + 11].mean((0, 1)))
        assert opening(face.shape, landmarks, number)[y, x]
        assert np.abs(lid - hue(paint)).max() < np.abs(lid - hue(SKIN)).max()


def test_the_frame_of_glasses_stays_before_the_lids(landmarks, face):
    unit, texture = eye_distance(landmarks.points), face.copy()
    rim = np.zeros(face.shape[:2], np.uint8)
    for middle in (landmarks.points[[33, 133], :2].mean(0), landmarks.points[[263, 362], :2].mean(0)):
        low, high = middle - np.array([0.42, 0.24]) * unit, middle + np.array([0.42, 0.28]) * unit
        cv2.rectangle(rim, *(tuple(int(part) for part in end) for end in (low, high)), 1, int(0.05 * unit))
    cv2.line(rim, (0, int(low[1])), (1023, int(low[1])), 1, int(0.05 * unit))
    texture[rim > 0] = (0.05, 0.05, 0.06)
    eyes = Eyes(texture, landmarks)
    assert eyes.readable
    change = np.abs(apply(texture, eyes, 1.0, 0.0, 0.0) - texture).max(2)
    kept = cv2.erode(rim, np.ones((3, 3), np.uint8)) > 0
    assert float((change[kept] > 0.1).mean()) < 0.01
    assert change[opening(face.shape, landmarks, 0)].mean() > 0.1


def test_eyes_drawn_far_bigger_than_the_mesh_shut_whole(landmarks):
    unit, texture = eye_distance(landmarks.points), np.empty((1024, 1024, 3), np.float32)
    texture[:] = SKIN
    balls = np.zeros((1024, 1024), np.uint8)
    for number in (0, 1):
        x, y = landmarks.irises[number, 0] + (0, 0.08 * unit)
        cv2.ellipse(balls, ((float(x), float(y)), (0.5 * unit, 0.48 * unit), 0), 1, -1)
        cv2.ellipse(texture, ((float(x), float(y)), (0.5 * unit, 0.48 * unit), 0), (0.92, 0.92, 0.92), -1)
        cv2.circle(texture, (int(x), int(y)), int(0.15 * unit), BROWN, -1)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.5)
    eyes = Eyes(texture, landmarks)
    assert eyes.readable
    shut = apply(texture, eyes, 1.0, 0.0, 0.0)
    inside = cv2.erode(balls, np.ones((15, 15), np.uint8)) > 0
    assert float((np.abs(shut - np.float32(SKIN)).max(2)[inside] > 0.15).mean()) < 0.09, "no more than a line of lashes"


def test_skin_in_the_light_beside_a_corner_is_no_white_of_the_eye(landmarks, face):
    """A nose in the light is bright without an end; the white of an eye ends."""
    unit, texture = eye_distance(landmarks.points), face.copy()
    for number, corner, inward in ((0, 133, 1), (1, 362, -1)):
        x, y = landmarks.points[corner, :2]
        ends = sorted((int(x + inward * 0.005 * unit), int(x + inward * 0.3 * unit)))
        texture[int(y - 0.2 * unit) : int(y + 0.2 * unit), ends[0] : ends[1]] = (0.93, 0.92, 0.9)
        mesh = eye_frames(landmarks)[number]
        fitted = fit_frame(look_around(mesh, texture))
        assert fitted.half < 1.05 * mesh.half


def test_big_eyes_that_were_not_found_alike_do_not_blink_and_that_is_told(landmarks):
    unit, texture = eye_distance(landmarks.points), np.empty((1024, 1024, 3), np.float32)
    texture[:] = SKIN
    for number in (0, 1):
        x, y = landmarks.irises[number, 0] + (0, 0.08 * unit)
        cv2.ellipse(texture, ((float(x), float(y)), (0.5 * unit, 0.48 * unit), 0), (0.92, 0.92, 0.92), -1)
        cv2.circle(texture, (int(x), int(y)), int(0.15 * unit), BROWN, -1)
    hair = [
        (x, y - 0.15 * unit),
        (x + 0.12 * unit, y - 0.6 * unit),
        (x + 0.25 * unit, y - 0.6 * unit),
        (x + 0.2 * unit, y),
    ]
    cv2.fillPoly(texture, [np.rint(hair).astype(np.int32)], BROWN)
    eyes = Eyes(cv2.GaussianBlur(texture, (0, 0), 1.5), landmarks)
    assert eyes.readable and not eyes.blinks and eyes.lidless


def test_a_shut_line_is_one_bow_and_no_wave(landmarks):
    """A far eye's lower lid hangs to one side; lids that met along it would shut in a wave."""
    frame = eye_frames(landmarks)[0]
    aside = STATIONS * (1 - STATIONS**2) * (np.abs(STATIONS) < 1)
    hanging = replace(frame, bottom=(np.maximum(frame.bottom, 0) + 0.16 * frame.unit * aside).astype(np.float32))
    line = _shut_line(hanging)[np.abs(STATIONS) < 0.95]
    assert line.min() > -0.002 * frame.unit
    assert np.diff(np.sign(np.diff(line))).astype(bool).sum() <= 1


def test_a_shut_lid_has_a_fold_where_the_open_one_ended(landmarks, face):
    shut, unit = apply(face, Eyes(face, landmarks), 1.0, 0.0, 0.0) @ GREY, eye_distance(landmarks.points)
    for middle in (159, 386):
        x, y = landmarks.points[middle, :2]
        column = shut[int(y - 0.1 * unit) : int(y + 0.06 * unit), int(x) - 3 : int(x) + 4].mean(1)
        fold = int(column.argmin())
        assert 0.3 * len(column) < fold < 0.8 * len(column), "not at the lashes, nor up at the brow"
        assert column[fold] < 0.97 * min(column[:fold].max(), column[fold:].max())


def test_a_line_of_lashes_is_as_dark_as_the_portraits_own(landmarks, face):
    """Liner within dark shade is hardly darker than that; on a bright lid it is still black."""
    unit, texture = eye_distance(landmarks.points), face.copy()
    for number in (0, 1):
        line = np.rint(landmarks.points[list(UPPER_LIDS[number]), :2] - (0, 0.03 * unit)).astype(np.int32)
        cv2.polylines(texture, [line], False, (0.25, 0.2, 0.2), int(0.13 * unit), cv2.LINE_AA)
        line = np.rint(landmarks.points[list(UPPER_LIDS[number]), :2] - (0, 0.005 * unit)).astype(np.int32)
        cv2.polylines(texture, [line], False, (0.05, 0.04, 0.04), max(2, int(0.02 * unit)), cv2.LINE_AA)
    around = look_around(fit_frame(look_around(eye_frames(landmarks)[0], texture)), texture)
    black = find_lashes(around).black[np.abs(STATIONS) < 0.7]
    assert black.max() < 0.15


def test_an_eye_ends_where_the_picture_has_it_end(landmarks, face):
    unit = eye_distance(landmarks.points)
    lower = landmarks.points.copy()
    for number in (7, 163, 144, 145, 153, 154, 155, 382, 381, 380, 374, 373, 390, 249):
        lower[number, 1] -= 0.04 * unit
    wrong = type(landmarks)(lower, landmarks.irises, landmarks.score)
    for right, mesh in zip(eye_frames(landmarks), eye_frames(wrong), strict=True):
        fitted = fit_frame(look_around(mesh, face))
        truth, before, after = (float(frame.bottom.max()) for frame in (right, mesh, fitted))
        assert abs(after - truth) < 0.5 * abs(before - truth)


def test_a_hole_is_filled_smoothly_from_its_border():
    y, x = np.mgrid[:40, :60].astype(np.float32)
    slope = np.stack([x / 60, y / 40, 0.5 + 0 * x], -1)
    weight = np.ones((40, 60), np.float32)
    weight[12:28, 20:40] = 0
    spoilt = slope.copy()
    spoilt[12:28, 20:40] = 9.0
    assert np.abs(fill(spoilt, weight) - slope)[12:28, 20:40].max() < 0.12


def test_the_skins_brightness_is_that_of_the_cheeks(landmarks, face):
    expected = float(np.float32(SKIN) @ np.float32([0.299, 0.587, 0.114]))
    assert face_brightness(landmarks, face) == pytest.approx(expected, abs=0.01)


def local(landmarks, number, along, down):
    """Pixels of a place that lies ``along`` (half widths, outward positive) and ``down`` (I) from an eye's middle."""
    frame = eye_frames(landmarks)[number]
    x, y = frame.places(*(np.float32([part]) for part in (frame.outer * along * frame.half, down * frame.unit)))
    return int(x[0]), int(y[0])


def with_lashes(landmarks, face):
    """Draw lashes on the upper lids, the longest beside the outer corners."""
    texture = face.copy()
    for number in (0, 1):
        for place in np.linspace(-0.6, 1.1, 12):
            root = local(landmarks, number, place, -0.06 * max(1 - place**2, 0))
            tip = local(landmarks, number, 1.12 * place + 0.1, -0.16 + 0.06 * abs(place))
            cv2.line(texture, root, tip, (0.12, 0.08, 0.06), 3, cv2.LINE_AA)
    return cv2.GaussianBlur(texture, (0, 0), 1.2)


def test_a_blink_draws_no_stroke_beside_the_outer_corner(landmarks, face):
    texture = with_lashes(landmarks, face)
    eyes = Eyes(texture, landmarks)
    for blink in (0.2, 0.4, 0.6, 0.8, 1.0):
        darker = (texture - apply(texture, eyes, blink, 0.0, 0.0)) @ GREY
        for number in (0, 1):
            (left, right), (top, bottom) = (
                sorted(ends)
                for ends in zip(local(landmarks, number, 1.2, -0.08), local(landmarks, number, 1.8, 0.1), strict=True)
            )
            assert darker[top:bottom, left:right].max() < 0.25, blink  # lashes that are there go down with the lid


def test_the_line_of_a_shut_eye_meets_the_liner_beside_its_corner(landmarks, face):
    """With a gap between them, the liner was left as a stub."""
    texture = face.copy()
    for number in (0, 1):
        ends = local(landmarks, number, 0.7, -0.02), local(landmarks, number, 1.35, 0.01)
        cv2.line(texture, *ends, (0.1, 0.08, 0.08), 5, cv2.LINE_AA)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.0)
    shut, plain = apply(texture, Eyes(texture, landmarks), 1.0, 0.0, 0.0) @ GREY, float(np.float32(SKIN) @ GREY)
    for number in (0, 1):
        line = []
        for place in np.linspace(0.7, 1.25, 12):
            (x, top), (_, bottom) = (local(landmarks, number, place, down) for down in (-0.05, 0.07))
            line.append(shut[top:bottom, x].min() / plain)
        assert max(line) < 0.8
        assert (np.maximum.accumulate(line) - line).max() < 0.05, "lighter, then dark again"


def test_no_tip_of_a_lash_stays_on_a_shut_lid(landmarks, face):
    texture = face.copy()
    for place in (-0.3, 0.0, 0.3):
        ends = local(landmarks, 0, place, -0.15), local(landmarks, 0, place + 0.05, -0.19)
        cv2.line(texture, *ends, (0.35, 0.25, 0.2), 2, cv2.LINE_AA)
    shut = apply(texture, Eyes(texture, landmarks), 1.0, 0.0, 0.0)
    (left, top), (right, bottom) = local(landmarks, 0, 0.45, -0.22), local(landmarks, 0, -0.45, -0.1)
    plain = float(np.float32(SKIN) @ GREY)
    assert plain - (texture[top:bottom, left:right] @ GREY).min() > 0.2
    assert plain - (shut[top:bottom, left:right] @ GREY).min() < 0.1


def test_a_lid_in_the_shade_of_its_socket_is_not_lit(landmarks, face):
    rows, columns = np.mgrid[: face.shape[0], : face.shape[1]]
    light = np.ones(face.shape[:2], np.float32)
    for number in (0, 1):
        x, y = local(landmarks, number, 0.0, 0.0)
        reach = 0.3 * eye_distance(landmarks.points)
        light -= 0.5 * np.exp(-((((columns - x) / reach) ** 2 + ((rows - y) / reach) ** 2) ** 2)).astype(np.float32)
    texture = (face * light[..., None]).astype(np.float32)
    shut = apply(texture, Eyes(texture, landmarks), 1.0, 0.0, 0.0) @ GREY
    x, y = local(landmarks, 0, 0.0, -0.05)
    lid, above = float(np.median(shut[y - 3 : y + 4, x - 9 : x + 10])), 0.5 * float(np.float32(SKIN) @ GREY)
    assert 0.8 < lid / above < 1.45


def test_a_line_of_lashes_is_of_the_skins_hue_and_ends_softly(landmarks, face):
    shut = apply(face, Eyes(face, landmarks), 1.0, 0.0, 0.0)
    depths, reds = [], []
    for place in np.linspace(-1.0, 1.3, 24):
        x, y = local(landmarks, 1, place, 0.0)
        column = shut[y - 20 : y + 30, x]
        darkest = int((column @ GREY).argmin())
        depths.append(float(np.float32(SKIN) @ GREY - column[darkest] @ GREY))
        reds.append(float(column[darkest][0] / column[darkest][2]))
    depths = np.array(depths)
    assert depths.max() > 0.12
    assert max(depths[0], depths[-1]) < 0.35 * depths.max()
    assert np.abs(np.diff(depths)).max() < 0.3 * depths.max()
    assert reds[int(depths.argmax())] > 1.03 * SKIN[0] / SKIN[2]


def hatched(face, landmarks):
    """Draw hatching around both eyes."""
    texture = face.copy()
    for number in (0, 1):
        for place in np.linspace(-1.6, 1.6, 26):
            for ends in ((-0.25, -0.05), (0.06, 0.25)):
                start, end = (
                    local(landmarks, number, place + lean, down) for lean, down in zip((0, 0.2), ends, strict=True)
                )
                cv2.line(texture, start, end, (0.05, 0.04, 0.04), 3, cv2.LINE_AA)
    return texture


def painted(face, landmarks):
    """Paint the skin below the eyes."""
    texture = face.copy()
    for number in (0, 1):
        middle = local(landmarks, number, 0.0, 0.13)
        cv2.ellipse(texture, (middle, (140, 80), 0), (0.1, 0.45, 0.55), -1, cv2.LINE_AA)
    return texture


@pytest.mark.parametrize("make", [hatched, painted])
def test_where_no_lid_can_be_drawn_well_only_the_gaze_is(make, landmarks, face):
    texture = make(face, landmarks)
    eyes = Eyes(texture, landmarks)
    assert Eyes(face, landmarks).blinks and not Eyes(face, landmarks).lidless
    assert eyes.readable and not eyes.blinks and eyes.lidless
    assert not Eyes(texture, landmarks, hidden=True).lidless, "that is told already"
    np.testing.assert_array_equal(apply(texture, eyes, 1.0, 0.0, 0.0), texture)
    assert np.abs(apply(texture, eyes, 1.0, 8.0, 0.0) - texture).max() > 0.1


def test_glasses_are_told_by_the_bridge_across_the_nose(landmarks, face):
    unit = eye_distance(landmarks.points)
    middle = tuple(int(part) for part in landmarks.points[[133, 362], :2].mean(0))
    worn, spotted = face.copy(), face.copy()
    cv2.line(worn, *((middle[0] + int(side * unit), middle[1]) for side in (-0.2, 0.2)), INK, int(0.03 * unit))
    cv2.circle(spotted, middle, int(0.03 * unit), INK, -1)
    assert wears_glasses(landmarks, worn)
    assert not wears_glasses(landmarks, spotted)
    assert not wears_glasses(landmarks, face)


def test_brows_behind_glasses_rise_so_little_that_no_rim_bends(landmarks, face):
    grid, up = Grid(1024, 1024), np.array([0.0, -1.0, 0.0])
    unit = eye_distance(landmarks.points)
    free, behind = (Brows(grid, landmarks.points, up, unit, glasses=worn).basis for worn in (False, True))
    assert np.abs(free).max() > 0.06 * unit
    assert 0.01 * unit < np.abs(behind).max() < 0.025 * unit


def test_the_hairs_of_a_low_brow_are_no_lashes(landmarks, face):
    """The brow hangs so low that its hairs end within reach of the lashes' tips."""
    low, hairs = landmarks.points.copy(), face.copy()
    unit = eye_distance(landmarks.points)
    for number, lids in enumerate(UPPER_LIDS):
        brow = list((LEFT_BROW_LOWER, RIGHT_BROW_LOWER)[number])
        low[brow, 1] = landmarks.points[list(lids), 1].min() - 0.11 * unit
        for x in np.linspace(*np.sort(low[brow, 0])[[0, -1]], 24):
            y = float(low[brow[0], 1])
            cv2.line(hairs, (int(x), int(y - 0.1 * unit)), (int(x + 4), int(y)), INK, 2, cv2.LINE_AA)
    frowning = type(landmarks)(low, landmarks.irises, landmarks.score)
    eyes = Eyes(hairs, frowning)
    change = np.abs(apply(hairs, eyes, 1.0, 0.0, 0.0) - hairs).max(2)
    y, x = int(y - 0.04 * unit), int(landmarks.irises[0, 0, 0])
    assert eyes.blinks
    assert change[y - 6 : y, x - 30 : x + 30].mean() < 0.09


def test_a_brow_that_lies_low_over_an_eye_stays_whole_in_a_blink(landmarks, face):
    unit, points = eye_distance(landmarks.points), landmarks.points.copy()
    low, texture, brows = np.zeros((1024, 1024), np.uint8), face.copy(), np.zeros((1024, 1024), np.uint8)
    for number in (0, 1):
        lid = points[list(UPPER_LIDS[number]), :2]
        left, right = lid[:, 0].min(), lid[:, 0].max()
        for name in LOWER_BROWS[number]:
            points[name, 0] = np.clip(points[name, 0], left, right)
            points[name, 1] = np.interp(points[name, 0], lid[:, 0], lid[:, 1]) - 0.05 * unit
        edge = np.float32([[x, np.interp(x, lid[:, 0], lid[:, 1]) - 0.08 * unit] for x in np.linspace(left, right, 30)])
        for mask, thick in ((brows, 0.06), (low, 0.04)):
            cv2.polylines(mask, [np.rint(edge).astype(np.int32)], False, 1, int(thick * unit), cv2.LINE_8)
    texture[brows > 0] = INK
    shut = apply(texture, Eyes(texture, replace(landmarks, points=points)), 1.0, 0.0, 0.0)
    assert float(np.abs(shut - texture).max(2)[low > 0].mean()) < 0.05
