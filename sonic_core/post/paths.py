"""The ways that things take through a clip, and how far each frame lies beside a smooth one.

Everything here is coarse: a grid of cells lies over the frame, since shake moves whole regions. A path begins at a
cell's centre and is chained through the flow between neighbouring frames; along it the light is read as well. Where the
smooth way passes, a polynomial fitted through a window around the frame says, and how much of the difference is shake,
the highest differences say, in which quick but even motion hardly counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Flow, Gray, Picture, dense_flow, places, resized, warp

WORK_SIDE = 256
"""Longer side of the pictures on which flow is measured; σ = 0.1 pixels of it is measured well."""
CELL = 8
"""Sides of a cell in pixels of these pictures."""
SPREADS = ((1.0, 1.0), (3.0, 2e-2))
"""Neighbourhoods from which a cell takes what it does not know: standard deviation in cells, and weight. The wide one
counts where there is nothing near: in a mouth, on a plain wall."""
EVERYWHERE = 4e-4
"""Weight of the whole picture's mean, for places that are far from anything."""
ENERGY_SPREAD = 2.5
"""Standard deviation in cells of the neighbourhood over which energies are averaged."""
TEXTURE = 2e-4
"""Squared slope, of luma in [0, 1] per pixel, at which a flow is half believed."""
QUIET_JITTER, QUIET_FLICKER = 0.1, 0.003
"""Shake (pixels) and flicker (share) at which half is corrected; far below it nothing is: real clips have some."""
MASKED = 0.12
"""Share of its speed by which a motion may be uneven as well: frames of clips whose rate was changed come early and
late, and while things move fast nobody sees it."""
SLACK = 1.5
"""How many times more than by shake alone the window may deviate from its polynomial before motion is spared."""
_DARK, _BRIGHT = 0.03, 0.97
"""Luma towards which light is not compared any more: ratios are lost in black, and white is cut off."""
_HIGHEST = 4
"""Order of the differences from which shake is told."""
_LEAST_WINDOW = 3

Points = NDArray[np.floating]
"""(5, 2) or (n, 5, 2): a face's points as ``types.Face`` has them, in the frame's pixels."""
Grid = NDArray[np.floating]
"""(gh, gw) or (gh, gw, c): one value per cell."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is kept of one frame."""

    gray: Gray
    """Luma at working size."""
    thumb: Picture
    """For comparing scenes."""
    light: Grid
    """(gh, gw) logarithm of each cell's mean luma."""
    trust: Grid
    """(gh, gw) how far a flow that begins here can be believed, 0 in mouth and eyes."""
    steady: Grid
    """(gh, gw) how far light can be compared here, 0 in mouth and eyes."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What a frame needs, and what that is worth."""

    shift: Grid
    """(gh, gw, 2): where things belong, seen from where they are, in cells."""
    gain: float
    """By what its light is multiplied."""


def look(gray: Gray, thumb: Picture, marked: Grid) -> Look:
    """Tell what is kept of a frame.

    Args:
        gray: Luma of the frame ``fitted`` to ``WORK_SIDE``.
        thumb: Its thumbnail.
        marked: What ``guarded`` says of the grid.
    """
    luma = resized(gray.astype(np.float32) / 255, marked.shape[:2])
    bright = np.clip((_BRIGHT - luma) * 10, 0, 1) * np.clip(luma / _DARK - 1, 0, 1)
    trust = (_texture(gray, luma.shape[:2]) + 1e-4) * (1 - marked)
    return Look(gray, thumb, np.log(np.maximum(luma, _DARK)), trust, bright * (1 - marked) + 1e-6)


def grid_size(small: Gray) -> tuple[int, int]:
    """Return how many cells (down, across) lie over a picture of working size."""
    return max(2, round(small.shape[0] / CELL)), max(2, round(small.shape[1] / CELL))


