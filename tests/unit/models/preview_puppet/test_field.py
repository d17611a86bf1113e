"""How movement gets from the grid to every pixel, and how the head turns."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sonic_core.models.preview.puppet.depth import STEEPEST, Depth
from sonic_core.models.preview.puppet.grid import Grid
from sonic_core.models.preview.puppet.head import Head
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.models.preview.puppet.texture import SCALE, Textures, coded, enlarge, read_coded

SIZE, UNIT = 512, 150.0
CENTRE = np.array([256.0, 250.0])


def ball() -> tuple[np.ndarray, tuple[int, ...], tuple[int, int]]:
    """Make a head that is a ball, 36 points of its rim and 432 before it: points (468, 3), the rim, two ears on it."""
    angles = np.radians(np.arange(0, 360, 10.0))
    rim = np.stack([CENTRE[0] + 1.1 * UNIT * np.sin(angles), CENTRE[1] - 1.3 * UNIT * np.cos(angles)], -1)
    inner = [CENTRE + (rim - CENTRE) * share for share in np.linspace(0.02, 0.95, 12)]
    flat = np.concatenate([rim, *inner])
    share = np.concatenate([np.ones(36), np.repeat(np.linspace(0.02, 0.95, 12), 36)])
    depth = 0.4 * UNIT - UNIT * np.sqrt(1 - share**2)
    return np.column_stack([flat, depth]).astype(np.float32), tuple(range(36)), (9, 27)


def made(size: int = SIZE) -> tuple[Grid, Depth, Head]:
    """Measure the ball on a picture."""
    grid = Grid(size, size)
    points, rim, ears = ball()
    points *= size / SIZE
    unit = UNIT * size / SIZE
    depth = Depth(grid, points, rim, ears, unit)
    chin = float(CENTRE[0]) * size / SIZE, float(points[18, 1])
    return grid, depth, Head(grid, depth, chin, unit, np.ones((size, size), np.float32))


def spot(place: np.ndarray, head: Head, pose: Pose, grid: Grid) -> np.ndarray:
    """Draw a spot, turn the head, and say where its middle is then: (x, y)."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    image = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 4.0**2)).astype(np.float32)
    still = np.zeros((*grid.nodes.shape[:2], 3), np.float32)
    _, places = grid.places(grid.invert(head.turn(pose, still)))
    drawn = cv2.remap(image, places, None, cv2.INTER_LINEAR)
    return np.array([(drawn * x).sum(), (drawn * y).sum()]) / drawn.sum()


def test_every_second_pixel_of_the_texture_is_the_portraits_own():
    image = np.random.default_rng(0).random((20, 24, 3), np.float32)
    assert np.array_equal(enlarge(image)[::SCALE, ::SCALE], image)


def test_between_the_portraits_pixels_a_smooth_picture_goes_on_as_it_would():
    y, x = np.mgrid[:64, :64].astype(np.float32)
    image = np.repeat((0.5 + 0.3 * np.sin(x / 3) * np.cos(y / 4))[..., None], 3, 2)
    fine = 0.5 + 0.3 * np.sin(np.arange(128) / 2 / 3)[None] * np.cos(np.arange(128) / 2 / 4)[:, None]
    assert np.abs(enlarge(image)[10:-10, 10:-10, 0] - fine[10:-10, 10:-10]).max() < 0.01


@pytest.mark.parametrize(("height", "width"), [(512, 512), (384, 384), (1024, 1024), (448, 704), (100, 130)])
def test_a_grid_covers_every_pixel_of_any_picture_and_stays_where_nothing_moves(height, width):
    grid = Grid(height, width)
    still = np.zeros((*grid.nodes.shape[:2], 2), np.float32)
    pixels, places = grid.places(grid.invert(still))
    y, x = np.mgrid[:height, :width]
    assert pixels == (slice(0, height), slice(0, width))
    assert np.array_equal(places, np.stack([x, y], -1))


def test_an_inverted_movement_leads_back():
    grid = Grid(SIZE, SIZE)
    x, y = grid.nodes[..., 0], grid.nodes[..., 1]
    movement = np.stack([9 * np.sin(x / 40), 7 * np.cos(y / 35 + x / 90)], -1).astype(np.float32)
    back = grid.invert(movement)
    there = cv2.remap(movement, (grid.nodes + back + 0.5) / grid.step - 0.5, None, cv2.INTER_LINEAR)
    assert np.abs(there + back)[6:-6, 6:-6].max() < 0.25


def test_a_movement_is_inverted_in_a_part_as_it_is_there_in_the_whole():
    grid = Grid(SIZE, SIZE)
    x, y = grid.nodes[..., 0], grid.nodes[..., 1]
    movement = np.stack([9 * np.sin(x / 40), 7 * np.cos(y / 35 + x / 90)], -1).astype(np.float32)
    part = slice(10, 50), slice(17, 90)
    assert np.array_equal(grid.invert(movement, within=part), grid.invert(movement)[part])


def test_a_window_of_the_grid_reads_as_the_whole_does_there():
    grid, _, head = made()
    pose, still = Pose(yaw=4, pitch=-2, roll=1), np.zeros((*grid.nodes.shape[:2], 3), np.float32)
    window = grid.window(180, 200, 330, 380)
    _, whole = grid.places(grid.invert(head.turn(pose, still)))
    pixels, places = grid.places(grid.invert(head.turn(pose, still[window], window)), window)
    assert np.abs(places - whole[pixels])[16:-16, 16:-16].max() < 0.1


