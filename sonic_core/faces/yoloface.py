"""The published face detector, ``yoloface_v5m.pt``, a TorchScript file.

Source: the published preprocessing; the network is YOLOv5-face (Qi et al., arXiv 2105.12931).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..errors import CheckpointError
from ..types import Face, largest_first
from ..weights.search import Weights, locate
from ..weights.torchscript import load_computing
from .embedded import with_landmarks

FILE = "yoloface_v5m.pt"
SHORT_SIDE = 416
STRIDES = (8, 16, 32)
LEAST_SCORE = 0.5
MOST_OVERLAP = 0.45


def locate_yoloface(weights: Weights = ()) -> Path | None:
    """Find the detector's file in the weight folders, but not in those of the folder the program was started in.

    The file is code: whoever unpacks somebody's folder and works in it has not asked for what lies there.
    """
    return locate(FILE, weights, here=False)


class YoloFaceFinder:
    """Finds faces with the published detector."""

    name = "yoloface"

    def __init__(self, path: str | Path | None) -> None:
        """Load the detector.

        Args:
            path: The TorchScript file.

        Raises:
            CheckpointError: The file is missing, cannot be read, or holds code that does more than compute.
        """
        if path is None or not Path(path).is_file():
            raise CheckpointError(
                f"{path or FILE} was not found; put it into a weight folder, or use the finder 'embedded', "
                "which needs no file."
            )
        self._network = load_computing(path)

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first; an empty list when there is none.

        Raises:
            CheckpointError: The file holds another network.
        """
        height, width = image.shape[-2:]
        high, wide = detector_size((height, width))
        pixels = image.detach().cpu().float()[None]
        pixels = functional.interpolate(pixels, (high, wide), mode="bilinear", align_corners=False)
        with torch.inference_mode():
            found = self._network(pixels, cell_grids((high, wide)))
        found = found[0] if isinstance(found, (tuple, list)) else found
        if found.dim() != 3 or found.shape[-1] != 16:
            raise CheckpointError(
                f"{FILE} answers {tuple(found.shape)} where (1, N, 16) is expected; download it again."
            )
        scale = np.array([width / wide, height / high])
        rows = keep_rows(found[0].numpy().astype(np.float64))
        return largest_first([with_landmarks(image, _face(row, scale)) for row in rows])


def detector_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the detector's input: short side 416, each side rounded up to a multiple of 32.

    >>> detector_size((200, 180))
    (480, 416)
    """
    scale = SHORT_SIDE / min(size)
    high, wide = (int(side * scale + 31) // 32 * 32 for side in size)
    return high, wide


def cell_grids(size: tuple[int, int]) -> list[torch.Tensor]:
    """Number the cells of each stride: (1, 1, ny, nx, 2) of (x, y)."""
    grids = []
    for stride in STRIDES:
        rows, columns = torch.meshgrid(torch.arange(size[0] // stride), torch.arange(size[1] // stride), indexing="ij")
        grids.append(torch.stack([columns, rows], -1)[None, None].float())
    return grids


def keep_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drop unlikely rows, then those that overlap a likelier one.

    Args:
        rows: (n, 16): centre x, centre y, width, height, objectness, five points, class score.

    Returns:
        The rows that are left, the likeliest first; objectness is replaced by its product with the class score.
    """
    rows = rows[rows[:, 4] > LEAST_SCORE].copy()
    rows[:, 4] *= rows[:, 15]
    rows = rows[rows[:, 4] > LEAST_SCORE]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    half = rows[:, 2:4] / 2
    starts, ends = rows[:, :2] - half, rows[:, :2] + half
    areas = (ends - starts).prod(1)
    kept: list[int] = []
    for number in range(len(rows)):
        common = (np.minimum(ends[kept], ends[number]) - np.maximum(starts[kept], starts[number])).clip(0).prod(1)
        if np.all(common / np.maximum(areas[kept] + areas[number] - common, 1e-9) <= MOST_OVERLAP):
            kept.append(number)
    return rows[kept]


def _face(row: NDArray[np.float64], scale: NDArray[np.float64]) -> Face:
    centre, half = row[:2], row[2:4] / 2
    left, top = (centre - half) * scale
    right, bottom = (centre + half) * scale
    eye, other, nose, corner, last = ((float(x), float(y)) for x, y in row[5:15].reshape(5, 2) * scale)
    return Face((float(left), float(top), float(right), float(bottom)), (eye, other, nose, corner, last), float(row[4]))
