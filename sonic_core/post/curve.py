"""Draw how well a mouth and a sound fit, offset by offset."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..media.pixels import as_frames
from ..sync.offset import FARTHEST
from .align import MAX_OFFSET, Refinement

SIZE = (360, 640)
"""(h, w) of the picture."""

_FINE = 2
"""Factor by which everything is drawn larger, so that its edges become smooth."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 20, 64, 44
_PAPER, _INK, _FAINT = (24, 26, 31), (228, 230, 235), (92, 97, 108)
_BAND, _LINE, _GOOD, _DOUBTFUL = (38, 58, 52), (111, 168, 255), (96, 214, 148), (240, 180, 84)

Colour = tuple[int, int, int]
Canvas = NDArray[np.uint8]


def draw_curve(refinement: Refinement | None, max_offset: float = MAX_OFFSET) -> torch.Tensor:
    """Draw the agreement over the offsets that were looked at, the range that is corrected, and what was found.

    Args:
        refinement: What was measured and done; None where nothing could be measured, which is written then.
        max_offset: Seconds up to which an offset is corrected unasked.

    Returns:
        (3, 360, 640) RGB in [0, 1].
    """
    if refinement is None:
        return _note("not measured: unchanged")
    found, canvas = refinement.measurement, _blank()
    height, width = canvas.shape[:2]
    near = np.abs(found.offsets) <= FARTHEST
    offsets, agreement = found.offsets[near], found.agreement[near]
    low, high = min(0.0, float(agreement.min())), max(0.5, float(agreement.max()))
    low, high = low - 0.05 * (high - low), high + 0.1 * (high - low)

    def at(offset: float, value: float) -> tuple[int, int]:
        x = _LEFT + (offset + FARTHEST) / (2 * FARTHEST) * (SIZE[1] - _LEFT - _RIGHT)
        y = SIZE[0] - _BOTTOM - (value - low) / (high - low) * (SIZE[0] - _TOP - _BOTTOM)
        return round(x * _FINE), round(y * _FINE)

    cv2.rectangle(canvas, at(-max_offset, high), at(max_offset, low), _BAND, -1)
    for offset in np.arange(-0.4, 0.41, 0.1):
        cv2.line(canvas, at(offset, low), at(offset, high), _FAINT, _FINE if abs(offset) < 1e-6 else 1)
        x, y = at(offset, low)
        _write(canvas, f"{offset * 1000:+.0f}" if abs(offset) > 1e-6 else "0", (x, y + 22), _FAINT, 0.42, middle=True)
    line = np.array([at(x, y) for x, y in zip(offsets, agreement, strict=True)], np.int32)
    cv2.polylines(canvas, [line], False, _LINE, 2 * _FINE, cv2.LINE_AA)
    colour = _DOUBTFUL if found.verdict == "unsure" else _GOOD
    place = at(float(np.clip(found.offset, -FARTHEST, FARTHEST)), float(np.interp(found.offset, offsets, agreement)))
    cv2.circle(canvas, place, 5 * _FINE, colour, -1, cv2.LINE_AA)
    _write(canvas, _headline(refinement), (16 * _FINE, 28 * _FINE), colour, 0.6)
    _write(canvas, f"confidence {found.confidence:.3f}", (16 * _FINE, 48 * _FINE), _INK, 0.45)
    under = "sound early  -  milliseconds  -  sound late"
    _write(canvas, under, (width // 2, height - 8 * _FINE), _INK, 0.42, middle=True)
    return _finished(canvas)


def _note(text: str) -> torch.Tensor:
    canvas = _blank()
    _write(canvas, text, (16 * _FINE, 28 * _FINE), _DOUBTFUL, 0.6)
    return _finished(canvas)


def _blank() -> Canvas:
    return np.full((SIZE[0] * _FINE, SIZE[1] * _FINE, 3), _PAPER, np.uint8)


def _finished(canvas: Canvas) -> torch.Tensor:
    small = cv2.resize(canvas, SIZE[::-1], interpolation=cv2.INTER_AREA)
    return as_frames([np.asarray(small, np.uint8)])[0]


def _headline(refinement: Refinement) -> str:
    found = refinement.measurement
    late = f"sound {abs(found.offset) * 1000:.0f} ms {'late' if found.offset >= 0 else 'early'}"
    if found.verdict == "drift":
        return f"sound drifts {found.drift * 1000:+.1f} ms per second: unchanged"
    if refinement.moved:
        return f"{late}: corrected"
    return "cannot tell: unchanged" if found.verdict == "unsure" else f"{late}: unchanged"


def _write(
    canvas: Canvas, text: str, place: tuple[int, int], colour: Colour, size: float, *, middle: bool = False
) -> None:
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, size * _FINE
    if middle:
        (width, _), _ = cv2.getTextSize(text, font, scale, _FINE)
        place = (place[0] - width // 2, place[1])
    cv2.putText(canvas, text, place, font, scale, colour, _FINE, cv2.LINE_AA)
