"""A face followed through a clip by dlib: its detector (gradients) and its 68 points (regression trees)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from scipy.signal import medfilt

from sonic_core.evaluate.statistics import CALM

dlib: Any = import_module("dlib")
PREDICTOR = import_module("face_recognition_models").pose_predictor_model_location()
SHAKES = (0, 0), (0.03, 0), (-0.03, 0), (0, 0.03), (0, -0.03)
"""Shares of its size by which the face's box is moved; the mean of what is then read trembles less than one reading."""
HEIGHT = 512
"""Pixels of a frame's shorter side when it is looked at."""
FACES = 120, 150
"""Pixels of a face when it is searched for near its last place; dlib's detector was trained with 80, and its score
trembles with where its cells of 8 pixels fall, so the better of two is taken."""
MARGIN = 0.25
"""Share of the shorter side by which a picture is carried on at its edges: faces that fill it are found so."""
LEAST = -1.0
"""Detection score below which nothing is taken for a face; 0 is dlib's own threshold."""
SAME = 0.4
"""Overlap (intersection over union) from which a box holds the face of the frame before."""


class Tracker:
    """dlib's detector and its 68 points."""

    def __init__(self) -> None:
        self.detector, self.predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(PREDICTOR)

    def find(self, frame: np.ndarray, near: np.ndarray | None) -> tuple[float, np.ndarray | None]:
        """Find the best face, around the box ``near`` (4,) first: its score, and its box or None."""
        if near is not None:
            around = 0.5 * (near[2] - near[0])
            part = near + np.array([-around, -around, around, around])
            found = [one for size in FACES for one in self._search(frame, part, size / (near[2] - near[0]))]
            found = [(score, box) for score, box in found if overlap(box, near) > SAME]
            if found:
                return max(found, key=lambda one: one[0])
        margin = MARGIN * min(frame.shape[:2])
        whole = np.array([-margin, -margin, frame.shape[1] + margin, frame.shape[0] + margin])
        for zooms in (0.5, 1.0), (2.0,):
            found = [one for zoom in zooms for one in self._search(frame, whole, zoom)]
            if found:
                return max(found, key=lambda one: one[0])
        return -np.inf, None

    def _search(self, frame: np.ndarray, part: np.ndarray, zoom: float) -> list[tuple[float, np.ndarray]]:
        """List the faces of a part of a frame, its edges carried on beyond them, brought to ``zoom``."""
        size = tuple(int(side) for side in np.round((part[2:] - part[:2]) * zoom))
        matrix = np.array([[zoom, 0, -zoom * part[0]], [0, zoom, -zoom * part[1]]])
        if zoom < 1:
            frame = cv2.GaussianBlur(frame, (0, 0), 0.35 / zoom)
        cut = cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        boxes, scores, _ = self.detector.run(cut, 0, LEAST)
        sides = [np.array([box.left(), box.top(), box.right(), box.bottom()]) for box in boxes]
        return [(score, box / zoom + np.tile(part[:2], 2)) for score, box in zip(scores, sides, strict=True)]

    def read(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Read the points (68, 2) of the face in a box."""
        size = box[2] - box[0]
        read = []
        for across, down in SHAKES:
            moved = box + size * np.array([across, down, across, down])
            shape = self.predictor(frame, dlib.rectangle(*(round(float(value)) for value in moved)))
            read.append([(point.x, point.y) for point in shape.parts()])
        return np.mean(read, 0)

    def track(self, frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Follow a face: detection scores (n,) and points (n, 68, 2), NaN where none is found.

        The detector's boxes jump in steps of a fifth of their size, and the points with them; so the points are read
        twice, the second time in boxes put around those of the first and calmed.
        """
        near, scores, boxes, points = None, [], [], []
        for frame in frames:
            score, box = self.find(frame, near)
            scores.append(score)
            boxes.append(np.full(4, np.nan) if box is None else box)
            points.append(np.full((68, 2), np.nan) if box is None else self.read(frame, box))
            near = near if box is None else box
        lies, sizes = np.array(points), np.array(boxes)
        seen = np.isfinite(lies[:, 0, 0])
        if seen.sum() < CALM:
            return np.array(scores), lies
        middle, extent = lies[seen].mean(1), lies[seen][:, 36:48].std(1).sum(1)
        share = np.median((sizes[seen][:, 2] - sizes[seen][:, 0]) / extent)
        shift = np.median(((sizes[seen][:, :2] + sizes[seen][:, 2:]) / 2 - middle) / extent[:, None], 0)
        extent = medfilt(extent, CALM if len(extent) >= CALM else 1)
        extent[extent == 0] = np.median(extent)
        for index, around, width in zip(np.flatnonzero(seen), middle, extent, strict=True):
            centre, half = around + shift * width, share * width / 2
            lies[index] = self.read(frames[index], np.concatenate([centre - half, centre + half]))
        return np.array(scores), lies


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,)."""
    sides = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    areas = [np.prod(box[2:] - box[:2]) for box in (one, other)]
    return float(np.prod(sides) / (sum(areas) - np.prod(sides)))


def read_frames(file: Path, seconds: float) -> tuple[list[np.ndarray], float]:
    """Read the first ``seconds`` of a clip, its shorter side ``HEIGHT``: RGB bytes, and frames a second."""
    frames = []
    with av.open(str(file)) as video:
        rate = float(video.streams.video[0].average_rate or 25)
        for frame in video.decode(video=0):
            if len(frames) >= seconds * rate:
                break
            zoom = HEIGHT / min(frame.width, frame.height)
            pixels = frame.to_ndarray(format="rgb24")
            frames.append(
                pixels if zoom == 1 else cv2.resize(pixels, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
            )
    return frames, rate
