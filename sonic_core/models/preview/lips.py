"""Lips part, spread, purse and press; jaw, chin and cheeks follow.

A dense mesh lies over mouth, cheeks and chin, a knot at every sixtieth of the eyes' distance. What moves it are the
anatomy's own curves (base of the nose, the four edges of the lips, chin, where the neck begins), at stations along the
mouth: a pose moves the curves; between two of them the movement is eased, so that a lip moves as one piece with its
texture and thickness, and the skin around it gives way. Upper and lower lip are two layers, so that they part and are
not stretched; only lips that are thin, which shut mouths roll in, get thicker as they part. The dark line on which shut
lips meet belongs to neither: as soon as they part, the mouth's inside takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .anatomy import MOUTH_STATIONS, Anatomy, Mouth
from .easing import edge_distance, smooth_fall, smooth_rise
from .mesh import Area, Mesh
from .pose import Pose

JAW_DROP = 0.17
"""How far, in face units, the chin goes down at a jaw of 1."""
SINK = 0.12
"""Share of the opening by which the whole mouth, corners included, follows the jaw."""
_MESH = 1 / 60  # face units between two knots of the mesh, about
_OUTLINE = 0.1  # face units inside a person's outline in which movements rise from nothing
_AWAY = 0.025  # face units: lips nearer than this to their own place show the portrait's own mouth, unpainted
_CLOSES = 0.22  # face units by which a portrait's own open mouth can be shut without the face looking drawn
_UNROLLED = 0.1  # face units: the opening at which thin lips have rolled out
_UNROLLS = 0.8  # share of its thickness by which a lip can grow
_FULL = 0.095, 0.15  # face units: upper and lower lips of this thickness (the usual one) are not rolled in
_ENDS = 0.25  # half widths at each end of a shut mouth over which its dark line thins out
_REACH = 3.2  # half widths to either side at which the mesh ends
_STATIONS = np.linspace(-_REACH, _REACH, 161, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Gap:
    """The opening between the lips in one frame, over a rectangle of the picture; arrays are (h, w) float32."""

    rows: slice
    columns: slice
    along: np.ndarray
    """Position along the mouth in half widths."""
    below: np.ndarray
    """Pixels below the upper lip's edge; negative above it."""
    height: np.ndarray
    """Height of the gap in this column."""
    across: np.ndarray
    """Position along the mouth in face units, in the skull: lips move over it."""
    skull: np.ndarray
    """Pixels below the place where the upper lip's edge rests."""
    jaw: np.ndarray
    """Pixels below the place where that edge would be if it had gone down with the jaw."""
    own: np.ndarray
    """How far this place lies inside the mouth that the portrait itself shows open: 0 … 1."""
    x: np.ndarray
    """Place in the portrait that shows what lies here in the skull (teeth): column."""
    y: np.ndarray
    """Likewise: row."""
    parted: float
    """0 … 1: how far the lips have left the place that they have in the portrait."""

    def at(self, places: np.ndarray) -> Gap:
        """Take out some places of the rectangle, counted row by row: arrays are (n,)."""
        arrays = {name: array for name, array in vars(self).items() if isinstance(array, np.ndarray)}
        return replace(self, **{name: array.ravel()[places] for name, array in arrays.items()})


def _no_gap() -> Gap:
    none = np.zeros((0, 0), np.float32)
    return Gap(slice(0, 0), slice(0, 0), none, none, none, none, none, none, none, none, none, 0.0)


@dataclass(frozen=True, eq=False)
class _Shape:
    """Rows of the mesh in one pose, at every station: (n,) float32 each, pixels down from the mouth's centre."""

    where: np.ndarray
    """(5, n) where the rows upper outer, upper inner, lower inner, lower outer and chin have gone."""
    moved: np.ndarray
    """(5, n) how far they have gone."""


