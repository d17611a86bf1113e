"""What is seen between open lips: teeth, tongue and shade in the portrait's own light and colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .anatomy import MOUTH_STATIONS, Anatomy
from .easing import smooth_rise
from .lips import Gap

_TOOTH_EDGES = np.array([-0.345, -0.235, -0.13, 0.0, 0.13, 0.235, 0.345], np.float32)
"""Borders of the six upper front teeth in face units (8.5, 6.5 and 7.5 mm wide; the eyes are 63 mm apart)."""


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours of a mouth's inside, (3,) each, and how soft its edges are."""

    tooth: np.ndarray
    tongue: np.ndarray
    shade: np.ndarray
    bared: bool
    """The portrait already shows its upper teeth; they stay with the skull as they are, and none are painted."""
    half_width: float
    """Half the mouth's width in pixels."""
    softness: float
    """Pixels over which an edge of the portrait spreads."""


class Interior:
    """Paints what is seen between one portrait's lips."""

    def __init__(self, image: np.ndarray, anatomy: Anatomy) -> None:
        """Take colours from the portrait, (h, w, 3) in [0, 1]."""
        self.unit = anatomy.unit
        self.palette = mix_palette(image, anatomy)

    def paint(self, frame: np.ndarray, gap: Gap) -> None:
        """Paint into ``frame`` (h, w, 3), in place, where the lips have parted."""
        paint_mouth(frame, gap, self.palette, self.unit)


def mix_palette(image: np.ndarray, anatomy: Anatomy) -> Palette:
    """Take the inside's colours from the portrait.

    Args:
        image: The crop, (h, w, 3) in [0, 1].
        anatomy: Where lips and cheeks are.
    """
    unit = anatomy.unit
    lip = np.median(_along_seam(image, anatomy, (0.03, 0.1)).reshape(-1, 3), axis=0)
    face = _patch(image, anatomy.head.centre, 0.6 * unit, 0.7 * unit).reshape(-1, 3)
    brightness = face.mean(1)
    skin = np.median(face[brightness >= np.median(brightness)], axis=0)
    light = float(np.clip(np.percentile(brightness, 96) * 0.92, 0.25, 0.86))
    tint = skin / max(float(skin.mean()), 1e-3)
    tooth = light * (0.72 + 0.28 * tint)
    bared = _teeth_are_bared(image, anatomy, skin)
    return Palette(
        tooth=np.clip(tooth, 0, 0.95).astype(np.float32),
        tongue=(0.7 * lip + 0.08 * skin).astype(np.float32),
        shade=(0.2 * lip * lip / max(float(lip.max()), 1e-3)).astype(np.float32),
        bared=bared,
        half_width=anatomy.mouth.half_width,
        softness=float(np.clip(0.009 * unit, 0.8, 3.0)),
    )


def paint_mouth(frame: np.ndarray, gap: Gap, palette: Palette, unit: float) -> None:
    """Paint the mouth's inside into ``frame`` (h, w, 3), in place, where the lips have parted."""
    if gap.height.size == 0:
        return
    soft, height = palette.softness, gap.height
    cover = (
        smooth_rise(gap.below / soft)
        * smooth_rise((height - gap.below) / soft)
        * smooth_rise(height / (2 * soft) - 0.25)
    )
    vault = np.clip(1 - 0.75 * gap.along**2, 0, 1)
    inside = palette.shade * (0.6 + 0.4 * vault)[..., None]
    _tongue(inside, gap, palette, vault)
    if not palette.bared:
        _upper_teeth(inside, gap, palette, unit, vault)
    _lower_teeth(inside, gap, palette, unit, vault)
    shadow = 0.55 + 0.45 * smooth_rise(gap.below / np.float32(0.09 * unit))
    inside *= shadow[..., None]
    area = frame[gap.rows, gap.columns]
    area += cover[..., None] * (inside - area)


def _teeth_are_bared(image: np.ndarray, anatomy: Anatomy, skin: np.ndarray) -> bool:
    """Tell whether white, and not a lip, lies just above the seam: teeth are bluer than any skin."""
    white = _along_seam(image, anatomy, (-0.09, -0.02)).min(-1) > skin.min() + 0.08
    return bool(white.mean() > 0.45)


def _along_seam(image: np.ndarray, anatomy: Anatomy, below: tuple[float, float]) -> np.ndarray:
    """Sample a band along the middle of the seam, ``below[0]`` to ``below[1]`` units below it: (6, 15, 3)."""
    mouth = anatomy.mouth
    along, depth = np.meshgrid(np.linspace(-0.4, 0.4, 15) * mouth.half_width, np.linspace(*below, 6) * anatomy.unit)
    dx, dy = mouth.frame.turned(along, np.interp(along / mouth.half_width, MOUTH_STATIONS, mouth.upper_inner) + depth)
    x = np.asarray(dx + mouth.frame.centre[0], np.float32)
    y = np.asarray(dy + mouth.frame.centre[1], np.float32)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _tongue(inside: np.ndarray, gap: Gap, palette: Palette, vault: np.ndarray) -> None:
    """Lay the tongue on the floor of the mouth, brighter toward its tip."""
    depth = (gap.height - gap.below) / np.maximum(gap.height, 1)
    body = smooth_rise((0.72 * (1 - 0.7 * gap.along**2) - depth) * 2.5)
    light = (0.35 + 0.5 * smooth_rise(1 - depth * 1.4)) * vault
    inside += (body * 0.9)[..., None] * (palette.tongue * light[..., None] - inside)


def _upper_teeth(inside: np.ndarray, gap: Gap, palette: Palette, unit: float, vault: np.ndarray) -> None:
    """Hang the upper front teeth below the lip: they belong to the skull, so a rising lip shows more of them."""
    across = gap.along * np.float32(palette.half_width / unit)
    nearest = np.abs(across[..., None] - _TOOTH_EDGES).min(-1)
    length = (0.045 + 0.3 * np.minimum(gap.height / np.float32(unit), 0.22)) * unit * (1 - 0.35 * gap.along**2)
    scallop = np.float32(0.012 * unit) * smooth_rise(nearest / 0.03)
    edge = length - np.float32(0.012 * unit) + scallop - gap.below
    cover = smooth_rise(edge / palette.softness) * smooth_rise((gap.height / np.float32(unit) - 0.03) * 14)
    light = (0.82 + 0.18 * smooth_rise(nearest / 0.022)) * (0.35 + 0.65 * vault)
    inside += cover[..., None] * (palette.tooth * light[..., None] - inside)


def _lower_teeth(inside: np.ndarray, gap: Gap, palette: Palette, unit: float, vault: np.ndarray) -> None:
    """Let the edge of the lower teeth show above the lower lip of a wide-open mouth."""
    rise = np.float32(0.04 * unit) * smooth_rise((gap.height / np.float32(unit) - 0.14) * 8) * (1 - 0.6 * gap.along**2)
    edge = rise - (gap.height - gap.below)
    cover = smooth_rise(edge / palette.softness)
    inside += cover[..., None] * (palette.tooth * (0.62 * vault)[..., None] - inside)


def _patch(image: np.ndarray, centre: tuple[float, float], wide: float, high: float) -> np.ndarray:
    height, width = image.shape[:2]
    left, right = max(int(centre[0] - wide), 0), min(int(centre[0] + wide) + 1, width)
    top, bottom = max(int(centre[1] - high), 0), min(int(centre[1] + high) + 1, height)
    return image[top:bottom, left:right]
