"""What passes before the mouth of a dubbed video stays in front, and where it hides the mouth nothing is changed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from sonic_core import Job, run
from sonic_core.faces.geometry import eye_distance
from sonic_core.faces.person_track import PersonTracker
from sonic_core.models.preview.dub.covering import find_covered
from sonic_core.models.preview.dub.lattice import COLUMNS, FACE, LIPS, ROWS, lattice_of

from .conftest import HIGH, WIDE, clip_of


def mouths(shown):
    tracker = PersonTracker()
    points = [tracker.follow(frame).points for frame in shown]
    return np.stack([one[[0, 17, 61, 291], :2].mean(0) for one in points]).astype(int), eye_distance(points[0])


def laid_over(frames, thing, places):
    """Frames over which a picture (h, w, 4) of colours and cover is laid, its middle at a place; None for nowhere."""
    high, wide = thing.shape[:2]
    shown = [frame.clone() for frame in frames]
    covers = []
    for frame, place in zip(shown, places, strict=True):
        canvas = np.zeros((HIGH + 2 * high, WIDE + 2 * wide, 4), np.float32)
        if place is not None:
            top, left = place[1] + high - high // 2, place[0] + wide - wide // 2
            canvas[top : top + high, left : left + wide] = thing
        canvas = torch.from_numpy(canvas[high : high + HIGH, wide : wide + WIDE]).permute(2, 0, 1)
        frame[:] = ((frame * (1 - canvas[3]) + canvas[:3] * canvas[3]) * 255).round() / 255
        covers.append(canvas[3])
    return shown, torch.stack(covers)


def microphone(unit):
    """A dark, round head with a light on it, on a handle: (h, w, 4)."""
    side = int(3 * unit)
    thing = np.zeros((side, side, 4), np.float32)
    y, x = np.mgrid[:side, :side] - side / 2
    thing[..., :3] = (0.12 + 0.2 * np.exp(-((x + 8) ** 2 + (y + 8) ** 2) / 200))[..., None]
    thing[..., 3] = (np.hypot(x, y) < 0.4 * unit) | ((np.abs(x) < 0.15 * unit) & (y > 0))
    thing[..., 3] = cv2.GaussianBlur(thing[..., 3], (0, 0), 1)
    return thing


def test_what_passes_in_front_of_a_part_of_the_mouth_stays_in_front(model, frames, sound):
    places, unit = mouths(frames)
    at = [None] * 20 + [place + np.array((int(0.5 * unit), int(0.75 * unit))) for place in places[20:32]] + [None] * 28
    shown, covers = laid_over(frames, microphone(unit), at)
    made = run(Job(None, sound, model=model, video=clip_of(shown)))
    after = torch.stack(list(made.clip.frames()))
    report = made.report.parts[0]
    assert report.frames_behind >= 10 and report.hidden == () and report.frames_left == 0
    assert f"in {report.frames_behind} it is behind what passes in front of it" in report.reason
    object_, before = covers > 0.99, torch.stack(shown)
    off = (after - before).abs().amax(1)
    assert object_[20:32].sum() > 10_000
    assert (off[object_] > 8 / 255).float().mean() < 0.02, "what is in front is the video's"
    mouth = off[20:32] * (covers[20:32] < 0.01)
    assert (mouth.amax((1, 2)) > 0.1).float().mean() > 0.8, "the new mouth is behind it"
    clear = run(Job(None, sound, model=model, video=clip_of(frames)))
    assert clear.report.parts[0].frames_behind == 0
    steady = (after[40:] - torch.stack(list(clear.clip.frames()))[40:]).abs().mean()
    assert steady < 0.01, "what was in front is gone, and so is its mask"


def test_where_the_mouth_is_covered_the_stretch_is_left_as_it_was_and_said(model, frames, sound):
    places, unit = mouths(frames)
    at = [None] * 20 + [place + np.array((0, int(0.1 * unit))) for place in places[20:32]] + [None] * 28
    shown, _ = laid_over(frames, microphone(unit), at)
    made = run(Job(None, sound, model=model, video=clip_of(shown)))
    after = list(made.clip.frames())
    assert all(torch.equal(after[number], shown[number]) for number in range(20, 32))
    assert not torch.equal(after[5], shown[5]) and not torch.equal(after[50], shown[50])
    report = made.report.parts[0]
    ((begin, end),) = report.hidden
    assert 0.4 <= begin <= 0.8 and 1.24 <= end <= 1.7
    assert f"from {begin:.1f} to {end:.1f} s something is in front of the mouth: left as it was" in report.reason
    assert report.frames_left == pytest.approx(25 * (end - begin))
    changes = [float((one - other).abs().mean()) for one, other in zip(shown, after, strict=True)]
    first, usual = round(25 * begin), np.median(changes[:10])
    assert changes[first - 1] < 0.6 * usual and changes[first - 2] < 0.9 * usual, "it fades out"


def test_a_hand_of_the_skins_own_colour_over_the_mouth_is_seen_by_the_lips_that_are_gone(model, frames, sound):
    places, unit = mouths(frames)
    tracker = PersonTracker()
    cheek = tracker.follow(frames[0]).points[50, :2].astype(int)
    colour = frames[0][:, cheek[1] - 2 : cheek[1] + 3, cheek[0] - 2 : cheek[0] + 3].mean((1, 2)).numpy()
    palm = np.ones((int(1.1 * unit), int(1.3 * unit), 4), np.float32)
    palm[..., :3] = colour
    at = [None] * 22 + [place + np.array((0, int(0.2 * unit))) for place in places[22:36]] + [None] * 24
    shown, _ = laid_over(frames, palm, at)
    made = run(Job(None, sound, model=model, video=clip_of(shown)))
    assert all(torch.equal(one, other) for one, other in list(zip(made.clip.frames(), shown, strict=True))[22:36])
    assert len(made.report.parts[0].hidden) == 1


def cells_of(count):
    """Cells of a face of one colour, with lips of another: (count, rows, columns, 4)."""
    cells = np.zeros((count, ROWS, COLUMNS, 4), np.uint8)
    cells[..., :3], cells[..., 3] = (200, 150, 130), FACE
    cells[:, 5:11, 7:17, :3], cells[:, 5:11, 7:17, 3] = (170, 80, 90), LIPS
    noise = np.random.default_rng(1).integers(0, 9, cells[..., :3].shape)
    cells[..., :3] += noise.astype(np.uint8)
    return cells


def test_cells_of_a_face_that_speaks_hide_nothing_and_of_an_object_do():
    cells, scenes, seen = cells_of(60), np.zeros(60, np.int32), np.ones(60, bool)
    nothing = find_covered(cells, seen, scenes)
    assert not nothing.hidden.any() and not nothing.masks
    cells[20:30, 10:, 10:16, :3] = 20
    partly = find_covered(cells, seen, scenes)
    assert not partly.hidden.any() and set(partly.masks) == set(range(20, 30))
    inside = partly.masks[25]
    assert inside[10:, 10:16].all() and inside.sum() < 1.4 * 60
    cells[22:28, 3:, 5:19, :3] = 20
    much = find_covered(cells, seen, scenes).hidden
    assert much[22:28].all() and not much[:15].any() and not much[35:].any()


def test_what_is_seen_of_too_short_a_scene_or_of_nobody_is_nothing():
    cells, seen = cells_of(40), np.ones(40, bool)
    cells[5:9, 3:, 5:19, :3] = 20
    short = np.repeat(np.arange(4), 10).astype(np.int32)
    assert not find_covered(cells, seen, short).hidden.any()
    assert not find_covered(cells, ~seen, np.zeros(40, np.int32)).masks


def test_places_of_cells_and_cells_of_places_are_the_same(frames):
    points = PersonTracker().follow(frames[0]).points
    lattice = lattice_of(points)
    rows, columns = np.indices((ROWS, COLUMNS))
    assert np.abs(lattice.cells(lattice.places()) - np.stack((columns, rows), -1)).max() < 0.02
