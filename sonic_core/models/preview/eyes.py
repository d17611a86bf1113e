"""Eyes that blink and brows that move."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .anatomy import Anatomy, Eye
from .easing import edge_distance, smooth_fall, smooth_rise
from .lids import Lid, measure_lid
from .pose import Pose

BROW_RISE = 0.045
"""How far a fully raised brow rises, in face units."""
LOWER_RISE = 0.012
"""How far the lower lid rises in a blink, in face units."""
_MARGIN = 0.04
"""Room around a lid that the head carries away, in face units: a turn changes its shape a little."""
_SAFE = 0.06  # face units inside the outline in which nothing moves of itself, since the head may carry it outward


@dataclass(frozen=True, eq=False)
class Veil:
    """What a closing lid puts over the frame."""

    area: tuple[slice, slice]
    cover: np.ndarray
    """How much of each pixel it hides, (h, w, 3) in [0, 1], the three alike."""
    colour: np.ndarray
    """Its colours times ``cover``, (h, w, 3)."""


_TURNED, _HARDLY = 12.0, 0.2
"""Degrees from which a head is so turned that its outline may cut the far eye, and how far such eyes close."""


class Eyes:
    """Draws one portrait's eyes and brows."""

    def __init__(self, anatomy: Anatomy, image: np.ndarray, inside: np.ndarray) -> None:
        """Measure what a blink needs.

        Args:
            anatomy: Where eyes and brows are.
            image: The portrait's crop, (h, w, 3) in [0, 1].
            inside: How far inside the person's outline each pixel lies, (h, w) in face units, 0 outside.
        """
        self.anatomy = anatomy
        self._size = size = image.shape[:2]
        self._lids = [measure_lid(eye, image, inside, anatomy.unit) for eye in anatomy.eyes]
        self.depth = min(lid.depth for lid in self._lids)
        if abs(anatomy.turn) > _TURNED and not all(_is_whole(eye, inside) for eye in anatomy.eyes):
            self.depth = min(self.depth, _HARDLY)
        centres = np.array([eye.frame.centre for eye in anatomy.eyes])
        unit = anatomy.unit
        before, beyond = np.array([0.52, 0.85]) * unit, np.array([0.52, 0.32]) * unit
        self.area = _rectangle(centres.min(0) - before, centres.max(0) + beyond, size)
        """Rows and columns in which brows and lower lids can move."""
        self._own = smooth_rise(inside / np.float32(0.04))
        self._brows, self._lower = self._weights(inside[self.area])

    def undo(self, x: np.ndarray, y: np.ndarray, pose: Pose) -> list[Veil]:
        """Undo lids and brows: change the places x, y (h, w) in the portrait, in place.

        Returns:
            What ``paint`` must draw on the frame.
        """
        blink = float(np.clip(pose.blink, 0, 1)) * self.depth
        veils = [self._veil(lid, x, y, blink) for lid in self._lids] if blink > 0.01 else []
        if blink > 0.01 or abs(pose.brows) > 0.01:
            self._undo_brows(x, y, pose.brows, blink)
        return veils

    def paint(self, frame: np.ndarray, veils: list[Veil]) -> None:
        """Lay the lids over ``frame`` (h, w, 3), in place."""
        for veil in veils:
            frame[veil.area] = frame[veil.area] * (1 - veil.cover) + veil.colour

    def _undo_brows(self, x: np.ndarray, y: np.ndarray, brows: float, blink: float) -> None:
        """Undo brows and lower lids, in place."""
        unit, area = self.anatomy.unit, self.area
        moved = np.float32(BROW_RISE * unit * np.clip(brows, -1, 1.5)) * self._brows
        moved += np.float32(LOWER_RISE * unit * blink) * self._lower
        here = cv2.warpAffine(moved, self._carried(x, y), moved.shape[::-1], flags=cv2.WARP_INVERSE_MAP)
        here *= self._own[area]
        right, down = self.anatomy.head.turned(0.0, 1.0)
        x[area] = cv2.scaleAdd(here, float(right), x[area])
        y[area] = cv2.scaleAdd(here, float(down), y[area])

    def _veil(self, lid: Lid, x: np.ndarray, y: np.ndarray, blink: float) -> Veil:
        """Draw a lid on the portrait and carry it to where the head has turned."""
        rows, columns = lid.area
        row, column = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
        across, down = round(column - float(x[row, column])), round(row - float(y[row, column]))
        margin = int(_MARGIN * self.anatomy.unit) + 2
        area = (
            slice(max(rows.start + down - margin, 0), min(rows.stop + down + margin, self._size[0])),
            slice(max(columns.start + across - margin, 0), min(columns.stop + across + margin, self._size[1])),
        )
        places = x[area] - np.float32(columns.start), y[area] - np.float32(rows.start)
        cover, colour = (cv2.remap(part, *places, cv2.INTER_LINEAR) for part in lid.draw(blink))
        own = cv2.cvtColor(self._own[area], cv2.COLOR_GRAY2RGB)
        return Veil(area, cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB) * own, colour * own)

    def _carried(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Tell where the head has carried the brows' area, by its eyes: a similarity from frame to portrait, (2, 3)."""
        (rows, columns), height, width = self.area, *self._size
        places = np.array([eye.frame.centre for eye in self.anatomy.eyes])
        row, column = np.clip(places[:, 1].astype(int), 0, height - 1), np.clip(places[:, 0].astype(int), 0, width - 1)
        before = (column - columns.start) + 1j * (row - rows.start)
        after = (x[row, column] - columns.start) + 1j * (y[row, column] - rows.start)
        turn = (after[1] - after[0]) / (before[1] - before[0])
        shift = after[0] - turn * before[0]
        return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])

    def _weights(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tell how far each pixel of the area goes along with the brows and with the lower lids, (h, w) each in [0, 1].

        A brow takes the forehead with it, less and less upward, and stretches the skin between itself and the lid.
        """
        unit = self.anatomy.unit
        y, x = np.mgrid[self.area].astype(np.float32)
        brows, lower = np.zeros_like(x), np.zeros_like(x)
        for eye, lid in zip(self.anatomy.eyes, self._lids, strict=True):
            along, down = eye.frame.local(x, y)
            brow, open_edge = -np.float32(eye.brow), np.float32(lid.top)
            gap = max(open_edge - brow, 0.05 * unit)
            strength = min(1.0, float(gap) / (2.2 * BROW_RISE * unit))
            rise = smooth_rise((open_edge - down) / gap) * smooth_fall((brow - 0.12 * unit - down) / (0.38 * unit))
            brows += strength * rise * smooth_fall((np.abs(along) - 0.25 * unit) / (0.28 * unit))
            share = along / np.float32(eye.half_width)
            below = (down - np.float32(eye.lower_lid.max())) / (0.1 * unit)
            lower += np.exp(-(below**2)) * smooth_fall(np.abs(share) / 1.2)
        within = smooth_rise(edge_distance(*x.shape) / (0.05 * unit)) * smooth_rise((inside - _SAFE) / 0.15)
        return np.clip(brows, 0, 1) * within, lower * within


def _is_whole(eye: Eye, inside: np.ndarray) -> bool:
    """Tell whether both ends of an eye lie inside the person."""
    ends = np.array([-0.95, 0.95]) * eye.half_width
    dx, dy = eye.frame.turned(ends, np.zeros(2))
    columns = np.clip(np.rint(eye.frame.centre[0] + dx), 0, inside.shape[1] - 1).astype(int)
    rows = np.clip(np.rint(eye.frame.centre[1] + dy), 0, inside.shape[0] - 1).astype(int)
    return bool((inside[rows, columns] > 0).all())


def _rectangle(low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    left, top = np.maximum(low.astype(int), 0)
    right, bottom = np.minimum(high.astype(int) + 1, size[::-1])
    return slice(int(top), int(bottom)), slice(int(left), int(right))
