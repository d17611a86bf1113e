"""The fields that move a portrait's lips, and where its own lips part."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from sonic_core.faces.geometry import LIPS_LOWER_INNER, LIPS_LOWER_OUTER, LIPS_UPPER_INNER, LIPS_UPPER_OUTER, OVAL
from sonic_core.models.preview.puppet.folds import measure_fold
from sonic_core.models.preview.puppet.light import measure_light
from sonic_core.models.preview.puppet.lip_controls import measure_heights
from sonic_core.models.preview.puppet.lip_curves import CLOSABLE, PARTS
from sonic_core.models.preview.puppet.lip_shapes import LipShapes
from sonic_core.models.preview.puppet.parting import STATIONS, find_parting
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.models.preview.puppet.splines import ThinPlate
from tests.unit.models.preview_puppet.mouths import LIP, SKIN, Mouth, drawn, paint_lips, photograph


def middle_gap(mouth, pose):
    """Distance of the lips' edges in the middle along the head's own downward axis in I."""
    upper, lower = mouth.shapes.lines(pose)
    centre = len(upper) // 2
    return float((lower[centre] - upper[centre]) @ mouth.shapes.axes[1]) / mouth.shapes.parting.unit


def test_a_thin_plate_passes_through_what_is_known_and_carries_planes_exactly():
    points = np.random.default_rng(1).uniform(-1, 1, (20, 2))
    values = np.column_stack((points @ (2.0, -3.0) + 1, np.sin(3 * points[:, 0])))
    plate = ThinPlate(points, values, 0.0)
    assert np.allclose(plate.read(points), values, atol=1e-8)
    away = np.array([[2.0, 5.0], [-3.0, 0.5]])
    assert np.allclose(plate.read(away)[:, 0], away @ (2.0, -3.0) + 1, atol=1e-8)


def test_a_stiff_plate_lies_between_values_that_differ_at_one_point():
    points = np.random.default_rng(1).uniform(-1, 1, (20, 2))
    points[1] = points[0]
    values = np.column_stack((points @ (2.0, -3.0), np.zeros(20)))
    values[:2, 1] = 1, -1
    read = ThinPlate(points, values, 1e-4).read(points)
    assert np.allclose(read[:, 0], values[:, 0], atol=1e-6)
    assert np.allclose(read[0], read[1]) and np.abs(read[:, 1]).max() < 1e-3


def test_a_stiff_plate_holds_where_all_points_are_on_one_line():
    points = np.column_stack((np.linspace(-1, 1, 20), np.zeros(20)))
    read = ThinPlate(points, points[:, :1], 1e-4).read(points)
    assert np.allclose(read, points[:, :1], atol=1e-2)


def test_shut_lips_are_told_from_teeth(shut, smiling):
    assert not shut.shapes.parting.shown and shut.shapes.own_gap == 0
    assert smiling.shapes.parting.shown and 0.12 < smiling.shapes.own_gap < CLOSABLE
    assert shut.shapes.closable and smiling.shapes.closable


def test_the_seam_of_shut_lips_is_found_where_the_mesh_is_a_little_off():
    image, landmarks = drawn()
    true = find_parting(image, landmarks)
    points = landmarks.points.copy()
    points[:, 1] += 0.02 * true.unit
    off = find_parting(image, type(landmarks)(points, landmarks.irises, landmarks.score))
    centre = slice(len(STATIONS) // 4, -len(STATIONS) // 4)
    wrong = ((off.upper + off.lower) - (true.upper + true.lower))[centre, 1] / 2
    assert np.abs(wrong).max() < 0.011 * true.unit


def test_an_open_mouth_is_found_as_wide_as_it_is_where_the_mesh_sees_half_of_it():
    image, landmarks = photograph()
    points, unit = landmarks.points.copy(), 169.0
    true = points[14, 1] - points[13, 1]
    image = np.full_like(image, SKIN)
    paint_lips(image, points, inside=(0.85, 0.85, 0.80))
    points[list(LIPS_UPPER_INNER[1:-1]), 1] += 0.02 * unit
    points[list(LIPS_LOWER_INNER[1:-1]), 1] -= 0.02 * unit
    found = find_parting(image, type(landmarks)(points, landmarks.irises, landmarks.score))
    assert found.shown
    assert (
        found.gap == pytest.approx(true / unit, abs=0.03) and found.gap > (points[14, 1] - points[13, 1]) / unit + 0.02
    )


def test_the_edge_of_a_lip_stays_in_the_lip_where_nothing_tells_it_from_teeth():
    image, landmarks = photograph()
    points = landmarks.points.copy()
    points[list(LIPS_UPPER_OUTER[1:-1])] += 0.5 * (
        points[list(LIPS_UPPER_INNER[1:-1])] - points[list(LIPS_UPPER_OUTER[1:-1])]
    )
    lips = np.full_like(image, SKIN)
    paint_lips(lips, points, inside=(0.85, 0.85, 0.80))
    teeth = lips.copy()
    outline = np.concatenate((points[list(LIPS_UPPER_OUTER), :2], points[list(LIPS_UPPER_INNER), :2][::-1]))
    cv2.fillPoly(teeth, [np.int32(np.round(outline * 16))], (0.85, 0.85, 0.80), cv2.LINE_AA, 4)
    middle = int(points[13, 0])
    lips[:, middle:] = teeth[:, middle:]
    parting = find_parting(lips, type(landmarks)(points, landmarks.irises, landmarks.score))
    along = STATIONS[(STATIONS > 0.3) & (STATIONS < 0.6)]
    left = measure_heights(points, parting, along, upper=True)
    outer, inner = (parting.bite.locate(points[list(line), :2]) for line in (LIPS_UPPER_OUTER, LIPS_UPPER_INNER))
    rim, edge = (np.interp(along, *line[np.argsort(line[:, 0])].T) for line in (outer, inner))
    assert (left > 0.1 * (edge - rim)).all()


@pytest.mark.parametrize("pose", [Pose(), Pose(rest=1), Pose(gap=0.2, width=0.1, rounding=1, lower=-1, jaw=1, rest=1)])
def test_a_shut_mouth_at_rest_displaces_nothing(shut, pose):
    for field in shut.shapes.displace(pose):
        assert not field.any()


def test_the_portraits_own_smile_comes_back_at_rest(smiling):
    for field in smiling.shapes.displace(Pose(gap=0.3, width=-0.1, rounding=1, jaw=1, closure=1, rest=1)):
        assert not field.any()
    assert any(field.any() for field in smiling.shapes.displace(Pose()))


def test_nothing_moves_above_the_nose_nor_outside_the_ring(shut):
    points, pose = shut.landmarks.points, Pose(gap=0.35, width=0.1, jaw=1)
    around = np.linspace(-700, 1300, 101, dtype=np.float32)
    nodes = np.stack(np.meshgrid(around, around), -1)
    shapes = LipShapes(shut.landmarks, nodes, shut.shapes.parting)
    oval = points[list(OVAL), :2]
    low, high = oval.min(0), oval.max(0)
    place = (nodes - (low + high) / 2) / ((high - low) / 2)
    still = (np.abs(place[..., 0]) > 1.75) & (place[..., 1] < 0)
    still |= np.linalg.norm(place, axis=-1) > 3.1
    still |= nodes[..., 1] < points[[33, 133, 263, 362], 1].max()
    rows, columns = shapes.area
    inside = np.zeros(still.shape, bool)
    inside[rows, columns] = True
    for field in shapes.displace(pose):
        assert field.any() and not field[still].any() and not field[~inside].any()


def test_both_fields_are_one_away_from_the_mouth(shut):
    upper, lower = (field.copy() for field in shut.shapes.displace(Pose(gap=0.3, jaw=1)))
    chin = shut.landmarks.points[152, :2]
    node = np.unravel_index(np.linalg.norm(shut.nodes - chin, axis=-1).argmin(), upper.shape[:2])
    assert np.allclose(upper[node], lower[node], atol=0.05)
    assert upper[node][1] > 0.08 * shut.shapes.parting.unit


@pytest.mark.parametrize("gap", [0.06, 0.1, 0.2, 0.3])
def test_the_gap_that_is_asked_is_the_gap_of_the_lips(shut, smiling, gap):
    assert middle_gap(shut, Pose(gap=gap)) == pytest.approx(gap, abs=0.012)
    assert middle_gap(smiling, Pose(gap=gap)) == pytest.approx(gap, abs=0.02)


def test_an_open_mouth_shuts_along_its_whole_line(smiling):
    upper, lower = smiling.shapes.lines(Pose())
    assert np.abs(upper - lower)[:, 1].max() < 0.02 * smiling.shapes.parting.unit


def test_fields_are_linear_in_what_the_parts_do(shut):
    wide = shut.shapes.displace(Pose(width=0.1))[0].copy()
    narrow = shut.shapes.displace(Pose(width=-0.2))[0].copy()
    assert np.allclose(narrow, -2 * wide, atol=1e-3)
    both = shut.shapes.displace(Pose(width=0.1, closure=0.5))[0].copy()
    pressed = shut.shapes.displace(Pose(closure=0.5))[0]
    assert np.allclose(both, wide + pressed, atol=1e-3)


def test_no_gap_makes_the_lips_jump(shut, smiling):
    for mouth in (shut, smiling):
        lines = [np.concatenate(mouth.shapes.lines(Pose(gap=gap))) for gap in np.linspace(0, 0.34, 69)]
        steps = [np.abs(b - a).max() for a, b in pairwise(lines)]
        assert max(steps) < 0.012 * mouth.shapes.parting.unit


def test_a_tucked_lip_goes_up_behind_the_teeth_and_shows_less_of_itself(shut):
    plain, tucked = (shut.shapes.lines(pose)[1] for pose in (Pose(gap=0.06), Pose(gap=0.06, lower=-1)))
    assert middle_gap(shut, Pose(lower=-1)) == pytest.approx(0.055, abs=0.03)
    amounts = [shut.shapes.measure(pose).parts[PARTS.index("tuck")] for pose in (Pose(), Pose(lower=-1), Pose(lower=1))]
    assert amounts == [0, 1, 0]
    assert np.abs(plain - tucked).max() > 0


def test_the_lower_lip_meets_the_upper_teeth_however_far_f_and_v_are_asked_to_open(shut):
    gaps = [middle_gap(shut, Pose(gap=gap, lower=-0.6)) for gap in (0.0, 0.05, 0.12)]
    assert max(gaps) < 0.07 and min(gaps) > 0.03


def test_a_rounded_mouth_comes_forward_and_a_narrow_one_keeps_its_volume(shut):
    upper, lower = shut.shapes.lines(Pose(gap=0.08, rounding=1))
    plain = shut.shapes.lines(Pose(gap=0.08))
    centre = len(upper) // 2
    assert upper[centre, 2] < plain[0][centre, 2] and lower[centre, 2] < plain[1][centre, 2]
    nodes = shut.nodes
    rim = np.unravel_index(np.linalg.norm(nodes - shut.landmarks.points[0, :2], axis=-1).argmin(), nodes.shape[:2])
    assert shut.shapes.displace(Pose(width=-0.2))[0][rim][1] < 0


def test_a_rounded_mouth_opens_downward_and_its_upper_lip_is_no_tent(shut):
    plain, rounded = (shut.shapes.measure(Pose(gap=0.12, jaw=0.4, rounding=share)) for share in (0.0, 1.0))
    upper, lower = PARTS.index("upper"), PARTS.index("lower")
    assert -rounded.parts[upper] < 0.6 * -plain.parts[upper]
    assert rounded.parts[lower] - rounded.parts[upper] == pytest.approx(
        plain.parts[lower] - plain.parts[upper], abs=1e-6
    )


def test_a_gaping_mouth_is_known_not_to_shut():
    image, landmarks = photograph()
    points, unit = landmarks.points.copy(), 169.0
    points[list(LIPS_LOWER_INNER[1:-1] + LIPS_LOWER_OUTER[1:-1]), 1] += 0.35 * unit
    image = np.full_like(image, SKIN)
    paint_lips(image, points, inside=(0.3, 0.1, 0.1))
    mouth = Mouth(image, type(landmarks)(points, landmarks.irises, landmarks.score))
    assert mouth.shapes.own_gap > CLOSABLE and not mouth.shapes.closable
    assert 0.1 < middle_gap(mouth, Pose()) < mouth.shapes.own_gap - 0.18, "it moves with what is said"


def test_a_face_in_profile_opens_less_so_that_its_lips_do_not_fold(shut):
    points = shut.landmarks.points.copy()
    middle = points[1]
    turn = np.radians(50)
    x, z = points[:, 0] - middle[0], points[:, 2] - middle[2]
    points[:, 0], points[:, 2] = (
        middle[0] + x * np.cos(turn) + z * np.sin(turn),
        middle[2] + z * np.cos(turn) - x * np.sin(turn),
    )
    landmarks = type(shut.landmarks)(points, shut.landmarks.irises, shut.landmarks.score)
    profile = LipShapes(landmarks, shut.nodes, find_parting(shut.image, landmarks))
    wide, frontal = (shapes.measure(Pose(gap=0.35)).gap for shapes in (profile, shut.shapes))
    assert wide < 0.9 * frontal
    field = profile.displace(Pose(gap=0.35, jaw=1))[1]
    below = shut.nodes[..., 1] > points[17, 1]
    assert measure_fold(field, shut.nodes, below) < 1


@pytest.mark.parametrize("size", [384, 1024])
def test_lengths_follow_the_size_of_the_picture(shut, size):
    other = Mouth(*drawn(size))
    pose, scale = Pose(gap=0.2, jaw=0.6, width=0.05), size / 512
    for ours, theirs in zip(shut.shapes.lines(pose), other.shapes.lines(pose), strict=True):
        assert np.abs(theirs / scale - ours).max() < 0.03 * shut.shapes.parting.unit


def test_the_light_of_a_flat_face_is_its_own():
    image, landmarks = drawn()
    light = measure_light(image, landmarks)
    assert np.allclose(light.skin, SKIN, atol=0.01) and light.tint == 1
    assert not light.grain.any() and 0.6 <= light.blur < 3
    assert light.grain_for(7, 300).shape == (7, 300, 1)
    grey = measure_light(*photograph(grey=True))
    assert grey.tint < 1e-4 and grey.grain.std() > 0
    assert LIP[0] < light.skin[0]


def stretching(mouth, pose, *, upper):
    """By how much a field stretches downward (below 0: squeezes), and where that is along and below a lip's edge."""
    field = mouth.shapes.displace(pose)[0 if upper else 1]
    parting = mouth.shapes.parting
    down = np.gradient(field[..., 1], mouth.nodes[1, 0, 1] - mouth.nodes[0, 0, 1], axis=0)
    along, across = np.moveaxis(parting.bite.locate(mouth.nodes.reshape(-1, 2)).reshape(mouth.nodes.shape), -1, 0)
    edge = parting.bite.locate((parting.upper if upper else parting.lower)[:, :2])[:, 1]
    return down, along, across - np.interp(along, STATIONS, edge)


