"""Move a portrait's lips, jaw and cheeks: two fields of displacements, linear in what each part of a mouth does.

The upper field knows nothing of the lower lip and the lower field nothing of the upper one; away from the mouth both
are one. A frame takes the upper one above the opening and the lower one below it. Both are thin-plate splines through
points of the mesh, solved once per portrait and read at the nodes of a grid; a pose only weighs them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_rise
from ....faces.geometry import LIPS_LOWER_OUTER, OVAL
from ....types import Landmarks
from .depth import DEPTH
from .folds import measure_fold
from .grid import WHOLE, Window
from .lip_controls import (
    TUCKED,
    Controls,
    Matrix,
    find_reach,
    measure_heights,
    tie_around,
    tie_edges,
    tie_rims,
)
from .lip_curves import CLOSABLE, CLOSING, PARTS, WIDEST, Amounts, Limits, measure_amounts
from .parting import STATIONS, Parting, find_axes
from .pose import Pose
from .splines import ThinPlate

Array = NDArray[np.float32]

_STIFFNESS = (
    1e-4  # bending against passing through, lengths in I; 0 lets crossing points of a tilted mesh fold the field
)
_RINGS = ((1.35, 0.5), (1.7, 0.1), (2.4, 0.0))  # times the oval: all is still there, but for this share below the chin
_FADE_FROM, _FADE_TO = 1.35, 1.70  # times the oval: where the field is faded to nothing …
_FADE_BELOW = 0.7  # … and how much further that is below the chin
_HIGH = (168, 33, 133, 145, 263, 362, 374)  # bridge of the nose and lower lids: nothing above the lowest of them moves
_JOIN = 0.16  # I beyond a lip's rim or a corner at which both fields are one
_ASIDE = 0.12  # I aside of a corner, for the same
_MIDST = 0.03  # I over which the joint field turns from the upper to the lower one, aside of the corners
_FOLD = (
    0.85  # factor by which inverting a field's error may shrink in each round; above 0.95 jags are seen (40 portraits)
)
_WIDTH = 0.79  # I, median of 110 mouths: smaller ones follow changes of width less
_LEAST_SHARE = 0.3  # of the widest probe's gap that even a face in profile opens to
_SHUT = 0.02  # I: what counts as shut
_NARROWINGS = 3  # times a narrow mouth is tried: closing an open one, which stays the same, has a part in its folds
_PARTING = 0.12  # stations from the opening's end over which the seam's dark line is left to the lips
_STILL = 1e-3  # pixels: fields smaller than this everywhere are cut off


_PROBES = (Pose(gap=0.3, jaw=1.0), Pose(gap=0.07, width=-0.2, rounding=1.0), Pose())


class LipShapes:
    """The fields of one portrait's mouth.

    Attributes:
        area: The rows and columns of nodes outside of which every displacement is zero.
        own_gap: The portrait's own gap between the lips in I; 0 where they are shut.
        closable: Whether that can be shut.
        parting: Where the portrait's own lips part.
        reach: At which |station| the opening ends at picture left and right.
        points: (468, 3) the mesh in the portrait's pixels.
        axes: (3, 3) the head's axes, one a row: to picture right, down, away.
    """

    def __init__(self, landmarks: Landmarks, nodes: Array, parting: Parting) -> None:
        """Solve the fields.

        Args:
            landmarks: The face in the portrait's pixels.
            nodes: (gh, gw, 2) pixel positions of the grid's nodes.
            parting: Where the portrait's own lips part (``find_parting``).
        """
        points = landmarks.points.astype(np.float64)
        self.parting, self.axes = parting, find_axes(points)
        self.own_gap = parting.gap if parting.shown else 0.0
        self._seam = 0.0 if parting.shown else parting.gap
        self.points = points
        self._splines = {upper: self._solve(points, upper=upper) for upper in (True, False)}
        self._lay_lines(points)
        self._lay_fields(points, nodes)
        self.closable = True
        self._within(Limits())
        limits, self.closable = self._find_limits(nodes)
        self._within(limits)

    def measure(self, pose: Pose) -> Amounts:
        """Turn a pose into amounts of every part's field; those of the last pose are remembered."""
        last, amounts = self._last
        if last is not pose:
            amounts = measure_amounts(pose, self.own_gap, self._seam, self._limits)
            self._last = pose, amounts
        return amounts

    def _within(self, limits: Limits) -> None:
        self._limits = limits
        at_rest = Pose(rest=1.0)
        self._last: tuple[Pose, Amounts] = at_rest, measure_amounts(at_rest, self.own_gap, self._seam, limits)

    def displace(self, pose: Pose) -> tuple[Array, Array]:
        """Displace the grid's nodes.

        Returns:
            The upper and the lower field, (gh, gw, 3) each: x, y, z in pixels; outside ``area`` they are zero.
        """
        upper, lower = (self.field(pose, upper=upper) for upper in (True, False))
        return upper, lower

    def field(self, pose: Pose, *, upper: bool, window: Window = WHOLE) -> Array:
        """Displace the grid's nodes in a window by one of the fields, (rows, columns, 3) as ``displace`` does."""
        (top, bottom), (left, right) = (span.indices(count)[:2] for span, count in zip(window, self._size, strict=True))
        field = np.zeros((bottom - top, right - left, 3), np.float32)
        rows, columns = self.area
        first, last = max(rows.start, top), min(rows.stop, bottom)
        start, stop = max(columns.start, left), min(columns.stop, right)
        if first < last and start < stop:
            basis = self._bases[0 if upper else 1]
            basis = basis[:, first - rows.start : last - rows.start, start - columns.start : stop - columns.start]
            here = field[first - top : last - top, start - left : stop - left]
            np.einsum("p,prcx->rcx", self.measure(pose).parts, basis, out=here)  # a product would wake idle threads
        return field

    def lines(self, pose: Pose) -> tuple[Array, Array]:
        """Displace the lips' inner edges.

        Returns:
            Lower edge of the upper lip and upper edge of the lower lip, (n, 3) each, in the portrait's pixels, from
            picture left to picture right; both begin and end in the corners.
        """
        amounts = self.measure(pose)
        upper, lower, tucked = (
            rest + np.tensordot(amounts.parts, moves, 1) for rest, moves in (self._upper, self._lower, self._tucked)
        )
        if not self.parting.shown:
            shut = 1 - amounts.trim * self._parted
            upper = upper + shut * self._to_seam[0]
            lower = lower + shut * self._to_seam[1]
        lower = lower + amounts.tuck * (tucked - lower)
        upper[[0, -1]] = lower[[0, -1]] = (upper[[0, -1]] + lower[[0, -1]]) / 2
        return upper.astype(np.float32), lower.astype(np.float32)

    def rim(self, pose: Pose) -> Array:
        """Displace points (n, 3) that surround everything in which the two fields differ."""
        rest, moves = self._rim
        return rest + np.tensordot(self.measure(pose).parts, moves, 1)

    def _solve(self, points: Matrix, *, upper: bool) -> ThinPlate:
        """Solve one field: (parts · 3) values in I along the head's axes at places in I."""
        around = tie_around(points, self.parting)
        rims = tie_rims(points, self.parting, upper=upper)
        controls = around.joined(rims).joined(tie_edges(points, self.parting, upper=upper))
        controls = controls.joined(_ring(points, around))
        values = controls.moves.transpose(1, 0, 2)
        return ThinPlate(controls.places / self.parting.unit, values.reshape(len(values), -1), _STIFFNESS)

    def _read(self, places: Matrix, *, upper: bool) -> Matrix:
        """Read a field at places (n, 2) in pixels: (parts, n, 3) in pixels along the picture's axes."""
        read = self._splines[upper].read(places / self.parting.unit).reshape(len(places), len(PARTS), 3)
        return (read @ (self.axes * self.parting.unit)).transpose(1, 0, 2)

    def _lay_lines(self, points: Matrix) -> None:
        """Read the fields along the lines that frames need."""
        parting = self.parting
        chosen = slice(None, None, 2)
        upper, lower = parting.upper[chosen].astype(np.float64), parting.lower[chosen].astype(np.float64)
        down = self.axes[1] * parting.unit
        heights = measure_heights(points, parting, STATIONS[chosen], upper=False)
        tucked = lower + TUCKED * heights[:, None] * down
        middle = (upper + lower) / 2
        self._to_seam = (middle - upper).astype(np.float32), (middle - lower).astype(np.float32)
        self.reach = left, right = (1.0, 1.0) if parting.shown else find_reach(parting)
        stations = STATIONS[chosen]
        reached = np.where(stations < 0, stations + left, right - stations)
        self._parted = np.clip(reached / _PARTING, 0, 1)[:, None].astype(np.float32) if not parting.shown else 1.0
        rim = points[list(LIPS_LOWER_OUTER)] + _JOIN * down
        aside = self.axes[0] * parting.unit * _ASIDE
        rim = np.concatenate((rim, upper[:1] - aside, upper[-1:] + aside, upper))
        self._upper, self._lower, self._tucked, self._rim = (
            (line.astype(np.float32), self._read(line[:, :2], upper=from_upper).astype(np.float32))
            for line, from_upper in ((upper, True), (lower, False), (tucked, False), (rim, False))
        )

    def _lay_fields(self, points: Matrix, nodes: Array) -> None:
        """Read both fields at the nodes, join them away from the mouth, and cut off where they are nothing."""
        flat = nodes.reshape(-1, 2).astype(np.float64)
        fade = fade_out(points, flat, self.axes)
        near = fade > 0
        places = flat[near]
        apart, below = _apart(points, self.parting, places)
        joint = np.zeros((len(PARTS), len(places), 3))
        for upper, share in ((True, 1 - below), (False, below)):
            some = share > 0
            joint[:, some] += self._read(places[some], upper=upper) * share[some, None]
        fields = np.zeros((2, len(PARTS), len(flat), 3), np.float32)
        for field, upper, free in zip(fields, (True, False), apart, strict=True):
            own, mouth = joint.copy(), free > 0
            held = _hold(self.parting, places[mouth], upper=upper)
            own[:, mouth] += (self._read(held, upper=upper) - own[:, mouth]) * free[mouth, None]
            field[:, near] = own * fade[near, None]
        size = nodes.shape[:2]
        flat_fields = fields.reshape(2 * len(PARTS), -1)
        most = np.maximum(flat_fields.max(0), -flat_fields.min(0)).reshape(*size, 3)
        moving = np.asarray(most.max(2) > _STILL)
        rows, columns = np.flatnonzero(moving.any(1)), np.flatnonzero(moving.any(0))
        self.area = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        cut = fields.reshape(2, len(PARTS), *size, 3)[:, :, self.area[0], self.area[1]]
        self._bases = np.ascontiguousarray(cut)
        self._size = size

    def _measure_width(self) -> float:
        """Measure the mouth from corner to corner in I."""
        return float(np.linalg.norm((self.points[291] - self.points[61]) * (1, 1, DEPTH))) / self.parting.unit

    def _find_limits(self, nodes: Array) -> tuple[Limits, bool]:
        """Find how far this mouth goes before its fields fold, and whether it can be shut."""
        along, across = np.moveaxis(self.parting.bite.locate(nodes.reshape(-1, 2)).reshape(nodes.shape), -1, 0)
        lines = (self.parting.upper, self.parting.lower)
        edges = (np.interp(along, STATIONS, self.parting.bite.locate(line[:, :2])[:, 1]) for line in lines)
        seen = [across < next(edges), across > next(edges)]

        def fold(pose: Pose) -> float:
            return max(
                measure_fold(field, nodes, where) for field, where in zip(self.displace(pose), seen, strict=True)
            )

        wide, shut = fold(_PROBES[0]), fold(_PROBES[2])
        shapes = Limits(
            widest=min(WIDEST, _PROBES[0].gap * max(_FOLD / max(wide, 1e-6), _LEAST_SHARE)),
            least=max(self.own_gap * (1 - _FOLD / max(shut, 1e-6)), 0.0),
            shaped=min(1.0, self._measure_width() / _WIDTH),
        )
        for _ in range(_NARROWINGS):
            self._within(shapes)
            shapes = replace(shapes, shaped=shapes.shaped * min(_FOLD / max(fold(_PROBES[1]), 1e-6), 1.0))
        if self.own_gap > CLOSABLE:
            closing = float(np.interp(self.own_gap, *CLOSING))
            shapes = replace(shapes, least=max(shapes.least, self.own_gap - closing))
        return shapes, shapes.least <= _SHUT


