"""Eyes that blink and brows that rise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .anatomy import EYE_STATIONS, Anatomy, Eye
from .easing import smooth_rise
from .pose import Pose


@dataclass(frozen=True, eq=False)
class Lash:
    """The line of lashes of a closing eye in one frame."""

    area: tuple[slice, slice]
    cover: np.ndarray
    """How much of it lies on each pixel of the area, (h, w) in [0, 1]."""


class Eyes:
    """Draws one portrait's eyes and brows."""

    def __init__(self, anatomy: Anatomy, image: np.ndarray) -> None:
        """Measure what a blink needs of the portrait ``image`` (h, w, 3) in [0, 1]."""
        self.anatomy = anatomy
        unit, size = anatomy.unit, image.shape[:2]
        self._areas = [_rectangle(size, eye.frame.centre, unit) for eye in anatomy.eyes]
        self.depth = 1.0
        self.depth = self._blink_depth(image)

    def undo(self, x: np.ndarray, y: np.ndarray, pose: Pose) -> list[Lash]:
        """Undo lids and brows: change the places x, y (h, w) in the portrait, in place.

        Returns:
            What ``paint`` must draw on the frame.
        """
        lashes = []
        if pose.blink > 0.01 or abs(pose.brows) > 0.01:
            for eye, area in zip(self.anatomy.eyes, self._areas, strict=True):
                x[area], y[area], cover = self._lids(eye, x[area], y[area], pose)
                lashes.append(Lash(area, cover))
        return lashes

    def paint(self, frame: np.ndarray, lashes: list[Lash]) -> None:
        """Darken ``frame`` (h, w, 3), in place, along the edge of a closing lid."""
        for lash in lashes:
            frame[lash.area] *= 1 - 0.42 * lash.cover[..., None]

    def _lids(self, eye: Eye, x: np.ndarray, y: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw the upper lid down like a blind: the skin above is stretched, the eye is covered, not squeezed."""
        unit, blink = self.anatomy.unit, pose.blink * self.depth
        along, down = eye.frame.local(x, y)
        share = along / np.float32(eye.half_width)
        rest = np.interp(share, EYE_STATIONS, eye.upper_lid).astype(np.float32)
        shut = np.interp(share, EYE_STATIONS, eye.lower_lid).astype(np.float32)
        inside = (np.abs(share) < 1).astype(np.float32)
        edge = rest + np.float32(blink * 0.95) * (shut - rest)
        brow = np.minimum(np.float32(-eye.brow), rest - 1)
        fraction = np.clip((down - brow) / np.maximum(edge - brow, 1), 0, None)
        lifted = np.where((down > brow) & (fraction <= 1), brow + fraction * (rest - brow), down)
        fade = smooth_rise((1.05 - np.abs(share)) * 4) if blink > 0.01 else 0
        raised = 0.035 * unit * pose.brows
        raised = raised * np.exp(-((along / (0.38 * unit)) ** 2) - (((down + 0.3 * unit) / (0.13 * unit)) ** 2))
        dx, dy = eye.frame.turned(0.0, (lifted - down) * fade + raised)
        cover = min(1.6 * blink, 1.0) * inside * np.exp(-(((down - edge) / (0.022 * unit)) ** 2))
        return x + dx, y + dy, cover

    def _blink_depth(self, image: np.ndarray) -> float:
        """Tell how far the eyes of a portrait can be closed so that it looks right: 1 wholly, 0.45 a half blink.

        A closed lid is smooth skin. Where it is not, the eye was elsewhere, or glasses or a brow were pulled down.
        """
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        y, x = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]].astype(np.float32)
        down_x, down_y = x.copy(), y.copy()
        self.undo(down_x, down_y, Pose(blink=1.0))
        closed = cv2.remap(grey, down_x, down_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        rough = []
        for eye in self.anatomy.eyes:
            along, down = eye.frame.local(x, y)
            upper, lower = float(eye.upper_lid.min()), float(eye.lower_lid.max())
            lid = (np.abs(along) < eye.half_width * 0.8) & (down > 0.9 * upper) & (down < 0.75 * lower)
            rough.append(float(closed[lid].std()) if lid.any() else 0.0)
        excess = max(rough) / max(float(grey.std()), 1e-3) - 0.65
        return float(np.clip(1 - excess / 0.15 * 0.55, 0.45, 1))


def _rectangle(size: tuple[int, int], centre: tuple[float, float], unit: float) -> tuple[slice, slice]:
    height, width = size
    left, right = max(int(centre[0] - 0.42 * unit), 0), min(int(centre[0] + 0.42 * unit) + 1, width)
    top, bottom = max(int(centre[1] - 0.5 * unit), 0), min(int(centre[1] + 0.25 * unit) + 1, height)
    return slice(top, bottom), slice(left, right)
