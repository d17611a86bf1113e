"""Score every window of a picture with the frontal-face cascade that ships with scikit-image, softly.

A cascade says yes or no; what it adds up on the way says more. A window's score is the sum of the margins of all its
stages, and a window is given up only when that sum falls behind a slowly rising line. Paintings, tilted and turned
faces, which the hard cascade rejects in one of its twenty stages, keep a score far above that of their surroundings.

Source: Liao et al., Learning Multi-scale Block Local Binary Patterns for Face Recognition, ICB 2007 (the features);
Bourdev and Brandt, Robust Object Detection via Soft Cascade, CVPR 2005 (the rejection).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

WINDOW = 24
"""Side of the cascade's window in pixels."""
NEIGHBOURS = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""Row and column of the eight blocks around the middle one, most significant bit first."""
FLOOR_START, FLOOR_RISE = 0.0, 1.2
"""After stage k a window's sum must reach FLOOR_START + FLOOR_RISE · k."""
_AT_ONCE = 1 << 14  # windows; what is worked on fits into the fast memory

Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage: its threshold and its weak votes."""

    threshold: float
    """The stage passes when its votes add up to at least this."""
    votes: tuple[tuple[Rectangle, NDArray[np.float32]], ...]
    """Top-left block (x, y, width, height) and the vote for each of the 256 patterns."""


@lru_cache(maxsize=1)
def load_stages() -> tuple[Stage, ...]:
    """Read the cascade out of scikit-image; it lies inside the installed package.

    Raises:
        FileNotFoundError: scikit-image is installed without its data.
    """
    from skimage.data import lbp_frontal_face_cascade_filename  # noqa: PLC0415 (half a second)

    text = Path(str(lbp_frontal_face_cascade_filename())).read_text(encoding="utf-8")
    rectangles = [_numbers(found) for found in re.findall(r"<rect>(.*?)</rect>", text, re.DOTALL)]
    stages = []
    for part in text.split("<stageThreshold>")[1:]:
        nodes = re.findall(r"<internalNodes>(.*?)</internalNodes>\s*<leafValues>(.*?)</leafValues>", part, re.DOTALL)
        votes = []
        for node, leaves in nodes:
            _, _, feature, *words = (int(number) for number in node.split())
            inside, outside = (float(number) for number in leaves.split())
            bits = (np.array(words, dtype=np.int64)[:, None] >> np.arange(32)) & 1
            votes.append((rectangles[feature], np.where(bits.ravel() == 1, inside, outside).astype(np.float32)))
        stages.append(Stage(float(part.split("<", 1)[0]), tuple(votes)))
    return tuple(stages)


def scan(pictures: Sequence[NDArray[np.uint8]], stride: int = 1) -> list[NDArray[np.float32]]:
    """Score all 24 × 24 windows of some pictures, each also in its mirror image: a second opinion of equal worth.

    All pictures are looked at together, since most of the time would go into asking, not into looking.

    Args:
        pictures: Grey values, (h, w) each.
        stride: Look at every so manieth row and column only.

    Returns:
        For each picture (n, 3): left, top and score of each window that was not given up; faces reach 45 and more.
    """
    atlas = _Atlas([image for picture in pictures for image in (picture, picture[:, ::-1])])
    stages = load_stages()
    first = [atlas.first(number, stages[0], stride) for number in range(len(atlas.sizes))]
    owners = np.repeat(np.arange(len(first)), [len(places) for places, _ in first])
    places, total = (np.concatenate(part) for part in zip(*first, strict=True)) if first else (owners, owners)
    for number, stage in enumerate(stages[1:], 1):
        total = total - np.float32(stage.threshold)
        for rectangle, table in stage.votes:
            total += table[atlas.at(rectangle, places)]
        keep = total >= FLOOR_START + FLOOR_RISE * number
        places, owners, total = places[keep], owners[keep], total[keep]
    tops, lefts = np.divmod(places, atlas.width)
    tops -= atlas.tops[owners]
    mirrored = owners % 2 == 1
    lefts[mirrored] = atlas.sizes[owners[mirrored], 1] - WINDOW - lefts[mirrored]
    windows = np.stack([lefts, tops, total], 1).astype(np.float32)
    return [windows[owners // 2 == number] for number in range(len(pictures))]


class _Atlas:
    """The integrals of many pictures, one below the other in one table as wide as the widest."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self.sizes = np.array([picture.shape for picture in pictures], np.int64).reshape(-1, 2)
        """Height and width of each picture."""
        heights = self.sizes[:, 0] + 1
        self.tops = np.cumsum(heights) - heights
        """First row of each picture."""
        self.width = int(self.sizes[:, 1].max(initial=0)) + 1
        self._table = np.zeros((int(heights.sum()), self.width), np.int32)
        for picture, top in zip(pictures, self.tops, strict=True):
            height, width = picture.shape
            self._table[top : top + height + 1, : width + 1] = cv2.integral(np.ascontiguousarray(picture))
        self._flat = self._table.ravel()

    def first(self, number: int, stage: Stage, stride: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Take a picture's windows through the first stage; return the places of those that pass, and their sums."""
        rows, columns = (max(0, int(length) - WINDOW + 1) for length in self.sizes[number])
        top = int(self.tops[number])
        total = np.full((-(-rows // stride), -(-columns // stride)), -stage.threshold, np.float32)
        for (x, y, width, height), table in stage.votes:
            corners = [
                [
                    self._table[top + y + row * height :, x + column * width :][:rows:stride, :columns:stride]
                    for column in range(4)
                ]
                for row in range(4)
            ]
            total += table[_pattern(corners)]
        row, column = np.nonzero(total >= FLOOR_START)
        return (top + row * stride) * self.width + column * stride, total[row, column]

    def at(self, rectangle: Rectangle, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Compare each window's eight outer blocks with its middle one, a bit each."""
        x, y, width, height = rectangle
        pattern = np.empty(len(places), np.uint8)
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            corners = [
                [
                    self._flat.take(some + ((y + row * height) * self.width + x + column * width), mode="clip")
                    for column in range(4)
                ]
                for row in range(4)
            ]
            pattern[start : start + _AT_ONCE] = _pattern(corners)
        return pattern


def _pattern(corners: list[list[NDArray[np.int32]]]) -> NDArray[np.uint8]:
    """Compare the eight outer blocks with the middle one, a bit each, given the integral at their 4 × 4 corners."""
    bands = [[lower - upper for upper, lower in zip(*rows, strict=True)] for rows in pairwise(corners)]
    blocks = [[right - left for left, right in pairwise(band)] for band in bands]
    middle = blocks[1][1]
    pattern = np.zeros(middle.shape, np.uint8)
    for row, column in NEIGHBOURS:
        pattern <<= np.uint8(1)
        pattern |= (blocks[row][column] >= middle).view(np.uint8)
    return pattern


def _numbers(text: str) -> Rectangle:
    x, y, width, height = (int(number) for number in text.split())
    return x, y, width, height
