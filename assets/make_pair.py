"""Make ``pair.jpg`` beside this file: the bundled portrait and, as a second person, it mirrored in a suit of blue.

python assets/make_pair.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ASSETS = Path(__file__).resolve().parent
LEFT, RIGHT = 74, 682
"""Columns of the portrait that are kept: where the two meet there is nothing but a shoulder and the wall."""
SIDES = (1064, 672)
"""Width and height in pixels."""
ORANGE, BLUE = (13, 168), 104
"""Hue of the suit, in OpenCV's half degrees, up to and, round the circle, from; and what becomes of it."""
VIVID, BELOW = 120, 480
"""Saturation from which it is the suit, not skin, and the row of the portrait below which it is."""


def second(pixels: np.ndarray) -> np.ndarray:
    """Mirror the portrait (h, w, 3) and dress it otherwise."""
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hue, vivid, _ = cv2.split(colours)
    rows = np.arange(len(pixels))[:, None]
    suit = ((hue <= ORANGE[0]) | (hue >= ORANGE[1])) & (vivid > VIVID) & (rows > BELOW)
    share = cv2.GaussianBlur(suit.astype(np.float32), (0, 0), 1.5)[..., None]
    dressed = colours.copy()
    dressed[..., 0] = BLUE
    dressed[..., 1] = (vivid * 0.75).astype(np.uint8)
    dressed[..., 2] = (colours[..., 2] * 0.62).astype(np.uint8)
    blue = cv2.cvtColor(dressed, cv2.COLOR_HSV2RGB)
    return (pixels * (1 - share) + blue * share).round().astype(np.uint8)[:, ::-1]


if __name__ == "__main__":
    portrait = np.asarray(Image.open(ASSETS / "portrait.png").convert("RGB"))
    both = np.hstack([portrait[:, LEFT:RIGHT], second(portrait)[:, 768 - RIGHT : 768 - LEFT]])
    height, width = both.shape[:2]
    Image.fromarray(both).resize(SIDES, Image.Resampling.LANCZOS).save(ASSETS / "pair.jpg", quality=90)
