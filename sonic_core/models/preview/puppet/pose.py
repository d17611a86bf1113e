"""One frame's movement, as the puppet understands it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pose:
    """Where everything movable is in one frame; all zeros is a closed mouth and a face at rest.

    Lengths are in I, the distance between the middles of the eyes in space; angles are degrees.
    """

    gap: float = 0.0
    """Gap between the lips in I; 0 is a closed mouth, also on a portrait that shows its teeth."""
    width: float = 0.0
    """By how much the mouth is wider than at rest, in I: −0.2 drawn together, 0.12 spread."""
    rounding: float = 0.0
    """0 … 1 lips pursed and pushed forward."""
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
    gaze_x: float = 0.0
    """Degrees to the picture's right by which the eyes look away from where the portrait's do."""
    gaze_y: float = 0.0
    """The same downward."""
    brows: float = 0.0
    """−1 drawn down … 1 raised."""
    yaw: float = 0.0
    """Degrees by which the face turns to the picture's left."""
    pitch: float = 0.0
    """Degrees by which it nods down."""
    roll: float = 0.0
    """Degrees by which it tilts clockwise in the picture."""
    sway_x: float = 0.0
    """I by which the head moves to the picture's right."""
    sway_y: float = 0.0
    """The same downward."""
    smile: float = 0.0
    """0 … 1: corners up and apart, cheeks and lower lids raised."""
    sad: float = 0.0
    """0 … 1: corners down, the brows' inner ends up."""
    surprise: float = 0.0
    """0 … 1: brows and upper lids up, the mouth a little open."""
    anger: float = 0.0
    """0 … 1: brows down and together, lids and lips tight."""
