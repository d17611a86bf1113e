"""Look at a chapter of a video: where the face is, how it looks, and where another scene begins.

Scenes are told apart as ``TemporalSmooth`` does it: two thumbnails that even the flow between them does not explain.
That looks at two frames at a time, so it works on a stream, is not misled by a hand or a fast turn, and needs nothing
installed. What it does not see, a dissolve and a cut within one shot, the face's tracker does when it loses the face.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ...evaluate.portrait import COARSEST, EYES, FINEST, detail
from ...faces.finder import RememberingFinder, face_finder
from ...faces.geometry import BRIDGE, CHEEKS, align, pose_of
from ...faces.mesh_track import MeshTracker
from ...media.pixels import as_bytes
from ...post.flow import Picture, as_pixels, is_cut, thumbnail
from ...sync.mouth import MouthMeter, MouthMotion
from ...types import FaceFinder, Landmarks
from ..tune.watching import FPS, STRIDE

LOOKED_CLOSELY = 6
"""Every so manieth reading of the mesh, light and sharpness are measured: twice a second."""
COUNTED = 25
"""Every so manieth frame, faces are counted."""


@dataclass
class Seen:
    """What was seen of a chapter; an entry for every ``STRIDE``-th frame unless it says otherwise."""

    points: list[NDArray[np.float32] | None] = field(default_factory=list)
    """(468, 2) the face's points in the video's pixels; None where there is no face."""
    poses: list[tuple[float, float, float]] = field(default_factory=list)
    """Yaw, pitch and roll in degrees; not a number where there is no face."""
    scenes: set[int] = field(default_factory=set)
    """Numbers of the entries that begin a scene."""
    light: dict[int, float] = field(default_factory=dict)
    """Brightness of the skin, 0 … 1, by the number of the entry."""
    sharpness: dict[int, float] = field(default_factory=dict)
    """Detail around the eyes, likewise."""
    faces: dict[int, int] = field(default_factory=dict)
    """Faces that were seen together, likewise."""


class ChapterWatch:
    """Looks at the frames of a chapter, in order, and keeps numbers."""

    def __init__(self, length: int, scale: float, other_face: float, finder: FaceFinder | None = None) -> None:
        """Begin before the first frame.

        Args:
            length: Frames of the chapter, ``FPS`` a second.
            scale: The video's pixels for one of those that are looked at.
            other_face: Height of another face, in that of the largest, from which it is counted.
            finder: Finds faces; None takes the best finder that is there.
        """
        self._finder = RememberingFinder(finder or face_finder())
        self._mouth, self._mesh = MouthMeter(FPS, length, self._finder), MeshTracker(self._finder)
        self._scale, self._other_face = scale, other_face
        self._last: Picture | None = None
        self._lost = 0
        self.seen, self.passed = Seen(), 0

    def see(self, frame: torch.Tensor) -> None:
        """Look at the next frame (3, h, w), RGB in [0, 1]."""
        place = -(-self.passed // STRIDE)
        thumb = thumbnail(as_pixels(frame))
        self._mouth.see(frame)
        if (self._last is not None and is_cut(self._last, thumb)) or self._mouth.cuts != self._lost:
            self.seen.scenes.add(place)
            self._mesh.forget()
        self._last, self._lost = thumb, self._mouth.cuts
        if self.passed % STRIDE == 0:
            self._read(frame, place)
        if self.passed % COUNTED == 0:
            heights = [face.box[3] - face.box[1] for face in self._finder.find(frame)]
            least = self._other_face * max(heights, default=0.0)
            self.seen.faces[place] = sum(height >= least for height in heights)
        self.passed += 1

    def motion(self) -> MouthMotion:
        """Say how the mouth moved."""
        return self._mouth.motion(least=0.0)

    def _read(self, frame: torch.Tensor, place: int) -> None:
        read = self._mesh.follow(frame)
        if read is None:
            self.seen.points.append(None)
            self.seen.poses.append((math.nan, math.nan, math.nan))
            return
        lies = align(read.points)
        self.seen.points.append((read.points[:, :2] * self._scale).astype(np.float32))
        self.seen.poses.append(pose_of(lies.turn))
        if place % LOOKED_CLOSELY == 0:
            pixels = as_bytes(frame)
            self.seen.light[place] = skin_light(pixels, read)
            if lies.scale >= COARSEST:
                self.seen.sharpness[place] = detail(pixels, read, min(lies.scale, FINEST), EYES)


def skin_light(pixels: NDArray[np.uint8], landmarks: Landmarks) -> float:
    """Measure the brightness, 0 … 1, of cheeks and bridge of the nose in a picture (h, w, 3), their median."""
    height, width = pixels.shape[:2]
    places = landmarks.points[[*CHEEKS, *BRIDGE], :2].round().astype(int)
    x, y = places[:, 0].clip(0, width - 1), places[:, 1].clip(0, height - 1)
    luma = cv2.cvtColor(np.ascontiguousarray(pixels[y, x][None]), cv2.COLOR_RGB2GRAY)
    return float(np.median(luma)) / 255