class Lips:
    """Moves one portrait's lips and jaw."""

    def __init__(self, anatomy: Anatomy, depth: np.ndarray) -> None:
        """Lay the mesh over a crop; ``depth`` (h, w) is how far inside the person each pixel lies, in face units."""
        self.anatomy = anatomy
        self.size = depth.shape[0], depth.shape[1]
        mouth, unit = anatomy.mouth, anatomy.unit
        inside = np.clip(_STATIONS, -1, 1)
        lines = (mouth.upper_outer, mouth.upper_inner, mouth.lower_inner, mouth.lower_outer)
        self._rest = np.stack(
            [*(np.interp(inside, MOUTH_STATIONS, line) for line in lines), np.full_like(inside, mouth.chin)]
        ).astype(np.float32)
        self._bite = self._rest[1].copy()
        self._teeth = np.interp(inside, MOUTH_STATIONS, mouth.teeth).astype(np.float32)
        self.open_at_rest = float((self._rest[2] - self._rest[1]).max()) > 0.02 * unit
        self._bared = float((self._teeth - self._rest[1]).max()) > 0.02 * unit
        if not self.open_at_rest:
            self._bite = _arch(mouth.upper_inner)
            ends = smooth_rise((1 - np.abs(_STATIONS)) / np.float32(_ENDS))
            self._rest[1] -= np.float32(mouth.shadow[0]) * ends
            self._rest[2] += np.float32(mouth.shadow[1]) * ends
        left, right = (max(side, 1.2 * mouth.half_width) for side in mouth.sides)
        reach = max(left, right) + 0.05 * unit
        self._end = min(mouth.floor - 0.03 * unit, mouth.chin + 0.65 * unit)
        before, after = (reach, mouth.nose + 0.25 * unit), (reach, self._end + 0.03 * unit)
        self._mesh = Mesh(self._rectangle(mouth.frame.centre, before, after), 2 * round((unit * _MESH - 1) / 2) + 1)
        self.area = self._mesh.area
        """Rows and columns in which anything can move."""
        y, x = np.mgrid[self._mesh.knots].astype(np.float32)
        along, down = mouth.frame.local(x, y)
        across = along / np.float32(mouth.half_width)
        under_nose = smooth_rise((down + np.float32(mouth.nose)) / np.float32(0.8 * mouth.nose))
        self._jaw = _jaw_follows(along, down, (left, right), mouth.chin, unit)
        self._purse = np.exp(-((down / (0.42 * unit)) ** 2)) * under_nose
        self._purse *= _cheek_follows(along, down, (left, right), mouth)
        self._sink = np.exp(-((across / 1.4) ** 2) - (down / (0.45 * unit)) ** 2) * under_nose
        self._within = smooth_rise(edge_distance(*x.shape) * np.float32(self._mesh.step / (0.06 * unit)))
        self._within *= smooth_rise(depth[self._mesh.knots] / _OUTLINE)

    def undo(self, x: np.ndarray, y: np.ndarray, pose: Pose) -> Gap:
        """Undo lips and jaw: change the places x, y (h, w) in the portrait, in place, and say where lips part."""
        shape = self._shape(pose)
        knots = self._mesh.knots
        above, beneath, state = self._move(x[knots], y[knots], pose, shape)
        gap = self._gap(x, y, state, self._parted(shape))
        rows, columns = self._mesh.shape
        lower = np.greater(state[..., 0], 0.5 * state[..., 1])
        begun, whole = np.asarray(lower.any(axis=1)), np.asarray(lower.all(axis=1))
        first = max(int(begun.argmax()) - 1, 0) if begun.any() else rows
        last = min(rows - int(whole[::-1].argmin()) + 1, rows) if whole.any() else rows
        wide = slice(0, columns)
        for part, move in (((slice(0, first), wide), above), ((slice(last, rows), wide), beneath)):
            self._add(x, y, part, self._mesh.filled(move, part))
        part = slice(first, last), wide
        if first < last:
            side, mixed = self._mesh.filled(state[..., :2], part, 1), self._mesh.filled(beneath, part, 2)
            is_upper = (side[..., 0] <= 0.5 * side[..., 1]).astype(np.uint8)
            self._add(x, y, part, cv2.copyTo(self._mesh.filled(above, part), is_upper, mixed))
        return gap

    def _add(self, x: np.ndarray, y: np.ndarray, part: Area, move: np.ndarray) -> None:
        """Move the places x, y of a part of the mesh by ``move`` (h, w, 2), in place."""
        if part[0].start < part[0].stop:
            area = self._mesh.pixels(part)
            x[area] += move[..., 0]
            y[area] += move[..., 1]

    def _parted(self, shape: _Shape) -> float:
        """Tell how far the lips have left the place that they have in the portrait; shut lips, each other."""
        moved = shape.moved[1:3] if self.open_at_rest else shape.moved[2] - shape.moved[1]
        return min(float(np.abs(moved).max()) / (_AWAY * self.anatomy.unit), 1.0)

    def _move(self, x: np.ndarray, y: np.ndarray, pose: Pose, shape: _Shape) -> tuple[np.ndarray, ...]:
        """Move the mesh's knots, which lie at x, y (h, w) in the portrait.

        Returns:
            (h, w, 2): where a knot's picture comes from if the upper lip is there, relative to the knot; (h, w, 2): the
            same if the lower lip is there; (h, w, 4): pixels below the upper lip's edge, height of the gap, place along
            the mouth in half widths, how far the jaw has gone.
        """
        mouth, unit = self.anatomy.mouth, np.float32(self.anatomy.unit)
        along, down = mouth.frame.local(x, y)
        depth = down - np.float32(SINK * pose.opening) * self._sink
        moved = along * (1 - np.float32(self._spread(pose)) * self._purse)
        share = moved / np.float32(mouth.half_width)
        where, gone = self._rows(shape, share)
        aside, sunk = (moved - along) * self._within, depth - down
        above = (sunk - self._above(depth, where, gone, unit)) * self._within
        beneath = (sunk - self._beneath(depth, where, gone, unit)) * self._within
        state = [depth - where[1], where[2] - where[1], share, gone[4]]
        turned = (np.stack(mouth.frame.turned(aside, down), -1) for down in (above, beneath))
        return *turned, np.stack(state, -1)

    def _spread(self, pose: Pose) -> float:
        """How far the corners go outward, as a share of the mouth's width."""
        wide_open = max(pose.opening / self.anatomy.unit - 0.1, 0.0)
        return 0.09 * pose.width * (1 - pose.rounding) - 0.3 * pose.rounding - 0.4 * wide_open

    def _shape(self, pose: Pose) -> _Shape:
        """Move the rows at every station."""
        unit, opening = self.anatomy.unit, max(pose.opening, 0.0)
        upper_outer, upper_inner, lower_inner, lower_outer = self._rest[:4]
        height = opening / unit
        inner = 0.84 + 0.1 * min(height / 0.25, 1.0) + 0.04 * pose.width - 0.04 * pose.rounding
        arch = np.clip(1 - (_STATIONS / np.float32(inner)) ** 2, 0, 1)
        own = lower_inner - upper_inner
        share = np.float32(0.16 + 0.16 * np.clip(pose.upper, 0, 1))
        closes = min(1.0, _CLOSES * unit / max(float(own.max()), 1e-3)) if self.open_at_rest else 0.0
        closing = np.float32((1 - pose.rest) * closes)
        meet = np.float32(0.5 if self._bared else 0.3) * closing
        pout = np.float32(0.02 * unit * pose.rounding) * arch
        rise = pout + meet * own - share * np.float32(opening) * arch**0.85
        drop = pout - (closing - meet) * own + (1 - share) * np.float32(opening) * arch**0.62
        thick_above, thick_below = upper_inner - upper_outer, lower_outer - lower_inner
        tuck = float(np.clip(-pose.lower, 0, 1))
        above = -0.12 * pose.rounding + 0.07 * max(pose.width, 0) + 0.22 * pose.closure
        below = 0.12 * pose.rounding - 0.07 * max(pose.width, 0) - 0.22 * pose.closure - 0.4 * tuck
        rolled_out = np.float32(min(height / _UNROLLED, 1.0)) * np.sqrt(arch)
        more_above, more_below = (
            rolled_out * np.float32(np.clip(full * unit - thick.max(), 0, _UNROLLS * thick.max()))
            for full, thick in zip(_FULL, (thick_above, thick_below), strict=True)
        )
        middle = float(drop[len(drop) // 2])
        jaw = float(np.clip(JAW_DROP * unit * pose.jaw, middle - 0.09 * unit, max(middle, 0) + 0.05 * unit))
        gone = np.stack(
            [
                rise + np.float32(above) * thick_above - more_above,
                rise,
                drop,
                drop + np.float32(below) * thick_below + more_below,
                np.full_like(drop, max(jaw, -0.04 * unit)),
            ]
        )
        return _Shape(self._rest + gone, gone)

    def _rows(self, shape: _Shape, share: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Read the rows at every pixel's place along the mouth; the second list is how far they have gone."""
        position = (share + np.float32(_REACH)) * np.float32((len(_STATIONS) - 1) / (2 * _REACH))
        line = np.zeros_like(position)

        def read(table: np.ndarray) -> list[np.ndarray]:
            packed = np.ascontiguousarray(table.T[None].astype(np.float32))
            values = cv2.remap(packed, position, line, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            return list(cv2.split(values))

        where, gone = read(shape.where[:4]), read(shape.moved[:4])
        chin = np.float32(shape.moved[4, 0]) * self._jaw
        return [*where, np.float32(self._rest[4, 0]) + chin], [*gone, chin]

    def _above(
        self, depth: np.ndarray, where: list[np.ndarray], gone: list[np.ndarray], unit: np.float32
    ) -> np.ndarray:
        """How far what is seen at each knot has gone down if it belongs to the upper lip and what lies above."""
        nose = np.minimum(np.float32(-self.anatomy.mouth.nose), where[0] - np.float32(0.1) * unit)
        return _eased(depth, nose, where[0], gone[0]) + _eased(depth, where[0], where[1], gone[1] - gone[0])

    def _beneath(
        self, depth: np.ndarray, where: list[np.ndarray], gone: list[np.ndarray], unit: np.float32
    ) -> np.ndarray:
        """How far what is seen at each knot has gone down if it belongs to the lower lip and what lies below."""
        chin, end = where[4], np.float32(self._end)
        throat = np.minimum(chin + np.float32(0.05) * unit, end - 2 * np.abs(gone[4]) - 1)
        total = gone[2] + _eased(depth, where[2], where[3], gone[3] - gone[2])
        total += _eased(depth, where[3], np.maximum(chin, where[3] + 2), gone[4] - gone[3])
        return total + _eased(depth, throat, end, -gone[4])

    def _gap(self, x: np.ndarray, y: np.ndarray, state: np.ndarray, parted: float) -> Gap:
        """Cut out the gap's rectangle."""
        below, height = state[..., 0], state[..., 1]
        margin = self._mesh.step + 2
        seen = np.nonzero((below > -margin) & (below < height + margin) & (height > 0.05))
        if len(seen[0]) == 0:
            return _no_gap()
        rows, columns = (
            slice(max(int(place.min()) - 1, 0), min(int(place.max()) + 2, length))
            for place, length in zip(seen, self._mesh.shape, strict=True)
        )
        area = self._mesh.pixels((rows, columns))
        mouth = self.anatomy.mouth
        below, height, moved, jaw = cv2.split(self._mesh.filled(state, (rows, columns)))
        x, y = x[area].copy(), y[area].copy()
        along, down = mouth.frame.local(x, y)
        share = along / np.float32(mouth.half_width)
        edge = np.interp(share, _STATIONS, self._bite).astype(np.float32)
        return Gap(
            *area,
            moved,
            below,
            height,
            along / np.float32(self.anatomy.unit),
            down - edge,
            down - edge - jaw,
            *self._own((x, y), share, down, edge),
            parted,
        )

    def _own(
        self, places: tuple[np.ndarray, np.ndarray], share: np.ndarray, down: np.ndarray, top: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tell where the portrait itself shows the inside of its mouth, and the place that shows it.

        What the upper lip hides in the portrait and uncovers in the frame is continued from its edge.
        """
        x, y = places
        if not self.open_at_rest:
            return np.zeros_like(x), x, y
        end = np.interp(share, _STATIONS, self._teeth if self._bared else self._rest[2]).astype(np.float32)
        soft = np.float32(0.012 * self.anatomy.unit)
        lift = np.maximum(np.minimum(top + soft, end) - down, 0)
        own = smooth_rise((end - down) / soft + 0.5) * smooth_rise((end - top) / (2 * soft))
        dx, dy = self.anatomy.mouth.frame.turned(0.0, 1.0)
        return own, x + dx * lift, y + dy * lift

    def _rectangle(
        self, centre: tuple[float, float], before: tuple[float, float], after: tuple[float, float]
    ) -> tuple[slice, slice]:
        height, width = self.size
        left, right = max(int(centre[0] - before[0]), 0), min(int(centre[0] + after[0]) + 1, width)
        top, bottom = max(int(centre[1] - before[1]), 0), min(int(centre[1] + after[1]) + 1, height)
        return slice(top, bottom), slice(left, right)


def _arch(seam: np.ndarray) -> np.ndarray:
    """Lay an arch along a seam, (n,) at ``MOUTH_STATIONS``: teeth stand in one also where lips meet in a bow."""
    return np.polyval(np.polyfit(MOUTH_STATIONS, seam, 2), np.clip(_STATIONS, -1, 1)).astype(np.float32)


def _eased(depth: np.ndarray, begin: np.ndarray, end: np.ndarray | np.floating, amount: np.ndarray) -> np.ndarray:
    """Add ``amount`` smoothly between two rows."""
    return amount * smooth_rise((depth - begin) / np.maximum(end - begin, np.float32(0.5)))


def _jaw_follows(
    along: np.ndarray, down: np.ndarray, sides: tuple[float, float], chin: float, unit: float
) -> np.ndarray:
    """How far each place follows the chin: all in the middle, nothing at the face's outline, narrower at the chin."""
    side = np.where(along < 0, np.float32(sides[0]), np.float32(sides[1]))
    narrow = side * (1 - np.float32(0.22) * smooth_rise(down / np.float32(chin)))
    return np.cos(np.clip(along / narrow, -1, 1) * np.float32(np.pi / 2)) ** 2


def _cheek_follows(along: np.ndarray, down: np.ndarray, sides: tuple[float, float], mouth: Mouth) -> np.ndarray:
    """How far each place follows the corners: all between them, nothing at the face's outline and far cheeks."""
    half = np.float32(mouth.half_width)
    side = np.where(along < 0, np.float32(sides[0]), np.float32(sides[1]))
    end = np.minimum(
        side * (np.float32(0.95) - np.float32(0.3) * smooth_rise(down / np.float32(mouth.chin))), 2.2 * half
    )
    return smooth_fall((np.abs(along) - 0.6 * half) / np.maximum(end - 0.6 * half, 0.6 * half))
