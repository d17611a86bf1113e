"""Where each pixel of a frame comes from in the portrait: head, eyes and mouth move, the surroundings do not.

All maps are inverse: for a pixel of the frame they name the place in the portrait. They are put together from the
outside in: first the head's turn is undone, then lids and brows, then lips and jaw. Everything fades to nothing before
the face's outline (sideways) and before the crop's edge, so the background stays and the crop can be pasted back.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .anatomy import Anatomy, Eye, Mouth
from .easing import smooth_fall, smooth_rise

UPPER_SHARE = 0.25
"""Share of the opening by which the upper lip rises; the lower lip and the jaw take the rest."""
CHIN_SHARE = 0.8
"""How far the chin follows the lower lip."""
SINK = 0.14
"""Share of the opening by which the whole mouth, corners included, follows the jaw."""


@dataclass(frozen=True)
class Pose:
    """One frame's movement."""

    opening: float
    """Gap between the lips in pixels."""
    width: float
    """−1 narrow … 1 spread."""
    rounding: float
    """0 … 1."""
    blink: float
    """0 open … 1 shut."""
    brows: float
    """0 … 1 raised."""
    yaw: float
    """Turn to the picture's right; 1 is about 4 degrees."""
    pitch: float
    """Nod downward; 1 is about 4 degrees."""


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


@dataclass(frozen=True, eq=False)
class Lash:
    """The line of lashes of a closing eye in one frame."""

    area: tuple[slice, slice]
    cover: np.ndarray
    """How much of it lies on each pixel of the area, (h, w) in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Where each pixel of a frame comes from, and what must be painted where nothing comes from."""

    x: np.ndarray
    """Source column, (h, w) float32."""
    y: np.ndarray
    """Source row, (h, w) float32."""
    gap: Gap
    lashes: list[Lash]


