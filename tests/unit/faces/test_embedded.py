"""Faces are found with nothing downloaded, and nothing else is."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sonic_core.errors import SettingsError
from sonic_core.faces import EmbeddedFinder, face_finder, head_pose, quality_warnings

MEDIA = Path(__file__).resolve().parents[4] / "shared" / "media"
LOOSE = {"LivePortrait__s6.jpg", "LivePortrait__s10.jpg", "LivePortrait__d8.jpg", "Sonic__anime1.png"}
LOOSE |= {"mic_happy.png", "LivePortrait__s8.jpg"}
"""Pictures whose labels are known to be off."""
ASTRONAUT = ((204.0, 102.0), (247.0, 104.5), (202.0, 139.5), (246.0, 142.0))
"""Eyes' centres and mouth corners in scikit-image's photograph, read off it by eye."""


def _errors(face, truth) -> tuple[float, float, float]:
    """Mean error of eyes and corners and error of the mouth's middle, in eye distances."""
    points, true = np.array(face.points), np.array(truth)
    unit = np.hypot(*(true[1] - true[0]))
    off = np.hypot(*(points[[0, 1, 3, 4]] - true).T) / unit
    return off[:2].mean(), off[2:].mean(), np.hypot(*(points[3:].mean(0) - true[2:].mean(0))) / unit


def test_astronaut_is_found_once_and_precisely(astronaut):
    faces = EmbeddedFinder().find(astronaut)
    assert len(faces) == 1
    eyes, corners, mouth = _errors(faces[0], ASTRONAUT)
    assert eyes < 0.06
    assert corners < 0.08
    assert mouth < 0.06
    left, top, right, bottom = faces[0].box
    assert 165 < left < 192
    assert 258 < right < 285
    assert 65 < top < 95
    assert 155 < bottom < 190
    assert 0.9 < faces[0].score <= 1
    assert quality_warnings(astronaut, faces[0]) == []


def test_a_face_carries_the_points_that_it_was_read_from(astronaut):
    (face,) = EmbeddedFinder().find(astronaut)
    landmarks = face.landmarks
    assert landmarks is not None and landmarks.points.shape == (468, 3) and landmarks.irises.shape == (2, 5, 2)
    assert face.points[2] == tuple(landmarks.points[1, :2].tolist())
    assert landmarks.score == face.score


@pytest.mark.parametrize("tilt", [-40, -20, 20, 40])
def test_a_tilted_face_is_found(astronaut, tilt):
    matrix = cv2.getRotationMatrix2D((224, 130), tilt, 1.0)
    turned = cv2.warpAffine(astronaut.permute(1, 2, 0).numpy(), matrix, (448, 320), borderMode=cv2.BORDER_REPLICATE)
    image = torch.from_numpy(turned).permute(2, 0, 1)
    faces = EmbeddedFinder().find(image)
    assert faces
    truth = np.array(ASTRONAUT) @ matrix[:, :2].T + matrix[:, 2]
    assert _errors(faces[0], truth)[2] < 0.1
    assert abs(head_pose(faces[0].landmarks.points).roll + tilt - 3) < 8
    assert quality_warnings(image, faces[0]) == []


@pytest.mark.parametrize(
    ("quarters", "words"),
    [(1, "turned by 90° counter-clockwise"), (2, "upside down"), (3, "turned by 90° clockwise")],
)
def test_a_face_on_its_side_is_found_and_said(astronaut, quarters, words):
    turned = torch.rot90(astronaut[:, 30:230, 120:320], quarters, (1, 2)).contiguous()
    faces = EmbeddedFinder().find(turned)
    assert len(faces) == 1
    assert any(words in one for one in quality_warnings(turned, faces[0]))


@pytest.mark.parametrize(("side", "count"), [(300, 1), (1400, 1)])
def test_a_face_is_found_at_any_size(astronaut, side, count):
    resized = torch.nn.functional.interpolate(astronaut[None], (side, side), mode="bilinear", antialias=True)[0]
    faces = EmbeddedFinder().find(resized)
    assert len(faces) == count
    assert _errors(faces[0], np.array(ASTRONAUT) * side / 512)[2] < 0.08


def test_finding_changes_nothing_and_repeats(astronaut):
    part = astronaut[:, 40:220, 130:330].clone()
    first, second = EmbeddedFinder().find(part), EmbeddedFinder().find(part)
    assert first == second
    assert np.array_equal(first[0].landmarks.points, second[0].landmarks.points)
    assert torch.equal(part, astronaut[:, 40:220, 130:330])


@pytest.mark.parametrize("name", ["brick", "coffee", "rocket", "chelsea"])
def test_no_face_is_seen_where_there_is_none(name):
    import skimage.data

    pixels = np.atleast_3d(getattr(skimage.data, name)())
    picture = torch.from_numpy(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()).permute(2, 0, 1) / 255
    picture = torch.nn.functional.interpolate(picture[None], scale_factor=0.5, mode="area")[0]
    assert EmbeddedFinder().find(picture) == []


@pytest.mark.parametrize("shape", [(1, 1), (8, 400), (64, 64), (3000, 3)])
def test_plain_and_tiny_pictures_hold_no_face(shape):
    assert EmbeddedFinder().find(torch.full((3, *shape), 0.5)) == []


def test_noise_holds_no_face():
    assert EmbeddedFinder().find(torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(1))) == []


def test_embedded_is_named_and_unknown_finders_are_refused():
    assert face_finder("embedded").name == "embedded"
    with pytest.raises(SettingsError, match="one of auto, insightface, yoloface, embedded"):
        face_finder("eyes")


@pytest.mark.media
@pytest.mark.skipif(not MEDIA.is_dir(), reason=f"the portraits are not at {MEDIA}")
def test_eyes_and_mouths_of_portraits_are_found():
    errors = []
    for labels in (MEDIA / "portraits" / "labels_dlib.json", MEDIA / "portraits2" / "labels.json"):
        for name, label in json.loads(labels.read_text()).items():
            if not label["faces"] or name in LOOSE:
                continue
            pixels = cv2.cvtColor(cv2.imread(str(labels.parent / name)), cv2.COLOR_BGR2RGB)
            faces = EmbeddedFinder().find(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)
            truth = [label[key] for key in ("eye_right", "eye_left", "mouth_left", "mouth_right")]
            eyes, _, mouth = _errors(faces[0], truth)
            errors.append((eyes, mouth))
    assert len(errors) == 27
    assert (np.array(errors) <= 0.1).mean() >= 0.95
    assert (np.median(errors, 0) <= 0.03).all()


def test_of_a_group_those_who_stand_further_away_are_found_too(astronaut):
    large = torch.nn.functional.interpolate(astronaut[None], (600, 600), mode="area")[0]
    small = torch.nn.functional.interpolate(astronaut[None], (100, 100), mode="area")[0]
    group = torch.full((3, 600, 900), 0.5)
    group[:, :, :600] = large
    group[:, 60:160, 700:800] = small
    near, everybody = EmbeddedFinder().find(group), face_finder("embedded", everybody=True).find(group)
    assert len(near) == 1
    assert everybody[0] == near[0], "who was found is read alike"
    assert [round(face.eye_distance) for face in everybody[1:]] == [8]
    left, top, right, bottom = everybody[1].box
    assert 700 < left < right < 800 and 60 < top < bottom < 160
