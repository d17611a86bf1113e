"""Fit the lips' four edges: a shape of ten numbers, chosen so that what it encloses looks like lips.

A single edge misleads: a moustache, the shadow under a lip and the edge of the teeth are all stronger than a lip's. So
nothing is decided by one edge. Colours of lips and of what surrounds them are learned from the portrait itself, and the
shape is searched that separates them best, lies on the dark seam, and is still shaped like a mouth.

Source: Rother et al., "GrabCut", SIGGRAPH 2004 (colours and shape by turns); Cootes et al., Active Shape Models, 1995.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..media.colour import rgb24
from .fit import LIGHT, REACH, Frame, patch
from .search import Array, Evidence, search

PIXELS = 96.0
"""Pixels per unit of the face in the patch in which lips are fitted."""
STATIONS = np.linspace(-1, 1, 33)
"""Places along a mouth at which its edges are known, in half widths from the centre."""
MIDDLE, DEPTH, WIDTH, SLOPE, BEND, GAP, UPPER, LOWER, SKEW, BOW = range(10)
"""The ten numbers: the corners' middle (x, y), half the width, how far right is lower than left, how far the upper
lip's lower edge hangs below the corners, the gap under it, the lips' thickness, where the lips' middle lies between the
corners, and how deep the dip in the upper lip's edge is; all in units."""
USUAL = np.array([0.0, 0.0, 0.385, 0.0, 0.0, 0.0, 0.095, 0.15, 0.0, 0.015])
SPREADS = np.array([0.055, 0.06, 0.06, 0.05, 0.06, 0.18, 0.035, 0.045, 0.22, 0.008])
STARTS = np.zeros((4, 10))
"""How mouths differ from what is expected before anything is known: shut, smiling with teeth, open, laughing: there the
first look has taken the gap for the seam, and the corners lie higher."""
STARTS[1:, GAP] = 0.12, 0.3, 0.25
STARTS[2, BEND] = -0.1
STARTS[1, [WIDTH, BEND, LOWER]] = 0.05, 0.03, -0.03
STARTS[3, [WIDTH, BEND, DEPTH]] = 0.08, 0.05, -0.12
LEAST_GAP = 0.03
"""Gaps under this are shut lips: their inner edges are made one."""
CERTAIN = 1.6
"""Most that one pixel can say, in logarithms of a likelihood."""
LIP_RANGE = np.array([[-0.7, -0.03, -0.5], [0.1, 1.0, 0.5]])
"""How far lips may differ from skin in brightness and both ratios of colours: teeth are no lips, nor is a shade."""
WIDEST = np.array([0.2, 0.1, 0.12])
"""How widely the colours of lips spread at most."""
LIP_WEIGHT, SEAM_WEIGHT, EDGE_WEIGHT, END_WEIGHT, OPENING_COST = 80.0, 20.0, 5.0, 1.5, 2.0
"""How much a square unit of lip, a half width of seam and of edge, and a seam that ends at the corners count."""

REDDER = 0.2, 0.3, 0.3
"""By how much lips must be redder than cheeks, in logarithms of red to green, by what share of that redder than what
shows between them, and within what share of the difference everything is lip."""
HAIRY = 0.2, 0.5
"""Share of what surrounds the lips that is as dark as the inside of a mouth from which that says less, and nothing."""
OPEN_SEAM = 0.3
"""What an open mouth, which has no dark line to lie on, is given for each half width instead."""
BESIDE, ABOVE, BELOW = 1.0, 0.55, 0.8
"""How far around the expected middle lips are looked for, in units."""


@dataclass(frozen=True, eq=False)
class Lips:
    """The edges of the lips in a face's frame, in units of the face, at ``STATIONS``; x runs from corner to corner."""

    x: Array
    upper_outer: Array
    upper_inner: Array
    lower_inner: Array
    lower_outer: Array
    numbers: Array
    """The ten numbers of the shape."""
    teeth: float
    """How far bared upper teeth reach down through the gap: 0 none, 1 to the lower lip."""


