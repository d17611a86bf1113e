"""One frame of a video with its mouth shut, whose lower face can be drawn into other frames, saying something else.

It is a puppet without movements of its own but the mouth's: where the face stands is read off the frame into which it
is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ....faces.geometry import OVAL, RIGID, align, eye_distance
from ....types import Landmarks
from ..puppet.depth import DEPTH, Depth
from ..puppet.drawing import EARS
from ..puppet.grid import MOUTH_ROUNDS, Floats, Grid, Window, places_of, read_at
from ..puppet.interior import Interior
from ..puppet.lip_shapes import LipShapes
from ..puppet.parting import find_parting
from ..puppet.pose import Pose
from ..puppet.texture import SCALE, coded, enlarge, read_coded

OUTLINE = (2, 326, 423, 426, 436, 432, 430, 394, 395, 369, 396, 175, 171, 140, 170, 169, 210, 212, 216, 206, 203, 97)
"""Points around what is drawn: from under the nose beside its wings down to the chin, inside of the jaw's edge."""
SOFT = 0.10
"""I: deviation of the blur of that outline."""
_FINE = 4  # bits after the point with which the outline is drawn
_NOTHING = 1 / 512  # cover below which nothing is seen of what is drawn


@dataclass(frozen=True, eq=False)
class Stand:
    """How a reference's face stands in a frame: x → ``matrix`` · x + ``shift``, depth included."""

    matrix: NDArray[np.float64]
    """(2, 3): a rotation and a scale."""
    shift: NDArray[np.float64]
    """(2,) pixels."""

    @property
    def scale(self) -> float:
        """Pixels of the frame for each of the reference."""
        return float(np.linalg.norm(self.matrix[0]))

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Say where points (n, 3) of the reference lie in the frame: (n, 2)."""
        return (points @ self.matrix.T + self.shift).astype(np.float32)


class Reference:
    """Draws the lower face of one frame."""

    def __init__(self, image: Floats, landmarks: Landmarks) -> None:
        """Measure the face.

        Args:
            image: (h, w, 3) RGB in [0, 1]: the face and what is around it.
            landmarks: The face in its pixels.
        """
        self.points = landmarks.points * np.array((1, 1, DEPTH), np.float32)
        """(468, 3), depth as it is drawn."""
        self.unit = eye_distance(landmarks.points)
        self.grid = Grid(*image.shape[:2])
        self._depth = Depth(self.grid, landmarks.points, OVAL, EARS, self.unit).values
        self._middle = float(np.median(self._depth))
        self.lips = LipShapes(landmarks, self.grid.nodes, find_parting(image, landmarks))
        self.interior = Interior(image, landmarks, self.lips)
        self._texture = coded(enlarge(image))
        across = self.lips.parting.bite.locate(landmarks.points[:, :2])[:, 1]
        self._low = np.flatnonzero(across > 0)
        rows, columns = self.grid.nodes.shape[:2]
        self._nodes: Window = slice(0, rows), slice(0, columns)
        low = landmarks.points[list(OUTLINE), :2]
        self._mouth = self.grid.window(*low.min(0), *low.max(0))
        self.mask = _draw_mask(image.shape[:2], landmarks.points, self.unit)
        """(h, w) in [0, 1]: how far each pixel is drawn."""
        self.drawn = _box_of(self.mask > _NOTHING, self._middle)
        """(4, 3) corners of what is drawn."""

    def stand(self, points: NDArray[np.floating]) -> Stand:
        """Find how the face stands where its points (468, 3) were read."""
        found = align(points * np.array((1, 1, DEPTH)), RIGID, self.points)
        return Stand(found.scale * found.turn[:2], found.shift[:2])

    def moved_points(self, pose: Pose) -> NDArray[np.floating]:
        """Move the mesh as a mouth moves: (468, 3); points of the lower face go with the lower lip."""
        upper, lower = self.lips.displace(pose)
        places = ((self.points[None, :, :2] + 0.5) / self.grid.step - 0.5).astype(np.float32)
        moved = read_at(upper, places)[0]
        moved[self._low] = read_at(lower, np.ascontiguousarray(places[:, self._low]))[0]
        return self.points + moved

    def draw(self, stand: Stand, pose: Pose, places: Floats, window: Window) -> Floats:
        """Draw the face into a window of a frame.

        Args:
            stand: How it stands there.
            pose: What the mouth does.
            places: What ``places`` gave for the window with this pose, or a part of that.
            window: Rows and columns of the frame.

        Returns:
            (h, w, 3) RGB in [0, 1].
        """
        origin = np.array((window[1].start, window[0].start), np.float64)
        drawn = read_coded(self._texture, places * np.float32(SCALE))

        def project(points: Floats) -> Floats:
            return (stand.project(points) - origin).astype(np.float32)

        rows, columns = mouth = self.interior.window(project, pose, *places.shape[:2])
        if rows.stop > rows.start and columns.stop > columns.start:
            there = (
                slice(rows.start + window[0].start, rows.stop + window[0].start),
                slice(columns.start + window[1].start, columns.stop + window[1].start),
            )
            sources = self.places(stand, pose, there, upper=False)
            below = read_coded(self._texture, sources * np.float32(SCALE))
            self.interior.light_lip(below, sources, pose)
            self.interior.light_corners(below, sources, pose)
            self.interior.light_corners(drawn, places, pose)
            self.interior.paint(drawn, below, mouth, project, pose, scale=stand.scale)
            np.clip(drawn, 0, 1, out=drawn)
        return drawn

    def places(self, stand: Stand, pose: Pose, window: Window, *, upper: bool = True) -> Floats:
        """Say for each pixel of a window of the frame where in the reference it comes from: (h, w, 2) pixels.

        What the frame shows is the reference bent, then turned, scaled and shifted as a flat picture; only the bending
        has to be inverted step by step.
        """
        nodes = self._nodes if upper else self._mouth
        moved = self.lips.field(pose, upper=upper, window=nodes)
        flat, deep = stand.matrix[:, :2], stand.matrix[:, 2]
        back = np.linalg.inv(flat)
        lean = (back @ deep).astype(np.float32)
        bent = moved[..., :2] + (moved[..., 2:] + self._depth[nodes][..., None] - self._middle) * lean
        inverse = self.grid.invert(np.ascontiguousarray(bent, np.float32), MOUTH_ROUNDS)
        origin = np.array((window[1].start, window[0].start), np.float64)
        start, step = back @ (origin - stand.shift - deep * self._middle), self.grid.step
        height, width = (span.stop - span.start for span in window)
        found = cv2.warpAffine(
            inverse,
            np.column_stack((back / step, (start + 0.5) / step - 0.5 - (nodes[1].start, nodes[0].start))),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        flat_places = cv2.transform(places_of(height, width), np.column_stack((back, start)))
        return np.asarray(cv2.add(found, flat_places, dst=found), np.float32)

    def cover(self, places: Floats) -> Floats:
        """Say how far each pixel is drawn that comes from ``places``: (h, w) in [0, 1]."""
        return cast("Floats", cv2.remap(self.mask, places, cast("Floats", None), cv2.INTER_LINEAR))


def _draw_mask(size: tuple[int, int], points: NDArray[np.floating], unit: float) -> Floats:
    """Draw what is to be seen of a face of this size (h, w)."""
    mask = np.zeros(size, np.float32)
    outline = np.round(points[list(OUTLINE), :2] * (1 << _FINE)).astype(np.int32)
    cv2.fillPoly(mask, [outline], (1.0,), cv2.LINE_AA, _FINE)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), SOFT * unit), np.float32)
    mask[[0, -1]] = mask[:, [0, -1]] = 0  # where the picture ends, what is beyond is not drawn
    return mask


def _box_of(there: NDArray[np.bool_], depth: float) -> NDArray[np.float64]:
    """Surround what is there: the corners (4, 3) of its box."""
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    return np.array(
        [(x, y, depth) for x in (columns[0] - 1, columns[-1] + 1) for y in (rows[0] - 1, rows[-1] + 1)], float
    )
