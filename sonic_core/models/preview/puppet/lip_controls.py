"""The points by which a mouth's fields are tied to the mesh, and how each part of the mouth moves each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ....faces.geometry import LIPS_LOWER_OUTER, LIPS_UPPER_OUTER
from .lip_curves import PARTS
from .parting import STATIONS, Parting

Matrix = NDArray[np.float64]

PROFILE_UPPER = (0.0, 0.28, 0.60, 0.83, 0.96, 1.0)
PROFILE_LOWER = (0.0, 0.32, 0.60, 0.82, 0.96, 1.0)
"""How far a lip's points move, from corner to middle, against the middle; measured like the curves, but less beside the
corners, which lie farther out than the points that were measured."""
_STILL = (1, 4, 6, 168, 8, 10, 33, 133, 263, 362, 145, 374, 50, 280, 36, 266, 101, 330, 117, 346, 123, 352, 93, 323,
          234, 454, 127, 356, 48, 278, 129, 358, 132, 361)  # fmt: skip
_CROWDED = 1.2  # the mesh's lip points lie closer together towards the corners: their places as a power of their count
_RIM_LOWER = (0.0, 0.20, 0.50, 0.78, 0.95, 1.0)
"""The same for the lower lip's outer rim: beside the corners it moves less than the edge, else the skin under them is
stretched into pockets."""
_OPENS = 0.6  # share of the way from where the lower lip's red ends to a corner at which a shut mouth's opening ends …
_CARRIED, _CARRIED_FULL = 0.35, 0.20  # … and to which the red is carried; I of the lower lip's way over which it is
_ROUND, _ROUND_POWER = 0.85, 1.0  # a rounded opening: an oval of this share of the lips' width, and how it is bent
_SWING = 0.25  # how far the chin goes back for each I down; it turns about the ears
_SPAN = 0.5  # I by which a corner moves outward for each I of width
_LIFTED, _BACK = 0.35, 0.27  # … upward and back; measured like the curves
_LOWER_BACK = 0.12  # … and the middle of the lower lip's edge
_FULLER = 0.075  # … and by which the lips' rims move in: what lips lose in width they gain in height
_PROTRUDED, _RIM_PROTRUDED, _CORNER_PROTRUDED = 0.10, 0.05, 0.03  # I forward in a full o, u or w
_ROUND_UPPER, _ROUND_LOWER, _ROUND_CORNER = 0.010, 0.022, 0.015  # I: lips grow in height, corners come inward
_UPPER_BULGE, _LOWER_BULGE = 0.016, 0.002
"""I by which rims swell between middle and corner: a pursed upper lip loses its bow, and the lower one stays round."""
_THICK = 0.08  # I: where a lip is less thick, its rim swells less: rim and edge, close by, must not part
_PRESSED_UPPER, _PRESSED_LOWER = 0.20, 0.16  # share of a lip that turns inward in p, b and m
TUCKED = 0.45
"""Share of the lower lip that goes behind the upper teeth in f and v."""
_TUCKED_RIM = 0.26  # share of its height by which its outer rim follows
_CLOSE_UPPER, _CLOSE_RIM = 0.28, 0.66  # what the upper lip does of closing an open mouth; what rims follow of it

_AROUND: dict[str, dict[int, float]] = {
    "upper_rim": {164: 0.55, 167: 0.50, 165: 0.35, 92: 0.20, 2: 0.10, 97: 0.08, 98: 0.05, 186: 0.10},
    "lower_rim": {18: 0.60, 83: 0.57, 182: 0.48, 106: 0.33, 43: 0.15},
    "chin": {18: 0.40, 83: 0.38, 182: 0.36, 106: 0.30, 200: 1.0, 201: 0.95, 194: 0.80, 204: 0.55, 199: 0.50, 208: 0.40,
             202: 0.40, 43: 0.20, 32: 0.30, 211: 0.25, 212: 0.15, 57: 0.08},
    "tip": {199: 0.50, 208: 0.45, 32: 0.55, 211: 0.50, 175: 1.0, 152: 1.0, 148: 0.98, 176: 0.93, 149: 0.84, 150: 0.70,
            136: 0.50, 172: 0.26, 58: 0.10, 171: 0.96, 140: 0.92, 170: 0.78, 169: 0.60, 135: 0.45, 138: 0.24,
            210: 0.55, 214: 0.32, 192: 0.14, 202: 0.15, 212: 0.18, 204: 0.15},
    "corner": {57: 0.70, 43: 0.60, 186: 0.40, 212: 0.50, 216: 0.30, 202: 0.40, 106: 0.20, 92: 0.15, 207: 0.15},
    "width": {57: 0.90, 43: 0.65, 186: 0.65, 212: 0.60, 216: 0.40, 202: 0.40, 207: 0.30, 206: 0.30, 205: 0.12,
              106: 0.35, 182: 0.18, 92: 0.35, 165: 0.25, 214: 0.20, 192: 0.12, 204: 0.20, 187: 0.10, 210: 0.15},
}  # fmt: skip
"""Share of a part's motion that points around the lips make, picture-left side; the other side mirrors it. From the
clips where they are on the midline or the jaw, else set between their neighbours."""
_MIRROR = {
    164: 164, 167: 393, 165: 391, 92: 322, 2: 2, 97: 326, 98: 327, 186: 410, 18: 18, 83: 313, 182: 406, 106: 335,
    43: 273, 200: 200, 201: 421, 194: 418, 204: 424, 199: 199, 208: 428, 202: 422, 32: 262, 211: 431, 212: 432,
    57: 287, 175: 175, 152: 152, 148: 377, 176: 400, 149: 378, 150: 379, 136: 365, 172: 397, 58: 288, 171: 396,
    140: 369, 170: 395, 169: 394, 135: 364, 138: 367, 210: 430, 214: 434, 192: 416, 216: 436, 207: 427, 206: 426,
    205: 425, 187: 411,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Controls:
    """Points at which a field is known, and what it is there."""

    places: Matrix
    """(n, 2) pixels."""
    moves: Matrix
    """(parts, n, 3): for one unit of each part, in I along the head's axes."""

    def joined(self, other: Controls) -> Controls:
        """Put two sets into one."""
        return Controls(np.concatenate((self.places, other.places)), np.concatenate((self.moves, other.moves), 1))


