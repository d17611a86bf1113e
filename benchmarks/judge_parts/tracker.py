"""A face followed through a clip by dlib: its detector (gradients) and its 68 points (regression trees)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from scipy.signal import medfilt

dlib: Any = import_module("dlib")
PREDICTOR = import_module("face_recognition_models").pose_predictor_model_location()
SHAKES = (0, 0), (0.03, 0), (-0.03, 0), (0, 0.03), (0, -0.03)
"""Shares of its size by which the face's box is moved; the mean of what is then read trembles less than one reading."""
HEIGHT = 512
"""Pixels of a frame's shorter side when it is looked at."""
FACE = 150
"""Pixels of a face when it is searched for: dlib's detector was trained with 80, and coarser is quicker."""
CALM = 7
"""Frames over which movement is smoothed before its spread is taken: the tracker's own trembling goes."""


class Tracker:
    """dlib's detector and its 68 points."""

    def __init__(self) -> None:
        self.detector, self.predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(PREDICTOR)

    def find(self, frame: np.ndarray, near: np.ndarray | None) -> tuple[float, np.ndarray | None]:
        """Find the best face, around the box ``near`` (4,) first: its score, and its box or None."""
        tries = [] if near is None else [(near, FACE / (near[2] - near[0]))]
        for box, zoom in [*tries, (None, 1.0), (None, 2.0)]:
            left, top, cut = 0, 0, frame
            if box is not None:
                around = 0.5 * (box[2] - box[0])
                left, top = np.maximum(box[:2] - around, 0).astype(int)
                right, bottom = (box[2:] + around).astype(int)
                cut = frame[top:bottom, left:right]
            small = cv2.resize(
                cut, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
            )
            boxes, scores, _ = self.detector.run(np.ascontiguousarray(small), 0, -1.0)
            if scores and (scores[0] > 0 or zoom == 2.0 or box is not None):
                best = int(np.argmax(scores))
                found = boxes[best]
                sides = np.array([found.left(), found.top(), found.right(), found.bottom()]) / zoom
                return scores[best], sides + np.array([left, top, left, top])
        return -np.inf, None

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
