"""Score every window of a picture with the frontal-face cascade that ships with scikit-image, softly.

A cascade says yes or no; what it adds up on the way says more. A window's score is the sum of the margins of all its
stages, and a window is given up only when that sum falls behind a slowly rising line. Paintings, tilted and turned
faces, which the hard cascade rejects in one of its twenty stages, keep a score far above that of their surroundings.

Source: Liao et al., Learning Multi-scale Block Local Binary Patterns for Face Recognition, ICB 2007 (the features);
Bourdev and Brandt, Robust Object Detection via Soft Cascade, CVPR 2005 (the rejection).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
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


def scan(gray: NDArray[np.uint8], mirrored: bool = False, stride: int = 1) -> NDArray[np.float32]:
    """Score all 24 × 24 windows of a picture.

    Args:
        gray: (h, w) grey values.
        mirrored: Look through the mirror image of the cascade: a second opinion of nearly the same worth.
        stride: Look at every so manieth row and column only.

    Returns:
        (n, 3): left, top and score of each window that was not given up; faces reach 45 and more.
    """
    rows, columns = gray.shape[0] - WINDOW + 1, gray.shape[1] - WINDOW + 1
    if rows <= 0 or columns <= 0:
        return np.zeros((0, 3), np.float32)
    blocks = _Blocks(gray, mirrored)
    tops, lefts = (grid.ravel() for grid in np.mgrid[:rows:stride, :columns:stride])
    total = np.zeros(tops.size, np.float32)
    dense = True
    for number, stage in enumerate(load_stages()):
        total -= stage.threshold
        for rectangle, table in stage.votes:
            if dense:
                total += table[blocks.everywhere(rectangle, rows, columns, stride)]
            else:
                total += table[blocks.at(rectangle, tops, lefts)]
        keep = np.flatnonzero(total >= FLOOR_START + FLOOR_RISE * number)
        if keep.size < total.size:
            tops, lefts, total, dense = tops[keep], lefts[keep], total[keep], False
        if not keep.size:
            break
    return np.stack([lefts, tops, total], 1).astype(np.float32)


class _Blocks:
    """Block sums of one picture, each block size computed once."""

    def __init__(self, gray: NDArray[np.uint8], mirrored: bool) -> None:
        self._integral = cv2.integral(gray).astype(np.int32)
        self._mirrored = mirrored
        self._sums: dict[tuple[int, int], NDArray[np.int32]] = {}

    def sums(self, width: int, height: int) -> NDArray[np.int32]:
        """Sum the pixels of the block that begins at each pixel."""
        if (width, height) not in self._sums:
            table = self._integral
            lower, upper = table[height:], table[:-height]
            self._sums[width, height] = (lower[:, width:] - lower[:, :-width]) - (upper[:, width:] - upper[:, :-width])
        return self._sums[width, height]

    def everywhere(self, rectangle: Rectangle, rows: int, columns: int, stride: int) -> NDArray[np.uint8]:
        """Compare each window's eight outer blocks with its middle one, a bit each, for all windows."""
        sums = self.sums(rectangle[2], rectangle[3])

        def block(top: int, left: int) -> NDArray[np.int32]:
            return sums[top : top + rows : stride, left : left + columns : stride]

        corners = self._corners(rectangle)
        middle = block(*corners[-1])
        pattern = np.zeros(middle.shape, np.uint8)
        for corner in corners[:-1]:
            pattern <<= np.uint8(1)
            pattern |= (block(*corner) >= middle).view(np.uint8)
        return pattern.ravel()

    def at(self, rectangle: Rectangle, tops: NDArray[np.int64], lefts: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Compare each window's eight outer blocks with its middle one, a bit each, for the windows given."""
        sums = self.sums(rectangle[2], rectangle[3])
        offsets = np.array([top * sums.shape[1] + left for top, left in self._corners(rectangle)])
        values = sums.ravel()[offsets[:, None] + (tops * sums.shape[1] + lefts)]
        return np.packbits(values[:-1] >= values[-1], axis=0)[0]

    def _corners(self, rectangle: Rectangle) -> list[tuple[int, int]]:
        """List top and left of the eight outer blocks and of the middle one."""
        x, y, width, height = rectangle
        lefts = [x + column * width for column in range(3)]
        if self._mirrored:
            lefts = [WINDOW - left - width for left in lefts]
        return [(y + row * height, lefts[column]) for row, column in (*NEIGHBOURS, (1, 1))]


def _numbers(text: str) -> Rectangle:
    x, y, width, height = (int(number) for number in text.split())
    return x, y, width, height
