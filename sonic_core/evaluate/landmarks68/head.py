"""How a head lies in the picture, from the 68 landmarks of 300-W.

Lengths are in I, the distance between the eyes' middles in space.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.optimize import least_squares

RIGID = {
    36: (-0.702, -0.020, 0.044), 39: (-0.298, 0.020, -0.044), 42: (0.298, 0.020, -0.044), 45: (0.702, -0.020, 0.044),
    27: (0.0, -0.050, -0.300), 28: (0.0, 0.147, -0.467), 29: (0.0, 0.345, -0.658), 30: (0.0, 0.546, -0.710),
    31: (-0.208, 0.670, -0.382), 33: (0.0, 0.733, -0.446), 35: (0.208, 0.670, -0.382),
}  # fmt: skip
"""Where the points that neither speech nor lids move lie in a head, in I (x right, y down, z away from the camera).

Source: medians of 51 frontal portraits; x and y as dlib places them, z as a learned mesh of 468 points has it."""
BROWS = {
    17: (-0.925, -0.226, 0.077), 18: (-0.785, -0.352, -0.044), 19: (-0.583, -0.390, -0.149),
    20: (-0.373, -0.365, -0.243), 21: (-0.182, -0.283, -0.293), 22: (0.182, -0.283, -0.293),
    23: (0.373, -0.365, -0.243), 24: (0.583, -0.390, -0.149), 25: (0.785, -0.352, -0.044), 26: (0.925, -0.226, 0.077),
}  # fmt: skip
"""Where the brows lie; same source."""


def fit_head(points: np.ndarray) -> np.ndarray:
    """Fit a head to points (n, 68, 2): (n, 6) of turn (3, as a rotation vector), scale in pixels a unit, x, y."""
    numbers, model = list(RIGID), np.array(list(RIGID.values()))
    start = None
    heads = np.full((len(points), 6), np.nan)
    for index, lies in enumerate(points):
        if np.isnan(lies[0, 0]):
            continue
        seen = lies[numbers]
        if start is None:
            scale = float(np.linalg.norm(seen[[0, 1]].mean(0) - seen[[2, 3]].mean(0)))
            start = np.array([0, 0, 0, scale, *seen[:4].mean(0)])

        def miss(head: np.ndarray, seen: np.ndarray = seen) -> np.ndarray:
            return ((project(head, model) - seen) / head[3]).ravel()

        heads[index] = start = least_squares(miss, start, x_scale=[0.1, 0.1, 0.1, 10, 10, 10]).x
    return heads


def project(head: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Put points of the head (n, 3) into the picture: (n, 2)."""
    return head[3] * (model @ cv2.Rodrigues(head[:3])[0].T)[:, :2] + head[4:]


def angles(heads: np.ndarray) -> np.ndarray:
    """Turn heads (n, 6) into degrees (n, 3): yaw to picture left, pitch down, roll clockwise."""
    turned = []
    for head in heads:
        matrix = cv2.Rodrigues(head[:3])[0] if np.isfinite(head[0]) else np.full((3, 3), np.nan)
        gaze, level = -matrix[:, 2], matrix[:, 0]
        turned.append((np.arctan2(-gaze[0], -gaze[2]), np.arcsin(gaze[1]), np.arctan2(level[1], level[0])))
    return np.degrees(turned)


def brow_height(head: np.ndarray, points: np.ndarray) -> float:
    """Say how far above the head's own place the brows are, along its upright: I."""
    if np.isnan(head[0]):
        return float("nan")
    down = cv2.Rodrigues(head[:3])[0][:2, 1]
    lower = points[list(BROWS)] - project(head, np.array(list(BROWS.values())))
    return -float((lower @ down).mean() / (head[3] * (down @ down)))
