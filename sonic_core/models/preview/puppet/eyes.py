"""Eyes that blink and look around: small windows of the portrait's texture, drawn anew for each state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import cv2
import numpy as np

from ....types import Landmarks
from .eye_frame import EyeFrame, eye_frames, window_at
from .eye_light import Surroundings, closeness, face_brightness, fit_frame, look_around
from .eye_signs import (
    contrast,
    difference_of_lids,
    fit_big,
    hue_difference,
    is_shut,
    ring_brightness,
    roughness,
    unrest_below,
)
from .gaze import Gaze
from .lids import make_lid
from .light import luma_of

Patch = tuple[slice, slice, np.ndarray]
LEVELS = 28
"""Steps from an open to a shut eye."""
GAZE_STEP = 0.4
"""Degrees between two gazes that are told apart: a fifth of a pixel of a 512 portrait's texture."""
_BLINK_GAZE_STEP = 1.2  # degrees, while lids move: more would be seen no better
_CONTRAST = 0.30  # of the skin's brightness: less in an eye means dark lenses, statues, blurs (.03–.28; people ≥ .33)
_SHADE = 0.38  # of the cheeks' brightness: darker around both eyes means dark lenses (.29, .34; 110 people ≥ .43)
_UNREST = (
    0.32  # of the skin's brightness: three drawn faces, a painted one and one with glasses .34–.62, 120 others ≤ .29
)
_HATCHED, _FINE = 0.53, 4.0  # of the skin's brightness: unrest and this many times the roughness around an eye, from
# which no lid is drawn: two pencil drawings, two rough paintings and a comic .57–.84, 150 others ≤ .51
_PAINTED = 0.65  # of the brightness: hues above and below an eye so unlike are paint (three .69–1.04, others ≤ .49)
_GLARING = 1.95  # of the skin's brightness: contrast of an eye drawn in a dark face (2.07; all others ≤ 1.82)
_UNLIKE = 0.25  # of their height: big drawn eyes whose upper edges differ by more were not found whole (hair joins one)
_SHUT = 0.02  # I: an eye less open than this is shut already
_CACHE_BYTES = 96 << 20
_BESIDE, _ABOVE, _BELOW = 0.19, 0.23, 0.18  # I: room around an eye in its window
_IRIS_ROOM = (0.04, 0.16, 0.14)  # I: the same where only the iris and the lids' edges move
_DRAWN, _DRAWN_SOFT, _BORDER = (0.17, 0.12, 0.12), 0.06, 0.03  # I up, down and aside of an eye: what lids change; over
# how much that ends, and at the window's border
_EDGES = 2.0, 12.0  # pixels: bounds of what is believed of the width of a portrait's edges
_FINEST = 240.0  # samples to an I at the most for lids, so that a state costs some milliseconds
_GAZE_FINEST = 400.0  # the same for how a gaze shifts what is there, which is smooth over 0.025 I
_LEAST = 2.0  # pixels of the texture: what is less open shows nothing


