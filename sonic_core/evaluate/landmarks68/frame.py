"""What is measured in one frame: lids, irises and the mouth's inside, from the 68 landmarks of 300-W."""

from __future__ import annotations

import cv2
import numpy as np

LEFT_EYE, RIGHT_EYE = np.arange(36, 42), np.arange(42, 48)
INNER_LIPS = np.arange(60, 68)
PAIRS = np.array([61, 62, 63]), np.array([67, 66, 65])
"""Points of the lips' inner edges that face each other."""
EYE, EYE_BLUR = (64, 40), 1.5
"""Size to which an eye is brought, corner to corner across, and blur before its iris is looked for; pixels."""
DARKER = 60
"""Percentile of the eye's brightness below which a pixel counts as the iris's."""
LEAST = 20
"""Pixels that must be seen between the lids."""
BLACK = 0.08
"""Share of the skin's brightness below which a pixel counts as near black."""


def lip_gap(points: np.ndarray) -> np.ndarray:
    """Measure the gap between the inner lips, mean of its middle three places: (n,) pixels."""
    return np.linalg.norm(points[:, PAIRS[0]] - points[:, PAIRS[1]], axis=-1).mean(1)


def eye_opening(points: np.ndarray) -> np.ndarray:
    """Measure the eyes' height over their width: (n,)."""
    heights = [
        np.linalg.norm(points[:, [e[1], e[2]]] - points[:, [e[5], e[4]]], axis=-1).mean(1)
        for e in (LEFT_EYE, RIGHT_EYE)
    ]
    widths = [np.linalg.norm(points[:, e[0]] - points[:, e[3]], axis=-1) for e in (LEFT_EYE, RIGHT_EYE)]
    return (np.array(heights) / np.array(widths)).mean(0)


def iris_place(frame: np.ndarray, points: np.ndarray, scale: float) -> float:
    """Find the dark centroid between the lids, along the eye's corners from their middle: I, mean of both eyes."""
    places = []
    for eye in (LEFT_EYE, RIGHT_EYE):
        first, last = points[eye[0]], points[eye[3]]
        middle, along = (first + last) / 2, (last - first) / np.linalg.norm(last - first)
        zoom = EYE[0] / np.linalg.norm(last - first)
        matrix = zoom * np.array([[along[0], along[1], 0.0], [-along[1], along[0], 0.0]])
        matrix[:, 2] = np.array(EYE) / 2 - matrix[:, :2] @ middle
        luma = brightness(cv2.warpAffine(frame, matrix, EYE, flags=cv2.INTER_CUBIC).astype(np.float64))
        luma = cv2.GaussianBlur(luma, (0, 0), EYE_BLUR)
        rows, columns = np.nonzero(_filled(points[eye] @ matrix[:, :2].T + matrix[:, 2], luma.shape))
        if len(rows) < LEAST:
            return np.nan
        dark = np.percentile(luma[rows, columns], DARKER) - luma[rows, columns]
        weight = np.maximum(dark, 0) + 1e-6
        places.append(float((weight * (columns - EYE[0] / 2)).sum() / weight.sum() / zoom))
    return float(np.mean(places)) / scale


def brightness(pixels: np.ndarray) -> np.ndarray:
    """Luma of RGB bytes (…, 3)."""
    return pixels @ np.array([0.299, 0.587, 0.114])


def mouth_inside(frame: np.ndarray, points: np.ndarray) -> tuple[float, float]:
    """Look between the inner lips: median brightness over the skin's, and the share that is near black."""
    mask = _filled(points[INNER_LIPS], frame.shape[:2])
    cheeks = np.concatenate([(points[[41, 46]] + points[[48, 54]]) / 2, points[[28]]])
    reach = max(1, int(0.04 * np.linalg.norm(points[45] - points[36])))
    skin = np.median(
        [
            np.median(brightness(frame[y - reach : y + reach + 1, x - reach : x + reach + 1]))
            for x, y in cheeks.astype(int)
        ]
    )
    inside = brightness(frame[mask]) / max(float(skin), 1)
    return (float(np.median(inside)), float((inside < BLACK).mean())) if len(inside) else (np.nan, np.nan)


def _filled(corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Fill a polygon with corners (n, 2): (h, w) bool."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 1, shift=4)
    return mask > 0
