"""Lids and gaze of the puppet, on the bundled portrait and on a drawn face."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from sonic_core.faces.geometry import eye_distance
from sonic_core.media.image import read_image
from sonic_core.models.preview.puppet.eye_frame import LOWER_LIDS, UPPER_LIDS
from sonic_core.models.preview.puppet.eyes import LEVELS, Eyes
from sonic_core.types import Landmarks

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parents[3] / "assets"
GREY = np.array([0.299, 0.587, 0.114], np.float32)
SKIN, INK, BROWN = (0.82, 0.63, 0.52), (0.2, 0.12, 0.1), (0.3, 0.18, 0.1)


def load(size=512):
    """Texture, twice as large as a crop of ``size``, and landmarks of the bundled portrait."""
    kept = np.load(HERE / "portrait_eyes.npz")
    left, top, right, bottom = kept["crop"]
    picture = np.asarray(read_image(ASSETS / "portrait.png").permute(1, 2, 0), np.float32)[top:bottom, left:right]
    picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LANCZOS4)
    texture = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4).clip(0, 1)
    landmarks = Landmarks(kept["points"], kept["irises"], float(kept["score"]))
    return np.ascontiguousarray(texture, np.float32), landmarks.moved((0, 0), (size / 256, size / 256))


def eye_outline(landmarks, number):
    upper, lower = list(UPPER_LIDS[number]), list(LOWER_LIDS[number])
    return landmarks.points[upper + lower[::-1], :2]


def opening(shape, landmarks, number, shrink=0.0):
    """Mask of an eye's opening, smaller by ``shrink`` of the eyes' distance."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(eye_outline(landmarks, number)).astype(np.int32)], 1)
    margin = 2 * int(shrink * eye_distance(landmarks.points)) + 1
    return cv2.erode(mask, np.ones((margin, margin), np.uint8)) > 0


def draw_face(landmarks, shape, tint=None):
    """A face of plain skin whose eyes are drawn where the landmarks have them."""
    face = np.empty((*shape[:2], 3), np.float32)
    face[:] = SKIN
    face += np.random.default_rng(0).normal(0, 0.004, face.shape).astype(np.float32)
    unit = eye_distance(landmarks.points)
    for number in (0, 1):
        inside = opening(shape, landmarks, number)
        face[inside] = (0.9, 0.88, 0.86)
        ball = np.zeros(shape[:2], np.uint8)
        middle = tuple(int(part) for part in landmarks.irises[number, 0])
        cv2.circle(ball, middle, int(0.085 * unit), 1, -1)
        face[inside & (ball > 0)] = BROWN
        line = np.rint(landmarks.points[list(UPPER_LIDS[number]), :2]).astype(np.int32)
        cv2.polylines(face, [line], False, INK, max(1, int(0.02 * unit)), cv2.LINE_AA)
    face = cv2.GaussianBlur(face, (0, 0), 1.5)
    return face if tint is None else (face @ GREY)[..., None].repeat(3, 2) * np.float32(tint)


def dark_glasses(texture, landmarks, shade):
    """Cover both eyes with lenses that let ``shade`` of the light through."""
    unit, lenses = eye_distance(landmarks.points), np.zeros(texture.shape[:2], np.uint8)
    for number in (0, 1):
        middle = eye_outline(landmarks, number).mean(0)
        cv2.ellipse(lenses, (tuple(map(float, middle)), (0.75 * unit, 0.6 * unit), 0), 1, -1)
    covered = texture.copy()
    covered[lenses > 0] = 0.18 + shade * covered[lenses > 0]
    return covered


def apply(texture, eyes, *state):
    frame = texture.copy()
    for rows, columns, pixels in eyes.patch(*state):
        frame[rows, columns] = pixels
    return frame


@pytest.fixture(scope="module")
def portrait():
    return load()


@pytest.fixture(scope="module")
def eyes(portrait):
    return Eyes(*portrait)


@pytest.fixture(scope="module")
def drawn(portrait):
    texture = draw_face(portrait[1], portrait[0].shape)
    return texture, portrait[1], Eyes(texture, portrait[1])


def test_at_rest_the_portrait_stays_to_the_bit(portrait, eyes):
    assert len(eyes.windows) == 2
    np.testing.assert_array_equal(apply(portrait[0], eyes, 0.0, 0.0, 0.0), portrait[0])
    apply(portrait[0], eyes, 0.5, 3.0, 2.0)
    np.testing.assert_array_equal(apply(portrait[0], eyes, 0.0, 0.0, 0.0), portrait[0])


def test_pixels_are_float32_colours_of_the_windows_size(portrait, eyes):
    for state in ((1, 0, 0), (0.3, 8, -8), (0, -10, 6)):
        for (rows, columns, pixels), window in zip(eyes.patch(*state), eyes.windows, strict=True):
            assert (rows, columns) == window
            assert pixels.dtype == np.float32
            assert pixels.shape == portrait[0][rows, columns].shape
            assert pixels.min() >= 0
            assert pixels.max() <= 1


