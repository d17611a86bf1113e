"""Faces are found with nothing downloaded, and nothing else is."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sonic_core.errors import SettingsError
from sonic_core.faces import EmbeddedFinder, face_finder, quality_warnings
from sonic_core.faces.cascade import load_stages, scan
from sonic_core.faces.fit import LARGE, Frame, patch

PORTRAITS = Path(__file__).resolve().parents[4] / "shared" / "media" / "portraits"
ASTRONAUT = ((204.0, 102.0), (247.0, 104.5), (202.0, 139.5), (246.0, 142.0))
"""Eyes' centres and mouth corners in scikit-image's photograph, read off it by eye."""


def _errors(face, truth) -> tuple[float, float, float]:
    """Mean error of eyes and corners and error of the mouth's middle, in eye distances."""
    points, true = np.array(face.points), np.array(truth)
    unit = np.hypot(*(true[1] - true[0]))
    off = np.hypot(*(points[[0, 1, 3, 4]] - true).T) / unit
    return off[:2].mean(), off[2:].mean(), np.hypot(*(points[3:].mean(0) - true[2:].mean(0))) / unit


def test_cascade_is_read_whole():
    stages = load_stages()
    assert len(stages) == 20
    assert [len(stage.votes) for stage in stages[:4]] == [3, 4, 4, 5]
    assert all(table.shape == (256,) for stage in stages for _, table in stage.votes)


def test_scan_scores_a_face_above_all_else(astronaut):
    gray = (astronaut.mean(0).numpy() * 255).astype(np.uint8)
    levels = [cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA) for side in (110, 120, 130)]
    found = zip(scan(levels), levels, strict=True)
    windows = [np.column_stack([some, np.full(len(some), 512 / len(level))]) for some, level in found]
    left, top, score, scale = max(np.concatenate(windows), key=lambda window: window[2])
    assert score > 45
    assert abs((left + 12) * scale - 224) < 15
    assert abs((top + 12) * scale - 115) < 15


def test_scan_sees_in_the_mirror_image_what_it_sees_in_the_picture(astronaut):
    gray = cv2.resize((astronaut.mean(0).numpy() * 255).astype(np.uint8), (128, 128))
    plain, mirrored = scan([gray, np.ascontiguousarray(gray[:, ::-1])])
    assert len(plain) > 0
    assert np.allclose(sorted(plain[:, 2]), sorted(mirrored[:, 2]), atol=1e-3)
    assert sorted(128 - 24 - plain[:, 0]) == sorted(mirrored[:, 0])


def test_scan_finds_the_same_in_a_picture_alone_and_among_others(astronaut):
    gray = cv2.resize((astronaut.mean(0).numpy() * 255).astype(np.uint8), (128, 128))
    others = [np.zeros((10, 300), np.uint8), gray[20:90, 10:], gray, np.full((40, 24), 7, np.uint8)]
    assert np.array_equal(scan(others)[2], scan([gray])[0])
    assert [len(found) for found in scan(others[:1])] == [0]
    assert scan([]) == []
    some, every = ({tuple(window) for window in scan([gray], stride)[0].tolist()} for stride in (2, 1))
    assert some == {window for window in every if window[0] % 2 == 0 and window[1] % 2 == 0}


@pytest.mark.parametrize("corner", [(0, 0), (900, 1000)])
def test_a_patch_of_a_large_picture_is_that_of_its_part(astronaut, corner):
    part = cv2.resize((astronaut.permute(1, 2, 0).numpy() * 255).astype(np.uint8), (1000, 1000))
    whole = np.full((2100, 2000, 3), 90, np.uint8)
    left, top = corner
    whole[top : top + 1000, left : left + 1000] = part
    assert part.size < LARGE < whole.size
    small, large = (
        patch(image, Frame(450 + dx, 230 + dy, 90, 8), 32.0) for image, dx, dy in ((part, 0, 0), (whole, left, top))
    )
    assert np.abs(small - large).mean() < 0.01


def test_astronaut_is_found_once_and_precisely(astronaut):
    faces = EmbeddedFinder().find(astronaut)
    assert len(faces) == 1
    eyes, corners, mouth = _errors(faces[0], ASTRONAUT)
    assert eyes < 0.15
    assert corners < 0.2
    assert mouth < 0.15
    left, top, right, bottom = faces[0].box
    assert 165 < left < 192
    assert 258 < right < 285
    assert 65 < top < 95
    assert 155 < bottom < 185
    assert 0.5 < faces[0].score <= 1
    assert quality_warnings(astronaut, faces[0]) == []


@pytest.mark.parametrize("tilt", [-20, 20])
def test_a_tilted_face_is_found(astronaut, tilt):
    matrix = cv2.getRotationMatrix2D((224, 130), tilt, 1.0)
    turned = cv2.warpAffine(astronaut.permute(1, 2, 0).numpy(), matrix, (448, 320), borderMode=cv2.BORDER_REPLICATE)
    faces = EmbeddedFinder().find(torch.from_numpy(turned).permute(2, 0, 1))
    assert faces
    truth = np.array(ASTRONAUT) @ matrix[:, :2].T + matrix[:, 2]
    assert _errors(faces[0], truth)[2] < 0.2


@pytest.mark.parametrize(("side", "count"), [(300, 1), (1400, 1)])
def test_a_face_is_found_at_any_size(astronaut, side, count):
    resized = torch.nn.functional.interpolate(astronaut[None], (side, side), mode="bilinear", antialias=True)[0]
    faces = EmbeddedFinder().find(resized)
    assert len(faces) == count
    assert _errors(faces[0], np.array(ASTRONAUT) * side / 512)[2] < 0.2


def test_finding_changes_nothing_and_repeats(astronaut):
    part = astronaut[:, 40:220, 130:330].clone()
    first, second = EmbeddedFinder().find(part), EmbeddedFinder().find(part)
    assert first == second
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
@pytest.mark.skipif(not PORTRAITS.is_dir(), reason=f"the portraits are not at {PORTRAITS}")
def test_mouths_of_nine_portraits_in_ten_are_found():
    labels = json.loads((PORTRAITS / "labels.json").read_text())
    errors = []
    for name, label in labels.items():
        pixels = cv2.cvtColor(cv2.imread(str(PORTRAITS / name)), cv2.COLOR_BGR2RGB)
        faces = EmbeddedFinder().find(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)
        truth = [label[key] for key in ("eye_right", "eye_left", "mouth_left", "mouth_right")]
        errors.append(_errors(faces[0], truth)[2] if faces else np.inf)
    assert np.mean(np.array(errors) <= 0.15) >= 0.9
    assert np.median(errors) <= 0.08