class Eyes:
    """Draws one portrait's eyes."""

    def __init__(
        self,
        texture: np.ndarray,
        landmarks: Landmarks,
        hidden: bool = False,
        form: Callable[[np.ndarray], np.ndarray] = np.asarray,
    ) -> None:
        """Measure what blinks and gazes need.

        Args:
            texture: The enlarged portrait, (h, w, 3) RGB float32 in [0, 1].
            landmarks: The face in the texture's pixels.
            hidden: Whether something is known to stand before the eyes: then they stay as they are.
            form: Makes of a window's pixels, (h, w, 3) float32, what is kept and given away.
        """
        self._eyes: list[_Eye] = []
        self._cache: OrderedDict[tuple[int, int, int], list[Patch]] = OrderedDict()
        self.held_bytes = 0
        around, self.unrest, unlike = _read(landmarks, texture)
        """How much of an eye seems to lie below where the mesh ends it, of the skin's brightness."""
        self.contrast = min(map(contrast, around))
        """Light against dark inside the eyes, of the skin's brightness."""
        self.shade = max(map(ring_brightness, around)) / face_brightness(landmarks, texture)
        """Brightness of the skin around the eyes, of the cheeks'."""
        seen = self.contrast >= _CONTRAST and self.shade >= _SHADE and self.unrest < _UNREST
        self.readable = seen and not hidden
        """Whether there are eyes to be seen; if not, nothing is ever drawn."""
        rough = self.unrest + _FINE * min(map(roughness, around))
        self.blinks = rough < _HATCHED and max(map(hue_difference, around)) < _PAINTED and self.contrast < _GLARING
        self.blinks = self.blinks and unlike < _UNLIKE
        """Whether lids are drawn; where they could not be drawn well, only the gaze is."""
        self.shut = all(map(is_shut, around))
        """Whether the portrait's eyes are shut: then nothing is drawn either."""
        self.lidless = not (hidden or self.shut or (seen and self.blinks))
        """Whether open eyes that nothing is known to hide do not blink, since lids could not be drawn well."""
        if self.readable and not self.shut:
            large = [view for view in around if view.frame.gap > max(_SHUT * view.frame.unit, _LEAST)]
            self._eyes = [_Eye(view, texture, form) for view in large]
        self._room = np.min([eye.room for eye in self._eyes] or [np.ones(2)], axis=0)

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
            Rows, columns and their pixels (h, w, 3), or what ``form`` makes of them, to be read only.
        """
        level = round(min(max(blink, 0.0), 1.0) * LEVELS) if self.blinks else 0
        step = _BLINK_GAZE_STEP if level else GAZE_STEP
        x, y = round(gaze_x * float(self._room[int(gaze_x > 0)]) / step), round(gaze_y / step)
        key = level, x, y
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        patches = [(*eye.area, eye.draw(level / LEVELS, x * step, y * step)) for eye in self._eyes]
        self._cache[key] = patches
        self.held_bytes += sum(pixels.nbytes for _, _, pixels in patches)
        while self.held_bytes > _CACHE_BYTES and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self.held_bytes -= sum(pixels.nbytes for _, _, pixels in oldest)
        return patches


def _read(landmarks: Landmarks, texture: np.ndarray) -> tuple[list[Surroundings], float, float]:
    """Fit both eyes and look around them; drawn eyes that go on far below the mesh are fitted anew.

    Returns:
        Both eyes' surroundings, how much of an eye is still left below them, and how unlike eyes fitted anew are.
    """
    meshes = [look_around(frame, texture) for frame in eye_frames(landmarks)]
    unrest = min(map(unrest_below, meshes))
    if unrest >= _UNREST:
        big = [fit_big(view.frame, texture) for view in meshes]
        around = [look_around(frame, texture) for frame in big if frame is not None]
        if len(around) == len(meshes):
            return around, max(map(unrest_below, around)), difference_of_lids(*(view.frame for view in around))
    return [look_around(fit_frame(view), texture) for view in meshes], unrest, 0.0


class _Eye:
    """One eye's window, lids and gaze.

    A gaze is drawn at the texture's own resolution, since it stays. Lids are drawn at every second pixel, that is at
    the portrait's resolution, and enlarged: they pass in a few frames.
    """

    def __init__(self, around: Surroundings, texture: np.ndarray, form: Callable[[np.ndarray], np.ndarray]) -> None:
        frame = around.frame
        step = max(2, round(frame.unit / _FINEST))
        self.area = area = _window(frame, texture.shape[:2], (_BESIDE, _ABOVE, _BELOW), step)
        self._original = original = np.ascontiguousarray(texture[area])
        height, width = original.shape[:2]
        way = cv2.INTER_CUBIC if step == 2 else cv2.INTER_AREA
        small = cv2.resize(original, (width // step, height // step), interpolation=way)
        coarse = window_at(frame, area, step)
        self._lid = make_lid(coarse, around, small, edge_width(small) * step)
        self._coarse_gaze = Gaze(coarse)
        coarser = max(1, round(frame.unit / _GAZE_FINEST))
        self._iris_area = iris = _window(frame, texture.shape[:2], _IRIS_ROOM, coarser)
        self._iris = window_at(frame, iris, 1)
        self._form, self._formed, self._iris_original = form, form(original), form(np.ascontiguousarray(texture[iris]))
        self._gaze = Gaze(window_at(frame, iris, coarser))
        self.room = self._gaze.room
        fine = window_at(frame, area, 1)
        near = around.grid.spread(closeness(around.grid, frame, _DRAWN, _DRAWN_SOFT), fine.along, fine.down)
        self._weight = cv2.cvtColor(near * _border((height, width), _BORDER * frame.unit), cv2.COLOR_GRAY2RGB)

    def draw(self, blink: float, x: float, y: float) -> np.ndarray:
        """Draw the window, (h, w, 3) before it is brought into form; at rest it is the portrait's own."""
        if blink == 0 and x == 0 and y == 0:
            return self._formed
        if blink == 0:
            drawn = self._formed.copy()
            look = self._gaze.look(x, y)
            along, down = (self._enlarged(field) for field in (look.along, look.down))
            rows, columns = (
                slice(inner.start - outer.start, inner.stop - outer.start)
                for inner, outer in zip(self._iris_area, self.area, strict=True)
            )
            drawn[rows, columns] = self._iris.fetch(self._iris_original, along, down)
            return drawn
        lids = self._lid.draw(self._coarse_gaze.look(x, y), blink)
        drawn = cv2.resize(lids, self._original.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        drawn -= self._original
        drawn *= self._weight
        drawn += self._original
        return self._form(np.clip(drawn, 0, 1, out=drawn))

    def _enlarged(self, field: np.ndarray) -> np.ndarray:
        """Bring a field of the gaze, (h, w), to the texture's own resolution."""
        size = self._iris_original.shape[1::-1]
        return field if field.shape == size[::-1] else cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)


def edge_width(picture: np.ndarray) -> float:
    """Measure over how many pixels the sharpest edges of a picture (h, w, 3) spread."""
    grey = luma_of(picture)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    low, high = np.percentile(grey, (2, 98))
    return float(np.clip((high - low) / max(float(np.percentile(np.hypot(across, down), 99)), 1e-3), *_EDGES))


def _window(frame: EyeFrame, size: tuple[int, int], room: tuple[float, float, float], step: int) -> tuple[slice, slice]:
    """Cut out an eye with ``room`` (I) beside, above and below it: a multiple of ``step`` rows and columns."""
    beside, above, below = (part * frame.unit for part in room)
    reach = frame.half + beside
    up, low = float(frame.top.min()) - above, float(frame.bottom.max()) + below
    x, y = frame.places(np.array([-reach, reach, -reach, reach]), np.array([up, up, low, low]))
    left, right = (int(np.clip(end, 0, size[1])) for end in (x.min(), x.max() + 1))
    top, bottom = (int(np.clip(end, 0, size[0])) for end in (y.min(), y.max() + 1))
    return slice(top, bottom - (bottom - top) % step), slice(left, right - (right - left) % step)


def _border(size: tuple[int, int], soft: float) -> np.ndarray:
    """Fall to 0 towards a window's border, (h, w)."""
    ways = [np.minimum(np.arange(n), np.arange(n)[::-1]).astype(np.float32) / np.float32(max(soft, 1)) for n in size]
    return np.minimum(np.minimum(ways[0][:, None], ways[1][None]), 1).astype(np.float32)