def profile(stations: Matrix, fractions: tuple[float, ...]) -> Matrix:
    """Spread what lip points do from corner to middle over stations −1 … 1; 0 beyond the corners."""
    inward = np.linspace(0, 1, len(fractions)) ** _CROWDED
    return PchipInterpolator(inward, np.array(fractions))(1 - np.clip(np.abs(stations), 0, 1))


def find_reach(parting: Parting) -> tuple[float, float]:
    """Find at which |station| the mouth's opening ends at picture left and right: near where there is lip below it."""
    left, right = (red + _OPENS * (1 - red) for red in parting.red)
    return left, right


def _within(along: Matrix, parting: Parting, *, upper: bool) -> Matrix:
    """Express stations (n,) in shares of the opening's reach; the lower lip's are where they are carried to."""
    left, right = find_reach(parting)
    return (along if upper else along + _carry(along, parting)) / np.where(along < 0, left, right)


def _carry(along: Matrix, parting: Parting) -> Matrix:
    """Say by how many stations the lower lip's places (n,) go outward when it is low."""
    red = np.where(along < 0, *parting.red)
    aside = np.abs(along)
    share = np.minimum(aside / red, (1 - aside) / np.maximum(1 - red, 1e-3))
    return np.sign(along) * np.clip(share, 0, 1) * _CARRIED * (1 - red)


def _carried(along: Matrix, parting: Parting) -> Matrix:
    """Say the same in I for each I that it goes down."""
    return _carry(along, parting) * float(np.hypot(*parting.bite.along)) / parting.unit / _CARRIED_FULL


def tie_around(points: Matrix, parting: Parting) -> Controls:
    """Tie down what is around the lips: chin, jaw, cheeks and nose, and what stays still."""
    gap = parting.gap * _CLOSE_RIM if parting.shown else 0.0
    closing = {"upper_rim": _CLOSE_UPPER * gap, "lower_rim": (_CLOSE_UPPER - 1) * gap}
    numbers = sorted(set(_MIRROR) | set(_MIRROR.values()) | set(_STILL))
    side = dict.fromkeys(_MIRROR, -1.0) | {b: 1.0 for a, b in _MIRROR.items() if a != b}
    moves = np.zeros((len(PARTS), len(numbers), 3))
    for part, shares in _AROUND.items():
        for left, share in shares.items():
            for number in {left, _MIRROR[left]}:
                moves[PARTS.index(part), numbers.index(number)] = share * _direction(part, side[number])
                moves[PARTS.index("close"), numbers.index(number), 1] += share * closing.get(part, 0.0)
    return Controls(points[numbers, :2], moves)


def _direction(part: str, side: float) -> Matrix:
    """What one unit of a part moves that goes with it wholly; ``side`` −1 at picture left."""
    if part == "width":
        return np.array((_SPAN * side, -_LIFTED, _BACK))
    return np.array((0.0, 1.0, _SWING if part in {"lower_rim", "chin", "tip"} else 0.0))