def _ring(points: Matrix, around: Controls) -> Controls:
    """Surround the face with points that stay still, but for those below the chin."""
    oval = points[list(OVAL), :2]
    middle = (oval.min(0) + oval.max(0)) / 2
    chin = points[152, :2] - points[10, :2]
    moves = np.zeros((len(PARTS), len(_RINGS) * len(oval), 3))
    places = np.concatenate([middle + (oval - middle) * far for far, _ in _RINGS])
    for ring, (_, share) in enumerate(_RINGS):
        for number, place in enumerate(oval):
            distance = np.linalg.norm(around.places - place, axis=1)
            if share and distance.min() < 1e-6 and (place - middle) @ chin > 0:
                moves[:, ring * len(oval) + number] = share * around.moves[:, int(distance.argmin())]
    return Controls(places, moves)


def fade_out(
    points: Matrix,
    places: Matrix,
    axes: Matrix,
    *,
    span: tuple[float, float] = (_FADE_FROM, _FADE_TO),
    below: float = _FADE_BELOW,
) -> Matrix:
    """Fade the fields out beyond the oval and from the tip of the nose to its bridge: (n,) 0 … 1.

    Args:
        points: (468, 3) the mesh.
        places: (n, 2) in the same pixels.
        axes: The head's.
        span: Times the oval, from where and up to where.
        below: How much further that is below the chin.
    """
    oval = points[list(OVAL), :2]
    middle = (oval.min(0) + oval.max(0)) / 2
    turn = np.arctan2(*(oval - middle).T[::-1])
    order = np.argsort(turn)
    away = places - middle
    here = np.arctan2(away[:, 1], away[:, 0])
    radius = np.interp(here, turn[order], np.hypot(*(oval - middle).T)[order], period=2 * np.pi)
    far = np.hypot(*away.T) / radius
    down = axes[1, :2] / np.hypot(*axes[1, :2])
    low = np.clip(away @ down / np.maximum(np.hypot(*away.T), 1e-6), 0, 1) ** 2
    reach = 1 + below * low
    outer = 1 - smooth_rise((far - span[0] * reach) / ((span[1] - span[0]) * reach))
    high, tip = float((points[list(_HIGH), :2] @ down).max()), points[1, :2] @ down
    return outer * smooth_rise((places @ down - high) / max(tip - high, 1.0))


