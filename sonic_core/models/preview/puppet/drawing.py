"""One portrait, drawn in any pose.

Forward, what lies on the face is moved by mouth and brows, and turned with the head; backward, each pixel of the frame
is told where in the portrait it comes from, and is read there. Lids and gaze are drawn into what is read from. Between
the lips, the frame is that of the upper lip's movement above, of the lower lip's below, and an interior between.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....faces.geometry import OVAL
from .brows import Brows
from .canvas import Canvas
from .depth import Depth
from .eyes import Eyes
from .grid import MOUTH_ROUNDS, Floats, Grid
from .head import Head
from .interior import Interior
from .lip_shapes import LipShapes
from .parting import find_parting, measure_unit
from .pose import Pose
from .texture import SCALE, Bytes, Textures, coded, enlarge, read_coded

EARS, CHIN = (234, 454), 152

_COVERED = {"gap": 0.0, "width": 0.0, "rounding": 0.0, "upper": 0.0, "lower": 0.0, "closure": 0.0}
"""What a mouth behind something does not show."""
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
        points, self.unit = landmarks.points, measure_unit(landmarks)
        self.image: Floats = np.ascontiguousarray(image[canvas.view])
        """(h, w, 3): the portrait, of the frames' size."""
        self.placement = canvas.placement
        self.grid = Grid(*image.shape[:2])
        rows, columns = canvas.view
        self._origin = np.array([columns.start, rows.start], np.float32)
        self._view = self.grid.cells(canvas.view)
        depth = Depth(self.grid, points, OVAL, EARS, self.unit)
        across = points[list(OVAL), 0]
        chin = float(across.min() + across.max()) / 2, float(points[CHIN, 1])
        self.head = Head(self.grid, depth, chin, self.unit, canvas.person)
        self.lips = LipShapes(landmarks, self.grid.nodes, find_parting(image, landmarks))
        self.brows = Brows(self.grid, points, -self.lips.axes[1], self.unit)
        self.interior = Interior(image, landmarks, self.lips)
        texture = enlarge(image)
        self.eyes = Eyes(texture, landmarks.moved((0.0, 0.0), (SCALE, SCALE)), hidden=eyes_hidden, form=coded)
        self.mouth_hidden = mouth_hidden
        self._textures = Textures(coded(texture))

    def frame(self, pose: Pose, out: Floats | None = None) -> Floats:
        """Draw one frame, (h, w, 3) RGB float32 in [0, 1], into ``out`` if that is given."""
        if self.mouth_hidden:
            pose = replace(pose, **_COVERED, jaw=_COVERED_JAW * pose.jaw)
        upper, lower = self.lips.displace(pose)
        raised = self.brows.basis * np.float32(pose.brows)
        upper += raised
        back = self.grid.invert(self.head.turn(pose, upper))
        _, places = self.grid.places(back[self._view], self._view, SCALE)
        with self._textures.showing(self.eyes.patch(pose.blink, pose.gaze_x, pose.gaze_y)) as texture:
            frame = read_coded(texture, places, out)
            if not self.mouth_hidden:
                self._speak(frame, texture, raised, lower, pose)
        return frame

    def _speak(self, frame: Floats, texture: Bytes, raised: Floats, lower: Floats, pose: Pose) -> None:
        """Put the mouth together: what moves with the lower lip, and what is seen between the lips."""

        def project(points: Floats) -> Floats:
            return self.head.project(pose, points) - self._origin

        rows, columns = window = self.interior.window(project, pose, *frame.shape[:2])
        across, down = (int(start) for start in self._origin)
        box = slice(rows.start + down, rows.stop + down), slice(columns.start + across, columns.stop + across)
        nodes = self.grid.window(box[1].start, box[0].start, box[1].stop, box[0].stop)
        moved = raised[nodes] + lower[nodes]
        back = self.grid.invert(self.head.turn(pose, moved, nodes), MOUTH_ROUNDS)
        cells = self.grid.cells(box)
        near = tuple(
            slice(cell.start - node.start, cell.stop - node.start) for cell, node in zip(cells, nodes, strict=True)
        )
        (top, left), places = self.grid.places(np.ascontiguousarray(back[near]), cells, SCALE)
        here = tuple(
            slice(part.start - first.start, part.stop - first.start)
            for part, first in zip(box, (top, left), strict=True)
        )
        self.interior.paint(frame, read_coded(texture, places[here]), window, project, pose)
        np.clip(frame[window], 0, 1, out=frame[window])
