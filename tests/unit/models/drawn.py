"""A drawn face whose edges are known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from sonic_core.types import Face, Placement, Portrait

UNIT = 100.0
"""Pixels between the eyes."""
SKIN, RED, SHADE = (0.85, 0.66, 0.55), (0.72, 0.3, 0.3), (0.12, 0.04, 0.04)


def bow(share: np.ndarray) -> np.ndarray:
    """Say how far the upper lip hangs into the lower one, 0 … 1, at places along the mouth in half widths."""
    return np.exp(-((share / 0.3) ** 2)) * (np.abs(share) < 1)


def drawn_face(
    gap: float = 0.0,
    turn: float = 0.0,
    *,
    dip: float = 0.0,
    lips: tuple[float, float] = (10.0, 15.0),
    line: float = 0.8,
    inside: tuple[float, float, float] = SHADE,
    beard: bool = False,
) -> Portrait:
    """Draw a face on 512 × 512 pixels.

    Args:
        gap: Pixels between the lips in the middle.
        turn: How far the head is turned: the sides of the face, not what is on it.
        dip: Pixels by which the upper lip hangs into the lower one in the middle.
        lips: Their thickness in pixels.
        line: How far, in pixels, what is seen between the lips reaches beyond the gap.
        inside: The colour of what is seen there.
        beard: Whether dark hair covers the upper lip and grows around the mouth.
    """
    picture = np.full((512, 512, 3), (0.35, 0.45, 0.55), np.float32)
    y, x = np.mgrid[:512, :512].astype(np.float32)
    shift = -2.0 * turn
    picture[((x - 256 - shift) / 105) ** 2 + ((y - 250) / 145) ** 2 < 1] = SKIN
    for eye in (206, 306):
        picture[(np.abs(x - eye) < 22) & (y - 200 > -10 * (1 - ((x - eye) / 22) ** 2)) & (y - 200 < 6)] = (
            0.93,
            0.92,
            0.9,
        )
        picture[np.hypot(x - eye, y - 199) < 9] = 0.2, 0.13, 0.1
        picture[(np.abs(x - eye) < 28) & (np.abs(y - 172) < 4)] = 0.25, 0.17, 0.12
    share = (x - 256) / 40
    arch = 1 - np.clip(np.abs(share), 0, 1) ** 2
    below = y - 306 - dip * bow(share)
    mouth = arch > 0
    picture[mouth & (below > -lips[0] * arch) & (below < (gap + lips[1]) * arch)] = RED
    picture[mouth & (below > -line) & (below < gap * arch + line)] = inside
    if beard:
        lower = mouth & (below > 0) & (below < lips[1] * arch)
        picture[(((x - 256) / 75) ** 2 + ((y - 320) / 48) ** 2 < 1) & ~lower] = 0.07, 0.05, 0.05
    picture = cv2.GaussianBlur(picture, (0, 0), 1.2)
    image = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
    points = ((206.0, 200.0), (306.0, 200.0), (256.0, 268.0), (218.0, 308.0), (294.0, 308.0))
    return Portrait(
        image, Face((150, 105, 362, 395), points, 1.0), torch.ones(1, 512, 512), Placement(image, (0, 0, 512, 512))
    )
