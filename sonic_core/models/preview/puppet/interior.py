"""Paint what is between the lips, and put a frame's mouth together.

In a small window around the mouth a frame is the upper field above the opening, the lower field below it, and between
them the interior, all edges as soft as the portrait's own. The interior has layers, back to front:

- the cavity: throat, tongue and the sides, read from a table over the place between the lips, so it opens with them;
- lower teeth that go with the lower lip, where the mouth is open wide;
- teeth that stand still in the skull: drawn ones, or, where the portrait's own mouth shows some, what it shows;
- the portrait's grain lies on all that is drawn;
- light: the upper lip's shadow, a seam's darkness where the lips are nearly shut, the wet rim above the lower lip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall
from ....types import Landmarks
from .cavity import draw_cavity, measure_palette, shows_teeth
from .corner_light import AROUND, light_of_corners, share_for
from .light import luma_of, measure_light
from .lip_curves import Amounts
from .lip_light import light_of_lip
from .lip_shapes import LipShapes
from .lower_teeth import ASIDE, DENSE, FULL, HIGH, draw_lower_teeth, shown_at
from .own_mouth import cut_own_mouth, ends_in_lip, shows_all
from .pose import Pose
from .teeth import draw_teeth, unroll

Array = NDArray[np.float32]
Window = tuple[slice, slice]
Project = Callable[[Array], Array]
"""Takes points (n, 3) in the portrait's pixels to (n, 2) in the frame's."""

_DENSE, _DENSEST = 1.6, 420.0  # texture pixels for each of the portrait's; at most, per I
_ASIDE, _ABOVE, _BELOW = 0.62, 0.26, 0.55  # I around the middle of the arch that textures reach
_SOFT = 0.8  # share of the portrait's own blur that drawn edges have
_TEETH_SOFT = 0.8  # the same for teeth; softer ones were one white band to who saw them
_RAMP = 3.2  # width of an edge's ramp in deviations of its blur
_COLUMNS = 1024  # entries of the tables over the mouth's width
_SHADOW, _SHADOW_DEEP = 0.55, 0.06  # light just under the upper lip; I over which it becomes full
_DIM, _DIM_UNTIL = 0.85, 0.18  # light that a hardly open mouth lets in; I of gap from which it is all
_WARM = 1.6  # how much of the skin's hue a full shadow adds, where light comes through lips and off the tongue:
# teeth of 14 mouths, in their shadow at .7 of the skin's brightness, had the skin's hue; lit ones a third of it
_LIPS_SHARE = 0.5  # of that hue that is the lips', the rest is the skin's: light in a mouth has met both
_ROUND_DIM = 0.40  # light that lips keep out which are pushed forward
_OWN_SHADOW, _OWN_SHUT_SHADOW = 0.45, 0.20  # share of all shadow on the portrait's own teeth, which have some already,
# and what comes to it when the lips are all but shut
_OWN_WARM = 1.4  # the same for the portrait's own teeth, which have some of the skin's hue already
_OWN_DIM, _OWN_SHUT = 0.04, 0.06  # light that they lose when they speak; and more when the lips are all but shut
_NARROW = 0.040  # I between the lips below which a seam's darkness takes over
_WET, _WET_DEEP, _WET_LIP = -0.06, 0.055, 0.50  # rim above the lower lip: lighter by; I; share of the lip's colour
_WET_FROM, _WET_OVER = 0.35, 0.45  # of the half width: where that rim ends, and over how much; corners have none
_HAIR = 0.004  # I by which the lips of a mouth that was open are trimmed, so that shut they meet on a line
_WINDOW_EDGE = 3.0  # pixels over which the lower field is faded in at the window's border
_FACING, _SIDES = 0.6, np.array((-1.0, 1.0), np.float32)  # how much more of the arch is lit on the side that is nearer
_BRIGHTEST = 99.3  # percentile of the face's brightness that teeth do not exceed
_MIDDLE, _LIT = (0.20, 0.08), 80  # I aside and high, and percentile of brightness, where the teeth's white is read
_HALF, _SQUEEZED = 0.40, (0.30, 1.0)  # I from the arch's middle to a corner where lower teeth are seen from the front;
# bounds of their width's share where less is, as on the farther side of a head that is turned
_FACE = (234, 454, 10, 152)


class Interior:
    """Paints one portrait's mouth into frames."""

    def __init__(self, image: Array, landmarks: Landmarks, lip_shapes: LipShapes) -> None:
        """Measure colours and draw what stays the same.

        Args:
            image: (h, w, 3) float32 RGB in [0, 1].
            landmarks: The face in its pixels.
            lip_shapes: The fields of its lips.
        """
        self._shapes = lip_shapes
        self._unit = unit = lip_shapes.parting.unit
        light = measure_light(image, landmarks)
        self._palette = measure_palette(image, light, lip_shapes)
        self._lip_light = light_of_lip(image, lip_shapes)
        self._corner_light = light_of_corners(image, lip_shapes)
        self._half_ramp = _SOFT * light.blur * _RAMP / 2
        self._cavities = draw_cavity(light, self._palette, 0.0), draw_cavity(light, self._palette, 1.0)
        dense = min(_DENSE * unit, _DENSEST)
        x, y = (_count(low, high, dense) for low, high in ((_ASIDE, _ASIDE), (_ABOVE, _BELOW)))
        self._origin, self._dense = self._find_origin(), dense
        self.clear = ends_in_lip(image, lip_shapes.parting)
        """Whether it is plain where the portrait's own open mouth ends."""
        self._own = shows_teeth(image, light, lip_shapes.parting)
        self._whole = self._own and shows_all(image, light, lip_shapes.parting)
        warm = _OWN_WARM if self._own else _WARM
        around = light.skin + _LIPS_SHARE * (self._palette.lip - light.skin)
        self._warmth = (warm * light.tint * (around / luma_of(around) - 1)).astype(np.float32)
        if self._own:
            teeth = cut_own_mouth(image, lip_shapes, self._palette, self._origin[:2], x=x, y=y)
        else:
            whitest, softness = _brightest(image, landmarks), _TEETH_SOFT * light.blur / unit
            turned = float(lip_shapes.axes[2, 0] / lip_shapes.axes[0, 0])
            halves = np.abs(unroll(self._find_corners(), turned)) * np.clip(1 + _FACING * turned * _SIDES, 0.5, 1.5)
            teeth = draw_teeth(
                unroll(x, turned), y, light, self._palette, halves=halves, whitest=whitest, softness=softness
            )
        self._squeezed = np.clip(np.abs(self._find_corners()) / _HALF, *_SQUEEZED).astype(np.float32)
        self._lower_teeth = draw_lower_teeth(_whitest(teeth, x, y), self._palette, _TEETH_SOFT * light.blur / unit)
        rows, columns = (int(np.ceil(len(line) * unit / dense)) for line in (y, x))
        grain = cv2.resize(light.grain_for(rows, columns), (len(x), len(y)))[..., None]
        teeth[..., :3] += grain * (1 - teeth[..., 3:]) if self._own else grain
        self._teeth = np.ascontiguousarray(teeth, np.float32)

    def window(self, project: Project, pose: Pose, height: int, width: int) -> Window:
        """Tell which rows and columns of a frame the mouth can touch: there, the lower field's frame is needed."""
        points = project(np.concatenate((self._shapes.rim(pose), self._shapes.lines(pose)[0])))
        left, top = np.maximum(np.floor(points.min(0)).astype(int) - 4, 0)
        right, bottom = np.ceil(points.max(0)).astype(int) + 4
        return slice(int(top), min(int(bottom), height)), slice(int(left), min(int(right), width))

    def corners(self, project: Project, pose: Pose, height: int, width: int) -> list[Window]:
        """Tell in which rows and columns of a frame ``light_corners`` changes anything: two windows, or none."""
        if not self._lit(pose):
            return []
        around = AROUND * self._unit
        ends = [
            [
                slice(*np.clip((round(at - around), round(at + around) + 1), 0, size))
                for at, size in zip(place, (width, height), strict=True)
            ]
            for place in project(self._shapes.lines(pose)[0][[0, -1]]).tolist()
        ]
        return [(rows, columns) for columns, rows in ends]

    def _lit(self, pose: Pose) -> float:
        """Say how much light corners get, 0 … 1."""
        amounts = self._shapes.measure(pose)
        return (1 - amounts.own) * share_for(amounts.gap, amounts.rounding)

    def light_corners(self, part: Array, places: Array, pose: Pose) -> None:
        """Take off what is drawn of a face the lines in which its shut mouth ends, in place.

        Args:
            part: (h, w, 3) RGB drawn with either field.
            places: (h, w, 2) where in the portrait each pixel of that comes from.
            pose: The pose.
        """
        self._corner_light.lay(part, places, self._lit(pose))

    def light_lip(self, lower: Array, places: Array, pose: Pose) -> None:
        """Take off what is drawn of the lower lip what lay beside it in the portrait, in place.

        Args:
            lower: (h, w, 3) RGB drawn with the lower field.
            places: (h, w, 2) where in the portrait each pixel of that comes from.
            pose: The pose.
        """
        amounts = self._shapes.measure(pose)
        apart = 1 - amounts.own if self._shapes.parting.shown else amounts.trim
        self._lip_light.lay(lower, places, apart * (1 - amounts.tuck))

    def paint(
        self, frame: Array, lower: Array, window: Window, project: Project, pose: Pose, *, scale: float = 1.0
    ) -> None:
        """Put the mouth of a frame together, in place.

        Args:
            frame: (h, w, 3) RGB drawn with the upper field everywhere.
            lower: The same drawn with the lower field and lit by ``light_lip``, only in ``window``; it is used up.
            window: What ``window`` gave for this pose.
            project: How the head stands in this frame.
            pose: The pose.
            scale: Pixels of the frame for each of the portrait.
        """
        amounts = self._shapes.measure(pose)
        if not amounts.parts.any() or lower.size == 0:
            return
        edges = [project(line).astype(np.float64) for line in self._shapes.lines(pose)]
        unit = scale * self._unit
        hair = _HAIR * unit * self._hairs(amounts)
        bench = _Bench(edges, window, unit, scale * self._half_ramp, hair, reach=self._shapes.reach)
        part = frame[window]
        bench.join(part, lower)
        inner = bench.inner
        if inner is None:
            return
        view = part[inner]
        view += bench.opening * (self._colour(bench, amounts, project, view) - view)

    def _hairs(self, amounts: Amounts) -> float:
        """Tell how far shut lips must be trimmed to meet on a dark line: not where the portrait shows its own."""
        return 1 - amounts.own if self._shapes.parting.shown else 0.0

    def _find_origin(self) -> Array:
        """Find the middle of the arch (3,): where the face's midline meets the line on which shut lips meet."""
        parting, points = self._shapes.parting, self._shapes.points
        along = parting.bite.locate(((points[13] + points[14]) / 2)[None, :2])[0, 0]
        station = round((float(np.clip(along, -0.9, 0.9)) + 1) / 2 * (len(parting.upper) - 1))
        share = 0.28 if parting.shown else 0.5
        return (parting.upper[station] + share * (parting.lower[station] - parting.upper[station])).astype(np.float32)

    def _find_corners(self) -> Array:
        """Find where across the head both corners are: (2,) in I from the arch's middle."""
        across = np.linalg.inv(self._shapes.axes[:2, :2] * self._unit)
        return ((self._shapes.parting.upper[[0, -1], :2] - self._origin[:2]) @ across)[:, 0].astype(np.float32)

    def _colour(self, bench: _Bench, amounts: Amounts, project: Project, upper: Array) -> Array:
        """Colour the interior (h, w, 3) where the bench is open."""
        palette, wide = self._palette, float(np.clip(amounts.gap / 0.2, 0, 1))
        table = cv2.addWeighted(self._cavities[0], 1 - wide, self._cavities[1], wide, 0)
        depth, aside = bench.depth * (table.shape[0] - 1), bench.across * (table.shape[1] - 1)
        colour = np.asarray(cv2.remap(table, aside, depth, cv2.INTER_LINEAR), np.float32)
        self._lay_lower_teeth(colour, bench, amounts.gap, project)
        rim = np.maximum(1 - bench.under / (_WET_DEEP * bench.unit), 0)
        rim *= rim
        rim *= smooth_fall((bench.across - _WET_FROM) / _WET_OVER)
        colour += _tripled(rim * _WET_LIP) * ((palette.lip * (1 + _WET)).astype(np.float32) - colour)
        teeth = self._view_teeth(bench, project)
        shut = max(1 - amounts.gap / self._shapes.own_gap, 0.0) if self._own else 0.0
        lid = np.maximum(1 - bench.over / (_SHADOW_DEEP * (1 + shut) * bench.unit), 0)
        lit = 1 - (1 - _SHADOW) * lid * np.sqrt(lid)
        lit *= _DIM + (1 - _DIM) * float(np.clip(amounts.gap / _DIM_UNTIL, 0, 1))
        lit *= 1 - _ROUND_DIM * amounts.rounding
        if self._own:
            lit = 1 - (_OWN_SHADOW + _OWN_SHUT_SHADOW * shut) * (1 - lit)
            lit *= 1 - (1 - amounts.own) * (_OWN_DIM + _OWN_SHUT * shut)
        colour *= _tripled(1 - teeth[..., 3])
        colour += cv2.cvtColor(teeth, cv2.COLOR_RGBA2RGB)
        shadow = _tripled(1 - lit)
        colour *= (1 - shadow) * (1 + shadow * self._warmth)
        narrow = np.clip(bench.height / (_NARROW * bench.unit), 0, 1)
        seam = palette.seam.astype(np.float32)
        colour -= seam
        colour *= _tripled(narrow * narrow * (3 - 2 * narrow))
        colour += seam
        if amounts.own and self._shapes.parting.shown:
            colour += amounts.own**2 * (upper - colour)
        return np.asarray(colour, np.float32)

    def _lay_lower_teeth(self, colour: Array, bench: _Bench, gap: float, project: Project) -> None:
        """Lay the row that moves with the lower lip over the cavity (h, w, 3), in place."""
        shown = shown_at(gap)
        if not shown or self._whole:
            return
        middle = project(self._origin[None])[0]
        aside = bench.along(middle) / np.float32(bench.unit)
        across = (np.where(aside < 0, aside / self._squeezed[0], aside / self._squeezed[1]) + ASIDE) * DENSE
        down = np.float32((HIGH - FULL + shown) * DENSE) - bench.under * np.float32(DENSE / bench.unit)
        seen = cv2.remap(self._lower_teeth, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        colour *= _tripled(1 - seen[..., 3])
        colour += cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB)

    def _view_teeth(self, bench: _Bench, project: Project) -> Array:
        """Carry the texture that stands still in the skull to the bench's open part: (h, w, 4)."""
        step = self._shapes.axes[:2] * self._unit
        places = project(np.stack((self._origin, self._origin + step[0], self._origin + step[1])).astype(np.float32))
        origin, across, down = places[0], places[1] - places[0], places[2] - places[0]
        matrix = np.column_stack((across, down)) / self._dense
        start = origin - matrix @ (_ASIDE * self._dense, _ABOVE * self._dense) - bench.corner
        height, width = bench.opening.shape[:2]
        seen = cv2.warpAffine(self._teeth, np.column_stack((matrix, start)), (width, height), flags=cv2.INTER_LINEAR)
        return np.asarray(seen, np.float32)


