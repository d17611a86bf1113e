"""Say what about a portrait will make its video worse."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..types import Face
from .doubts import Doubts, examine
from .geometry import HeadPose, head_pose

LEAST_EYE_DISTANCE = 32.0
"""Pixels between the eyes under which lips are a handful of pixels."""
MOST_TURN = 0.30
"""Nose off the middle of eyes and mouth, in eye distances, at which one cheek hides."""
MOST_YAW, MOST_PITCH = 36.0, 30.0
"""Degrees by which a head may face another way than the camera."""
MOST_ROLL = 60.0
"""Degrees of tilt from which a picture is thought to lie on its side."""
LEAST_MEAN, MOST_MEAN = 0.1, 0.93
LEAST_CONTRAST = 0.045
MOST_BLOWN = 0.25


def quality_warnings(image: torch.Tensor, face: Face) -> list[str]:
    """List what is wrong with a portrait, a sentence with a figure each; empty when nothing is.

    Args:
        image: The picture, (3, h, w) RGB in [0, 1].
        face: The face in the picture's pixels.
    """
    doubts = None if face.landmarks is None else examine(image, face.landmarks)
    sure = doubts is None or doubts.mouth_hidden or not doubts.doubtful
    found = [*_size(face), *(_turned(face) if sure else []), *_edges(image, face), *_light(image, face)]
    if doubts is not None:
        found = [*_doubts(doubts), *found]
    return [f"{sentence}." for sentence in found]


def _doubts(doubts: Doubts) -> list[str]:
    found = []
    if doubts.mouth_hidden:
        found.append(
            "The mouth seems to be covered, by a mask, a hand or a microphone: it stays as it is, but for "
            "the jaw; use a picture in which it is free"
        )
    elif doubts.doubtful:
        found.append(f"The face is doubtful: {doubts.doubtful}; use another picture if eyes or mouth move wrongly")
    if all(doubts.eyes_hidden) and not doubts.doubtful:
        found.append(
            "The eyes are behind dark lenses or in deep shadow: they do not blink; use another picture if they should"
        )
    elif any(doubts.eyes_hidden) and not doubts.doubtful:
        found.append("One eye is covered or in deep shadow: neither blinks; use another picture if they should")
    return found


def _size(face: Face) -> list[str]:
    if face.eye_distance >= LEAST_EYE_DISTANCE:
        return []
    return [
        f"The face is small: {face.eye_distance:.0f} pixels between the eyes, {LEAST_EYE_DISTANCE:.0f} or more are "
        "needed for clear lips; use a larger picture"
    ]


def _turned(face: Face) -> list[str]:
    return _nose(face) if face.landmarks is None else _pose(head_pose(face.landmarks.points))


def _nose(face: Face) -> list[str]:
    turn = turned_away(face)
    if turn <= MOST_TURN:
        return []
    return [
        f"The face is turned away: the nose lies {turn:.2f} eye distances off the middle, up to {MOST_TURN:.2f} "
        "works well; use a picture from the front"
    ]


def _pose(pose: HeadPose) -> list[str]:
    quarters = round(abs(pose.roll) / 90) * 90
    if abs(pose.roll) > MOST_ROLL:
        way, back = ("clockwise", "counter-clockwise") if pose.roll > 0 else ("counter-clockwise", "clockwise")
        how = "stands upside down" if quarters == 180 else f"lies on its side, turned by {quarters}° {way}"
        turn = "by 180°" if quarters == 180 else f"by {quarters}° {back}"
        return [f"The face {how}: faces move well only upright; turn the picture {turn} first"]
    if max(abs(pose.yaw) / MOST_YAW, abs(pose.pitch) / MOST_PITCH) > 1:
        return [
            f"The face is turned away: by {abs(pose.yaw):.0f}° to the side and {abs(pose.pitch):.0f}° up or down, "
            f"up to {MOST_YAW:.0f}° and {MOST_PITCH:.0f}° work well; use a picture from the front"
        ]
    return []


def turned_away(face: Face) -> float:
    """Measure how far the nose lies off the line from between the eyes to the middle of the mouth, in eye distances."""
    points = np.array(face.points)
    eyes, mouth, nose = points[:2].mean(0), points[3:].mean(0), points[2]
    across = points[1] - points[0]
    direction = across / max(float(np.hypot(*across)), 1e-6)
    share = float(np.clip((nose - eyes) @ (mouth - eyes) / max(float((mouth - eyes) @ (mouth - eyes)), 1e-6), 0, 1))
    return abs(float((nose - eyes - share * (mouth - eyes)) @ direction)) / max(face.eye_distance, 1e-6)


def _edges(image: torch.Tensor, face: Face) -> list[str]:
    height, width = image.shape[-2:]
    left, top, right, bottom = face.box
    across, down = right - left, bottom - top
    beyond = {
        "left": -left / across,
        "top": -top / down,
        "right": (right - width) / across,
        "bottom": (bottom - height) / down,
    }
    side, share = max(beyond.items(), key=lambda item: item[1])
    if share <= 0.03:
        return []
    return [
        f"The face is cut off: {share:.0%} of it lie beyond the picture's {side} edge; use a picture that holds all"
    ]


def _light(image: torch.Tensor, face: Face) -> list[str]:
    inside = _face_pixels(image, face)
    if inside.size == 0:
        return []
    mean, blown = float(inside.mean()), float((inside > 0.985).mean())
    low, high = np.percentile(inside, [5, 95])
    if mean < LEAST_MEAN:
        return [f"The face is dark: its mean brightness is {mean:.2f} of 1; use a brighter picture"]
    if mean > MOST_MEAN or blown > MOST_BLOWN:
        return [f"The face is overexposed: {blown:.0%} of it are plain white; use a picture with less light"]
    if high - low < 4 * LEAST_CONTRAST:
        return [f"The face has little contrast: its brightness spans {high - low:.2f} of 1; use a clearer picture"]
    return []


def _face_pixels(image: torch.Tensor, face: Face) -> NDArray[np.float32]:
    """Brightness of the middle of the face box, which holds skin, eyes and lips but no background."""
    left, top, right, bottom = face.box
    inset_x, inset_y = 0.15 * (right - left), 0.1 * (bottom - top)
    rows = slice(max(int(top + inset_y), 0), max(int(bottom - inset_y), 0))
    columns = slice(max(int(left + inset_x), 0), max(int(right - inset_x), 0))
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float32)[:, None, None]
    return (image[:, rows, columns].detach().cpu().float() * weights).sum(0).numpy()
