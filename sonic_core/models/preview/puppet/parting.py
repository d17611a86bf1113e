"""Find where a portrait's own lips part: the lower edge of the upper lip and the upper edge of the lower lip.

The mesh lays its two inner lip lines about where they are; between shut lips they enclose the dark seam, between parted
ones often only half of what shows. Both lines are moved to the strongest edge near them along a smooth path.

Source: Amini et al., "Using dynamic programming for solving variational problems in vision", PAMI 1990 (the path).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ....faces.geometry import LIPS_LOWER_INNER, LIPS_LOWER_OUTER, LIPS_UPPER_INNER, LIPS_UPPER_OUTER, eye_distance
from ....types import Landmarks
from .depth import DEPTH

Array = NDArray[np.float32]

STATIONS = np.linspace(-1, 1, 65)
"""Where the lines are known: −1 at the left corner … 1 at the right one."""
INNER_SHARE = 0.4
"""Where a corner is between the mesh's outer point of it (0) and its inner one (1); by eye on 28 portraits."""
OPEN_GAP, PARTED_GAP = 0.060, 0.045
"""I: the mesh's gap from which a mouth is open, and the edges' gap from which it can be; between shut lips the mesh
sees up to .057, and their seam is up to .09 thick (tabulated on 132 portraits)."""
LIKELY_GAP, LIKELY_SEEN = 0.054, 0.070
"""I: a mesh's and an edges' gap that together tell an open mouth too."""

_OUTWARD, _INWARD = 0.044, 0.012  # I: how far a line may leave the mesh's: parted lips were up to .035 short
_WITHIN = 0.6  # share of a lip's height, as the mesh has it, by which its edge may move into it
_STEP = 0.004  # I between the offsets that are tried
_REACH = 0.01  # I to both sides of a place over which an edge is measured
_HELD = 0.30  # what lying _OUTWARD off the mesh costs, in units of the strongest edge
_STIFF = 0.05  # what one step up or down from a station to the next costs, in the same unit, squared
_INSIDE = 0.6  # what _DEEP of a strange colour between the lips gains, in the same unit
_DEEP = 0.03  # I
_STRANGE = 14.0  # Lab units from both lips' colours at which a place counts as none of theirs
_DOUBT = 0.6  # of that: less counts as lip
_FAINT = 12.0  # Lab units over _REACH: edges are measured against this at least, so that noise moves nothing
_CENTRE = 0.15  # |station| up to which a line's middle reaches
_SURE = 0.85  # beyond this |station| the lines run straight into the corners
_NEUTRAL, _LIP_RED = 0.82, 10.0  # share of the lips' redness below which an inside is teeth; a lip that has none
_PALE = 0.97  # the same for redness per lightness: the dark seam between red lips is less red only for being dark
_BUMP = 5.0  # Lab units by which teeth in a dark opening are lighter than what is above and below them
_SEAM_ABOVE, _SEAM_BELOW = (0.004, 0.014), (0.008, 0.020)  # I: what is believed of a seam's shadow on either lip
_TRIM_UPPER, _TRIM_LOWER = 0.006, 0.012  # I of an open mouth's lips in which the light of teeth is mixed
_SHORTEST = 0.6  # share of a length along the head's downward axis that is seen at least
_LINE = 0.025  # I above and below, against which the seam is dark
_DARK = 20.0  # Lab units by which a surely dark seam is darker
_RED_AT, _SKIN_BELOW = (0.010, 0.035), (0.03, 0.07)  # I below a lower lip's edge where it is red; below its rim, skin
_RED_SURE = (6.0, 16.0)  # Lab units between lip and skin from which the red's ends count, and from which alone
_RED_USUAL, _RED_BOUNDS = 0.80, (0.62, 0.95)  # where they are else, and at the least and most: 60 mouths, by eye
_RED_SHARE = 0.45  # of the way from the skin's hue to the lip's, from which a place is red
_RED_APART = 0.20  # by which one end is nearer than the other at most
_RED_FROM = 0.25  # |station| from which an end is looked for
_WEIGHTS = (1.0, 1.5, 0.4)  # of L, a and b: teeth, lips and skin differ in redness where their brightness does not