class _Bench:
    """Where each pixel of a frame's mouth lies between the lips."""

    def __init__(
        self,
        edges: list[NDArray[np.float64]],
        window: Window,
        unit: float,
        half_ramp: float,
        hair: float,
        *,
        reach: tuple[float, float],
    ) -> None:
        """Lay out two edges (n, 2) in the frame's pixels over a window of it; between them it is open within reach."""
        self._window, self._half_ramp, self.unit, self._reach = window, half_ramp, unit, reach
        upper, lower = edges
        left, right = upper[0], upper[-1]
        self._span = max(float(np.hypot(*(right - left))), 1.0)
        self._along = (right - left) / self._span
        self._origin = left
        self._margin = 0.25 * self._span
        self._table = self._tabulate(upper, lower, hair)
        top, bottom = (points[:, 1] for points in (np.minimum(upper, lower), np.maximum(upper, lower)))
        across = np.concatenate((upper[:, 0], lower[:, 0]))
        edge = half_ramp + hair + 1
        rows = self._cut(float(top.min()) - edge, float(bottom.max()) + edge, window[0])
        columns = self._cut(float(across.min()) - edge, float(across.max()) + edge, window[1])
        self.inner = (rows, columns) if rows.stop > rows.start and columns.stop > columns.start else None
        if self.inner is not None:
            self._measure(rows, columns)

    def _tabulate(self, upper: NDArray[np.float64], lower: NDArray[np.float64], hair: float) -> Array:
        """Tabulate along the mouth, with a margin: both edges across it, and how much each leans."""
        side = np.array((-self._along[1], self._along[0]))
        places = np.linspace(-self._margin, self._span + self._margin, _COLUMNS)
        edges = []
        for line in (upper, lower):
            order = np.maximum.accumulate((line - self._origin) @ self._along + np.arange(len(line)) * 1e-3)
            edges.append(np.interp(places, order, (line - self._origin) @ side))
        inside = np.clip(np.minimum(places, self._span - places) / (0.1 * self._span), 0, 1) * hair
        middle = (edges[0] + edges[1]) / 2
        top, bottom = np.minimum(edges[0], middle) - inside, np.maximum(edges[1], middle) + inside
        step = places[1] - places[0]
        lean = [1 / np.sqrt(1 + np.gradient(edge, step) ** 2) for edge in (top, bottom)]
        return np.stack((top, bottom, *lean), -1).astype(np.float32)

    def _cut(self, low: float, high: float, within: slice) -> slice:
        """Cut a range of pixels out of a window, counted from its beginning."""
        size = within.stop - within.start
        start = min(max(int(np.floor(low)) - within.start, 0), size)
        return slice(start, min(max(int(np.ceil(high)) + 1 - within.start, start), size))

    def _locate(self, rows: slice, columns: slice) -> tuple[Array, Array]:
        """Give the table's rows for pixels of the window, (h, w, 4), and where they lie across the mouth, (h, w)."""
        x = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(
            self._window[1].start - self._origin[0]
        )
        y = np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(self._window[0].start - self._origin[1])
        cos, sin = np.float32(self._along[0]), np.float32(self._along[1])
        self._place = x[None] * cos + y[:, None] * sin
        scale = np.float32((_COLUMNS - 1) / (self._span + 2 * self._margin))
        entry = ((self._place + np.float32(self._margin)) * scale + np.float32(0.5)).astype(np.int32)
        return np.take(self._table, entry, axis=0, mode="clip"), y[:, None] * cos - x[None] * sin

    def _measure(self, rows: slice, columns: slice) -> None:
        """Measure every pixel of the open part."""
        table, across = self._locate(rows, columns)
        self._aside = self._place
        top, bottom = table[..., 0], table[..., 1]
        over, under = across - top, bottom - across
        self.corner = np.array((self._window[1].start + columns.start, self._window[0].start + rows.start), np.float64)
        upper, lower = self._ramp(over * table[..., 2]), self._ramp(-under * table[..., 3])
        self.opening = _tripled(np.maximum(upper - lower, 0))
        self.height = bottom - top
        self.over, self.under = np.maximum(over, 0), np.maximum(under, 0)
        self.depth = np.clip(over / np.maximum(self.height, 1e-3), 0, 1)
        left, right = self._reach
        half, middle = (left + right) / 2, (right - left) / 2
        station = self._place * np.float32(2 / self._span / half) - np.float32((1 + middle) / half)
        self.across = np.minimum(np.abs(station), 1)

    def along(self, middle: Array) -> Array:
        """Say how far along the mouth each pixel of the open part (h, w) lies from a place (2,), in pixels."""
        return self._aside - np.float32((middle - self._origin) @ self._along)

    def _ramp(self, distance: Array) -> Array:
        """Turn a distance in pixels past an edge into coverage."""
        ramp = np.asarray(distance / np.float32(2 * self._half_ramp), np.float32)
        ramp += np.float32(0.5)
        ramp.clip(0, 1, out=ramp)
        return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)

    def join(self, part: Array, lower: Array) -> None:
        """Lay the lower field over the upper one below the opening, in place; ``lower`` is used up.

        Args:
            part: (h, w, 3) the window with the upper field.
            lower: The same with the lower one.
        """
        height, width = part.shape[:2]
        table, across = self._locate(slice(0, height), slice(0, width))
        below = across - table[..., 1]
        cover = self._ramp(below * table[..., 3])
        near = [np.minimum(np.arange(size), size - 1 - np.arange(size)) / _WINDOW_EDGE for size in (height, width)]
        cover *= np.minimum(np.minimum(near[0][:, None], near[1][None]), 1).astype(np.float32)
        lower -= part
        lower *= _tripled(cover)
        part += lower


