"""Putting the animated crop back into the full picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch

from ..clip import Clip
from ..types import Frames, Placement, Portrait

FEATHER = 0.08
"""Width of the seam as a share of the crop's shorter side."""


def pasted(clip: Clip, portrait: Portrait) -> Clip:
    """Show a clip of the crop inside the picture it was cut from; outside the crop no pixel changes.

    Args:
        clip: Frames of the crop at any size.
        portrait: Tells where the crop came from, where the clip does not tell it itself.

    Returns:
        A clip of the full picture's size with the same sound.
    """
    placement = clip.placement or portrait.placement
    _, height, width = placement.source.shape
    return replace(clip, read=lambda: _paste(clip, placement), size=(height, width), placement=None)


def feather(placement: Placement) -> np.ndarray:
    """Weigh the crop against the picture: (h, w, 1), 1 inside, falling to 0 at the crop's edges.

    Where the crop ends at the picture's own edge there is nothing to blend with, and the weight stays 1.
    """
    left, top, right, bottom = placement.box
    _, height, width = placement.source.shape
    soft = max(FEATHER * min(right - left, bottom - top), 1.0)
    ramps = [
        _edge_ramp(bottom - top, soft, top > 0, bottom < height)[:, None],
        _edge_ramp(right - left, soft, left > 0, right < width)[None, :],
    ]
    return (ramps[0] * ramps[1])[..., None].astype(np.float32)


def _edge_ramp(count: int, soft: float, before: bool, after: bool) -> np.ndarray:
    position = np.arange(count) + 0.5
    rise = np.clip(position / soft, 0, 1) if before else np.ones(count)
    fall = np.clip((count - position) / soft, 0, 1) if after else np.ones(count)
    ramp = np.minimum(rise, fall)
    return ramp * ramp * (3 - 2 * ramp)


def _paste(clip: Clip, placement: Placement) -> Iterator[Frames]:
    left, top, right, bottom = placement.box
    source = np.ascontiguousarray(placement.source[:, top:bottom, left:right].permute(1, 2, 0).numpy())
    weight = feather(placement)
    for chunk in clip.read():
        for frame in chunk:
            inner = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            shrinks = inner.shape[0] > source.shape[0]
            method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            inner = cv2.resize(inner, (right - left, bottom - top), interpolation=method)
            full = placement.source.clone()
            full[:, top:bottom, left:right] = torch.from_numpy(source + weight * (inner - source)).permute(2, 0, 1)
            yield full.clamp_(0, 1)[None]