def guarded(points: Points | None, frame: tuple[int, int], size: tuple[int, int]) -> Grid:
    """Mark mouth, chin and eyes, 1 inside and falling to 0 around, on a grid of ``size`` over a frame (h, w).

    Args:
        points: (5, 2) both eyes, nose tip and both corners of the mouth in the frame's pixels; None for no face.
        frame: (h, w) of the frame.
        size: (gh, gw).
    """
    if points is None:
        return np.zeros(size, np.float32)
    scale = np.array([size[1] / frame[1], size[0] / frame[0]])
    unit = float(np.hypot(*(points[1] - points[0])))
    across = (points[1] - points[0]) / max(unit, 1e-6)
    down = np.array([-across[1], across[0]])
    centres = places(size) / scale + 0.5 / scale
    mouth = points[3:].mean(0) + 0.25 * unit * down  # and the chin, which speaks too
    marked = np.zeros(size)
    for centre, wide, high in ((mouth, 0.6, 0.62), (points[0], 0.36, 0.24), (points[1], 0.36, 0.24)):
        off = centres - centre
        away = np.hypot(off @ across / wide, off @ down / high) / unit
        marked = np.maximum(marked, np.clip((1.35 - away) / 0.35, 0, 1))
    return marked.astype(np.float32)


def link(first: Look, second: Gray) -> Flow:
    """Find out where each cell of a frame is in the next, in cells, with the gaps filled from around."""
    flow = dense_flow(first.gray, second)
    size = first.trust.shape
    per_pixel = np.array([size[1] / flow.shape[1], size[0] / flow.shape[0]], np.float32)
    return spread(resized(flow, size) * per_pixel, first.trust)


def reversed_link(flow: Flow) -> Flow:
    """Turn a flow from one frame to the next into that from the next to the one: u(x) = −flow(x + u(x))."""
    own, back = places(flow.shape[:2]), -flow
    for _ in range(3):
        back = -warp(flow, own + back)
    return back


def spread(values: Grid, weight: Grid) -> Grid:
    """Smooth values over the grid, each counting as much as its weight says (normalised convolution).

    Source: Knutsson and Westin, Normalized and Differential Convolution, CVPR 1993.
    """
    if values.ndim > weight.ndim:
        weight = weight[..., None]
    total = np.broadcast_to(EVERYWHERE * (values * weight).mean((0, 1)), values.shape)
    whole = np.broadcast_to(EVERYWHERE * weight.mean((0, 1)), weight.shape)
    for deviation, share in SPREADS:
        total = total + share * _blurred(values * weight, deviation).reshape(values.shape)
        whole = whole + share * _blurred(weight, deviation).reshape(weight.shape)
    return total / np.maximum(whole, 1e-12)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The frames around one frame, as its cells see them."""

    here: int
    """Place of the frame in the window."""
    middle: Look
    """The frame."""
    cell: float
    """Sides of a cell in pixels of the frame."""
    path: Grid
    """(n, gh, gw, 2): how far each cell has gone, in cells."""
    levels: NDArray[np.floating]
    """(n,): logarithm of the light, up to a constant: what the median cell has along its path."""


def follow(
    looks: Sequence[Look], flows: Sequence[Flow], backs: Sequence[Flow], here: int, cell: float
) -> Neighbourhood:
    """Follow every cell of frame ``here`` through a window.

    Args:
        looks: The window's n frames.
        flows: n − 1 flows, each from a frame to the next.
        backs: The same reversed.
        here: The frame at whose cells the paths begin.
        cell: Sides of a cell in pixels of the frame.
    """
    own = places(looks[here].trust.shape)
    ways: dict[int, Grid] = {here: np.zeros_like(own)}
    for number in range(here, len(flows)):
        ways[number + 1] = ways[number] + warp(flows[number], own + ways[number])
    for number in range(here - 1, -1, -1):
        ways[number] = ways[number + 1] + warp(backs[number], own + ways[number + 1])
    path = np.stack([ways[number] for number in range(len(looks))])
    light = np.stack([warp(one.light, own + way) for one, way in zip(looks, path, strict=True)])
    return Neighbourhood(here, looks[here], cell, path, _levels(light, looks[here]))


@dataclass(frozen=True, eq=False)
class Fit:
    """A polynomial through a window, weighted least squares."""

    weights: NDArray[np.floating]
    """(n,): the smooth value at the frame is their sum with the window's values."""
    rest: NDArray[np.floating]
    """(n, n): what of the values the polynomial does not explain."""
    freedom: int
    """Values more than coefficients."""

    def at_frame(self, values: Grid) -> Grid:
        """Return the smooth value at the frame, of values (n, …)."""
        return np.tensordot(self.weights, values, 1)

    def deviation(self, values: Grid) -> Grid:
        """Return the mean square by which values (n, …) deviate from the polynomial."""
        return np.square(np.tensordot(self.rest, values, 1)).sum(0) / max(self.freedom, 1)


