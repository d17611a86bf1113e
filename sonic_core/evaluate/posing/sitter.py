"""A portrait that can be put into any pose, and say something."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ...clip import Clip
from ...errors import SonicWarning
from ...media.image import read_image
from ...media.pixels import as_bytes
from ...models.preview.model import WIDEST, PreviewConditions, PreviewModel, frame_poses
from ...models.preview.puppet.pose import Pose
from ...preparing import prepare_portrait
from ...settings import Settings
from ...types import Audio

POSES = {
    "at rest": {"rest": 1.0},
    "closed": {"closure": 1.0},
    "open": {"gap": WIDEST, "jaw": 1.0, "upper": 0.5, "lower": 0.6},
    "rounded": {"gap": 0.1, "rounding": 1.0, "width": -0.12, "jaw": 0.35},
    "wide": {"gap": 0.1, "width": 0.1, "upper": 0.5, "jaw": 0.3},
    "f and v": {"gap": 0.04, "lower": -0.9, "upper": 0.3, "jaw": 0.15},
    "blink": {"blink": 1.0, "gap": 0.05},
    "turned": {"gap": 0.15, "jaw": 0.5, "yaw": -6.0, "pitch": 4.0, "roll": 3.0, "brows": 1.0, "gaze_x": -6.0},
}
"""Eight poses that are hard to draw, by what a sheet calls them."""
HALF_SHUT = {"blink": 0.5}
EYES_TO_MOUTH = 1.05
"""How far the mouth lies below the eyes, in I, at the least: what tells the size of a face seen from the side."""


class Sitter:
    """A portrait, what is known of its face and of what a sound asks of it."""

    def __init__(self, file: Path, settings: Settings, sound: Audio) -> None:
        """Find the face in a picture.

        Args:
            file: The picture.
            settings: Of the clips.
            sound: What the portrait says.

        Raises:
            FaceNotFoundError: There is no face in it.
        """
        self.name, self.settings, self.model = file.stem, settings, PreviewModel()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SonicWarning)
            self.portrait = prepare_portrait(read_image(file), settings)
            self.conditions: PreviewConditions = self.model.prepare(self.portrait, sound, settings)
        self.warnings = [str(warning.message) for warning in caught if issubclass(warning.category, SonicWarning)]
        points = np.array(self.portrait.face.points)
        self.eyes, self.mouth = points[:2].mean(0), points[3:].mean(0)
        self.unit = float(max(self.portrait.face.eye_distance, np.linalg.norm(self.mouth - self.eyes) / EYES_TO_MOUTH))

    @property
    def picture(self) -> np.ndarray:
        """The crop, (h, w, 3) RGB bytes."""
        return _bytes(self.conditions.puppet.image)

    def posed(self, asked: dict[str, float]) -> np.ndarray:
        """Draw one of ``POSES``: (h, w, 3) RGB bytes."""
        return self.draw([Pose(**asked)])[0]

    def draw(self, poses: Sequence[Pose]) -> list[np.ndarray]:
        """Draw poses as they are: each (h, w, 3) RGB bytes."""
        return [_bytes(self.conditions.puppet.frame(pose)) for pose in poses]

    def speak(self) -> tuple[Clip, list[Pose]]:
        """Say the whole sound: the clip, and the pose of each of its frames."""
        clip = self.model.animate(self.conditions, self.settings)
        return clip, frame_poses(self.conditions, self.settings, clip.length, Fraction(clip.fps))

    def record(self, clip: Clip, poses: Sequence[Pose]) -> dict[str, np.ndarray]:
        """Say what was asked of each frame of a clip that this sitter speaks, and what it changed.

        Returns:
            Every field of the poses (n,), ``gap`` (n,) in I, ``fps``, and ``changed`` (h, w): by how much each pixel,
            before encoding, ever differed from the crop, in 1/255.
        """
        picture = self.portrait.image
        changed = torch.zeros(picture.shape[1:])
        for frames in clip.read():
            changed = torch.maximum(changed, (frames - picture).abs().amax((0, 1)))
        asked: dict[str, Any] = {name: np.array([getattr(pose, name) for pose in poses]) for name in asdict(poses[0])}
        asked |= {"gap": self.gaps(poses), "fps": np.array(float(clip.fps))}
        return asked | {"changed": as_bytes(changed[None])[..., 0]}

    def gaps(self, poses: Sequence[Pose]) -> np.ndarray:
        """Say which gap between the lips is asked for, at rest the portrait's own: (n,) in I."""
        return np.array([self.conditions.puppet.lips.measure(pose).gap for pose in poses])


def _bytes(frame: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(frame, alpha=255)
