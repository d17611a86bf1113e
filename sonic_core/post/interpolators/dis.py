"""Frames between frames by optical flow: nothing to download, any moment, quick on a processor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..flow import (
    Flow,
    Picture,
    as_frame,
    as_gray,
    as_pixels,
    as_planes,
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
STEADY, UNSTEADY = 0.22, 0.4
"""Change of the motion from pair to pair, as a share of it, up to and from which it is steady and unsteady."""
TRUST = (0.95, 0.5)
"""How much the warped picture counts, against plain blending, in steady and in unsteady motion."""
STILL = 0.2
"""Pixels of motion that count for nothing when its change is judged."""


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two neighbouring frames and how they hang together; measured once, asked for several moments."""

    given: tuple[torch.Tensor, torch.Tensor]
    pixels: tuple[Picture, Picture]
    flows: tuple[Flow, Flow] | None
    """From the first to the second and back; None where a cut lies between."""
    trust: float
    """How much the warped picture counts, against plain blending."""


class DisInterpolator:
    """Draws any frame between two frames by warping both along their optical flow and mixing them.

    Three proposals stand for every pixel: both frames warped along the forward flow, both along the backward flow, and
    both as they are. Where the two halves of a proposal show the same thing it is believed; where flow is wrong or
    something appears or vanishes, no warp agrees, and what is left is plain blending. Between two frames of different
    scenes the nearer one is shown.

    Two frames do not tell how the time between them passed: a video whose rate was once changed moves in jerks, and a
    sharp picture of the wrong moment is worse than a blurred one. So the motion is compared with that of the pair
    before, and the less steady it is, the more of plain blending is mixed in. Frames must be asked for in order.

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
            before = pair.flows[0] if pair is not None and pair.flows and pair.given[1] is first else None
            pair = self._last = _measured(first, second, before)
        if pair.flows is None:
            return (first if moment < 0.5 else second).clone()
        blend = (1 - moment) * pair.pixels[0] + moment * pair.pixels[1]
        drawn = pair.trust * _drawn(*pair.pixels, *pair.flows, moment) + (1 - pair.trust) * blend
        return as_frame(as_planes(drawn))


def _measured(first: torch.Tensor, second: torch.Tensor, before: Flow | None) -> _Pair:
    """Measure the flow between two frames; ``before`` is that which led to the first of them, if it is known."""
    pixels = as_pixels(first), as_pixels(second)
    if is_cut(*map(thumbnail, pixels)):
        return _Pair((first, second), pixels, None, 0.0)
    one, other = (as_gray(fitted(picture, FLOW_SIDE)) for picture in pixels)
    forward = dense_flow(one, other)
    return _Pair((first, second), pixels, (forward, dense_flow(other, one)), _trust(before, forward))


def _trust(before: Flow | None, flow: Flow) -> float:
    """Say how much a warped picture counts where the flow follows on ``before``; halfway where that is unknown."""
    if before is None:
        return sum(TRUST) / 2

    def size(values: Flow) -> float:
        return float(np.sqrt((values * values).sum(-1).mean()))

    change = size(flow - before) / (size(flow) + size(before) + STILL)
    return float(np.interp(change, (STEADY, UNSTEADY), TRUST))


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
