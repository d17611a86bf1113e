"""Frames between frames by optical flow: nothing to download, any moment, quick on a processor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from .flow import (
    Flow,
    Picture,
    as_frame,
    as_gray,
    as_pixels,
    dense_flow,
    fitted,
    is_cut,
    places,
    resized,
    thumbnail,
    warp,
)

FLOW_SIDE = 1024
"""Longer side of the pictures on which flow is measured; of larger frames it is measured small and enlarged."""
ROUNDS = 2
"""Steps of the fixed-point iteration that carries a flow to the moment in between."""
SPREAD = 2.0
"""Standard deviation in pixels of the neighbourhood over which two warped frames are compared."""
GRAIN = 1.5 / 255
"""Difference that noise makes; proposals that differ by less count as equally good."""


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two neighbouring frames and how they hang together; measured once, asked for several moments."""

    given: tuple[torch.Tensor, torch.Tensor]
    pixels: tuple[Picture, Picture]
    flows: tuple[Flow, Flow] | None
    """From the first to the second and back; None where a cut lies between."""


class DisInterpolator:
    """Draws any frame between two frames by warping both along their optical flow and mixing them.

    Three proposals stand for every pixel: both frames warped along the forward flow, both along the backward flow, and
    both as they are. Where the two halves of a proposal show the same thing it is believed; where flow is wrong or
    something appears or vanishes, no warp agrees, and what is left is plain blending. Between two frames of different
    scenes the nearer one is shown.

    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016 (the flow).
    """

    def __init__(self) -> None:
        self._last: _Pair | None = None

    def between(self, first: torch.Tensor, second: torch.Tensor, moment: float) -> torch.Tensor:
        """Draw the frame at ``moment``.

        Args:
            first: (3, h, w) float32 in [0, 1] on the CPU.
            second: The same shape.
            moment: From 0, where ``first`` is, to 1, where ``second`` is.

        Returns:
            (3, h, w) float32 in [0, 1] on the CPU.
        """
        pair = self._last
        if pair is None or pair.given[0] is not first or pair.given[1] is not second:
            pair = self._last = _measured(first, second)
        if pair.flows is None:
            return (first if moment < 0.5 else second).clone()
        return as_frame(_drawn(*pair.pixels, *pair.flows, moment))


def _measured(first: torch.Tensor, second: torch.Tensor) -> _Pair:
    pixels = as_pixels(first), as_pixels(second)
    if is_cut(*map(thumbnail, pixels)):
        return _Pair((first, second), pixels, None)
    before, after = (as_gray(fitted(one, FLOW_SIDE)) for one in pixels)
    return _Pair((first, second), pixels, (dense_flow(before, after), dense_flow(after, before)))


def _drawn(first: Picture, second: Picture, forward: Flow, backward: Flow, moment: float) -> Picture:
    size = first.shape[:2]
    own = places(size)
    paths = [_carried(forward, moment), -_carried(backward, 1 - moment)]
    proposals = [
        (warp(first, own - moment * path, cv2.INTER_CUBIC), warp(second, own + (1 - moment) * path, cv2.INTER_CUBIC))
        for path in (_enlarged(path, size) for path in paths)
    ]
    proposals.append((first, second))
    beliefs = [_belief(*proposal) for proposal in proposals]
    drawn = np.zeros_like(first)
    for belief, (one, other) in zip(beliefs, proposals, strict=True):
        drawn += belief[..., None] * cv2.addWeighted(one, 1 - moment, other, moment, 0)
    return drawn / np.add.reduce(beliefs)[..., None]


def _carried(flow: Flow, moment: float) -> Flow:
    """Find the flow that passes through each pixel at ``moment`` of its way: u(x) = flow(x − moment · u(x))."""
    own, passing = places(flow.shape[:2]), flow
    for _ in range(ROUNDS):
        passing = warp(flow, own - moment * passing)
    return passing


def _enlarged(flow: Flow, size: tuple[int, int]) -> Flow:
    height, width = flow.shape[:2]
    if (height, width) == size:
        return flow
    return resized(flow, size) * np.array([size[1] / width, size[0] / height], np.float32)


def _belief(one: Picture, other: Picture) -> Picture:
    """Weigh how well two pictures agree around each pixel, (h, w)."""
    apart = cv2.transform(cv2.absdiff(one, other), np.full((1, 3), 1 / 3, np.float32))
    apart = cv2.GaussianBlur(apart, (0, 0), SPREAD)
    return np.asarray((apart + GRAIN) ** -2, np.float32)
