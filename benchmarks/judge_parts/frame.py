"""What is measured in one frame: lids, irises and the mouth's inside, from dlib's 68 points."""

from __future__ import annotations

import cv2
import numpy as np

LEFT_EYE, RIGHT_EYE = np.arange(36, 42), np.arange(42, 48)
INNER_LIPS = np.arange(60, 68)
PAIRS = np.array([61, 62, 63]), np.array([67, 66, 65])
"""Points of the lips' inner edges that face each other."""
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
        along = (last - first) / np.linalg.norm(last - first)
        mask = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(points[eye] * 16).astype(np.int32)], 255, shift=4)
        rows, columns = np.nonzero(mask)
        if len(rows) < 6:
            return np.nan
        luma = brightness(frame[rows, columns])
        weight = np.maximum(np.percentile(luma, 60) - luma, 0) + 1e-6
        offset = np.column_stack([columns, rows]) - (first + last) / 2
        places.append(float((weight * (offset @ along)).sum() / weight.sum()))
    return float(np.mean(places)) / scale


def brightness(pixels: np.ndarray) -> np.ndarray:
    """Luma of RGB bytes (…, 3)."""
    return pixels @ np.array([0.299, 0.587, 0.114])


def mouth_inside(frame: np.ndarray, points: np.ndarray) -> tuple[float, float]:
    """Look between the inner lips: median brightness over the skin's, and the share that is near black."""
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points[INNER_LIPS] * 16).astype(np.int32)], 255, shift=4)
    cheeks = np.concatenate([(points[[41, 46]] + points[[48, 54]]) / 2, points[[28]]])
    reach = max(1, int(0.04 * np.linalg.norm(points[45] - points[36])))
    skin = np.median(
        [
            np.median(brightness(frame[y - reach : y + reach + 1, x - reach : x + reach + 1]))
            for x, y in cheeks.astype(int)
        ]
    )
    inside = brightness(frame[mask > 0]) / max(float(skin), 1)
    return (float(np.median(inside)), float((inside < BLACK).mean())) if len(inside) else (np.nan, np.nan)
