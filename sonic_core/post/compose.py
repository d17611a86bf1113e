"""Composing: animated faces are laid over the picture or the video that they belong to; all else stays to the bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..clip import Clip, Source
from ..errors import InputError
from ..media.ahead import closable
from ..types import Frames, Portrait, Progress, ignore_progress
from .stage import Staged, Told

FEATHER = 0.08
"""Width of the seam, around a crop and between two, as a share of the crop's shorter side."""

Place = tuple[int, int, int, int]
"""(left, top, right, bottom) in whole pixels."""
Weight = NDArray[np.float32]
"""(h, w, 1) in [0, 1]: how far a layer shows."""


class Layer(NamedTuple):
    """An animated face, and where it belongs."""

    clip: Clip
    """Frames of the crop, at any size; its frame i belongs to frame i of what is behind."""
    placements: Sequence[Place | None]
    """Where they lie behind: one place for all of them, or one per frame; None where the face is not seen."""
    mask: torch.Tensor | None = None
    """(1, h, w) in [0, 1] over the frames: how far they show; None for all of them. Their edges are soft either way."""

    def place(self, number: int) -> Place | None:
        """Tell where frame ``number`` lies; None where there is nothing to be laid."""
        if number >= self.clip.length:
            return None
        return self.placements[number if len(self.placements) > 1 else 0]

    def part(self, first: int, end: int) -> Layer:
        """Keep what is laid over the frames from number ``first`` on, up to that before ``end``."""
        last = min(end, self.clip.length)
        placements = self.placements[first:last] if len(self.placements) > 1 else self.placements
        return self._replace(clip=self.clip.cut(first, last - first), placements=placements)


@dataclass(frozen=True, eq=False)
class Compose:
    """Lay a clip, and perhaps others beside it, over a picture or a video (a ``Stage``)."""

    background: Source
    """What lies behind."""
    placements: Sequence[Place | None]
    """As of ``Layer``; a clip that shows another part of the picture (``Clip.placement``) is laid where it says."""
    mask: torch.Tensor | None = None
    """As of ``Layer``."""
    beside: tuple[Layer, ...] = ()
    """Further faces."""

    def apply(self, clip: Clip, progress: Progress = ignore_progress) -> Staged[Told]:
        """Give a clip of the background's size, made while it is read, so that ``progress`` has nothing to hear."""
        del progress
        placements = (clip.placement.box,) if clip.placement else self.placements
        return compose(self.background, [Layer(clip, placements, self.mask), *self.beside])


def paste(clip: Clip, portrait: Portrait) -> Staged[Told]:
    """Show a clip of a portrait's crop inside the picture that it was cut from; outside the crop no pixel changes."""
    placement = clip.placement or portrait.placement
    return Compose(Source(placement.source), (placement.box,)).apply(clip)


def compose(
    background: Source, layers: Sequence[tuple[Clip, Sequence[Place | None], torch.Tensor | None]]
) -> Staged[Told]:
    """Lay any number of animated faces over one background, and leave every other pixel as it was, to the bit.

    Where two crops overlap each pixel goes to the crop in which it lies deeper, measured in crops, with a soft seam
    between them; so the faces in the middle of their crops are whole, whichever comes first.

    Args:
        background: A picture, which is shown as long as the longest layer, or a video, which is shown whole.
        layers: (clip, placements, mask) of each face, as ``Layer`` says.

    Returns:
        A clip of the background's size with the first layer's sound.

    Raises:
        InputError: There is no layer, one does not fit its background, or they are of several frame rates.
    """
    laid = [Layer(*layer) for layer in layers]
    video = background.frames if isinstance(background.frames, Clip) else None
    _check(laid, background, video)
    first = laid[0].clip
    length = max(layer.clip.length for layer in laid) if video is None else video.length
    made = replace(first, read=_Composed(background, laid, length), length=length, size=background.size, placement=None)
    faces = f"{len(laid)} face{'s' * (len(laid) > 1)}"
    return Staged(made, Told(f"compose: {faces} laid over a {'picture' if video is None else 'video'}."))


def _check(layers: Sequence[Layer], background: Source, video: Clip | None) -> None:
    if not layers:
        raise InputError("Expected at least one animated face to lay over the background, got none.")
    rate = layers[0].clip.fps if video is None else video.fps
    height, width = background.size
    for clip, placements, _ in layers:
        if clip.fps != rate:
            raise InputError(
                f"Expected {float(rate):g} frames per second, got {float(clip.fps):g}: retime the clip first."
            )
        if video is not None and clip.length > video.length:
            raise InputError(
                f"Expected no more than the video's {video.length} frames, got {clip.length}: cut the clip."
            )
        if len(placements) not in (1, clip.length):
            raise InputError(f"Expected 1 placement or {clip.length}, one per frame; got {len(placements)}.")
        for place in filter(None, placements):
            if not (0 <= place[0] < place[2] <= width and 0 <= place[1] < place[3] <= height):
                raise InputError(f"Expected a placement inside {width}×{height} pixels, got {place}.")


@dataclass(frozen=True, eq=False)
class _Composed:
    """Reads what lies behind with the layers over it (a ``ReadsParts``, as far as those are)."""

    background: Source
    layers: Sequence[Layer]
    length: int

    def __call__(self) -> Iterator[Frames]:
        return _composed(self.background, self.layers, self.length)

    def part(self, first: int, end: int) -> _Composed:
        behind = self.background.frames
        behind = Source(behind.cut(first, end - first) if isinstance(behind, Clip) else behind)
        there = [layer.part(first, end) for layer in self.layers if first < layer.clip.length]
        return _Composed(behind, there, end - first)