def test_a_window_is_unchanged_along_its_border(portrait, eyes):
    for state in ((1, 0, 0), (0.4, 10, 10), (0, 10, 8)):
        for rows, columns, pixels in eyes.patch(*state):
            original = portrait[0][rows, columns]
            for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
                np.testing.assert_allclose(pixels[border], original[border], atol=1e-6)


@pytest.mark.parametrize("material", ["portrait", "drawn"])
def test_nothing_of_the_eye_is_left_in_a_shut_one(material, portrait, eyes, drawn):
    texture, landmarks, made = (*portrait, eyes) if material == "portrait" else drawn
    shut = apply(texture, made, 1.0, 0.0, 0.0) @ GREY
    for number in (0, 1):
        inside = opening(texture.shape, landmarks, number, 0.03)
        cheek = float(
            np.median((texture @ GREY)[np.rint(landmarks.points[[50, 280][number], :2]).astype(int)[::-1][0]])
        )
        before, after = (np.subtract(*np.percentile(view[inside], (95, 5))) for view in (texture @ GREY, shut))
        assert after < 0.45 * before
        assert 0.6 * cheek < np.median(shut[inside]) < 1.4 * cheek


@pytest.mark.parametrize("material", ["portrait", "drawn"])
def test_a_shut_eye_is_one_line_from_corner_to_corner(material, portrait, eyes, drawn):
    texture, landmarks, made = (*portrait, eyes) if material == "portrait" else drawn
    shut, unit = apply(texture, made, 1.0, 0.0, 0.0) @ GREY, eye_distance(landmarks.points)
    for number in (0, 1):
        outline = eye_outline(landmarks, number)
        left, right = outline[outline[:, 0].argmin()], outline[outline[:, 0].argmax()]
        for share in np.linspace(0.12, 0.88, 9):
            x, y = left + (right - left) * share
            column = shut[int(y - 0.05 * unit) : int(y + 0.10 * unit), int(x)]
            assert column.min() < 0.82 * np.median(column)


def test_an_eye_closes_step_by_step(drawn):
    texture, landmarks, eyes = drawn
    for number in (0, 1):
        inside = opening(texture.shape, landmarks, number, 0.01)
        skin = np.float32(SKIN)
        left = []
        for level in np.linspace(0, 1, 9):
            frame = apply(texture, eyes, level, 0, 0)
            left.append(float((np.abs(frame - skin).max(2)[inside] > 0.12).mean()))
        assert left[0] > 0.8
        assert left[-1] < 0.2
        assert np.diff(left).max() < 0.03


def test_a_blink_never_steps_visibly(drawn):
    texture, _, eyes = drawn
    frames = [apply(texture, eyes, level / LEVELS, 0, 0) for level in range(LEVELS + 1)]
    changes = [float(np.abs(after - before).mean()) for before, after in itertools.pairwise(frames)]
    assert max(changes) < 3.5 * float(np.mean(changes))


def test_both_eyes_shut_alike(drawn):
    texture, landmarks, eyes = drawn
    shut = apply(texture, eyes, 1.0, 0.0, 0.0)
    strange = [
        np.abs(shut - np.float32(SKIN)).max(2)[opening(texture.shape, landmarks, n, 0.01)].mean() for n in (0, 1)
    ]
    assert abs(strange[0] - strange[1]) < 0.03


def test_lashes_come_down_with_the_lid(drawn):
    texture, landmarks, eyes = drawn
    column = int(landmarks.irises[0, 0, 0])
    upper, lower = (landmarks.points[number, 1] for number in (159, 145))

    def darkest(frame):
        rows = slice(int(upper) - 20, int(lower) + 20)
        return rows.start + int((frame[rows, column] @ GREY).argmin())

    shut = darkest(apply(texture, eyes, 1.0, 0.0, 0.0))
    assert upper + 0.4 * (lower - upper) < shut < lower + 6


def test_the_lower_lid_rises_a_little(portrait):
    texture, landmarks = portrait
    face = draw_face(landmarks, texture.shape)
    x, y = np.rint(landmarks.points[145, :2]).astype(int)
    y += int(0.05 * eye_distance(landmarks.points))
    cv2.circle(face, (int(x), int(y)), 4, (0.3, 0.2, 0.2), -1)
    frame = apply(face, Eyes(face, landmarks), 1.0, 0.0, 0.0)
    patch = (0.55 - frame[y - 14 : y + 12, x - 8 : x + 9] @ GREY).clip(0)
    rise = 14 - float((patch.sum(1) * np.arange(26)).sum() / patch.sum())
    assert 0.005 < rise / eye_distance(landmarks.points) < 0.05


def dark_place(frame, landmarks, number):
    """Middle of the dark iris (x, y), told from the white by brightness."""
    inside = opening(frame.shape, landmarks, number, 0.02)
    dark = np.where(inside, (0.6 - frame @ GREY).clip(0), 0)
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    return np.array([(dark * x).sum(), (dark * y).sum()]) / dark.sum()


