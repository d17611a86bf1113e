"""Blinks and brows on the bundled portrait."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from sonic_core import Settings
from sonic_core.media.image import read_image
from sonic_core.models.preview.anatomy import measure_anatomy
from sonic_core.models.preview.eyes import Eyes
from sonic_core.models.preview.pose import Pose
from sonic_core.pipeline import prepare_portrait

ASSETS = Path(__file__).resolve().parents[3] / "assets"


@pytest.fixture(scope="module")
def image():
    portrait = prepare_portrait(read_image(ASSETS / "portrait.png"), Settings(min_resolution=384))
    return np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy()), measure_anatomy(portrait)


@pytest.fixture(scope="module")
def eyes(image):
    return Eyes(image[1], image[0], np.ones(image[0].shape[:2], np.float32))


def places(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return x, y


def closed(eyes: Eyes, picture: np.ndarray, blink: float) -> np.ndarray:
    """The portrait with its lids down and nothing else moved."""
    x, y = places(picture.shape)
    frame = picture.copy()
    eyes.paint(frame, eyes.undo(x, y, Pose(blink=blink)))
    return frame


def balls(eyes: Eyes, picture: np.ndarray) -> list[np.ndarray]:
    """Pixels of each eye's iris, (n, 3)."""
    x, y = places(picture.shape)
    found = []
    for eye in eyes.anatomy.eyes:
        along, down = eye.frame.local(x, y)
        top, bottom = eye.upper_lid.min(), eye.lower_lid.max()
        middle = (top + bottom) / 2
        found.append(picture[np.hypot(along, down - middle) < 0.3 * (bottom - top)])
    return found


def test_a_blink_covers_the_iris_with_skin(eyes, image):
    picture = image[0]
    for before, after in zip(balls(eyes, picture), balls(eyes, closed(eyes, picture, 1.0)), strict=True):
        assert before.mean(1).min() < 0.3
        assert after.mean(1).min() > 0.45
        assert after.mean(1).std() < 0.5 * before.mean(1).std()


def test_the_lid_comes_from_above_and_never_goes_back_while_the_eye_closes(eyes, image):
    picture = image[0]
    eye = eyes.anatomy.eyes[0]
    x, y = (round(part) for part in eye.frame.centre)
    column = slice(int(y + eye.upper_lid.min()) - 8, int(y + eye.lower_lid.max()) + 8)
    lowest = []
    for blink in (0.2, 0.4, 0.6, 0.8, 1.0):
        change = np.abs(closed(eyes, picture, blink) - picture)[column, x].mean(1)
        lowest.append(int(np.nonzero(change > 0.03)[0].max()))
    assert lowest == sorted(lowest)
    assert lowest[-1] - lowest[0] > 0.5 * (eye.lower_lid.max() - eye.upper_lid.min())


def test_open_eyes_are_the_portraits_own(eyes, image):
    assert np.array_equal(closed(eyes, image[0], 0.0), image[0])


def test_a_blink_grows_without_jumps(eyes, image):
    frames = [closed(eyes, image[0], blink) for blink in np.linspace(0, 1, 41)]
    steps = [np.abs(after - before).mean() for before, after in itertools.pairwise(frames)]
    assert max(steps) < 4 * np.mean(steps)


@pytest.mark.parametrize(("brows", "moves"), [(1.0, "up"), (-1.0, "down")])
def test_brows_move_and_the_eyes_stay(eyes, image, brows, moves):
    x, y = places(image[0].shape)
    at_rest = y.copy()
    eyes.undo(x, y, Pose(brows=brows))
    for eye in eyes.anatomy.eyes:
        column, row = (round(part) for part in eye.frame.centre)
        source = (y - at_rest)[round(row - eye.brow - 2), column]
        assert (source > 0.8) if moves == "up" else (source < -0.8)
        assert np.abs(y - at_rest)[row, column] < 0.2
    assert np.diff(y, axis=0).min() > 0.2  # nothing folds


def test_eyes_close_wholly_only_where_the_skin_around_them_is_smooth(eyes, image):
    assert eyes.depth > 0.95
    crossed = image[0].copy()
    for eye in eyes.anatomy.eyes:
        x, y = (int(part) for part in eye.frame.centre)
        reach = int(eye.half_width)
        for row in range(y - reach, y + reach):
            crossed[row, x - reach : x + reach] = float(row // 3 % 2)
    assert Eyes(eyes.anatomy, crossed, np.ones(crossed.shape[:2], np.float32)).depth < 0.7


def test_lids_and_brows_leave_what_is_outside_the_person(eyes, image):
    """A person who ends in the middle of an eye: beyond, nothing is drawn and nothing moves."""
    picture, anatomy = image
    x, y = places(picture.shape)
    edge = anatomy.eyes[0].frame.centre[0]
    cut = Eyes(anatomy, picture, np.maximum(x - edge, 0) / np.float32(anatomy.unit))
    before, beyond = y.copy(), x < edge
    x += np.float32(0.05 * anatomy.unit)  # the head carries the eye toward what is outside
    carried = x.copy()
    veils = cut.undo(x, y, Pose(blink=1.0, brows=1.0))
    frame = picture.copy()
    cut.paint(frame, veils)
    assert np.array_equal(frame[beyond], picture[beyond])
    assert np.array_equal(y[beyond], before[beyond])
    assert np.array_equal(x[beyond], carried[beyond])
    assert not np.array_equal(frame, picture)
