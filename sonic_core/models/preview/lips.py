"""Lips part along their seam, spread and purse; jaw and chin follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import MOUTH_STATIONS, Anatomy, Mouth
from .easing import smooth_fall, smooth_rise
from .pose import Pose

UPPER_SHARE = 0.25
"""Share of the opening by which the upper lip rises; the lower lip and the jaw take the rest."""
CHIN_SHARE = 0.8
"""How far the chin follows the lower lip."""
SINK = 0.14
"""Share of the opening by which the whole mouth, corners included, follows the jaw."""


@dataclass(frozen=True, eq=False)
class Gap:
    """The opening between the lips in one frame, over a rectangle of the picture."""

    rows: slice
    columns: slice
    along: np.ndarray
    """Position along the mouth in half widths, (h, w)."""
    below: np.ndarray
    """Pixels below the upper lip's edge, (h, w); negative above it."""
    height: np.ndarray
    """Height of the gap in this column, (h, w)."""


class Lips:
    """Moves one portrait's lips and jaw."""

    def __init__(self, anatomy: Anatomy, size: tuple[int, int]) -> None:
        """Lay the grids for a crop of ``size`` (h, w)."""
        self.anatomy = anatomy
        self.size = size
        mouth, reach = anatomy.mouth, 1.0 * anatomy.unit
        self._area = self._rectangle(mouth.frame.centre, (reach, mouth.nose + 0.2 * anatomy.unit), (reach, mouth.floor))
        y, x = np.mgrid[self._area].astype(np.float32)
        self._weights = _mouth_weights(anatomy, x, y)

    def undo(self, x: np.ndarray, y: np.ndarray, pose: Pose) -> Gap:
        """Undo lips and jaw: change the places x, y (h, w) in the portrait, in place, and say where lips part."""
        area = self._area
        x[area], y[area], gap = self._lips(x[area], y[area], pose)
        return gap

    def _rectangle(
        self, centre: tuple[float, float], before: tuple[float, float], after: tuple[float, float]
    ) -> tuple[slice, slice]:
        height, width = self.size
        left, right = max(int(centre[0] - before[0]), 0), min(int(centre[0] + after[0]) + 1, width)
        top, bottom = max(int(centre[1] - before[1]), 0), min(int(centre[1] + after[1]) + 1, height)
        return slice(top, bottom), slice(left, right)

    def _lips(self, x: np.ndarray, y: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray, Gap]:
        """Part the lips along their seam, lower the jaw, and spread or purse the mouth."""
        mouth, unit = self.anatomy.mouth, np.float32(self.anatomy.unit)
        along, down = mouth.frame.local(x, y)
        sunk = np.float32(SINK * pose.opening) * self._weights.sink
        spread = 0.10 * pose.width - 0.32 * pose.rounding - 0.3 * max(pose.opening / float(unit) - 0.12, 0)
        moved = along * (1 - np.float32(spread) * self._weights.purse)
        depth = (down - sunk) * (1 - np.float32(0.12 * pose.rounding) * self._weights.lips)
        share = moved / np.float32(mouth.half_width)
        seam = np.interp(share, MOUTH_STATIONS, mouth.upper_inner).astype(np.float32)
        offset = depth - seam
        profile = np.clip(1 - share * share, 0, 1) ** np.float32(0.65) * np.float32(pose.opening)
        rise, fall = np.float32(UPPER_SHARE) * profile, np.float32(1 - UPPER_SHARE) * profile
        upper = offset + rise * smooth_fall((-offset - rise) / np.float32(mouth.nose))
        lower = offset - self._jaw(mouth, offset, fall, pose)
        source = np.where(offset < (fall - rise) / 2, np.minimum(upper, 0), np.maximum(lower, 0))
        beyond = np.abs(share) >= 1
        source[beyond] = lower[beyond]
        within = self._weights.within
        dx, dy = mouth.frame.turned((moved - along) * within, (source + seam - down) * within)
        gap = self._gap(share, offset + rise, rise + fall)
        return x + dx, y + dy, gap

    def _jaw(self, mouth: Mouth, offset: np.ndarray, fall: np.ndarray, pose: Pose) -> np.ndarray:
        """How far each place below the seam has moved down: the lip by its opening, the chin with the jaw."""
        unit = np.float32(self.anatomy.unit)
        chin = np.float32(mouth.chin)
        drop = np.float32((1 - UPPER_SHARE) * pose.opening)
        blend = smooth_rise((offset - fall - np.float32(0.1) * unit) / (chin * np.float32(0.7)))
        end = np.float32(min(mouth.floor - 0.03 * unit, mouth.chin + 0.6 * unit))
        start = min(chin + CHIN_SHARE * drop, end - 2 * CHIN_SHARE * drop)  # a slower fall than the drop cannot fold
        fade = smooth_fall((offset - start) / np.maximum(end - start, 1))
        return (fall + blend * (CHIN_SHARE * drop * self._weights.jaw - fall)) * fade

    def _gap(self, share: np.ndarray, below: np.ndarray, height: np.ndarray) -> Gap:
        """Cut the gap's rectangle out of the mouth's area."""
        rows, columns = np.nonzero((below > -2) & (below < height + 2) & (height > 0.05))
        top, left = self._area[0].start, self._area[1].start
        if len(rows) == 0:
            empty = np.zeros((0, 0), np.float32)
            return Gap(slice(0, 0), slice(0, 0), empty, empty, empty)
        inner = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        return Gap(
            slice(top + inner[0].start, top + inner[0].stop),
            slice(left + inner[1].start, left + inner[1].stop),
            share[inner],
            below[inner],
            height[inner],
        )


@dataclass(frozen=True, eq=False)
class _MouthWeights:
    """How strongly each pixel of the mouth's area takes part in a movement, (h, w) float32 each, in [0, 1]."""

    sink: np.ndarray
    """Following the jaw with the whole mouth."""
    purse: np.ndarray
    """Spreading and pursing."""
    lips: np.ndarray
    """Swelling of pursed lips."""
    jaw: np.ndarray
    """Lowering of the jaw, across the face; it narrows toward the chin."""
    within: np.ndarray
    """1 inside the area, falling to 0 at its edges, so that whatever moves inside joins what stands still outside."""


def _edge_distance(height: int, width: int) -> np.ndarray:
    """Count the pixels from each pixel of a rectangle to its nearest edge, (h, w)."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.minimum.reduce([rows, columns, height - 1 - rows, width - 1 - columns])


def _mouth_weights(anatomy: Anatomy, x: np.ndarray, y: np.ndarray) -> _MouthWeights:
    mouth, unit = anatomy.mouth, np.float32(anatomy.unit)
    along, down = mouth.frame.local(x, y)
    across, narrow = (
        along / np.float32(mouth.half_width),
        unit * (0.95 - 0.25 * smooth_rise(down / np.float32(mouth.chin))),
    )
    return _MouthWeights(
        sink=np.exp(-((across / 1.4) ** 2) - (down / (0.45 * unit)) ** 2),
        purse=np.exp(-((across / 1.5) ** 2) - (down / (0.5 * unit)) ** 2),
        lips=np.exp(-(across**2) - (down / (0.3 * unit)) ** 2),
        jaw=np.cos(np.clip(along / narrow, -1, 1) * np.float32(np.pi / 2)) ** 2,
        within=smooth_rise(_edge_distance(*x.shape) / (np.float32(0.06) * unit)),
    )
