"""Light that a screen of the ordinary kind cannot show, brought to sRGB: HDR and wide gamuts of videos and pictures.

Here and not in FFmpeg's zscale, which PyAV is built without, nor in swscale, whose newest versions alone know how.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

BT2020, P3_THEATRE, P3 = 9, 11, 12
"""Codes of primaries that are wider than BT.709's (ITU-T H.273, table 2)."""
LINEAR, PQ, HLG = 8, 16, 18
"""Codes of transfers that are not those of an ordinary screen (ITU-T H.273, table 3)."""

WHITE = 203.0
"""Candela per square metre of paper in HDR, which becomes white. Source: ITU-R BT.2408-7, table 1."""
_PEAK = 1000.0
"""Candela per square metre that HLG's full scale stands for, and that PQ is rarely graded beyond."""
KNEE = 0.8
"""Share of white, as light, up to which nothing is changed; what is brighter, to ``_PEAK``, is pressed together above:
of the bundled video, made HDR and read again, each mean is as before to 0.015, and paper lies between 0.93 and 0.97
(``python -m pytest tests/odd/test_light.py``)."""
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
_HLG_ROOT = 0.5
"""HLG's value up to which it is the root of light."""
_SRGB_LINE = 0.0031308
"""Light up to which sRGB is a straight line."""
_HLG_WHITE = 0.75
"""HLG's value of paper. Source: ITU-R BT.2408-7, table 1."""
_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128

Chromaticities = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""x and y of red, green, blue and white."""
_D65 = (0.3127, 0.3290)
BT709: Chromaticities = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_WIDE: dict[int, Chromaticities] = {
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    P3_THEATRE: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}

_BAND = 1 << 18
"""Pixels that are converted at a time."""
_STEPS = 65535
"""Steps of the table of the sRGB curve, even ones of the square root of light: no value is off by more than 2e-5."""

Pixels = npt.NDArray[Any]
Light = npt.NDArray[np.float32]


def is_strange(primaries: int, transfer: int) -> bool:
    """Tell whether an ordinary screen would show such values wrongly.

    Args:
        primaries: A code of ITU-T H.273, table 2.
        transfer: A code of its table 3.
    """
    return primaries in _WIDE or transfer in {LINEAR, PQ, HLG}


def name_of(primaries: int, transfer: int) -> str:
    """Name what a video or picture is coded as, for messages."""
    named = {PQ: "HDR (PQ)", HLG: "HDR (HLG)", LINEAR: "linear light"}
    return named.get(transfer) or ("the colours of BT.2020" if primaries == BT2020 else "the colours of Display P3")


def as_srgb(pixels: Pixels, primaries: int, transfer: int) -> Light:
    """Convert to sRGB as an ordinary screen shows it, brighter light pressed together.

    Args:
        pixels: (h, w, 3) RGB, uint8 or uint16, full range.
        primaries: Their code of ITU-T H.273, table 2; what is not wide is taken as BT.709.
        transfer: Their code of its table 3; ordinary ones are taken as sRGB's.

    Returns:
        (h, w, 3) in [0, 1].

    Source: ITU-R BT.2100-2, tables 4 and 5; SMPTE ST 2084; IEC 61966-2-1. HLG's light is taken as it met the camera:
    on a screen of 300 cd/m² its system gamma is 1. Source: ITU-R BT.2390-11, 6.2.
    """
    whole = _PEAK / WHITE if transfer == PQ else float(_hlg_light(np.array(1.0)))
    return converted(
        pixels,
        _decoded(pixels.dtype.itemsize, transfer),
        gamut(_WIDE[primaries]) if primaries in _WIDE else None,
        whole if transfer in {PQ, HLG} else 1.0,
    )


def converted(pixels: Pixels, light: Light, matrix: npt.NDArray[np.float64] | None, peak: float = 1.0) -> Light:
    """Convert to sRGB.

    Args:
        pixels: (h, w, 3) uint8 or uint16.
        light: What light each value stands for, white being 1.
        matrix: (3, 3), from linear RGB of their primaries to BT.709's; None where they are those.
        peak: The brightest light; above 1, it is pressed together.

    Returns:
        (h, w, 3) in [0, 1].
    """
    made = np.empty(pixels.shape, np.float32)
    rows = max(1, _BAND // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        part = slice(top, top + rows)
        linear = np.take(light, pixels[part])
        if matrix is not None:
            linear = np.asarray(cv2.transform(linear, matrix), np.float32)
        if peak > 1:
            linear = linear * _pressed(linear.max(-1), peak)[..., None]
        made[part] = _coded(linear)
    return made


def gamut(given: Chromaticities) -> npt.NDArray[np.float64]:
    """Make the matrix (3, 3) from linear RGB of ``given`` to BT.709's; white stays white.

    Source: SMPTE RP 177.
    """
    matrix = np.linalg.inv(_to_xyz(BT709)) @ _to_xyz(given)
    return matrix / matrix.sum(1, keepdims=True)


def srgb_light(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Tell what light sRGB's values stand for. Source: IEC 61966-2-1."""
    return np.where(values <= _SRGB_LINE * 12.92, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def levels(itemsize: int) -> npt.NDArray[np.float64]:
    """List the values, 0 to 1, that integers of so many bytes stand for."""
    return np.linspace(0, 1, 1 << 8 * itemsize)


@lru_cache(maxsize=8)
def _decoded(itemsize: int, transfer: int) -> Light:
    """Tabulate the light, white being 1, of each value of ``itemsize`` bytes."""
    values = levels(itemsize)
    if transfer == PQ:
        root = values ** (1 / _PQ_M2)
        light = (np.maximum(root - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * root)) ** (1 / _PQ_M1) * (10000 / WHITE)
    elif transfer == HLG:
        light = _hlg_light(values)
    else:
        light = values if transfer == LINEAR else srgb_light(values)
    return light.astype(np.float32)


def _hlg_light(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Tell what light HLG's values stand for, white being 1."""

    def scene(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(value <= _HLG_ROOT, value**2 / 3, (np.exp((value - _HLG_C) / _HLG_A) + _HLG_B) / 12)

    return scene(values) / scene(np.array(_HLG_WHITE))


def _pressed(brightest: Light, peak: float) -> Light:
    """Tell by what to multiply pixels (h, w) whose brightest channel is given, so that none exceeds 1 and hues stay.

    Straight up to ``KNEE``, from there on Reinhard's curve of the rest, which reaches 1 at ``peak``.

    Source: Reinhard et al., Photographic Tone Reproduction for Digital Images, 2002, equation 4.
    """
    over = np.maximum(brightest - KNEE, 0) / (1 - KNEE)
    most = (peak - KNEE) / (1 - KNEE)
    shown = KNEE + (1 - KNEE) * np.minimum(over * (1 + over / most**2) / (1 + over), 1)
    return np.where(over > 0, shown / np.maximum(brightest, KNEE), 1).astype(np.float32)


@lru_cache(maxsize=1)
def _srgb_table() -> Light:
    light = np.linspace(0, 1, _STEPS + 1) ** 2
    return np.where(light <= _SRGB_LINE, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def _coded(linear: Light) -> Light:
    """Code linear light in [0, 1], clipped, as sRGB."""
    roots = np.sqrt(np.clip(linear, 0, 1)) * np.float32(_STEPS) + np.float32(0.5)
    return np.take(_srgb_table(), roots.astype(np.uint16))


def _to_xyz(given: Chromaticities) -> npt.NDArray[np.float64]:
    """Make the matrix from linear RGB to XYZ."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in given]).T
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