@dataclass(frozen=True, eq=False)
class Bite:
    """The line from corner to corner as a frame: along it in half widths, across it in I."""

    middle: NDArray[np.float64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]
    """(2,) pixels each: its middle, half of it, and one I of the head's downward axis, at right angles to it."""

    def locate(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Express pixel positions (n, 2) in this frame: (n, 2)."""
        return (points - self.middle) @ np.linalg.inv(np.stack((self.along, self.across)))

    def place(self, along: NDArray[np.floating], across: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the pixel positions (…, 2) of places in this frame."""
        return self.middle + along[..., None] * self.along + across[..., None] * self.across


@dataclass(frozen=True, eq=False)
class Parting:
    """The two inner edges of a portrait's own lips, in its pixels."""

    unit: float
    """I in pixels."""
    bite: Bite
    """The frame through both corners."""
    upper: Array
    """(n, 3): lower edge of the upper lip at ``STATIONS``, corners included."""
    lower: Array
    """(n, 3): upper edge of the lower lip; the corners are those of ``upper``."""
    gap: float
    """Distance of the two in the middle in I; between shut lips the thickness of the dark seam."""
    shown: bool
    """Whether the mouth is open, so that teeth or a dark inside show."""
    red: tuple[float, float] = (1.0, 1.0)
    """How far from the middle (0) to a corner (1) the lower lip's red goes along its edge, at picture left and right:
    painters and shadows let it end before the line of the mouth does."""


def find_axes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the head's axes (3, 3), one a row: to picture right, down and away from the camera, in a face's points."""
    deep = points * (1, 1, DEPTH)
    across = deep[[454, 263, 291]].sum(0) - deep[[234, 33, 61]].sum(0)
    across /= np.linalg.norm(across)
    down = deep[152] - deep[10]
    down -= across * (down @ across)
    down /= np.linalg.norm(down)
    return np.stack((across, down, np.cross(across, down)))


def find_corners(points: Array) -> NDArray[np.float64]:
    """Place both corners (2, 3) of the opening between the mesh's inner and outer points of them."""
    inner, outer = points[[78, 308]].astype(np.float64), points[[61, 291]].astype(np.float64)
    return INNER_SHARE * inner + (1 - INNER_SHARE) * outer


def find_bite(points: Array, unit: float) -> Bite:
    """Lay the frame through both corners of the mouth; ``unit`` is I.

    Across, lengths are those along the head's downward axis, which a head that nods shows shortened.
    """
    left, right = find_corners(points)[:, :2]
    along = (right - left) / 2
    down = np.array((-along[1], along[0])) / max(float(np.hypot(*along)), 1e-6)
    seen = float(find_axes(points.astype(np.float64))[1, :2] @ down)
    return Bite((left + right) / 2, along, down * unit * max(seen, _SHORTEST))


def find_parting(image: Array, landmarks: Landmarks) -> Parting:
    """Find the inner edges of a portrait's own lips.

    Args:
        image: (h, w, 3) float32 RGB in [0, 1].
        landmarks: Its face, in its pixels.
    """
    unit = eye_distance(landmarks.points)
    points = landmarks.points
    bite = find_bite(points, unit)
    upper, lower = (_mesh_line(points, bite, numbers) for numbers in (LIPS_UPPER_INNER, LIPS_LOWER_INNER))
    lower[:, 0] = np.maximum(lower[:, 0], upper[:, 0])
    across = _Across(image, points, bite)
    edges = _follow(across, upper[:, 0], lower[:, 0])
    shown = _is_open(across, *edges, float((lower - upper)[len(STATIONS) // 2, 0]))
    if shown:
        trim = np.clip((1 - np.abs(STATIONS)) / (1 - _SURE), 0, 1)
        edges = edges[0] - _TRIM_UPPER * trim, edges[1] + _TRIM_LOWER * trim
    else:
        edges = _close(across, (upper[:, 0] + lower[:, 0]) / 2, *edges)
    lines = [
        np.column_stack((bite.place(STATIONS, edge), line[:, 1])).astype(np.float32)
        for edge, line in zip(edges, (upper, lower), strict=True)
    ]
    red = _find_red_ends(across, edges[1])
    return Parting(unit, bite, lines[0], lines[1], max(_gap(*edges), 0.0), shown, red)


def _gap(upper: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Measure the distance of two lines (n,) in their middle."""
    return float(np.median((lower - upper)[np.abs(STATIONS) < _CENTRE]))


def _is_open(across: _Across, upper: NDArray[np.float64], lower: NDArray[np.float64], mesh_gap: float) -> bool:
    """Tell an open mouth by the mesh's gap, else by teeth: less red than both lips, or lighter than their surroundings.

    Shine on a lip is less red too, but lighter than either lip.
    """
    gap = _gap(upper, lower)
    if gap < PARTED_GAP or mesh_gap >= OPEN_GAP or (mesh_gap >= LIKELY_GAP and gap >= LIKELY_SEEN):
        return gap >= PARTED_GAP
    wide = np.abs(STATIONS) < 0.5
    depth = np.linspace(0.1, 0.9, 9)
    light, red = across.read(upper[:, None] + (lower - upper)[:, None] * depth)[wide].mean(0)[:, :2].T
    lips = np.stack([lip[wide].mean((0, 1))[:2] for lip in across.lips])
    high, least_red = 2, float(lips[:, 1].min())  # teeth are in the upper half
    pale = red[high] / max(light[high], 1.0) < _PALE * float((lips[:, 1] / np.maximum(lips[:, 0], 1)).mean())
    neutral = least_red > _LIP_RED and red[high] < _NEUTRAL * least_red and pale
    bump = min(light[2:-2].max() - light[:3].min(), light[2:-2].max() - light[-3:].min()) > _BUMP
    return bool((neutral or bump) and light[high] < lips[:, 0].max())


def _close(
    across: _Across, middle: NDArray[np.float64], upper: NDArray[np.float64], lower: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lay both lines (n,) of shut lips around the dark line on which they meet, near the mesh's ``middle`` (n,)."""
    offsets = np.arange(-_OUTWARD, _OUTWARD + _STEP / 2, _STEP)
    light = cv2.GaussianBlur(
        across.read(middle[:, None] + np.concatenate((offsets, offsets - _LINE, offsets + _LINE)))[..., 0],
        (1, 0),
        sigmaX=1,
        sigmaY=1,
    ).astype(np.float64)
    here, above, below = np.split(light, 3, axis=1)
    dark = np.tanh((np.minimum(above, below) + 0.3 * np.abs(above - below) - here) / _DARK)
    held = _HELD * (offsets / _OUTWARD) ** 2
    cost = held - dark
    path = offsets[_cheapest(cost[:, :, None])[:, 0]]
    fade = np.clip((1 - np.abs(STATIONS)) / (1 - _SURE), 0, 1)
    seam = middle + cv2.GaussianBlur(path[None], (0, 0), 2.5, borderType=cv2.BORDER_REPLICATE)[0]
    soft = [cv2.GaussianBlur(edge[None], (0, 0), 4.0, borderType=cv2.BORDER_REPLICATE)[0] for edge in (upper, lower)]
    return seam - np.clip(seam - soft[0], *_SEAM_ABOVE) * fade, seam + np.clip(soft[1] - seam, *_SEAM_BELOW) * fade


def _mesh_line(points: Array, bite: Bite, numbers: tuple[int, ...]) -> NDArray[np.float64]:
    """Read the mesh's line at ``STATIONS``: (n, 2) of its place across in I and its depth in pixels."""
    found = points[list(numbers)].astype(np.float64)
    found[[0, -1]] = find_corners(points)
    place = bite.locate(found[:, :2])
    along = np.maximum.accumulate(place[:, 0]) + np.arange(len(place)) * 1e-4
    along = -1 + 2 * (along - along[0]) / (along[-1] - along[0])
    return PchipInterpolator(along, np.column_stack((place[:, 1], found[:, 2] * DEPTH)))(STATIONS)


class _Across:
    """Colours read along lines across the mouth at every station."""

    def __init__(self, image: Array, points: Array, bite: Bite) -> None:
        self._image, self._bite = image, bite
        edges = {
            numbers: _mesh_line(points, bite, numbers)[:, 0]
            for numbers in (LIPS_UPPER_INNER, LIPS_LOWER_INNER, LIPS_UPPER_OUTER, LIPS_LOWER_OUTER)
        }
        pairs = ((LIPS_UPPER_OUTER, LIPS_UPPER_INNER), (LIPS_LOWER_INNER, LIPS_LOWER_OUTER))
        self.heights = [np.maximum(edges[below] - edges[above], 0) for above, below in pairs]
        self.lips = [
            cv2.GaussianBlur(self.read((edges[above] + edges[below])[:, None] / 2), (1, 0), sigmaX=1, sigmaY=4)
            for above, below in pairs
        ]

    def read(self, across: NDArray[np.float64]) -> Array:
        """Read weighted Lab (n, m, 3) at places (n, m) across in I."""
        along = np.broadcast_to(STATIONS[:, None], across.shape)
        places = self._bite.place(along, across).astype(np.float32)
        colours = cv2.remap(
            self._image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return cv2.cvtColor(colours, cv2.COLOR_RGB2Lab) * np.array(_WEIGHTS, np.float32)

    def edges(self, across: NDArray[np.float64]) -> NDArray[np.float64]:
        """Measure how strong an edge lies at places (n, m): 0 … 1.5."""
        change = self.read(across + _REACH) - self.read(across - _REACH)
        soft = cv2.GaussianBlur(change, (0, 0), sigmaX=0.6, sigmaY=1.5)
        strength = np.linalg.norm(soft.astype(np.float64), axis=-1)
        return np.minimum(strength / max(2 * _FAINT, float(np.median(strength.max(1)))), 1.5)

    def strangeness(self, across: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell how far the colour at places (n, m) is from both lips': −_DOUBT a lip's … 1 surely none."""
        colours = self.read(across)
        nearest = np.minimum(*(np.linalg.norm(colours - lip, axis=-1) for lip in self.lips))
        return np.minimum(nearest.astype(np.float64) / _STRANGE, 1 + _DOUBT) - _DOUBT


def _find_red_ends(across: _Across, edge: NDArray[np.float64]) -> tuple[float, float]:
    """Find how far the lower lip's red goes along its edge (n,) to both sides, 0 … 1.

    Hue alone tells: at the corners it is dark, and a dark place is neither lip nor skin.
    """
    height = across.heights[1]
    levels = [
        across.read(edge[:, None] + depth).astype(np.float64)[..., 1:]
        for depth in (
            np.linspace(*_RED_AT, 5) * np.ones((len(edge), 1)),
            height[:, None] * np.array((0.3, 0.5, 0.7)),
            height[:, None] + np.linspace(*_SKIN_BELOW, 3),
        )
    ]
    lip = np.median(levels[1][np.abs(STATIONS) < _RED_FROM].reshape(-1, 2), axis=0)
    skin = np.median(levels[2][np.abs(STATIONS) < 1 - _CENTRE].reshape(-1, 2), axis=0)
    way = lip - skin
    apart = float(np.linalg.norm(way))
    like = np.clip((levels[0] - skin) @ way / max(apart**2, 1e-6), 0, 1).mean(1) - _RED_SHARE
    sure = float(np.clip((apart - _RED_SURE[0]) / (_RED_SURE[1] - _RED_SURE[0]), 0, 1))
    ends = []
    for side in (-1, 1):
        outward = np.flatnonzero(side * STATIONS >= 0)[::side]
        gained = np.where(side * STATIONS[outward] > _RED_FROM, np.cumsum(like[outward]), -np.inf)
        found = float(np.clip(side * STATIONS[outward][int(gained.argmax())], *_RED_BOUNDS))
        ends.append(_RED_USUAL + (found - _RED_USUAL) * sure)
    return max(ends[0], ends[1] - _RED_APART), max(ends[1], ends[0] - _RED_APART)


def _follow(
    across: _Across, upper: NDArray[np.float64], lower: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move both lines (n,) together: each to a strong edge, with as much between them as is no lip.

    Args:
        across: The colours.
        upper: The mesh's line across the mouth's frame, in I, at ``STATIONS``.
        lower: The other one, nowhere above it.
    """
    outward = np.arange(-_INWARD, _OUTWARD + _STEP / 2, _STEP)
    places = upper[:, None] - outward, lower[:, None] + outward
    held = _HELD * (outward / _OUTWARD) ** 2
    costs = [
        np.where(outward > _WITHIN * height[:, None], 1e3, held - across.edges(place))
        for place, height in zip(places, across.heights, strict=True)
    ]
    between = np.linspace(0, 1, 81)
    span = lower - upper + 2 * _OUTWARD
    grid = upper[:, None] - _OUTWARD + span[:, None] * between
    filled = np.cumsum(across.strangeness(grid), 1) * (span / (len(between) - 1))[:, None] * (_INSIDE / _DEEP)
    until = [np.stack([np.interp(*row) for row in zip(place, grid, filled, strict=True)]) for place in places]
    cost = costs[0][:, :, None] + costs[1][:, None, :] - (until[1][:, None, :] - until[0][:, :, None])
    cost = np.where(places[0][:, :, None] > places[1][:, None, :], 1e6, cost)
    cost[np.abs(STATIONS) > _SURE] = held[:, None] + held[None]
    ends = _cheapest(cost)
    fade = np.clip((1 - np.abs(STATIONS)) / (1 - _SURE), 0, 1)
    moved = (
        cv2.GaussianBlur(outward[ends], (1, 0), sigmaX=1, sigmaY=1.5, borderType=cv2.BORDER_REPLICATE) * fade[:, None]
    )
    top, bottom = upper - moved[:, 0], lower + moved[:, 1]
    return np.minimum(top, (top + bottom) / 2), np.maximum(bottom, (top + bottom) / 2)


def _cheapest(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the smooth, cheap path of two offsets through costs (stations, m, k): (stations, 2)."""
    rows, columns = (np.arange(length) for length in cost.shape[1:])
    down, side = (_STIFF * (steps[:, None] - steps) ** 2 for steps in (rows, columns))
    total, came = cost[0], []
    for here in cost[1:]:
        first = (total[:, None, :] + down[:, :, None]).argmin(0)
        reached = np.take_along_axis(total, first, 0) + down[first, rows[:, None]]
        second = (reached[:, :, None] + side[None]).argmin(1)
        total = np.take_along_axis(reached, second, 1) + side[second, columns[None]] + here
        came.append((first, second))
    path = [divmod(int(total.argmin()), len(columns))]
    for first, second in reversed(came):
        row, column = path[-1]
        before = int(second[row, column])
        path.append((int(first[row, before]), before))
    return np.array(path[::-1])