def test_an_open_mouth_folds_no_skin_below_its_corners():
    down, along, below = stretching(Mouth(*drawn(), count=129), Pose(gap=0.35, jaw=1, lower=0.6), upper=False)
    corners = (np.abs(np.abs(along) - 1) < 0.15) & (below > 0) & (below < 0.12)
    assert down[corners].min() > -0.3 and down[corners].max() < 0.9


def test_rounding_tears_no_upper_lip_that_smiles():
    down, _, below = stretching(Mouth(*photograph(), count=129), Pose(gap=0.1, rounding=1, width=-0.12), upper=True)
    assert np.abs(down[below < 0]).max() < 0.9


def test_a_window_of_a_field_is_cut_out_of_the_whole(shut):
    pose = Pose(gap=0.3, jaw=1)
    for whole, upper in zip(shut.shapes.displace(pose), (True, False), strict=True):
        rows, columns = shut.shapes.area
        for window in (
            (slice(rows.start - 3, rows.start + 9), slice(columns.start + 4, columns.stop + 2)),
            (slice(0, rows.start), slice(None)),
        ):
            assert np.allclose(shut.shapes.field(pose, upper=upper, window=window), whole[window], atol=1e-4)


def short_lipped(ends):
    """A drawn face whose lower lip's red ends at these |stations| at picture left and right."""
    image, landmarks = drawn()
    parting = find_parting(image, landmarks)
    height, width = image.shape[:2]
    along, across = parting.bite.locate(np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2)).T
    beyond = (across > 0.014) & (across < 0.4) & (np.abs(along) > np.where(along < 0, *ends)) & (np.abs(along) < 1.2)
    image.reshape(-1, 3)[beyond] = SKIN
    return cv2.GaussianBlur(image, (0, 0), 1.0), landmarks


@pytest.mark.parametrize("ends", [(0.65, 0.65), (0.80, 0.68)])
def test_a_mouth_opens_where_there_is_lip_below_it(ends):
    mouth = Mouth(*short_lipped(ends))
    assert mouth.shapes.parting.red == pytest.approx(ends, abs=0.08)
    pose = Pose(gap=0.3, jaw=1, lower=0.6)
    frame = mouth.frame(pose)
    upper, lower = mouth.shapes.lines(pose)
    unit = mouth.shapes.parting.unit
    parted = lower[(lower - upper)[:, 1] > 0.08 * unit, :2] + (0, 0.03 * unit)
    colours = np.stack([frame[round(float(y)), round(float(x))] for x, y in parted])
    red = np.linalg.norm(colours - LIP, axis=1) < np.linalg.norm(colours - SKIN, axis=1)
    assert red.mean() > 0.9


def test_lips_without_a_hue_of_their_own_end_where_most_do():
    image, landmarks = drawn()
    assert find_parting(np.repeat(image.mean(-1, keepdims=True), 3, -1), landmarks).red == (0.8, 0.8)