def fit_lips(image: NDArray[np.uint8], frame: Frame, expected: Array, spreads: Array = SPREADS) -> Lips:
    """Fit the edges of the lips.

    Args:
        image: (h, w, 3) RGB.
        frame: The face's frame.
        expected: What is expected of the ten numbers.
        spreads: By how much each may differ.
    """
    cut = patch(image, frame, PIXELS)
    place = _Place.around(_colours(cut), expected)
    maps = [place.cut(part) for part in (_seam(cut), _edges(cut))]

    def improve(numbers: Array, guessed: bool) -> tuple[Array, float]:
        evidence = Evidence(_likeness(place, numbers, guessed), maps, PIXELS, place.origin)
        return search(lambda drawn: _score(drawn, evidence), expected, spreads, numbers)

    tried = [improve(improve(expected + start, True)[0], False) for start in STARTS]
    best, _ = max(tried, key=lambda one: one[1])
    numbers, _ = improve(best, False)
    if numbers[GAP] < LEAST_GAP:
        numbers[GAP] = 0.0
        numbers = _parted(place, numbers)
    x, edges = outline(numbers[None], STATIONS)
    upper_outer, upper_inner, lower_inner, lower_outer = edges[:, 0]
    return Lips(x[0], upper_outer, upper_inner, lower_inner, lower_outer, numbers, _bared(place, numbers))


def expected_lips(*corners: Array) -> Array:
    """Say what lips are expected, as ten numbers, around a middle or between two corners, (x, y) in units."""
    numbers = USUAL.copy()
    numbers[[MIDDLE, DEPTH]] = np.mean(corners, axis=0)
    if len(corners) == 2:
        across = (corners[1] - corners[0]) / 2
        numbers[WIDTH] = np.clip((numbers[WIDTH] + across[0]) / 2, 0.25, 0.5)
        numbers[SLOPE] = across[1] / 2
    return numbers


def outline(numbers: Array, stations: Array) -> tuple[Array, Array]:
    """Draw shapes.

    Args:
        numbers: (n, 10).
        stations: (m,) places along the mouth.

    Returns:
        x (n, m), and y of the four edges from top to bottom (4, n, m), in units of the face.
    """
    column = numbers.T[..., None]
    skew = np.clip(column[SKEW], -0.6, 0.6)
    off = stations - skew
    share = np.clip(off / np.where(off > 0, 1 - skew, 1 + skew), -1, 1)
    arch = 1 - share**2
    chord = column[DEPTH] + column[SLOPE] * stations
    upper_inner = chord + column[BEND] * arch
    lower_inner = upper_inner + np.maximum(column[GAP], 0) * arch
    bow = np.maximum(column[BOW], 0) * np.exp(-((share / 0.16) ** 2))
    return column[MIDDLE] + column[WIDTH] * stations, np.stack(
        [
            upper_inner - np.maximum(column[UPPER], 0.02) * arch + bow,
            upper_inner,
            lower_inner,
            lower_inner + np.maximum(column[LOWER], 0.02) * arch**0.85,
        ]
    )


_COARSE = np.linspace(-0.96, 0.96, 15)
_WITHIN, _BEYOND = (0.77, 0.87, 0.97), (1.08, 1.18, 1.28, 1.38, 1.48)  # half widths: where a seam is, and is no more
_ENDS = np.outer((-1, 1), (*_WITHIN, *_BEYOND)).ravel()


