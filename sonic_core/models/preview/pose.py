"""One frame's movement, as the drawing understands it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pose:
    """Where everything movable is in one frame; all zeros is a closed mouth and a face at rest."""

    opening: float = 0.0
    """Gap between the lips in pixels; 0 is a closed mouth, also on a portrait that shows its teeth."""
    width: float = 0.0
    """−1 drawn together … 1 spread."""
    rounding: float = 0.0
    """0 … 1 pursed."""
    upper: float = 0.0
    """0 … 1 upper lip raised."""
    lower: float = 0.0
    """−1 lower lip tucked under the upper teeth (f, v) … 1 drawn down."""
    jaw: float = 0.0
    """0 shut … 1 as low as this voice's jaw ever is."""
    closure: float = 0.0
    """0 … 1 lips pressed together (p, b, m)."""
    rest: float = 0.0
    """0 … 1 how far the mouth returns to the portrait's own, whatever that is."""
    blink: float = 0.0
    """0 open … 1 shut."""
    brows: float = 0.0
    """−1 drawn down … 1 raised."""
    yaw: float = 0.0
    """Turn to the picture's right; 1 is about 4 degrees."""
    pitch: float = 0.0
    """Nod downward; 1 is about 4 degrees."""
    roll: float = 0.0
    """Tilt clockwise in the picture; 1 is about 2 degrees."""
    lift: float = 0.0
    """Breathing: 1 lifts the head by about a hundredth of the eyes' distance."""
