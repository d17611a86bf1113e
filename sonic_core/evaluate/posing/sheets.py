"""Sheets by which strangers rate portraits: strips of tiles, 1600 pixels wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from .sitter import HALF_SHUT, POSES, Sitter

WIDTH = 1600
POSE, MOUTH, EYES, SPOKEN = (200, 230), (400, 290), (533, 190), (266, 300)
"""Sizes of tiles in pixels; of mouths and eyes about three times the picture's own at 512."""
POSE_REACH, MOUTH_REACH, EYES_REACH, SPOKEN_REACH = 2.7, 1.2, 1.75, 2.3
"""How much of the picture a tile shows across, in I."""
ROW_TILE, ROW_REACH = (200, 230), 2.1
"""A tile of a sheet with one row a portrait, in pixels, and how much of the picture it shows across, in I."""
CONSECUTIVE = 6
"""Frames of speech in a row."""
TOGETHER = 6
"""Portraits on a sheet."""
MOUTHS, EYE_STATES = ("at rest", "open", "rounded", "f and v"), ("at rest", "half shut", "blink")


def draw_poses(sitter: Sitter) -> np.ndarray:
    """Draw one row of ``POSES``, cut around the face: (h, w, 3) RGB bytes."""
    middle, across = (sitter.eyes + sitter.mouth) / 2, ROW_REACH * sitter.unit
    return np.hstack([tile(sitter.posed(asked), middle, across, ROW_TILE) for asked in POSES.values()])


def title_poses() -> np.ndarray:
    """Write what the tiles of ``draw_poses`` show: (h, w, 3) RGB bytes."""
    return np.hstack([titled(name, ROW_TILE[0]) for name in POSES])


def tile(frame: np.ndarray, centre: np.ndarray, across: float, size: tuple[int, int]) -> np.ndarray:
    """Cut a tile of ``size`` that shows ``across`` pixels around ``centre``; beyond the picture it is white."""
    zoom = size[0] / across
    matrix = np.array([[zoom, 0, size[0] / 2 - zoom * centre[0]], [0, zoom, size[1] / 2 - zoom * centre[1]]])
    if zoom < 1:
        radius = 0.5 / zoom
        frame = cv2.GaussianBlur(frame, (0, 0), 0.5 * radius)
    return cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))


def titled(text: str, width: int = WIDTH, height: int = 22) -> np.ndarray:
    """Write a line on white."""
    line = np.full((height, width, 3), 255, np.uint8)
    cv2.putText(line, text, (4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return line


def strip(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Lay tiles beside each other on white, ``WIDTH`` wide."""
    row = np.full((tiles[0].shape[0], WIDTH, 3), 255, np.uint8)
    row[:, : sum(one.shape[1] for one in tiles)] = np.hstack(tiles)
    return row


def liveliest(gaps: np.ndarray) -> int:
    """Find the first of ``CONSECUTIVE`` frames in which the gap (n,) changes the most."""
    return int(np.argmax([np.ptp(gaps[start : start + CONSECUTIVE]) for start in range(len(gaps) - CONSECUTIVE)]))


def strips(sitter: Sitter) -> dict[str, np.ndarray]:
    """Draw a portrait's four strips: poses, mouths, eyes, and frames of speech one after the other."""
    middle, unit = sitter.eyes + 0.35 * (sitter.mouth - sitter.eyes), sitter.unit
    drawn = {name: sitter.posed(asked) for name, asked in POSES.items()}
    drawn["half shut"] = sitter.posed(HALF_SHUT)
    _, poses = sitter.speak()
    start = liveliest(sitter.gaps(poses))
    spoken = sitter.draw(poses[start : start + CONSECUTIVE])
    return {
        "poses": strip([tile(drawn[name], middle, POSE_REACH * unit, POSE) for name in POSES]),
        "mouths": strip([tile(drawn[name], sitter.mouth, MOUTH_REACH * unit, MOUTH) for name in MOUTHS]),
        "eyes": strip([tile(drawn[name], sitter.eyes, EYES_REACH * unit, EYES) for name in EYE_STATES]),
        "spoken": strip([tile(frame, middle, SPOKEN_REACH * unit, SPOKEN) for frame in spoken]),
    }


def refused(picture: np.ndarray, why: str) -> dict[str, np.ndarray]:
    """Show a portrait that was refused, and what was said."""
    zoom = min(POSE[0] / picture.shape[1], POSE[1] / picture.shape[0])
    small = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    row = np.full((POSE[1], WIDTH, 3), 255, np.uint8)
    row[: small.shape[0], : small.shape[1]] = small
    row[100:122, POSE[0] : WIDTH] = titled(f"refused: {why}", WIDTH - POSE[0])
    return {"poses": row}


def write_together(kind: str, rows: Iterable[tuple[str, np.ndarray]], folder: Path) -> None:
    """Write strips of one kind, ``TOGETHER`` to a sheet, each with its portrait's name."""
    rows = list(rows)
    for first in range(0, len(rows), TOGETHER):
        parts = [part for name, row in rows[first : first + TOGETHER] for part in (titled(name), row)]
        write(folder / f"{kind}_{first // TOGETHER + 1:02d}.png", np.vstack(parts))


def write(file: Path, picture: np.ndarray) -> None:
    """Write RGB bytes (h, w, 3)."""
    cv2.imwrite(str(file), np.ascontiguousarray(picture[..., ::-1]))