def _composed(background: Source, layers: Sequence[Layer], length: int) -> Iterator[Frames]:
    with ExitStack() as opened:
        behind = opened.enter_context(closing(background.read()))
        faces = [opened.enter_context(closing(closable(layer.clip.frames()))) for layer in layers]
        places, weights = None, []
        for number in range(length):
            here = [layer.place(number) for layer in layers]
            if here != places:
                places, weights = here, weigh(layers, here, background.size)
            ground = next(behind)
            full = ground.clone()
            for face, layer, place, weight in zip(faces, layers, here, weights, strict=True):
                frame = next(face, None)
                if frame is None and number < layer.clip.length:
                    return  # whoever writes the frames says that there are too few
                if frame is not None and place is not None:
                    _lay(full, ground, frame, place, weight)
            for left, top, right, bottom in filter(None, here):
                full[:, top:bottom, left:right].clamp_(0, 1)
            yield full[None]


def _lay(full: torch.Tensor, ground: torch.Tensor, frame: torch.Tensor, place: Place, weight: Weight) -> None:
    """Add to a frame (3, H, W), in place, by how much a crop (3, h, w) differs from the ground behind it."""
    left, top, right, bottom = place
    inner = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
    method = cv2.INTER_AREA if inner.shape[0] > bottom - top else cv2.INTER_CUBIC
    inner = cv2.resize(inner, (right - left, bottom - top), interpolation=method)
    behind, goal = (one[:, top:bottom, left:right].permute(1, 2, 0) for one in (ground, full))
    goal.add_(torch.from_numpy(weight) * (torch.from_numpy(inner) - behind))


def weigh(layers: Sequence[Layer], places: Sequence[Place | None], size: tuple[int, int]) -> list[Weight]:
    """Tell how far each layer shows where it lies; nothing for those that lie nowhere.

    Think of a layer that covers a pixel by a as present there with chance a, and of one of two present ones as above
    the other with a chance of their depths: a layer's weight is the chance that it is present with none above it. So
    the weights of all never exceed 1, and a layer alone has its own cover, to the bit.

    Args:
        layers: What is laid.
        places: Where, in a frame (H, W) of ``size``.
        size: Of that frame.
    """
    covers = [
        np.zeros((0, 0, 1), np.float32) if place is None else _cover(layer.mask, place, size)
        for layer, place in zip(layers, places, strict=True)
    ]
    weights = [cover.copy() for cover in covers]
    for one, other in combinations(range(len(layers)), 2):
        first, second = places[one], places[other]
        if first is None or second is None:
            continue
        left, top, right, bottom = (max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]),
                                    min(first[3], second[3]))  # fmt: skip
        if left >= right or top >= bottom:
            continue
        parts = [
            np.s_[top - place[1] : bottom - place[1], left - place[0] : right - place[0]] for place in (first, second)
        ]
        depths = [_depth(place, size)[part] for place, part in zip((first, second), parts, strict=True)]
        above = _rise((depths[0] - depths[1]) / (2 * FEATHER) + 0.5)[..., None].astype(np.float32)
        weights[one][parts[0]] *= 1 - covers[other][parts[1]] * (1 - above)
        weights[other][parts[1]] *= 1 - covers[one][parts[0]] * above
    return weights


def feather(place: Place, size: tuple[int, int]) -> Weight:
    """Weigh a crop against the frame (H, W) that it lies in: 1 inside, falling to 0 at the crop's edges.

    Where the crop ends at the frame's own edge there is nothing to blend with, and the weight stays 1.
    """
    soft = max(FEATHER * _side(place), 1.0)
    down, across = (_rise(np.minimum(before, after) / soft) for before, after in _edges(place, size))
    return (down[:, None] * across[None, :])[..., None].astype(np.float32)


def _cover(mask: torch.Tensor | None, place: Place, size: tuple[int, int]) -> Weight:
    whole = feather(place, size)
    if mask is None:
        return whole
    high, wide = whole.shape[:2]
    drawn = np.ascontiguousarray(mask[0].numpy(), np.float32)
    method = cv2.INTER_AREA if drawn.shape[0] > high else cv2.INTER_LINEAR
    return whole * np.asarray(cv2.resize(drawn, (wide, high), interpolation=method), np.float32)[..., None]


def _depth(place: Place, size: tuple[int, int]) -> NDArray[np.floating]:
    """Measure how far inside a crop its pixels lie, (h, w), in shares of its shorter side, 1 at most."""
    down, across = (np.minimum(before, after) for before, after in _edges(place, size))
    return np.minimum(np.minimum(down[:, None], across[None, :]) / _side(place), 1.0)


def _edges(place: Place, size: tuple[int, int]) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Measure rows', then columns' distances in pixels from both edges; endless from one that is the frame's own."""
    for begin, end, most in ((place[1], place[3], size[0]), (place[0], place[2], size[1])):
        position = np.arange(end - begin) + 0.5
        endless = np.full(end - begin, np.inf)
        yield position if begin > 0 else endless, end - begin - position if end < most else endless


def _side(place: Place) -> int:
    left, top, right, bottom = place
    return min(right - left, bottom - top)


def _rise(share: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rise softly from 0 at 0 to 1 at 1."""
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)
