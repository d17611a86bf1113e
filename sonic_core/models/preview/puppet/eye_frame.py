"""An eye's own coordinates: along the line of its corners and down from it, and pictures laid out in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ....faces.geometry import (
    LEFT_BROW_LOWER,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    RIGHT_BROW_LOWER,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
    eye_distance,
)
from ....types import Landmarks

UPPER_LIDS = LEFT_LID_UPPER, RIGHT_LID_UPPER
LOWER_LIDS = LEFT_LID_LOWER, RIGHT_LID_LOWER
LOWER_BROWS = LEFT_BROW_LOWER, RIGHT_BROW_LOWER
"""Points of the mesh from picture left to picture right, the eye that is left in an upright picture first."""
STATIONS = np.linspace(-2.0, 2.0, 81, dtype=np.float32)
"""Places along an eye at which its lids are known, in half widths; the corners are at −1 and 1."""

_PER_HALF = (len(STATIONS) - 1) / 4  # stations to a half width


@dataclass(frozen=True, eq=False)
class EyeFrame:
    """Where one eye lies. Lengths in pixels of the texture."""

    centre: np.ndarray
    """Middle between the corners (x, y)."""
    along: np.ndarray
    """Unit vector (x, y) from the left corner to the right one."""
    half: float
    """Half the distance between the corners."""
    unit: float
    """I: distance between the centres of both eyes, in three dimensions."""
    top: np.ndarray
    """Upper lid's edge at the stations, down from the corners' line, (81,)."""
    bottom: np.ndarray
    """Lower lid's edge at the stations, (81,)."""
    brow: np.ndarray
    """Lower edge of the brow at the stations, (81,)."""
    iris: np.ndarray
    """Middle of the iris (x, y)."""
    radius: float
    """The iris's."""
    outer: int
    """−1 where the outer corner is the left one, 1 where it is the right one."""
    foreshortening: float
    """Width over true width: below 1 where the head is turned."""

    @property
    def down(self) -> np.ndarray:
        """Unit vector (x, y) square to ``along``."""
        return np.array([-self.along[1], self.along[0]])

    @property
    def gap(self) -> float:
        """Greatest distance between the lids."""
        return float((self.bottom - self.top).max())

    def local(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn places in the texture into (along, down), float32."""
        x, y = x - np.float32(self.centre[0]), y - np.float32(self.centre[1])
        ax, ay = self.along.astype(np.float32)
        return x * ax + y * ay, y * ax - x * ay

    def places(self, along: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn (along, down) into places in the texture (x, y), float32."""
        (cx, cy), (ax, ay) = self.centre.astype(np.float32), self.along.astype(np.float32)
        return cx + along * ax - down * ay, cy + along * ay + down * ax

    def at(self, curve: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Read a curve (81,) over the stations at ``along``, float32 of that shape."""
        along = np.asarray(along, np.float32)
        places = np.atleast_2d(along) * np.float32(_PER_HALF / self.half) + np.float32((len(STATIONS) - 1) / 2)
        line = np.ascontiguousarray(curve[None], np.float32)
        read = cv2.remap(line, places, np.zeros_like(places), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return read.reshape(along.shape)

    def fitted(self, left: float, right: float, top: np.ndarray, bottom: np.ndarray) -> EyeFrame:
        """Give the frame other corners, both on today's line, and other lids (curves over today's stations)."""
        middle, half = (left + right) / 2, (right - left) / 2
        moved = replace(self, centre=self.centre + self.along * middle, half=half)
        here = (middle + STATIONS * half) / self.half
        curves = (np.interp(here, STATIONS, curve).astype(np.float32) for curve in (top, bottom, self.brow))
        upper, lower, brow = curves
        return replace(moved, top=upper, bottom=lower, brow=brow)

    def lowered(self, level: float, top: np.ndarray, bottom: np.ndarray) -> EyeFrame:
        """Lower the corners' line by ``level`` and give the frame other lids, measured from the old line."""
        level_32 = np.float32(level)
        return replace(
            self,
            centre=self.centre + self.down * level,
            top=np.minimum(top - level_32, 0),
            bottom=np.maximum(bottom - level_32, 0),
            brow=np.minimum(self.brow, top - np.float32(0.05 * self.unit)) - level_32,
        )


def eye_frames(landmarks: Landmarks) -> list[EyeFrame]:
    """Lay a frame into each eye, the left one in an upright picture first."""
    unit = eye_distance(landmarks.points)
    return [_frame(landmarks, number, unit) for number in (0, 1)]


def _frame(landmarks: Landmarks, number: int, unit: float) -> EyeFrame:
    points = landmarks.points.astype(np.float64)
    left, right = points[UPPER_LIDS[number][0]], points[UPPER_LIDS[number][-1]]
    across = right[:2] - left[:2]
    half = max(float(np.hypot(*across)) / 2, 1.0)
    centre, along = (left[:2] + right[:2]) / 2, across / (2 * half)
    iris = landmarks.irises[number].astype(np.float64)

    def curve(numbers: tuple[int, ...], lid: bool) -> np.ndarray:
        offset = points[list(numbers), :2] - centre
        share = offset @ along / half
        height = offset @ np.array([-along[1], along[0]])
        if lid:  # beyond the corners their line goes on
            share, height = np.r_[-2, share, 2], np.r_[0, height, 0]
        order = np.argsort(share)
        line = np.interp(STATIONS, share[order], height[order]).astype(np.float32)
        return cv2.GaussianBlur(line[None], (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE)[0]

    top, bottom = curve(UPPER_LIDS[number], True), curve(LOWER_LIDS[number], True)
    middle = (top + bottom) / 2
    return EyeFrame(
        centre=centre,
        along=along,
        half=half,
        unit=unit,
        top=np.minimum(top, middle),
        bottom=np.maximum(bottom, middle),
        brow=curve(LOWER_BROWS[number], False),
        iris=iris[0],
        radius=float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean()),
        outer=2 * number - 1,
        foreshortening=float(np.clip(2 * half / max(float(np.linalg.norm(right - left)), 1.0), 0.4, 1.0)),
    )


@dataclass(frozen=True, eq=False)
class EyePixels:
    """Pixels of the texture around an eye, laid out along its frame."""

    along: np.ndarray
    """(1, w)."""
    down: np.ndarray
    """(h, 1)."""
    step: float
    """Pixels of the texture from one sample to the next."""

    def sample(self, frame: EyeFrame, picture: np.ndarray) -> np.ndarray:
        """Lay out a picture (h, w, …) on the grid."""
        along, down = np.broadcast_arrays(self.along, self.down)
        return cv2.remap(picture, *frame.places(along, down), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def spread(self, field: np.ndarray, along: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Read a field on the grid at other places of the frame, float32."""
        x = (along - self.along[0, 0]) / np.float32(self.step)
        y = (down - self.down[0, 0]) / np.float32(self.step)
        return cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def grid_around(frame: EyeFrame, beyond: float, above: float, below: float, samples: int = 160) -> EyePixels:
    """Lay a grid of at most ``samples`` columns: ``beyond`` the corners, ``above`` and ``below`` their line, in I."""
    reach = frame.half + beyond * frame.unit
    step = max(1.0, 2 * reach / samples)
    along = np.arange(-reach, reach + step, step, dtype=np.float32)[None]
    down = np.arange(-above * frame.unit, below * frame.unit + step, step, dtype=np.float32)[:, None]
    return EyePixels(along, down, step)


@dataclass(frozen=True, eq=False)
class EyePart:
    """A part of the texture around an eye, at every pixel of it or at every second one."""

    frame: EyeFrame
    area: tuple[slice, slice]
    """Rows and columns of the texture."""
    step: int
    """Pixels of the texture from one sample to the next."""
    columns: np.ndarray
    """Samples from the left border, (h, w) float32."""
    rows: np.ndarray
    """Samples from the upper border, (h, w) float32."""
    along: np.ndarray
    """The samples' places in the eye's frame, (h, w) float32."""
    down: np.ndarray

    def fetch(self, picture: np.ndarray, along: np.ndarray | None, down: np.ndarray) -> np.ndarray:
        """Take each sample from ``along`` and ``down`` further on, pixels of the texture in the eye's frame, (h, w)."""
        ax, ay = (self.frame.along / self.step).astype(np.float32)
        x, y = self.columns - down * ay, self.rows + down * ax
        if along is not None:
            x += along * ax
            y += along * ay
        return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def window_at(frame: EyeFrame, area: tuple[slice, slice], step: int) -> EyePart:
    """Lay samples over rows and columns of the texture, in the middles of squares of ``step`` pixels."""
    rows, columns = area
    height, width = (max(1, (part.stop - part.start) // step) for part in area)
    row, column = np.mgrid[:height, :width].astype(np.float32)
    middle = (step - 1) / 2
    places = column * step + np.float32(columns.start + middle), row * step + np.float32(rows.start + middle)
    return EyePart(frame, area, step, column, row, *frame.local(*places))