@pytest.mark.parametrize(
    ("pose", "across", "down"),
    [(Pose(yaw=5), -1, 0), (Pose(yaw=-5), 1, 0), (Pose(pitch=4), 0, 1), (Pose(pitch=-4), 0, -1)],
)
def test_what_is_in_front_goes_where_the_head_turns(pose, across, down):
    grid, _, head = made()
    moved = spot(CENTRE, head, pose, grid) - CENTRE
    expected = head.project(pose, np.array([[*CENTRE, -0.6 * UNIT * 1.05]], np.float32))[0] - CENTRE
    assert np.sign(np.rint(moved / 3)).tolist() == [across, down]
    assert np.abs(moved - expected).max() < 2.0


def test_a_head_tilts_clockwise_about_its_neck():
    grid, _, head = made()
    brow = CENTRE - (0, 60)
    moved = spot(brow, head, Pose(roll=3), grid) - brow
    assert moved[0] == pytest.approx(np.sin(np.radians(3)) * (head.pivot[1] - brow[1]), rel=0.1)


def test_the_border_never_moves():
    grid, _, head = made()
    still = np.zeros((*grid.nodes.shape[:2], 3), np.float32)
    movement = head.turn(Pose(yaw=9, pitch=6, roll=5, sway_x=0.05, sway_y=0.05), still)
    edge = np.concatenate([movement[0], movement[-1], movement[:, 0], movement[:, -1]])
    assert np.abs(edge).max() < 0.02


def test_a_head_that_stays_moves_nothing_to_the_bit():
    grid, _, head = made()
    still = np.zeros((*grid.nodes.shape[:2], 3), np.float32)
    assert not head.turn(Pose(gap=0.3, blink=1.0), still).any()


def test_the_depth_is_never_steeper_than_the_limit():
    grid, depth, _ = made()
    for axis in (0, 1):
        assert np.abs(np.diff(depth.values, axis=axis) / grid.step).max() <= STEEPEST + 1e-3


def test_hair_lies_at_the_heads_axis_and_the_nose_before_it():
    grid, depth, _ = made()
    row, column = (int(place // grid.step) for place in CENTRE[::-1])
    assert depth.values[row, column] < -0.5 * UNIT
    assert depth.values[row, 4] == pytest.approx(depth.axis, abs=0.05 * UNIT)


def test_angles_beyond_a_portraits_limits_approach_them_and_never_fold_the_picture():
    grid, _, head = made()
    for yaw, pitch in ((40, 0), (-40, 0), (0, 40), (0, -40), (30, 30)):
        still = np.zeros((*grid.nodes.shape[:2], 3), np.float32)
        movement = head.turn(Pose(yaw=yaw, pitch=pitch), still)
        for axis in (0, 1):
            assert (np.diff(movement[..., axis], axis=1 - axis) / grid.step > -1).all()


def test_small_angles_are_taken_as_they_are_and_large_ones_keep_their_order():
    limits = made()[2].limits
    assert limits.bounded(2.0, 1.0, -1.5) == (2.0, 1.0, -1.5)
    turned = [limits.bounded(yaw, 0, 0)[0] for yaw in np.arange(0.0, 40.0, 1.0)]
    assert (np.diff(turned) > 0).all()
    assert turned[-1] <= limits.left


@pytest.mark.parametrize("size", [384, 1024])
def test_a_larger_picture_moves_alike(size):
    _, _, head = made(size)
    _, _, usual = made()
    assert head.limits.left == pytest.approx(usual.limits.left, abs=1.0)
    assert head.limits.down == pytest.approx(usual.limits.down, abs=1.0)


def test_a_background_stays_where_nobody_is_and_hair_goes_along():
    grid, depth, _ = made()
    y, x = np.mgrid[:SIZE, :SIZE]
    person = (np.hypot(x - CENTRE[0], (y - CENTRE[1]) * 0.8) < 1.2 * UNIT).astype(np.float32)
    head = Head(grid, depth, (float(CENTRE[0]), float(CENTRE[1]) + 1.3 * UNIT), UNIT, person)
    still = np.zeros((*grid.nodes.shape[:2], 3), np.float32)
    moved = np.abs(head.turn(Pose(sway_x=0.05), still)[..., 0])
    row = int(CENTRE[1] // grid.step)
    assert moved[row, int((CENTRE[0] - 1.1 * UNIT) // grid.step)] > 0.04 * UNIT
    assert moved[12, 12] < 0.02 * UNIT


def test_bytes_hold_the_portraits_own_colours_to_the_bit():
    image = np.divide(np.random.default_rng(0).integers(0, 256, (40, 56, 3)), np.float32(255), dtype=np.float32)
    y, x = np.mgrid[:40, :56].astype(np.float32)
    assert np.array_equal(read_coded(coded(enlarge(image)), np.stack([x, y], -1) * SCALE), image)


def test_a_lent_texture_shows_the_patches_asked_for_whatever_it_showed_before():
    texture = np.zeros((8, 8, 4), np.uint8)
    textures = Textures(texture)
    window = slice(2, 4), slice(3, 6)
    dark, light = ([(*window, np.full((2, 3, 4), value, np.uint8))] for value in (50, 200))
    with textures.showing(dark) as first, textures.showing(light) as second:
        assert first is not second
        assert (first[window] == 50).all()
        assert (second[window] == 200).all()
    for patches, value in ((light, 200), (dark, 50), (dark, 50), (light, 200)):
        with textures.showing(patches) as lent:
            assert (lent[window] == value).all()
            assert lent.sum() == value * 24
