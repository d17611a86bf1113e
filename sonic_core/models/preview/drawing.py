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

_BAND = 64  # rows; lower bands would follow the person more closely, but each costs a call


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
        moving = self.head.moving()
        for area in (self.eyes.area, self.lips.area):
            moving[area] = True
        self._bands = _bands(moving & (inside > 0))

    def frame(self, pose: Pose, out: np.ndarray | None = None) -> np.ndarray:
        """Draw one frame, (h, w, 3) float32 in [0, 1], into ``out`` if that is given."""
        out = np.empty_like(self.image) if out is None else out
        x, y = self.head.undo(pose)
        lashes = self.eyes.undo(x, y, pose)
        gap = self.lips.undo(x, y, pose)
        for rows, columns in self._bands:
            for still in (slice(0, columns.start), slice(columns.stop, None)):
                out[rows, still] = self.image[rows, still]
            here = out[rows, columns]
            if here.size:
                places = x[rows, columns], y[rows, columns]
                cv2.remap(self.image, *places, cv2.INTER_CUBIC, dst=here, borderMode=cv2.BORDER_REPLICATE)
                np.clip(here, 0, 1, out=here)
        self.eyes.paint(out, lashes)
        self.interior.paint(out, gap)
        return out


def _bands(moving: np.ndarray) -> list[tuple[slice, slice]]:
    """Cut a picture into bands of rows, and say from which column to which something can move, (h, w) bool, in each."""
    bands = []
    for top in range(0, len(moving), _BAND):
        rows = slice(top, min(top + _BAND, len(moving)))
        columns = np.flatnonzero(moving[rows].any(0))
        bands.append((rows, slice(int(columns[0]), int(columns[-1]) + 1) if columns.size else slice(0, 0)))
    return bands