def _whitest(teeth: Array, x: Array, y: Array) -> Array:
    """Read the colour of the middle teeth (3,) in their picture (h, w, 4) at places x and y in I."""
    middle = teeth[np.abs(y) < _MIDDLE[1]][:, np.abs(x) < _MIDDLE[0]].reshape(-1, 4)
    bright = luma_of(middle[:, :3])
    return np.median(middle[bright >= np.percentile(bright, _LIT), :3], axis=0).astype(np.float32)


def _tripled(values: NDArray[Any]) -> Array:
    """Give each of three channels the same values, (h, w) to (h, w, 3)."""
    return np.asarray(cv2.cvtColor(np.asarray(values, np.float32), cv2.COLOR_GRAY2RGB), np.float32)


def _count(low: float, high: float, dense: float) -> Array:
    """Count from −low to high in steps of 1 / dense."""
    return (np.arange(round((low + high) * dense)) / dense - low).astype(np.float32)


def _brightest(image: Array, landmarks: Landmarks) -> float:
    """Measure the brightness that hardly anything in the face exceeds."""
    points = landmarks.points[list(_FACE), :2]
    left, top = np.maximum(points.min(0), 0).astype(int)
    right, bottom = points.max(0).astype(int) + 1
    part = luma_of(image[top:bottom, left:right])
    return float(np.percentile(part, _BRIGHTEST)) if part.size else 1.0
