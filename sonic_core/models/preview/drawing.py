"""One portrait, drawn in any pose.

All maps are inverse: for a pixel of the frame they name the place in the portrait. They are put together from the
outside in: first the head's turn is undone, then lids and brows, then lips and jaw. Everything fades to nothing before
the face's outline (sideways) and before the crop's edge, so the background stays and the crop can be pasted back.
"""

from __future__ import annotations

import cv2
import numpy as np

from .anatomy import Anatomy
from .eyes import Eyes
from .head import Head
from .lips import Lips
from .mouth import Interior
from .person import depth_inside
from .pose import Pose


class Drawing:
    """Draws one portrait; what does not change from frame to frame is made once."""

    def __init__(self, image: np.ndarray, anatomy: Anatomy) -> None:
        """Take the portrait's crop, (h, w, 3) float32 in [0, 1], and where its movable parts are."""
        self.image = image
        inside = depth_inside(image, anatomy)
        self.head = Head(anatomy, inside)
        self.eyes = Eyes(anatomy, image, inside)
        self.lips = Lips(anatomy, inside)
        self.interior = Interior(image, anatomy)
        self._moving = _bounds(inside)

    def frame(self, pose: Pose, out: np.ndarray | None = None) -> np.ndarray:
        """Draw one frame, (h, w, 3) float32 in [0, 1], into ``out`` if that is given."""
        out = np.empty_like(self.image) if out is None else out
        x, y = self.head.undo(pose)
        lashes = self.eyes.undo(x, y, pose)
        gap = self.lips.undo(x, y, pose)
        out[:], area = self.image, self._moving
        cv2.remap(self.image, x[area], y[area], cv2.INTER_CUBIC, dst=out[area], borderMode=cv2.BORDER_REPLICATE)
        self.eyes.paint(out, lashes)
        self.interior.paint(out, gap)
        np.clip(out[area], 0, 1, out=out[area])
        return out


def _bounds(inside: np.ndarray) -> tuple[slice, slice]:
    """Find the smallest rectangle around all that can move: rows and columns."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