class Warp:
    """Computes maps for one portrait; the grids that do not change are kept."""

    def __init__(self, anatomy: Anatomy, size: tuple[int, int]) -> None:
        """Lay the grids for a crop of ``size`` (h, w)."""
        self.anatomy = anatomy
        self.size = size
        height, width = size
        self.y, self.x = np.mgrid[0:height, 0:width].astype(np.float32)
        self._depth = self._relief()
        mouth, reach = anatomy.mouth, 1.0 * anatomy.unit
        self._mouth_area = self._rectangle(
            mouth.frame.centre, (reach, mouth.nose + 0.2 * anatomy.unit), (reach, mouth.floor)
        )
        self._weights = _mouth_weights(anatomy, self.x[self._mouth_area], self.y[self._mouth_area])
        self._eye_areas = [
            self._rectangle(
                eye.frame.centre, (0.42 * anatomy.unit, 0.5 * anatomy.unit), (0.42 * anatomy.unit, 0.25 * anatomy.unit)
            )
            for eye in anatomy.eyes
        ]

    def maps(self, pose: Pose) -> Maps:
        """Compute the source position of every pixel of a frame."""
        unit = self.anatomy.unit
        right, down = self.anatomy.head.turned(0.05 * unit * pose.yaw, 0.04 * unit * pose.pitch)
        x = self.x - np.float32(right) * self._depth
        y = self.y - np.float32(down) * self._depth
        lashes = []
        for eye, area in zip(self.anatomy.eyes, self._eye_areas, strict=True):
            if pose.blink > 0.01 or pose.brows > 0.01:
                x[area], y[area], cover = self._lids(eye, x[area], y[area], pose)
                lashes.append(Lash(area, cover))
        area = self._mouth_area
        x[area], y[area], gap = self._lips(x[area], y[area], pose)
        return Maps(x, y, gap, lashes)

    def _relief(self) -> np.ndarray:
        """How near each part of the face is: 1 at the nose, 0 at the face's outline and at the crop's edge."""
        unit = self.anatomy.unit
        along, down = self.anatomy.head.local(self.x, self.y)
        radius = (along / (1.05 * unit)) ** 2 + (down / (1.35 * unit)) ** 2
        bulge = np.clip(1 - radius, 0, 1)
        nose = np.exp(-((along / (0.22 * unit)) ** 2) - ((down / (0.35 * unit)) ** 2))
        edge = _edge_distance(*self.size)
        return (bulge * bulge * (3 - 2 * bulge) * (0.8 + 0.2 * nose) * np.clip(edge / (0.15 * unit), 0, 1)).astype(
            np.float32
        )

    def _rectangle(
        self, centre: tuple[float, float], before: tuple[float, float], after: tuple[float, float]
    ) -> tuple[slice, slice]:
        height, width = self.size
        left, right = max(int(centre[0] - before[0]), 0), min(int(centre[0] + after[0]) + 1, width)
        top, bottom = max(int(centre[1] - before[1]), 0), min(int(centre[1] + after[1]) + 1, height)
        return slice(top, bottom), slice(left, right)

    def _lids(self, eye: Eye, x: np.ndarray, y: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw the upper lid down like a blind: the skin above is stretched, the eye is covered, not squeezed."""
        unit = self.anatomy.unit
        along, down = eye.frame.local(x, y)
        arch = 1 - np.clip(np.abs(along / np.float32(eye.half_width)), 0, 1) ** 3
        rest = -eye.upper * arch
        edge = rest + pose.blink * (eye.upper + 0.9 * eye.lower) * arch
        brow = rest - eye.blind
        share = np.clip((down - brow) / np.maximum(edge - brow, 1), 0, None)
        lifted = np.where((down > brow) & (share <= 1), brow + share * (rest - brow), down)
        fade = smooth_rise((1.05 - np.abs(along / np.float32(eye.half_width))) * 4) if pose.blink > 0.01 else 0
        raised = 0.035 * unit * pose.brows
        raised = raised * np.exp(-((along / (0.38 * unit)) ** 2) - (((down + 0.3 * unit) / (0.13 * unit)) ** 2))
        dx, dy = eye.frame.turned(0.0, (lifted - down) * fade + raised)
        cover = min(1.6 * pose.blink, 1.0) * arch * np.exp(-(((down - edge) / (0.022 * unit)) ** 2))
        return x + dx, y + dy, cover

    def _lips(self, x: np.ndarray, y: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray, Gap]:
        """Part the lips along their seam, lower the jaw, and spread or purse the mouth."""
        mouth, unit = self.anatomy.mouth, np.float32(self.anatomy.unit)
        along, down = mouth.frame.local(x, y)
        sunk = np.float32(SINK * pose.opening) * self._weights.sink
        spread = 0.10 * pose.width - 0.32 * pose.rounding - 0.3 * max(pose.opening / float(unit) - 0.12, 0)
        moved = along * (1 - np.float32(spread) * self._weights.purse)
        depth = (down - sunk) * (1 - np.float32(0.12 * pose.rounding) * self._weights.lips)
        share = moved / np.float32(mouth.half_width)
        seam = np.polyval(mouth.seam, np.clip(share, -1.15, 1.15)).astype(np.float32)
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
        top, left = self._mouth_area[0].start, self._mouth_area[1].start
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


def blink_depth(grey: np.ndarray, warp: Warp) -> float:
    """Tell how far the eyes of a portrait can be closed so that it looks right: 1 wholly, 0.45 a half blink.

    A closed lid is smooth skin. Where it is not, the eye was elsewhere, or glasses or a brow were pulled down.

    Args:
        grey: The portrait, (h, w) in [0, 1].
        warp: Its warp.
    """
    shut = warp.maps(Pose(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0))
    closed = cv2.remap(grey, shut.x, shut.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rough = []
    for eye in warp.anatomy.eyes:
        along, down = eye.frame.local(warp.x, warp.y)
        lid = (np.abs(along) < eye.half_width * 0.8) & (down > -0.9 * eye.upper) & (down < 0.75 * eye.lower)
        rough.append(float(closed[lid].std()) if lid.any() else 0.0)
    excess = max(rough) / max(float(grey.std()), 1e-3) - 0.65
    return float(np.clip(1 - excess / 0.15 * 0.55, 0.45, 1))


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