def _score(numbers: Array, evidence: Evidence) -> Array:
    """Score (n, 10) shapes."""
    x, edges = outline(numbers, _COARSE)
    step = numbers[:, WIDTH] * 2 * 0.96 / len(_COARSE)
    top, upper, lower, bottom = (evidence.at(x, y) for y in edges)
    region = (upper[0] - top[0] + bottom[0] - lower[0] + lower[1] - upper[1]).sum(1) * step
    parted = np.clip(numbers[:, GAP] / 0.08, 0, 1)
    seam = (1 - 0.55 * parted) * np.maximum(upper[2], lower[2]).sum(1) * step
    seam += OPEN_SEAM * parted * step * len(_COARSE)
    edge = (bottom[3] + 0.5 * top[3])[:, 3:-3].sum(1) * step
    x, edges = outline(numbers, _ENDS)
    dark = np.maximum(*(evidence.at(x, y)[2] for y in edges[1:3])).reshape(len(numbers), 2, -1)
    ends = (dark[..., : len(_WITHIN)].mean(-1) - dark[..., len(_WITHIN) :].mean(-1)).sum(1)
    cost = OPENING_COST * np.clip(numbers[:, GAP] / 0.04, 0, 1)
    return LIP_WEIGHT * region + SEAM_WEIGHT * seam + EDGE_WEIGHT * edge + END_WEIGHT * ends - cost


def _colours(cut: NDArray[np.float32]) -> Array:
    """Describe pixels by brightness and two ratios that do not depend on the light's strength: (h, w, 3)."""
    soft = cv2.GaussianBlur(cut, (0, 0), 0.012 * PIXELS).astype(np.float64)
    red, green, blue = np.moveaxis(soft, -1, 0) + 0.06
    return np.stack([np.log(red + green + blue), np.log(red / green), np.log(green / blue)], -1)


@dataclass(frozen=True, eq=False)
class _Place:
    """The part of the patch in which lips are looked for."""

    colours: Array
    """(h, w, 3)."""
    cheeks: Array
    """The middle colour of cheeks and nose, of what lies between eyes and mouth: (3,)."""
    rows: slice
    """What part of the patch this is."""
    columns: slice
    origin: tuple[float, float]
    """Where the face's origin lies from the part's corner, x and y in units."""

    @staticmethod
    def around(colours: Array, expected: Array) -> _Place:
        """Cut the part of a patch's colours, (s, s, 3), that lies around the expected middle of the mouth."""
        x, y = expected[MIDDLE] + REACH, expected[DEPTH] + REACH - 0.5
        left, right, top, bottom = np.rint(np.array([x - BESIDE, x + BESIDE, y - ABOVE, y + BELOW]) * PIXELS)
        columns, rows = slice(max(int(left), 0), int(right)), slice(max(int(top), 0), int(bottom))
        origin = REACH - columns.start / PIXELS, REACH - 0.5 - rows.start / PIXELS
        between = slice(*_pixels(0.3, 0.75, REACH - 0.5)), slice(*_pixels(-0.5, 0.5, REACH))
        cheeks = np.median(colours[between].reshape(-1, 3), axis=0)
        return _Place(colours[rows, columns], cheeks, rows, columns, origin)

    def cut(self, whole: Array) -> Array:
        """Cut the same part of another map of the patch."""
        return whole[self.rows, self.columns]


def _pixels(begin: float, end: float, origin: float) -> tuple[int, int]:
    return round((origin + begin) * PIXELS), round((origin + end) * PIXELS)