def tie_rims(points: Matrix, parting: Parting, *, upper: bool) -> Controls:
    """Tie down a lip's outer rim, corners included."""
    numbers = LIPS_UPPER_OUTER if upper else LIPS_LOWER_OUTER
    rim = points[list(numbers)]
    half = np.array(PROFILE_UPPER if upper else _RIM_LOWER)
    share = np.concatenate((half, half[-2::-1]))
    along = np.clip(parting.bite.locate(rim[:, :2])[:, 0], -1, 1)
    height = measure_heights(points, parting, along, upper=upper)
    order = np.argsort(along)
    share = np.interp(_within(along, parting, upper=upper), along[order], share[order])
    moves = np.zeros((len(PARTS), len(rim), 3))
    fill = _filler(moves)
    way = -1.0 if upper else 1.0
    fill("upper_rim" if upper else "lower_rim", y=share, z=0.0 if upper else _SWING * share)
    if not upper:
        fill("lower_rim", x=_carried(along, parting))
    thick = np.minimum(height / _THICK, 1)
    _shape(fill, along, share, way * thick)
    fill("round", x=-_ROUND_CORNER * along,
         y=way * thick * (share * (_ROUND_UPPER if upper else _ROUND_LOWER)
                          + (_UPPER_BULGE if upper else _LOWER_BULGE) * _bulge(along)),
         z=-(_CORNER_PROTRUDED + (_RIM_PROTRUDED - _CORNER_PROTRUDED) * share))  # fmt: skip
    fill("press", y=-way * height * (_PRESSED_UPPER if upper else _PRESSED_LOWER))
    gap = _gaps(parting, along) * _CLOSE_RIM
    fill("close", y=gap * (_CLOSE_UPPER if upper else _CLOSE_UPPER - 1))
    if not upper:
        fill("tuck", y=-_TUCKED_RIM * height)
    return Controls(rim[:, :2], moves)


def tie_edges(points: Matrix, parting: Parting, *, upper: bool) -> Controls:
    """Tie down a lip's inner edge, corners included."""
    chosen = np.arange(0, len(STATIONS), 4)
    along = STATIONS[chosen]
    edge = parting.upper if upper else parting.lower
    fractions = PROFILE_UPPER if upper else PROFILE_LOWER
    within = _within(along, parting, upper=upper)
    share = profile(within, fractions)
    round_share = np.maximum(1 - (within / _ROUND) ** 2, 0) ** _ROUND_POWER
    moves = np.zeros((len(PARTS), len(along), 3))
    fill = _filler(moves)
    swing = 0.0 if upper else _SWING
    name = "upper" if upper else "lower"
    fill(name, y=share, z=swing * share)
    fill(f"{name}_round", y=round_share - share, z=swing * (round_share - share))
    _shape(fill, along, share, 0.0)
    fill("width", z=0.0 if upper else _LOWER_BACK * share)
    fill("round", x=-_ROUND_CORNER * along, z=-(_CORNER_PROTRUDED + (_PROTRUDED - _CORNER_PROTRUDED) * share))
    fill("close", y=_gaps(parting, along) * (_CLOSE_UPPER if upper else _CLOSE_UPPER - 1))
    if not upper:
        fill("lower", x=_carried(along, parting))
        fill("tuck", y=-TUCKED * measure_heights(points, parting, along, upper=False))
    return Controls(edge[chosen, :2].astype(np.float64), moves)


def measure_heights(points: Matrix, parting: Parting, along: Matrix, *, upper: bool) -> Matrix:
    """Measure in I how far a lip's outer rim is from its inner edge at stations (n,)."""
    rim = parting.bite.locate(points[list(LIPS_UPPER_OUTER if upper else LIPS_LOWER_OUTER), :2])
    order = np.argsort(rim[:, 0])
    outer = np.interp(along, rim[order, 0], rim[order, 1])
    inner = np.interp(along, STATIONS, _across(parting.upper if upper else parting.lower, parting))
    return np.maximum(inner - outer if upper else outer - inner, 0)


def _bulge(along: Matrix) -> Matrix:
    """Swell half way between the middle and the corners."""
    aside = np.abs(along)
    return 4 * aside * (1 - aside)


def _across(line: NDArray[np.float32], parting: Parting) -> Matrix:
    """Express where a line (n, 3) lies across the mouth in I."""
    return parting.bite.locate(line[:, :2])[:, 1]


def _filler(moves: Matrix) -> Callable[..., None]:
    """Make a function that adds x, y and z to the moves (parts, n, 3) of a part named first."""

    def fill(part: str, *, x: float | Matrix = 0.0, y: float | Matrix = 0.0, z: float | Matrix = 0.0) -> None:
        for axis, values in enumerate((x, y, z)):
            moves[PARTS.index(part), :, axis] += values

    return fill


def _shape(fill: Callable[..., None], along: Matrix, share: Matrix, way: float | Matrix) -> None:
    """Move points of a lip with the corners, and its rim inward where the mouth widens (``way`` 0 for an edge)."""
    aside = np.abs(along)
    fill("width", x=_SPAN * along, y=-_LIFTED * aside**2 - way * _FULLER * share, z=_BACK * along**2)
    fill("corner", y=1 - share)


def _gaps(parting: Parting, along: Matrix) -> Matrix:
    """Read the portrait's own gap in I at stations, 0 for shut lips."""
    if not parting.shown:
        return np.zeros(len(along))
    return np.interp(along, STATIONS, _across(parting.lower, parting) - _across(parting.upper, parting))
