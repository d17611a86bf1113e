"""One portrait, drawn in any pose.

Forward, what lies on the face is moved by mouth and brows, and turned with the head; backward, each pixel of the frame
is told where in the portrait it comes from, and is read there. Lids and gaze are drawn into what is read from. Between
the lips, the frame is that of the upper lip's movement above, of the lower lip's below, and an interior between.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from ....faces.geometry import CHIN, OVAL, eye_distance
from .brows import Brows
from .canvas import Canvas
from .depth import Depth
from .expressions import NAMES, Expressions
from .eye_signs import wears_glasses
from .eyes import Eyes
from .grid import MOUTH_ROUNDS, Floats, Grid, Window
from .head import Head
from .interior import Interior
from .lip_shapes import LipShapes
from .parting import find_parting
from .pose import Pose
from .texture import SCALE, Bytes, Textures, coded, enlarge, read_coded

EARS = 234, 454

_COVERED = {"gap": 0.0, "width": 0.0, "rounding": 0.0, "upper": 0.0, "lower": 0.0, "closure": 0.0}
_COVERED |= dict.fromkeys(NAMES, 0.0)
"""What a mouth behind something does not show."""
_BEYOND = 16  # nodes around what is seen: heads and shoulders move in from no further
_COVERED_JAW = 0.7  # share of the jaw's movement that a mask goes along with


class Puppet:
    """Draws one portrait; what does not change from frame to frame is made once. Frames may be drawn side by side."""

    def __init__(self, canvas: Canvas, *, eyes_hidden: bool = False, mouth_hidden: bool = False) -> None:
        """Measure the portrait.

        Args:
            canvas: The portrait with what is around it.
            eyes_hidden: Whether something, such as dark lenses, lies before the eyes: they are left alone then.
            mouth_hidden: Whether something, such as a mask, lies before the mouth: only the jaw moves then, a little.
        """
        image, landmarks = canvas.image, canvas.landmarks
        points, self.unit = landmarks.points, eye_distance(landmarks.points)
        self.image: Floats = np.ascontiguousarray(image[canvas.view])
        """(h, w, 3): the portrait, of the frames' size."""
        self.placement = canvas.placement
        self.grid = Grid(*image.shape[:2])
        rows, columns = canvas.view
        self._origin = np.array([columns.start, rows.start], np.float32)
        self._view = self.grid.cells(canvas.view)
        self._near = _grown(self._view, _BEYOND, self.grid.nodes.shape)
        depth = Depth(self.grid, points, OVAL, EARS, self.unit)
        across = points[list(OVAL), 0]
        chin = float(across.min() + across.max()) / 2, float(points[CHIN, 1])
        self.head = Head(self.grid, depth, chin, self.unit, canvas.person)
        self.lips = LipShapes(landmarks, self.grid.nodes, find_parting(image, landmarks))
        glasses = wears_glasses(landmarks, image)
        self.brows = Brows(self.grid, points, -self.lips.axes[1], self.unit, glasses=glasses)
        self._measure_expressions = partial(
            Expressions,
            self.grid,
            points,
            self.lips.axes,
            self.unit,
            hidden=float(glasses or eyes_hidden),
            cheeks=not mouth_hidden,
        )
        self.interior = Interior(image, landmarks, self.lips)
        texture = enlarge(image)
        self.eyes = Eyes(texture, landmarks.moved((0.0, 0.0), (SCALE, SCALE)), hidden=eyes_hidden, form=coded)
        self.mouth_hidden = mouth_hidden
        self._textures = Textures(coded(texture))

    @cached_property
    def expressions(self) -> Expressions:
        """How brows, lids and cheeks express something; measured when they first do."""
        return self._measure_expressions()

    def frame(self, pose: Pose, out: Floats | None = None) -> Floats:
        """Draw one frame, (h, w, 3) RGB float32 in [0, 1], into ``out`` if that is given."""
        moved = self._moved(pose, upper=True, window=self._near)
        back = self.grid.invert(self.head.turn(pose, moved, self._near), within=_within(self._view, self._near))
        _, places = self.grid.places(back, self._view, SCALE)
        with self._textures.showing(self.eyes.patch(pose.blink, pose.gaze_x, pose.gaze_y)) as texture:
            frame = read_coded(texture, places, out)
            if not self.mouth_hidden:
                self._speak(frame, texture, places, pose)
        return frame

    def _moved(self, pose: Pose, *, upper: bool, window: Window) -> Floats:
        """Say by how many pixels the nodes of a window have moved on the face, (rows, columns, 3)."""
        mouth = replace(pose, **_COVERED, jaw=_COVERED_JAW * pose.jaw) if self.mouth_hidden else pose
        moved = self.lips.field(mouth, upper=upper, window=window)
        if pose.brows:
            moved += self.brows.basis[window] * np.float32(pose.brows)
        if any(getattr(pose, name) for name in NAMES):
            moved += self.expressions.field(pose, window)
        return moved

    def _speak(self, frame: Floats, texture: Bytes, upper: Floats, pose: Pose) -> None:
        """Put the mouth together: what moves with the lower lip, and what is seen between the lips.

        Args:
            frame: (h, w, 3) RGB drawn with the upper field.
            texture: What it was read from.
            upper: (h, w, 2) where in that.
            pose: The pose.
        """

        def project(points: Floats) -> Floats:
            return self.head.project(pose, points) - self._origin

        rows, columns = window = self.interior.window(project, pose, *frame.shape[:2])
        across, down = (int(start) for start in self._origin)
        box = slice(rows.start + down, rows.stop + down), slice(columns.start + across, columns.stop + across)
        nodes = self.grid.window(box[1].start, box[0].start, box[1].stop, box[0].stop)
        moved = self._moved(pose, upper=False, window=nodes)
        cells = _grown(self.grid.cells(box), 1, self.grid.nodes.shape)  # what lies between nodes needs both
        back = self.grid.invert(self.head.turn(pose, moved, nodes), MOUTH_ROUNDS, within=_within(cells, nodes))
        pixels, places = self.grid.places(back, cells, SCALE)
        places = places[_within(box, pixels)]
        lower = read_coded(texture, places)
        places = np.asarray(places / np.float32(SCALE), np.float32)
        self.interior.light_lip(lower, places, pose)
        for corner in self.interior.corners(project, pose, *frame.shape[:2]):
            self.interior.light_corners(frame[corner], np.asarray(upper[corner] / np.float32(SCALE), np.float32), pose)
            np.clip(frame[corner], 0, 1, out=frame[corner])
            below = _within(_shared(corner, window), window)
            self.interior.light_corners(lower[below], places[below], pose)
        self.interior.paint(frame, lower, window, project, pose)
        np.clip(frame[window], 0, 1, out=frame[window])


def _grown(window: Window, by: int, size: tuple[int, ...]) -> Window:
    """Grow a window on all sides, as far as there is something."""
    rows, columns = (
        slice(max(span.start - by, 0), min(span.stop + by, most)) for span, most in zip(window, size, strict=False)
    )
    return rows, columns


def _shared(window: Window, other: Window) -> Window:
    """Cut a window to what it shares with another: nothing, at the other's edge, where that is nothing."""
    rows, columns = (
        slice(start := min(max(span.start, most.start), most.stop), max(min(span.stop, most.stop), start))
        for span, most in zip(window, other, strict=True)
    )
    return rows, columns


def _within(window: Window, outer: Window) -> Window:
    """Tell where a window lies in a larger one."""
    rows, columns = (
        slice(span.start - first.start, span.stop - first.start) for span, first in zip(window, outer, strict=True)
    )
    return rows, columns