def _likeness(place: _Place, numbers: Array, guessed: bool) -> list[Array]:
    """Say how much likelier each pixel is lip than skin, and inside of the mouth than lip or skin, (h, w) each."""
    colours, cheeks = place.colours, place.cheeks
    zones = _zones(place, numbers)
    around = _sample(colours, zones >= 4)
    skin, spread = np.median(around, 0), _spread(around)
    lips = [_sample(colours, zones == zone, around) for zone in (1, 3)]
    if guessed:
        middle = 0.7 * np.median(np.concatenate(lips), 0)
        middle = middle + 0.3 * (skin + np.array([-0.12, 0.1, 0.0]))
        lip, other = -_distance(colours, middle, 1.2 * spread), -_distance(colours, skin, spread)
    else:
        allowed = cheeks + LIP_RANGE
        lip = np.maximum.reduce(
            [
                -_distance(colours, np.clip(np.median(part, 0), *allowed), np.minimum(_spread(part), WIDEST))
                for part in lips
            ]
        )
        other = np.maximum.reduce([_likelihood(colours, _sample(colours, zones == zone, around)) for zone in (4, 5, 6)])
    apart = np.sqrt((((np.median(np.concatenate(lips), 0) - skin) / spread) ** 2).sum())
    worth = min(float(apart) / 1.5, 1.0)
    light = colours[..., 0]
    shade = np.median(np.concatenate(lips)[:, 0]) - 0.45
    dark = (shade - light) / 0.25 * np.clip((HAIRY[1] - (around[:, 0] < shade).mean()) / (HAIRY[1] - HAIRY[0]), 0, 1)
    saturation, usual = np.hypot(colours[..., 1], colours[..., 2]), np.hypot(*cheeks[1:])
    colourless = np.clip((usual - 0.15) / 0.1, -1, 1)
    pale = np.minimum((0.65 * usual - saturation) / 0.08, (light - cheeks[0] + 0.3) / 0.2) + 2 * (colourless - 1)
    lip_likeness = np.clip(worth * np.clip(lip - other, -CERTAIN, CERTAIN) - 2 * np.maximum(pale, 0), -CERTAIN, CERTAIN)
    inside = np.clip(np.maximum(dark, pale), -CERTAIN, CERTAIN)
    return [lip_likeness, inside]


def _sample(colours: Array, there: NDArray[np.bool_], otherwise: Array | None = None) -> Array:
    """Take the colours of some places, (n, 3); of others, or of all, where those are none."""
    some = colours[there]
    return some if len(some) else colours.reshape(-1, 3) if otherwise is None else otherwise


def _likelihood(colours: Array, sample: Array) -> Array:
    return -_distance(colours, np.median(sample, 0), _spread(sample))


def _distance(colours: Array, middle: Array, spread: Array) -> Array:
    return 0.5 * (((colours - middle) / spread) ** 2).sum(-1) + np.log(spread).sum()


def _spread(values: Array) -> Array:
    low, high = np.percentile(values, [20, 80], axis=0)
    return np.maximum(0.6 * (high - low), (0.07, 0.035, 0.04))


def _parted(place: _Place, numbers: Array) -> Array:
    """Part lips that were fitted as shut where teeth show between them; return the ten numbers, changed or not.

    Teeth in a lip's shade are neither dark nor pale enough to be found as the inside of a mouth, but less red than the
    lips above and below them, which a seam is not: it is the reddest of all. Lower lips that shine are less red, too,
    but farther down.
    """
    offsets = np.arange(-max(numbers[UPPER], 0.02), max(numbers[LOWER], 0.02), 0.01)
    x, edges = outline(numbers[None], np.linspace(-0.5, 0.5, 17))
    x, y = np.broadcast_arrays(x[0], edges[1, 0] + offsets[:, None])
    columns, rows = ((part + origin) * PIXELS for part, origin in zip((x, y), place.origin, strict=True))
    height, width, _ = place.colours.shape
    places = np.rint(rows).astype(int).clip(0, height - 1), np.rint(columns).astype(int).clip(0, width - 1)
    red = np.median(place.colours[places][..., 1], 1) - place.cheeks[1]
    middle = int(np.abs(offsets).argmin())
    lips = min(red[: middle + 1].max(), red[middle:].max())
    depth = lips - red[middle]
    if lips < REDDER[0] or depth < REDDER[1] * lips:
        return numbers
    lip = red > lips - REDDER[2] * depth
    top = offsets[: middle + 1][lip[: middle + 1]].max()
    bottom = offsets[middle:][lip[middle:]].min()
    numbers = numbers.copy()
    numbers[[BEND, GAP, UPPER, LOWER]] += top, bottom - top, top, -bottom
    return numbers