def _hold(parting: Parting, places: Matrix, *, upper: bool) -> Matrix:
    """Bring places (n, 2) beyond a lip's inner edge back to it.

    There a field is never looked at, and is best what it is at the edge: so inverting it by iteration does not stray.
    """
    along, across = parting.bite.locate(places).T
    edge = np.interp(along, STATIONS, parting.bite.locate((parting.upper if upper else parting.lower)[:, :2])[:, 1])
    return parting.bite.place(along, np.minimum(across, edge) if upper else np.maximum(across, edge))


def _apart(points: Matrix, parting: Parting, places: Matrix) -> tuple[tuple[Matrix, Matrix], Matrix]:
    """Tell how far each field is its own at places (n, 2), 0 … 1, and how far below the lips each place is, 0 … 1.

    The upper field, never looked at below the lips, has all the way from there to become the joint one; the lower field
    is the joint one below the lips anyway.
    """
    along, across = parting.bite.locate(places).T
    inside = np.clip(along, -1, 1)
    edges = (parting.bite.locate(edge[:, :2])[:, 1] for edge in (parting.upper, parting.lower))
    upper, lower = (np.interp(inside, STATIONS, edge) for edge in edges)
    bottom = lower + measure_heights(points, parting, inside, upper=False) + _JOIN
    half = float(np.hypot(*parting.bite.along)) / parting.unit
    aside = 1 - smooth_rise((np.abs(along) - 1) * half / _ASIDE)
    below = smooth_rise((across - (upper + lower) / 2) / _MIDST / 2 + 0.5)
    return (aside * (1 - smooth_rise((across - upper) / (bottom - upper))), aside), below
