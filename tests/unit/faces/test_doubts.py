"""What is in front of a face, or no face at all, is noticed; a plain portrait raises no doubt."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from sonic_core.faces import EmbeddedFinder, examine, quality_warnings, read_landmarks
from sonic_core.faces.embedded import as_face

ROOT = Path(__file__).resolve().parents[3]
MEDIA = ROOT.parent / "shared" / "media"
COVERED = {"mask_leo.png", "hand_hallo6.png", "mic_happy.png"}
DARK = {"sunglasses_hallo6.png"}
ANIMALS = {"LivePortrait__s25.jpg"}


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.array(Image.open(ROOT / "assets/portrait.png").convert("RGB"))


def warnings_of(pixels: np.ndarray, landmarks) -> list[str]:
    return quality_warnings(torch.from_numpy(pixels).permute(2, 0, 1) / 255, as_face(landmarks))


def test_a_plain_portrait_raises_no_doubt(portrait):
    landmarks = read_landmarks(portrait)
    doubts = examine(portrait, landmarks)
    assert doubts.eyes_hidden == (False, False) and not doubts.mouth_hidden and doubts.doubtful is None
    assert warnings_of(portrait, landmarks) == []


def test_dark_lenses_are_seen_on_each_eye(portrait):
    landmarks, dark = read_landmarks(portrait), portrait.copy()
    radius = round(0.33 * float(np.hypot(*(landmarks.irises[1, 0] - landmarks.irises[0, 0]))))
    for number in (1, 0):
        centre = landmarks.irises[number, 0].round().astype(int).tolist()
        cv2.circle(dark, centre, radius, (22, 20, 24), -1)
        hidden = examine(dark, landmarks).eyes_hidden
        assert hidden == ((False, True) if number else (True, True))
        told = "neither blinks" if number else "dark lenses"
        assert any(told in one for one in warnings_of(dark, landmarks))
    assert any("dark lenses" in one for one in warnings_of(dark, read_landmarks(dark)))


@pytest.mark.parametrize("colour", [(90, 170, 220), (20, 20, 22), (235, 235, 238)])
def test_a_mask_is_seen(portrait, colour):
    landmarks, masked = read_landmarks(portrait), portrait.copy()
    points = landmarks.points[:, :2]
    outline = points[[234, 227, 123, 50, 205, 195, 425, 280, 352, 447, 454, 361, 397, 378, 152, 149, 172, 132]]
    cv2.fillPoly(masked, [outline.round().astype(np.int32)], colour)
    again = read_landmarks(masked, as_face(landmarks).box)
    assert examine(masked, again).mouth_hidden
    assert any("mouth seems to be covered" in one for one in warnings_of(masked, again))


def test_fingers_before_the_mouth_are_seen_though_it_is_dark_between_them(portrait):
    landmarks, held = read_landmarks(portrait), portrait.copy()
    unit = float(np.hypot(*(landmarks.irises[1, 0] - landmarks.irises[0, 0])))
    x, y = landmarks.points[[50, 280, 101, 330], :2].astype(int).T
    skin = np.median(portrait[y, x], 0)
    middle = landmarks.points[[13, 14], :2].mean(0)

    def line(start, end, colour, thick):
        places = ((middle + np.array(place) * unit).astype(int).tolist() for place in (start, end))
        cv2.line(held, *places, colour.round().tolist(), round(thick * unit))

    for number, aside in enumerate(np.linspace(-0.5, 0.5, 6)):
        line((aside, -0.30), (aside, 0.90), skin, 0.22)
        knuckle = -0.12 if number % 2 else 0.12
        line((aside - 0.11, knuckle), (aside + 0.11, knuckle), 0.74 * skin, 0.03)
    assert examine(held, landmarks).mouth_hidden


def test_a_picture_of_no_face_is_doubtful():
    noise = np.random.default_rng(3).integers(0, 255, (300, 300, 3), np.uint8)
    assert "hardly looks like a human face" in (
        examine(noise, read_landmarks(noise, (60, 60, 240, 240))).doubtful or ""
    )


@pytest.mark.media
@pytest.mark.skipif(not MEDIA.is_dir(), reason=f"the portraits are not at {MEDIA}")
def test_covered_faces_and_animals_are_told_from_portraits():
    for path in sorted([*MEDIA.glob("portraits/*.*g"), *MEDIA.glob("portraits2/*.*g")]):
        pixels = np.array(Image.open(path).convert("RGB"))
        image = torch.from_numpy(pixels).permute(2, 0, 1) / 255
        face = EmbeddedFinder().find(image)[0]
        doubts = examine(pixels, face.landmarks)
        assert doubts.mouth_hidden == (path.name in COVERED), path.name
        assert all(doubts.eyes_hidden) == (path.name in DARK), path.name
        assert (doubts.doubtful is not None) == (path.name in ANIMALS | {"mask_leo.png"}), path.name