def _bared(place: _Place, numbers: Array) -> float:
    """Measure how far down through the gap it is bright and pale, as upper teeth are, from 0 to 1.

    Teeth are told from what is dark, not from lips, so what counts is the brightest part of each row; where the lower
    lip's teeth follow upon the upper's, both count.
    """
    if numbers[GAP] < LEAST_GAP:
        return 0.0
    x, edges = outline(numbers[None], np.linspace(-0.5, 0.5, 9))
    share = np.linspace(0.05, 0.95, 12)[:, None]
    y = edges[1, 0] + share * (edges[2, 0] - edges[1, 0])
    columns = np.rint((x[0] + place.origin[0]) * PIXELS).astype(int) + np.zeros_like(share, int)
    rows = np.rint((y + place.origin[1]) * PIXELS).astype(int)
    height, width, _ = place.colours.shape
    inside = place.colours[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    skin = place.cheeks
    bright = inside[..., 0] > skin[0] - 0.45
    pale = np.hypot(inside[..., 1], inside[..., 2]) < 0.85 * max(float(np.hypot(*skin[1:])), 0.15)
    toothed = (bright & pale).mean(1) > 0.5
    return float(share[toothed].max() + 0.05) if toothed[:5].any() else 0.0


def _zones(place: _Place, numbers: Array) -> NDArray[np.uint8]:
    """Number what lies where: 1 upper lip, 2 gap, 3 lower lip, 4 beside, 5 above, 6 below."""
    size = place.colours.shape[:2]
    rows, columns = np.arange(size[0])[:, None], np.arange(size[1])
    x = (columns / PIXELS - place.origin[0] - numbers[MIDDLE]) / numbers[WIDTH]
    y = rows / PIXELS - place.origin[1]
    _, edges = outline(numbers[None], np.clip(x, -1, 1))
    top, upper, lower, bottom = edges[:, 0]
    zones = np.zeros(size, np.uint8)
    near = (np.abs(x) < 1.35) & (y > top - 0.16) & (y < bottom + 0.16)
    zones[near & (np.abs(x) > 1.1)] = 4
    zones[near & (np.abs(x) < 1.1) & (y < top - 0.025)] = 5
    zones[near & (np.abs(x) < 1.1) & (y > bottom + 0.025)] = 6
    inside = np.abs(x) < 0.85
    zones[inside & (y > top + 0.01) & (y < upper - 0.01)] = 1
    zones[inside & (y > upper) & (y < lower)] = 2
    zones[inside & (y > lower + 0.01) & (y < bottom - 0.01)] = 3
    return zones


def _seam(cut: NDArray[np.float32]) -> Array:
    """How dark a lying line each pixel is on, against what is usual around it: about −0.3 … 1."""
    light = cut @ LIGHT
    spread = float(light[cut.shape[0] // 4 :].std()) + 0.04
    best = np.zeros(light.shape, np.float32)
    for across in (0.018, 0.035):
        bar = cv2.GaussianBlur(light, (0, 0), sigmaX=0.05 * PIXELS, sigmaY=across * PIXELS)
        step = round(2.5 * across * PIXELS)
        padded = np.pad(bar, ((step, step), (0, 0)), mode="edge")
        above, below = padded[: -2 * step], padded[2 * step :]
        best = np.maximum(best, 0.6 * np.minimum(above, below) + 0.4 * np.maximum(above, below) - bar)
    return np.tanh(best / spread * 2).astype(np.float64) - 0.2


def _edges(cut: NDArray[np.float32]) -> Array:
    """How steeply brightness or colour change going down, either way, 0 to 1."""
    light = cut @ LIGHT
    soft = cv2.GaussianBlur(light, (0, 0), sigmaX=0.05 * PIXELS, sigmaY=0.02 * PIXELS)
    spread = float(light[cut.shape[0] // 4 :].std()) + 0.04
    return np.tanh(np.abs(np.gradient(soft, axis=0)) * PIXELS * 0.06 / spread).astype(np.float64)


def as_bytes(image: torch.Tensor) -> NDArray[np.uint8]:
    """Turn (3, h, w) RGB in [0, 1] into contiguous (h, w, 3) bytes."""
    return rgb24(image)
