"""Read one face's mesh in every frame of a video.

The points of the frame before say where to look, so a frame costs one look of the mesh, one in the mirror and one at
the eyes; a finder is asked at the beginning and where the face is lost. ``track`` follows a face as a stiff whole, for
a third of that.
"""

from __future__ import annotations

import torch

from ..media.pixels import as_bytes
from ..types import FaceFinder, Landmarks, largest_first
from .embedded import LEAST_SCORE
from .finder import face_finder
from .landmarks import FOUND_PRESENCE, Reading, complete, face_region, read_mirrored, read_regions
from .regions import Pixels, Region
from .track import PATIENCE


class MeshTracker:
    """Reads the largest face from frame to frame, in order; only frames that are past are used."""

    def __init__(self, finder: FaceFinder | None = None) -> None:
        """Begin before the first frame.

        Args:
            finder: Finds the face at the beginning and where it was lost; None takes the best one that is there.
        """
        self.finder = finder or face_finder()
        self._region: Region | None = None
        self._wait, self._patience = 0, PATIENCE[0]

    def follow(self, frame: torch.Tensor) -> Landmarks | None:
        """Return the face in the next frame (3, h, w), RGB in [0, 1]; None where there is none."""
        pixels = as_bytes(frame)
        if self._region is not None:
            reading = self._read(pixels, self._region)
            if reading.presence >= FOUND_PRESENCE:
                self._region = face_region(reading.points)
                return complete(pixels, reading)
            self._region, self._wait, self._patience = None, 0, PATIENCE[0]
        return self._found(frame)

    def forget(self) -> None:
        """Look for the face anew in the next frame: another scene begins."""
        self._region, self._wait, self._patience = None, 0, PATIENCE[0]

    def _read(self, pixels: Pixels, region: Region) -> Reading:
        """Look at a region, and in the mirror too: the mean of both trembles less."""
        straight, other = read_regions(pixels, [region])[0], read_mirrored(pixels, region)
        return Reading((straight.points + other.points) / 2, min(straight.presence, other.presence), straight.region)

    def _found(self, frame: torch.Tensor) -> Landmarks | None:
        """Look for the face, unless that was in vain a moment ago."""
        if self._wait > 0:
            self._wait -= 1
            return None
        for face in largest_first(self.finder.find(frame)):
            if face.landmarks is not None and face.landmarks.score >= LEAST_SCORE:
                self._region = face_region(face.landmarks.points.astype(float))
                return face.landmarks
        self._wait, self._patience = self._patience, min(2 * self._patience, PATIENCE[1])
        return None