@pytest.mark.parametrize("degrees", [-10, -5, 5, 10])
def test_an_iris_shifts_by_what_is_asked(drawn, degrees):
    texture, landmarks, eyes = drawn
    asked = 0.0033 * degrees * eye_distance(landmarks.points)
    frame = apply(texture, eyes, 0.0, degrees, 0.0)
    for number in (0, 1):
        moved = dark_place(frame, landmarks, number) - dark_place(texture, landmarks, number)
        assert 0.5 < moved[0] / asked < 1.15
        assert abs(moved[1]) < 0.3 * abs(asked)


def test_the_upper_lid_goes_along_with_a_look_down(portrait, eyes):
    texture, landmarks = portrait

    def edge(frame):
        x, y = np.rint(landmarks.points[159, :2]).astype(int)
        return int(((frame[y - 24 : y + 20, x - 3 : x + 4] @ GREY).mean(1) < 0.3).argmax())

    down, up = (edge(apply(texture, eyes, 0.0, 0.0, degrees)) for degrees in (9.0, -9.0))
    assert down > edge(texture) + 1
    assert up < edge(texture)


def test_a_gaze_leaves_the_skin_around_the_eye_alone(portrait, eyes):
    texture, landmarks = portrait
    change = np.abs(apply(texture, eyes, 0.0, 10.0, 0.0) - texture).max(2)
    near = sum(cv2.dilate(opening(texture.shape, landmarks, n).astype(np.uint8), np.ones((25, 25))) for n in (0, 1)) > 0
    assert change[~near].max() < 1e-6
    assert change[near].max() > 0.1


def test_dark_lenses_are_left_alone(portrait):
    texture, landmarks = portrait
    eyes = Eyes(dark_glasses(texture, landmarks, 0.15), landmarks)
    assert not eyes.readable
    assert eyes.windows == []
    assert eyes.patch(1.0, 5.0, 5.0) == []
    assert Eyes(texture, landmarks).readable


def test_hidden_eyes_are_left_alone(portrait):
    eyes = Eyes(*portrait, hidden=True)
    assert not eyes.readable
    assert eyes.patch(1.0, 0.0, 0.0) == []


def test_eyes_that_are_shut_in_the_portrait_stay_as_they_are(portrait, eyes):
    texture, landmarks = portrait
    shut = np.empty_like(texture)
    shut[:] = SKIN
    for number in (0, 1):
        middle = (landmarks.points[list(LOWER_LIDS[number]), :2] + landmarks.points[list(UPPER_LIDS[number]), :2]) / 2
        cv2.polylines(shut, [np.rint(middle).astype(np.int32)], False, (0.12, 0.08, 0.06), 24, cv2.LINE_AA)
    again = Eyes(cv2.GaussianBlur(shut, (0, 0), 2), landmarks)
    assert again.shut
    assert not eyes.shut
    assert again.patch(1.0, 5.0, 0.0) == []


def test_the_cache_is_bounded_and_gives_back_what_it_holds(portrait, monkeypatch):
    monkeypatch.setattr("sonic_core.models.preview.puppet.eyes._CACHE_BYTES", 8 << 20)
    eyes = Eyes(*portrait)
    first = eyes.patch(0.5, 0.0, 0.0)
    assert eyes.patch(0.5, 0.0, 0.0) is first
    for level in range(LEVELS + 1):
        eyes.patch(level / LEVELS, 4.0, 1.0)
    assert eyes.held_bytes <= 8 << 20
    np.testing.assert_array_equal(eyes.patch(0.5, 0.0, 0.0)[0][2], first[0][2])


def test_a_grey_portrait_stays_grey(portrait):
    texture, landmarks = portrait
    grey = np.ascontiguousarray((texture @ GREY)[..., None].repeat(3, 2))
    eyes = Eyes(grey, landmarks)
    assert eyes.readable
    for state in ((1, 0, 0), (0.5, 5, 5)):
        frame = apply(grey, eyes, *state)
        assert float((frame.max(2) - frame.min(2)).max()) < 0.004


@pytest.mark.parametrize("size", [64, 384, 1024])
def test_a_blink_covers_the_same_at_every_size(size, portrait, eyes):
    texture, landmarks = load(size)
    made = Eyes(texture, landmarks)
    assert made.readable
    changes = apply(texture, made, 1.0, 0, 0) - texture, apply(portrait[0], eyes, 1.0, 0, 0) - portrait[0]
    here, usual = (cv2.resize(np.abs(change), (64, 64), interpolation=cv2.INTER_AREA) for change in changes)
    assert float(np.abs(here - usual).sum()) < 0.35 * float(usual.sum())
    np.testing.assert_array_equal(apply(texture, made, 0, 0, 0), texture)


def test_eyes_at_the_pictures_border_and_of_no_size_do_no_harm(portrait):
    texture, landmarks = portrait
    moved = landmarks.moved((200.0, 280.0), (1.0, 1.0))
    cut = np.ascontiguousarray(texture[280:, 200:])
    eyes = Eyes(cut, moved)
    assert apply(cut, eyes, 1.0, 5.0, 5.0).shape == cut.shape
    tiny = landmarks.moved((0.0, 0.0), (0.01, 0.01))
    small = cv2.resize(texture, (16, 16), interpolation=cv2.INTER_AREA)
    assert apply(small, Eyes(small, tiny), 1.0, 5.0, 5.0).shape == small.shape
