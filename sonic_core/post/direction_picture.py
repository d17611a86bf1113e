"""Draw what is directed: a curve for each name over the same seconds."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..direction import Direction
from ..keyframes import Curve
from ..media.pixels import as_frames

LANE, WIDTH, MOST = 56, 640, 16
"""Pixels of height of a curve and of the picture's width; curves that are shown at most."""
_LEFT, _RIGHT, _FOOT, _EDGE = 150, 56, 26, 10
_PAPER, _LANE, _INK, _FAINT, _LINE, _KEY = (
    (24, 26, 31), (33, 36, 43), (228, 230, 235), (120, 126, 138), (111, 168, 255), (240, 180, 84),
)  # fmt: skip
_FEW = 24
"""Keyframes up to which each is marked."""
_STEPS = 240
"""Moments at which a curve is read."""


def draw_direction(direction: Direction) -> torch.Tensor:
    """Draw all curves of a direction, one below the other: (3, h, 640) RGB in [0, 1]."""
    shown = direction.curves[:MOST]
    seconds = max([curve.seconds[-1] for _, curve in shown if len(curve.seconds) > 1], default=1.0)
    canvas = np.empty((max(len(shown), 1) * LANE + _FOOT, WIDTH, 3), np.uint8)
    canvas[:] = _PAPER
    for number, (name, curve) in enumerate(shown):
        _draw_curve(canvas[number * LANE : (number + 1) * LANE], name, curve, seconds)
    if not shown:
        _write(canvas, "nothing is directed", (_EDGE, LANE // 2 + 5), _FAINT)
    foot = canvas.shape[0] - _EDGE
    _write(canvas, "0 s", (_LEFT, foot), _FAINT)
    _write(canvas, f"{seconds:g} s", (WIDTH - _RIGHT - 30, foot), _FAINT)
    return as_frames([canvas])[0]


def _draw_curve(lane: np.ndarray, name: str, curve: Curve, seconds: float) -> None:
    """Draw a curve into its lane, (h, w, 3) bytes, with its name and its least and greatest value."""
    lane[_EDGE // 2 : -_EDGE // 2, _LEFT : WIDTH - _RIGHT] = _LANE
    least, most = min(*curve.values, 0.0), max(*curve.values, 0.0)
    span = max(most - least, 1e-6)

    def at(times: np.ndarray) -> np.ndarray:
        """Say where moments lie, (n, 2) pixels."""
        x = _LEFT + times / seconds * (WIDTH - _LEFT - _RIGHT - 1)
        y = LANE - _EDGE - (curve.at(times) - least) / span * (LANE - 2 * _EDGE)
        return np.rint(np.stack([x, y], -1)).astype(np.int32)

    cv2.polylines(lane, [at(np.linspace(0, seconds, _STEPS))], False, _LINE, 2, cv2.LINE_AA)
    for x, y in at(np.array(curve.seconds)).tolist() if len(curve.seconds) <= _FEW else ():
        cv2.circle(lane, (x, y), 4, _KEY, -1, cv2.LINE_AA)
    _write(lane, name, (_EDGE, LANE // 2 + 5), _INK)
    if most > 0:
        _write(lane, f"{most:.3g}", (WIDTH - _RIGHT + 6, _EDGE + 8), _FAINT)
    if least < 0:
        _write(lane, f"{least:.3g}", (WIDTH - _RIGHT + 6, LANE - _EDGE), _FAINT)


def _write(canvas: np.ndarray, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
