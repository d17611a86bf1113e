"""InsightFace's detectors, where their files and the package are already there. Nothing is ever downloaded.

Source: Guo et al., Sample and Computation Redistribution for Efficient Face Detection, arXiv 2105.04714 (SCRFD).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..errors import CheckpointError
from ..media.pixels import as_bytes
from ..types import Face, largest_first
from ..weights.search import SearchPath, Weights, folders, is_folder
from .embedded import face_inside, with_landmarks
from .regions import as_points

PACKS = ("buffalo_l", "antelopev2", "buffalo_m", "buffalo_s", "buffalo_sc")
"""Known packs, the best first; others come after them by name."""
PATTERNS = ("det_*.onnx", "scrfd*.onnx")
NESTED = ("", "models", "insightface", "insightface/models")
"""Where packs lie inside a weight folder."""
NEEDED = ("insightface", "onnxruntime", "onnx", "skimage")
"""The package and what it cannot be imported without; ``pip install --no-deps`` leaves the others out."""
INPUT_SIDES = (640, 256)
"""Sides of the detector's input, tried in turn: faces that fill the picture are found at the smaller one."""
LEAST_SCORE = 0.5


def locate_pack(weights: Weights = ()) -> Path | None:
    """Find a detector (``det_*.onnx`` or ``scrfd*.onnx``) in the weight folders or in ``~/.insightface/models``."""
    for path in SearchPath.of(weights).files:
        if any(path.match(pattern) for pattern in PATTERNS):
            return path
    roots = [folder / nested for folder in folders(weights) for nested in NESTED]
    with suppress(RuntimeError):  # nobody's home is no place to look
        roots += [Path.home() / ".insightface" / "models"]
    for root in roots:
        inside = sorted(path for path in _inside(root) if is_folder(path))
        ranked = sorted(inside, key=lambda path: PACKS.index(path.name) if path.name in PACKS else len(PACKS))
        for pack in [root, *ranked]:
            for pattern in PATTERNS:
                for path in sorted(path for path in _inside(pack) if path.match(pattern)):
                    return path
    return None


def _inside(folder: Path) -> list[Path]:
    """List what is in a folder; of one that is not there, or may not be looked into, nothing."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


class InsightFaceFinder:
    """Finds faces with one of InsightFace's detectors."""

    name = "insightface"

    def __init__(self, path: str | Path | None) -> None:
        """Load the detector.

        Args:
            path: The ``.onnx`` file of the detector.

        Raises:
            CheckpointError: The file or the package is missing, or the file holds something else.
        """
        if path is None or not Path(path).is_file():
            raise CheckpointError(
                f"No InsightFace detector was found{f' at {path}' if path else ''}: put a pack such as buffalo_l, with "
                "its det_10g.onnx, into models/insightface/models, or use the finder 'embedded', which needs no file."
            )
        try:
            from insightface.model_zoo import get_model  # noqa: PLC0415 (optional)
        except ImportError as error:
            raise CheckpointError(
                "The finder 'insightface' needs the package insightface and onnxruntime: pip install insightface "
                "onnxruntime; or use the finder 'embedded'."
            ) from error
        try:
            detector: Any = get_model(str(Path(path).absolute()), download=False, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own, unrelated classes
            raise CheckpointError(f"{path} cannot be read as an ONNX file; copy it again.") from error
        if getattr(detector, "taskname", None) != "detection":
            raise CheckpointError(f"{path} is not a face detector; the pack's det_*.onnx is expected.")
        self._detector = detector

    @staticmethod
    def usable(weights: Weights = ()) -> bool:
        """Say whether the package, with what it imports, and a detector are there."""
        there = all(find_spec(package) is not None for package in NEEDED)
        return there and locate_pack(weights) is not None

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first; an empty list when there is none."""
        pixels = as_bytes(image)
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        boxes, points = np.zeros((0, 5)), None
        for side in INPUT_SIDES:
            self._detector.prepare(ctx_id=-1, input_size=(side, side), det_thresh=LEAST_SCORE)
            boxes, points = self._detector.detect(bgr)
            if len(boxes):
                break
        faces = []
        for number, row in enumerate(boxes):
            left, top, right, bottom, score = (float(value) for value in row)
            box = (left, top, right, bottom)
            if points is None:
                face = replace(face_inside(image, box), score=min(max(score, 0.0), 1.0))
            else:
                eye, other, nose, corner, last = as_points(np.asarray(points[number], np.float64))
                face = Face(box, (eye, other, nose, corner, last), min(max(score, 0.0), 1.0))
                face = with_landmarks(image, face)
            faces.append(face)
        return largest_first(faces)
