"""What a sound tells of whoever speaks in it: mouth, melody, stress, activity."""

from __future__ import annotations

from .analysis import Speech

__all__ = ["Speech"]
