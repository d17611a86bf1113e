"""Eyes that blink and look around: small windows of the portrait's texture, drawn anew for each state."""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np

from ....types import Landmarks
from .eye_frame import EyeFrame, eye_frames
from .eye_light import LUMA, Surroundings, face_brightness, fit_frame, look_around
from .eye_signs import contrast, fit_big, is_shut, ring_brightness, unrest_below
from .gaze import Gaze
from .lids import Lid, make_lid

Patch = tuple[slice, slice, np.ndarray]
LEVELS = 40
"""Steps from an open to a shut eye."""
GAZE_STEP = 0.4
"""Degrees between two gazes that are told apart: a fifth of a pixel of a 512 portrait's texture."""
_CONTRAST = 0.30  # of the skin's brightness: less in an eye means dark lenses, statues, blurs (.03–.28; people ≥ .33)
_SHADE = 0.38  # of the cheeks' brightness: darker around both eyes means dark lenses (.29, .34; 110 people ≥ .43)
_UNREST = 0.40  # of the skin's brightness: three drawn faces and one with glasses .46–.62, 120 others ≤ .29
_SHUT = 0.02  # I: an eye less open than this is shut already
_CACHE_BYTES = 64 << 20
_BESIDE, _ABOVE, _BELOW = 0.22, 0.32, 0.24  # I: room around an eye in its window


class Eyes:
    """Draws one portrait's eyes."""

    def __init__(self, texture: np.ndarray, landmarks: Landmarks, hidden: bool = False) -> None:
        """Measure what blinks and gazes need.

        Args:
            texture: The enlarged portrait, (h, w, 3) RGB float32 in [0, 1].
            landmarks: The face in the texture's pixels.
            hidden: Whether something is known to stand before the eyes: then they stay as they are.
        """
        self._texture = texture
        self._eyes: list[_Eye] = []
        self._cache: OrderedDict[tuple[int, int, int], list[Patch]] = OrderedDict()
        self._bytes = 0
        frames, around = _read(landmarks, texture)
        pairs = list(zip(frames, around, strict=True))
        self.contrast = min(contrast(*pair) for pair in pairs)
        """Light against dark inside the eyes, of the skin's brightness."""
        self.shade = max(ring_brightness(*pair) for pair in pairs) / face_brightness(landmarks, texture)
        """Brightness of the skin around the eyes, of the cheeks'."""
        self.unrest = min(unrest_below(*pair) for pair in pairs)
        """How much of an eye seems to lie below where the mesh ends it, of the skin's brightness."""
        seen = self.contrast >= _CONTRAST and self.shade >= _SHADE and self.unrest < _UNREST
        self.readable = seen and not hidden
        """Whether there are eyes to be seen; if not, nothing is ever drawn."""
        self.shut = all(is_shut(*pair) for pair in pairs)
        """Whether the portrait's eyes are shut: then nothing is drawn either."""
        if self.readable and not self.shut:
            eyes = [_Eye(frame, view, texture) for frame, view in pairs if frame.gap > _SHUT * frame.unit]
            self._eyes = [eye for eye in eyes if min(eye.original.shape[:2]) > 2]
        self._room = np.min([eye.gaze.room for eye in self._eyes] or [np.ones(2)], axis=0)

    @property
    def windows(self) -> list[tuple[slice, slice]]:
        """Rows and columns of the texture that may change, one pair for each eye."""
        return [eye.area for eye in self._eyes]

    def patch(self, blink: float, gaze_x: float, gaze_y: float) -> list[Patch]:
        """Draw the eyes.

        Args:
            blink: 0 open … 1 shut.
            gaze_x: Degrees to the picture's right.
            gaze_y: Degrees down.

        Returns:
            Rows, columns and their pixels (h, w, 3), to be read only.
        """
        gaze_x *= float(self._room[int(gaze_x > 0)])
        key = (round(min(max(blink, 0.0), 1.0) * LEVELS), round(gaze_x / GAZE_STEP), round(gaze_y / GAZE_STEP))
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        patches = [(*eye.area, eye.draw(key[0] / LEVELS, key[1] * GAZE_STEP, key[2] * GAZE_STEP)) for eye in self._eyes]
        self._cache[key] = patches
        self._bytes += sum(pixels.nbytes for _, _, pixels in patches)
        while self._bytes > _CACHE_BYTES and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._bytes -= sum(pixels.nbytes for _, _, pixels in oldest)
        return patches


def _read(landmarks: Landmarks, texture: np.ndarray) -> tuple[list[EyeFrame], list[Surroundings]]:
    """Fit both eyes and look around them; drawn eyes that go on far below the mesh are fitted anew."""
    meshes = eye_frames(landmarks)
    frames = [fit_frame(frame, texture) for frame in meshes]
    around = [look_around(frame, texture) for frame in frames]
    if min(unrest_below(*pair) for pair in zip(frames, around, strict=True)) >= _UNREST:
        big = [frame for frame in (fit_big(mesh, texture) for mesh in meshes) if frame is not None]
        if len(big) == len(frames):
            return big, [look_around(frame, texture) for frame in big]
    return frames, around


class _Eye:
    """One eye's window, lids and gaze."""

    def __init__(self, frame: EyeFrame, around: Surroundings, texture: np.ndarray) -> None:
        self.area = _window(frame, texture.shape[:2])
        rows, columns = self.area
        self.original = np.ascontiguousarray(texture[self.area])
        self._lid: Lid = make_lid(frame, around, self.original, (columns.start, rows.start), edge_width(self.original))
        self.gaze = Gaze(frame, self._lid.along, self._lid.down)
        self._border = _border(self.original.shape[:2], 0.03 * frame.unit)[..., None]

    def draw(self, blink: float, x: float, y: float) -> np.ndarray:
        """Draw the window, (h, w, 3); at rest it is the portrait's own."""
        if blink == 0 and x == 0 and y == 0:
            return self.original
        drawn = self._lid.draw(self.original, self.gaze.look(x, y), blink)
        return self.original + self._border * (drawn - self.original)


def edge_width(picture: np.ndarray) -> float:
    """Measure over how many pixels the sharpest edges of a picture (h, w, 3) spread."""
    grey = picture @ LUMA
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    low, high = np.percentile(grey, (2, 98))
    return float(np.clip((high - low) / max(float(np.percentile(np.hypot(across, down), 99)), 1e-3), 2.0, 12.0))


def _window(frame: EyeFrame, size: tuple[int, int]) -> tuple[slice, slice]:
    """Cut out an eye with its lid and what the lower lid carries along."""
    reach = frame.half + _BESIDE * frame.unit
    up, low = float(frame.top.min()) - _ABOVE * frame.unit, float(frame.bottom.max()) + _BELOW * frame.unit
    x, y = frame.places(np.array([-reach, reach, -reach, reach]), np.array([up, up, low, low]))
    left, right = max(int(x.min()), 0), min(int(x.max()) + 2, size[1])
    top, bottom = max(int(y.min()), 0), min(int(y.max()) + 2, size[0])
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def _border(size: tuple[int, int], soft: float) -> np.ndarray:
    """Fall to 0 towards a window's border, (h, w)."""
    ways = [np.minimum(np.arange(n), np.arange(n)[::-1]).astype(np.float32) / np.float32(max(soft, 1)) for n in size]
    return np.minimum(np.minimum(ways[0][:, None], ways[1][None]), 1).astype(np.float32)
