"""CSIM: whether a face is that of the portrait, by the cosine of two embeddings of a face recogniser.

Source: Deng et al., ArcFace, CVPR 2019; the place of the five points in its picture of 112 pixels is the published one.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...clip import Clip
from ...errors import CheckpointError
from ...faces.embedded import five_points
from ...faces.insightface import NESTED, PACKS
from ...media.pixels import Bytes
from ...types import Landmarks
from ...weights.search import SearchPath, Weights, folders, is_file
from ..portrait import Still
from .protocol import Value

FILES = ("w600k_r50.onnx", "w600k_mbf.onnx")
"""Recognisers of InsightFace's packs, the best first: of buffalo_l and buffalo_m, and of the small ones."""
SIDE = 112
PLACES = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Eyes, tip of the nose and corners of the mouth in that picture, pixels: published."""
MIDDLE = 127.5
"""Grey, and half the range, of the pictures that the network knows: −1 … 1."""
PACKAGE = "onnxruntime"
NO_PORTRAIT, UNSEEN = "no portrait was given", "no face is seen"


def locate_recogniser(weights: Weights = ()) -> Path | None:
    """Find a recogniser's file where ``locate_pack`` looks for detectors."""
    named = [path for path in SearchPath.of(weights).files if path.name in FILES]
    roots = [folder / nested for folder in folders(weights) for nested in NESTED]
    with suppress(RuntimeError):  # nobody's home is no place to look
        roots.append(Path.home() / ".insightface" / "models")
    packs = [root / pack for root in roots for pack in ("", *PACKS)]
    return next((path for path in [*named, *(pack / name for name in FILES for pack in packs)] if is_file(path)), None)


def can_run() -> bool:
    """Say whether what runs such files is installed."""
    return find_spec(PACKAGE) is not None


class EmbeddingScorer:
    """A recogniser, ready."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            CheckpointError: It cannot be read, or is no recogniser.
        """
        import onnxruntime  # noqa: PLC0415 (optional)

        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own, unrelated classes
            raise CheckpointError(f"{path} cannot be read as an ONNX file; copy it again.") from error
        takes, gives = self._session.get_inputs(), self._session.get_outputs()
        if len(takes) != 1 or list(takes[0].shape[1:]) != [3, SIDE, SIDE] or len(gives) != 1:
            raise CheckpointError(
                f"{path} is not a face recogniser; one that takes pictures (n, 3, {SIDE}, {SIDE}) is expected."
            )
        self._takes = takes[0].name

    def meter(self, clip: Clip, still: Still | None, *, paired: bool) -> EmbeddingMeter:
        """Begin with a video."""
        return EmbeddingMeter(self, None if still is None else self.embed(still.pixels, still.landmarks))

    def embed(self, picture: Bytes, landmarks: Landmarks) -> NDArray[np.float64]:
        """Embed the face of a picture (h, w, 3): a vector (d,) of length 1."""
        places = similarity(np.array(five_points(landmarks)), np.array(PLACES))
        face = np.asarray(cv2.warpAffine(picture, places, (SIDE, SIDE)))
        takes = ((face.astype(np.float32) - MIDDLE) / MIDDLE).transpose(2, 0, 1)[None]
        found = np.asarray(self._session.run(None, {self._takes: takes})[0], np.float64).ravel()
        return found / max(float(np.linalg.norm(found)), np.finfo(np.float64).tiny)


def similarity(points: NDArray[np.floating], places: NDArray[np.floating]) -> NDArray[np.float64]:
    """Fit the turn, scale and shift (2, 3) that bring points (n, 2) to places (n, 2), least squares.

    Source: Umeyama, IEEE PAMI 1991; in the plane one complex factor says turn and scale.
    """
    first, second = (np.asarray(one, np.float64) @ (1, 1j) for one in (points, places))
    middle, other = first.mean(), second.mean()
    factor = np.vdot(first - middle, second - other) / np.vdot(first - middle, first - middle).real
    shift = other - factor * middle
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


class EmbeddingMeter:
    """Compares every frame's face with the portrait's."""

    def __init__(self, scorer: EmbeddingScorer, wanted: NDArray[np.float64] | None) -> None:
        self._scorer, self._wanted, self._found = scorer, wanted, []

    def see(self, picture: Bytes, landmarks: Landmarks | None, other: Bytes | None) -> None:
        """Take the next frame (h, w, 3)."""
        if self._wanted is not None and landmarks is not None:
            self._found.append(float(self._scorer.embed(picture, landmarks) @ self._wanted))

    def values(self) -> dict[str, Value]:
        """Sum up: the mean over the frames."""
        why = NO_PORTRAIT if self._wanted is None else UNSEEN
        return {"csim": float(np.mean(self._found)) if self._found else why}