def fit_through(offsets: NDArray[np.integer], decay: float, order: int) -> Fit:
    """Fit a polynomial through frames at ``offsets`` from the one that is wanted, weighted decay^|offset|.

    With even weights and order 2 this is the filter of Savitzky and Golay; with decaying weights and order 1, in the
    middle of a clip, an exponential moving average run forwards and backwards. Neither lags.

    Source: Savitzky and Golay, Analytical Chemistry 36 (1964), 1627–1639.
    """
    order = min(order, len(offsets) - 1, 1 if min(-offsets[0], offsets[-1]) < 2 else order)
    design = np.vander(offsets.astype(np.float64), order + 1, increasing=True)
    root = np.sqrt(decay ** np.abs(offsets))[:, None]
    solve = np.linalg.pinv(design * root) * root.T
    rest = np.eye(len(offsets)) - design @ solve
    return Fit(solve[0].astype(np.float32), rest.astype(np.float32), len(offsets) - order - 1)


def jitter(values: Grid) -> Grid:
    """Estimate the variance of the white noise in values (n, …) that otherwise change smoothly, n ≥ 3.

    The fourth difference of white noise has 70 times its variance; a swing of 3 Hz at 25 frames per second keeps a
    thousandth of its own.
    """
    order = min(_HIGHEST, len(values) - 1)
    return np.square(np.diff(values, order, axis=0)).mean(0) / math.comb(2 * order, order)


def correct(window: Neighbourhood, fit: Fit) -> Correction:
    """Compute what brings a frame onto the smooth way; ``fit`` was made for its window."""
    path, trust = window.path, window.middle.trust
    if len(path) < _LEAST_WINDOW:
        return Correction(np.zeros_like(path[0]), 1.0)
    around = _blurred(trust, ENERGY_SPREAD)
    noise, deviation, speed = (
        _blurred(energy.sum(-1) * trust, ENERGY_SPREAD) / around
        for energy in (jitter(path), fit.deviation(path), _speed(path))
    )
    quiet = 2 * (QUIET_JITTER / window.cell) ** 2 + MASKED**2 * speed
    shift = fit.at_frame(path) * _share(noise, deviation, quiet)[..., None]
    levels = window.levels
    share = _share(jitter(levels), fit.deviation(levels), np.array(QUIET_FLICKER**2))
    return Correction(shift, float(np.exp(share * (fit.at_frame(levels) - levels[window.here]))))


def _levels(light: Grid, middle: Look) -> NDArray[np.floating]:
    """Return each frame's light, (n,) logarithms, as the median cell has it."""
    own = light - light.mean(0)
    flat, weight = own.reshape(len(light), -1), middle.steady.ravel()
    sequence = np.argsort(flat, axis=1)
    below = np.cumsum(weight[sequence], axis=1)
    at = (below < below[:, -1:] / 2).sum(1)
    return np.take_along_axis(flat, np.take_along_axis(sequence, at[:, None], 1), 1)[:, 0]


def _speed(path: Grid) -> Grid:
    """Return the mean square speed, of paths (n, …), as it is over three frames."""
    step = min(3, len(path) - 1)
    return np.square((path[step:] - path[:-step]) / step).mean(0)


def _share(noise: Grid, deviation: Grid, quiet: Grid) -> Grid:
    """Decide how much is corrected: nothing of little shake, and less where motion itself is far from even."""
    return noise**2 / (noise**2 + quiet**2) * np.minimum(1, SLACK * noise / np.maximum(deviation, 1e-12))


def _texture(gray: Gray, size: tuple[int, int]) -> Grid:
    """Tell from 0 to 1 how well a cell's motion is seen, by the smaller eigenvalue of its structure tensor."""
    across, down = (cv2.Scharr(gray, cv2.CV_32F, *direction, scale=1 / (32 * 255)) for direction in ((1, 0), (0, 1)))
    products = cv2.merge([across * across, down * down, across * down])
    xx, yy, xy = np.moveaxis(resized(cast("Picture", products), size), -1, 0)
    least = (xx + yy) / 2 - np.sqrt(np.square((xx - yy) / 2) + xy * xy)
    return np.maximum(least, 0) / (np.maximum(least, 0) + TEXTURE)


def _blurred(values: Grid, deviation: float) -> Grid:
    return cast("Grid", cv2.GaussianBlur(values, (0, 0), deviation, borderType=cv2.BORDER_REFLECT_101))
