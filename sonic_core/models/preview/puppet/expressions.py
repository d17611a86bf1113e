"""Brows, lids and cheeks of a smile, of sadness, surprise and anger; what the mouth does, ``lip_curves`` tells.

Source: which muscles make which expression, Ekman & Friesen 1978, Facial Action Coding System: 6 and 12; 1, 4 and 15;
1, 2, 5 and 26; 4, 5, 7 and 23.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall, smooth_rise
from ....faces.geometry import (
    LEFT_BROW_LOWER,
    LEFT_BROW_UPPER,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    RIGHT_BROW_LOWER,
    RIGHT_BROW_UPPER,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
)
from .grid import WHOLE, Floats, Grid, Window
from .pose import Pose

NAMES = ("smile", "sad", "surprise", "anger")
"""Fields of ``Pose``, in the order of the bases."""
_SIDES = (
    ((*LEFT_BROW_LOWER, *LEFT_BROW_UPPER), LEFT_LID_UPPER, LEFT_LID_LOWER, 50, 1.0),
    ((*RIGHT_BROW_LOWER, *RIGHT_BROW_UPPER), RIGHT_LID_UPPER, RIGHT_LID_LOWER, 280, -1.0),
)  # brow, lids, cheek, and where along the eyes' line the nose is from there
_CORNERS = 61, 291
_MIDLINE = 168, 6
_BEHIND = 0.3  # of the way of brows and lids is what those behind glasses go, whose rims are not seen to bend then

_RAISED, _INNER, _OUTER = 0.085, 0.075, -0.015  # I up: brows in surprise; their inner and outer ends in sadness
_LOWERED, _FROWN, _KNIT = -0.025, -0.06, 0.045  # I up: brows in anger, their inner ends; and towards the nose
_PRESSED = 0.33  # of the room between brow and lid is what a brow comes down at most
_WIDE, _TIGHT, _LOWER_TIGHT, _DROOP = 0.15, -0.12, 0.13, -0.08  # of an eye's height up: upper lids in surprise and
# anger, lower lids in anger and smiles, upper lids in sadness
_CHEEK, _CHEEK_ASIDE = 0.06, 0.02  # I up and outward: cheeks in a smile
_HALF_WIDTH, _FOREHEAD, _MARGIN, _LEAST_ROOM = 0.42, 0.45, 0.02, 0.06  # I: as of ``Brows``; what a brow has at least
_INNER_FROM, _INNER_OVER = -0.25, 0.5  # I from a brow's middle towards the nose: where its inner end begins to go along
_APART = 0.13  # I from the face's midline within which nothing is drawn together
_LID_ROOM, _LID_BELOW = 0.16, 0.16  # I above and below the eye in which the skin goes along with the lids
_WITHIN = 1.25  # half widths of an eye: the lids'
_SHUT = 0.04, 0.06  # I: an eye less open does not move its lids, and over how much more it begins to
_CHEEK_SIZE = 0.24, 0.2  # I across and down: deviations of the cheek's patch
_ABOVE_LIPS, _BESIDE_NOSE = (0.06, 0.3), (0.22, 0.2)  # I: where the cheek begins above the corners and beside the nose,
# and over how much


class Expressions:
    """How each node goes along with each expression."""

    def __init__(
        self,
        grid: Grid,
        points: Floats,
        axes: NDArray[np.floating],
        unit: float,
        *,
        hidden: float = 0.0,
        cheeks: bool = True,
    ) -> None:
        """Measure.

        Args:
            grid: Nodes over the portrait.
            points: The mesh's points, (468, 3) pixels.
            axes: (3, 3) the head's axes, one a row: to picture right, down, away.
            unit: I in pixels.
            hidden: 1 where glasses or dark lenses lie before brows and lids, else 0.
            cheeks: Whether the cheeks go along, as those behind a mask must not.
        """
        down = axes[1, :2] / np.linalg.norm(axes[1, :2])
        self._along, self._down, self._unit = np.array([down[1], -down[0]]), down, unit
        self._nodes, self._points = grid.nodes, points[:, :2].astype(np.float64)
        bases = np.zeros((len(NAMES), *grid.nodes.shape[:2], 2))  # I across and up
        for brow, upper, lower, cheek, inward in _SIDES:
            lids = self._lids(upper, lower)
            free = 1 - (1 - _BEHIND) * hidden
            self._add_brow(bases, brow, upper, inward, free)
            for number, name in enumerate(NAMES):
                up = {"smile": 0.0, "sad": _DROOP, "surprise": _WIDE, "anger": _TIGHT}[name]
                low = _LOWER_TIGHT if name in {"smile", "anger"} else 0.0
                bases[number, ..., 1] += (1 - hidden) * (up * lids[0] + low * lids[1])
            patch = self._cheek(cheek, inward) if cheeks else 0.0
            bases[0, ..., 1] += _CHEEK * patch
            bases[0, ..., 0] -= _CHEEK_ASIDE * inward * patch
        across, rise = (axes[0] * unit, -axes[1] * unit)
        self._bases: Floats = np.stack([each[..., :1] * across + each[..., 1:] * rise for each in bases]).astype(
            np.float32
        )

    def field(self, pose: Pose, window: Window = WHOLE) -> Floats:
        """Displace the nodes of a window: (rows, columns, 3) pixels."""
        moved = np.zeros_like(self._bases[0][window])
        for name, basis in zip(NAMES, self._bases, strict=True):
            amount = float(np.clip(getattr(pose, name), 0, 1))
            if amount:
                moved += basis[window] * np.float32(amount)
        return moved

    def _place(self, numbers: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Say where points of the mesh lie along and down the face, in I."""
        places = self._points[list(numbers)] / self._unit
        return places @ self._along, places @ self._down

    def _away(self, along: float, down: float) -> tuple[np.ndarray, np.ndarray]:
        """Say how far from a place the nodes lie, along and down, (rows, columns) each in I."""
        nodes = self._nodes / self._unit
        return nodes @ self._along - along, nodes @ self._down - down

    def _add_brow(
        self, bases: np.ndarray, brow: tuple[int, ...], lid: tuple[int, ...], inward: float, free: float
    ) -> None:
        middle = float(self._place(brow)[0].mean())
        aside, below = self._away(middle, 0.0)
        half = len(brow) // 2
        line = (self._line(brow[:half], middle, aside) + self._line(brow[half:], middle, aside)) / 2
        room = np.maximum(self._line(lid[1:-1], middle, aside) - line - _MARGIN, _LEAST_ROOM)
        below = below - line
        rise = np.where(below < 0, smooth_fall(-below / _FOREHEAD), smooth_rise(1 - below / room))
        weight = free * np.exp(-((aside / _HALF_WIDTH) ** 4)) * rise
        inner = smooth_rise((inward * aside - _INNER_FROM) / _INNER_OVER)
        centre = float(self._place(_MIDLINE)[0].mean())
        apart = smooth_rise((inward * (centre - middle) - inward * aside) / _APART)
        frown = np.minimum(1.0, _PRESSED * room / -(_LOWERED + _FROWN)) * (_LOWERED + _FROWN * inner)
        for number, up in ((1, _OUTER + (_INNER - _OUTER) * inner), (2, _RAISED), (3, frown)):
            asked = weight * up
            here = bases[number, ..., 1]
            bases[number, ..., 1] = np.where(np.abs(asked) > np.abs(here), asked, here)  # both brows meet at the nose
        bases[3, ..., 0] += weight * inner * apart * _KNIT * inward

    def _line(self, numbers: tuple[int, ...], middle: float, aside: np.ndarray) -> np.ndarray:
        """Read how far down a line of the mesh runs at nodes ``aside`` of ``middle``, held beyond its ends."""
        along, down = self._place(numbers)
        order = np.argsort(along)
        return np.interp(aside, along[order] - middle, down[order])

    def _lids(self, upper: tuple[int, ...], lower: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Say how far nodes go along with the upper and the lower lid of an eye, times the eye's height there in I."""
        along, top = self._place(upper)
        middle, half = float(along[[0, -1]].mean()), float(np.ptp(along)) / 2
        level = float(top[[0, -1]].mean())
        aside, below = self._away(middle, level)
        at = np.clip(aside, -half, half)
        edges = [self._line(lid, middle, at) - level for lid in (upper, lower)]
        height = float((edges[1] - edges[0]).max())
        gap = np.maximum(edges[1] - edges[0], 0.02)
        part = (below - edges[0]) / gap
        span = smooth_rise(2 * (_WITHIN - np.abs(aside) / half))
        above = np.where(below < edges[0], smooth_fall((edges[0] - below) / _LID_ROOM), smooth_fall(part))
        under = np.where(below > edges[1], smooth_fall((below - edges[1]) / _LID_BELOW), smooth_fall(1 - part))
        size = gap * float(smooth_rise((height - _SHUT[0]) / _SHUT[1])) * span
        return above * size, under * size

    def _cheek(self, number: int, inward: float) -> np.ndarray:
        """Say how far nodes go along with a cheek, and not with the lips, (rows, columns) in [0, 1]."""
        along, down = (float(one[0]) for one in self._place((number,)))
        aside, below = self._away(along, down)
        level, middle = float(self._place(_CORNERS)[1].mean()), float(self._place(_MIDLINE)[0].mean())
        above = (level - down) - below
        beside = inward * (middle - along) - inward * aside
        patch = np.exp(-0.5 * ((aside / _CHEEK_SIZE[0]) ** 2 + (below / _CHEEK_SIZE[1]) ** 2))
        patch *= smooth_rise((above - _ABOVE_LIPS[0]) / _ABOVE_LIPS[1])
        return patch * smooth_rise((beside - _BESIDE_NOSE[0]) / _BESIDE_NOSE[1])
