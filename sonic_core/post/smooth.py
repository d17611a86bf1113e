"""Smoothing: a clip without shake and flicker, and with all of its speech."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, cast

import cv2
import numpy as np
import torch

from ..clip import Clip
from ..errors import SettingsError
from ..faces.track import FaceTracker
from ..media.ahead import closable, read_ahead
from ..types import FaceFinder, Frames, Progress, ignore_progress
from .flow import (
    Flow,
    Picture,
    as_gray,
    as_pixels,
    as_planes,
    copied,
    fitted,
    is_cut,
    places,
    resized,
    thumbnail,
    warp,
)
from .paths import (
    WORK_SIDE,
    Correction,
    Fit,
    Look,
    Neighbourhood,
    Points,
    correct,
    fit_through,
    follow,
    grid_size,
    guarded,
    jitter,
    link,
    look,
    reversed_link,
)
from .stage import Staged

METHODS = ("flow", "ema")
"""Names that ``Smooth`` knows."""
REACH = 7
"""Frames of the window on either side, at strength 1 and below."""
MOST_STRENGTH = 2.0
DECAY = {"flow": 1.0, "ema": 0.7}
"""By how much a frame counts less than its neighbour towards the middle."""
ORDER = {"flow": 2, "ema": 1}
"""Order of the polynomial that is fitted through the window."""
LEAST_SHIFT, LEAST_GAIN = 0.03, 5e-4
"""A frame that would move and brighten by less everywhere stays as it is."""
STILL = 0.004
"""Pixels of shift below which nothing moves: a step of 8 bits at the sharpest edge there can be. Most of what is behind
a speaker lies below it, and stays bit for bit."""
BAND = 4
"""Rows of cells that are bent at a time, each no wider than what moves there."""
GLARE = 0.95
"""Level from which a colour darkens less and less: white that was cut off stays white."""
TRACKED = 3
"""Every how many frames the face is tracked."""
_AHEAD = 2
"""Frames that are looked at before they are needed."""

log = logging.getLogger("sonic")


@dataclass(frozen=True)
class SmoothReport:
    """What smoothing found in a clip and what it left."""

    frames: int
    cuts: int
    """Scene cuts, over which nothing is smoothed."""
    faces: int
    """Frames in which mouth and eyes of a face were protected."""
    jitter: float
    """Shake before, root mean square over the picture in pixels of the frame: what no even motion explains."""
    jitter_left: float
    """Shake after."""
    flicker: float
    """Flicker of the whole picture's light before, root mean square as a share."""
    flicker_left: float
    """Flicker after."""

    def __str__(self) -> str:
        return (
            f"smoothing: shake {self.jitter:.2f} → {self.jitter_left:.2f} pixels, flicker {self.flicker:.2%} → "
            f"{self.flicker_left:.2%}; face in {self.faces} of {self.frames} frames, cuts: {self.cuts}"
        )


@dataclass(eq=False)
class Smoothing:
    """What smoothing says (a ``Report``): while a clip is read it is made, so this is known afterwards."""

    done: SmoothReport | None = None
    """Of the last time that the clip was read to its end."""
    strength: float = 1.0

    @property
    def reason(self) -> str:
        """One sentence: what was done, or why that cannot be said."""
        if not self.strength:
            return "smoothing: nothing was changed: its strength is 0."
        return "smoothing: what it does is known when the clip has been read." if self.done is None else f"{self.done}."


@dataclass(frozen=True)
class Smooth:
    """Remove jitter and flicker without touching speech (a ``Stage``).

    Every region's way through the clip is followed by dense optical flow, and each frame is bent to where a smooth way
    would have it; its light is evened the same way. Frames are not mixed, so nothing blurs. Mouth and eyes go with the
    skin around them, and what they do themselves stays. A frame that is even already stays bit for bit. The filter
    looks as far ahead as back, so nothing lags, but never further than its window nor over a scene cut: a stream can
    be smoothed.

    Raises:
        SettingsError: ``strength`` or ``method`` is not possible.

    Source: Grundmann et al., Auto-Directed Video Stabilization with Robust L1 Optimal Camera Paths, CVPR 2011 (paths
    are smoothed, not frames); Savitzky and Golay, Analytical Chemistry 36 (1964), 1627–1639.
    """

    strength: float = 1.0
    """0 changes nothing; up to 1 the share of the shake that is taken; up to ``most_strength`` the window's length, for
    shake that is slower."""
    method: str = METHODS[0]
    """"flow" fits a parabola through the window, which keeps real motion; "ema" is an exponential moving average run
    forwards and backwards, which smooths more and flattens quick motion more."""
    finder: FaceFinder | None = None
    """Finds the face whose mouth and eyes are protected; None takes the best that is there."""
    points: Points | None = field(default=None, compare=False)
    """(n, 5, 2) that face's points in every frame, not a number where there is none, if somebody followed it already
    (``MouthMeter.points``); then nothing is found or followed here."""
    methods: ClassVar[tuple[str, ...]] = METHODS
    most_strength: ClassVar[float] = MOST_STRENGTH

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MOST_STRENGTH:
            raise SettingsError(f"The strength of smoothing must be from 0 to {MOST_STRENGTH:g}; got {self.strength}.")
        if self.method not in METHODS:
            raise SettingsError(f"The method of smoothing must be one of {', '.join(METHODS)}; got {self.method!r}.")

    def apply(self, clip: Clip, progress: Progress = ignore_progress) -> Staged[Smoothing]:
        """Give a clip that is smoothed while it is read, so that ``progress`` has nothing to hear.

        Returns:
            A clip of the same rate, length, size and sound; ``clip`` itself at strength 0.
        """
        del progress
        report = Smoothing(strength=self.strength)
        if self.strength == 0:
            return Staged(clip, report)
        return Staged(replace(clip, read=partial(_smooth, clip, self, report)), report)

    @property
    def reach(self) -> int:
        """Frames of the window on either side of the frame that is smoothed."""
        return round(REACH * max(1.0, self.strength))

    def fit(self, before: int, after: int) -> Fit:
        """Fit for a window that begins ``before`` frames before the frame and ends ``after`` frames after it."""
        return fit_through(np.arange(-before, after + 1), DECAY[self.method], ORDER[self.method])


def smooth(
    clip: Clip,
    *,
    strength: float = 1.0,
    method: str = METHODS[0],
    finder: FaceFinder | None = None,
    points: Points | None = None,
) -> Staged[Smoothing]:
    """Remove jitter and flicker without touching speech: the stage ``Smooth``, applied."""
    return Smooth(strength, method, finder, points).apply(clip)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is kept of a frame, and how it hangs together with the one before."""

    look: Look
    flow: Flow | None
    """From the frame before to this one; None where a scene begins."""
    face: bool


def _smooth(clip: Clip, plan: Smooth, report: Smoothing) -> Iterator[Frames]:
    tally = _Tally()
    with closing(read_ahead(_watched(clip, plan.finder, plan.points), _AHEAD)) as seen:
        scene = _Scene(plan, tally)
        for picture, one in seen:
            if one.flow is None:
                for frame in scene.rest():
                    yield frame[None]
                scene = _Scene(plan, tally)
            tally.watch(one)
            frame = scene.take(picture, one)
            if frame is not None:
                yield frame[None]
        for frame in scene.rest():
            yield frame[None]
    report.done = tally.report()
    log.info("%s", report.done)


def _watched(
    clip: Clip, finder: FaceFinder | None, points: Points | None
) -> Generator[tuple[torch.Tensor, _Seen], None, None]:
    """Look at the frames one after the other; between two looks of the tracker its face goes with the flow."""
    last, face, flow, age = None, None, None, 0
    tracker = FaceTracker(finder) if points is None else None
    with closing(closable(clip.frames())) as frames:
        for number, frame in enumerate(frames):
            small = _shrunk(frame)
            gray, thumb = as_gray(small), thumbnail(small)
            if last is None or is_cut(last.thumb, thumb):
                flow, age = None, 0
            else:
                flow = link(last, gray)
                face = carried(face, flow, clip.size)
            if tracker is not None and age % TRACKED == 0:
                found = tracker.follow(frame)
                face = None if found is None else np.array(found.points)
            elif points is not None:
                face = None if np.isnan(points[number]).any() else points[number]
            age += 1
            last = look(gray, thumb, guarded(face, clip.size, grid_size(gray)))
            yield frame, _Seen(last, flow, face is not None)


def _shrunk(frame: torch.Tensor) -> Picture:
    """Bring a frame (3, h, w) to working size, (h, w, 3)."""
    pixels = frame.permute(1, 2, 0).numpy()
    if pixels.flags.c_contiguous:
        return fitted(pixels, WORK_SIDE)
    return cast("Picture", cv2.merge([fitted(plane, WORK_SIDE) for plane in frame.numpy()]))


def carried(face: Points | None, flow: Flow, size: tuple[int, int]) -> Points | None:
    """Move a face's points (5, 2) in a frame (h, w) as its nose moves in the grid's flow."""
    if face is None:
        return None
    scale = np.array([flow.shape[1] / size[1], flow.shape[0] / size[0]])
    at = ((face[2] + 0.5) * scale).astype(int)
    return face + flow[tuple(np.clip(at[::-1], 0, np.array(flow.shape[:2]) - 1))] / scale


class _Scene:
    """The frames between two cuts, of which no more than a window is held."""

    def __init__(self, plan: Smooth, tally: _Tally) -> None:
        self.plan, self.tally = plan, tally
        self.window: deque[_Seen] = deque()
        """From the first frame that is still looked at to the newest."""
        self.waiting: deque[torch.Tensor] = deque()
        """Pictures of those that are not done; what is past is known by its look only."""
        self.backs: deque[Flow] = deque()
        """One per frame but the first: the flow from it to the one before."""
        self.corrections: deque[Correction] = deque()
        """Of the window's frames that are done."""

    def take(self, picture: torch.Tensor, new: _Seen) -> torch.Tensor | None:
        """Add a frame (3, h, w); return the one for which that was the last that it waited for, smoothed."""
        if self.window and new.flow is not None:
            self.backs.append(reversed_link(new.flow))
        self.window.append(new)
        self.waiting.append(picture)
        ready = len(self.window) - len(self.corrections) > self.plan.reach
        return self._next() if ready else None

    def rest(self) -> Iterator[torch.Tensor]:
        """Return the frames that still wait, smoothed."""
        while len(self.corrections) < len(self.window):
            yield self._next()

    def _next(self) -> torch.Tensor:
        here, window = len(self.corrections), list(self.window)
        middle, picture = window[here], self.waiting.popleft()
        height, width = picture.shape[1:]
        seen = follow(
            [one.look for one in window],
            [one.flow for one in window[1:] if one.flow is not None],
            list(self.backs),
            here,
            (width * height / middle.look.trust.size) ** 0.5,
        )
        found = correct(seen, self.plan.fit(here, len(window) - 1 - here))
        share = min(1.0, self.plan.strength)
        made = Correction(share * found.shift, found.gain**share)
        self.corrections.append(made)
        self.tally.weigh(seen, list(self.corrections))
        if here == self.plan.reach:
            self.window.popleft()
            self.backs.popleft()
            self.corrections.popleft()
        return applied(picture, made)


def applied(frame: torch.Tensor, made: Correction) -> torch.Tensor:
    """Bend a frame (3, h, w) and change its light; the frame itself stays as it is."""
    planes = copied(frame)
    height, width = planes.shape[1:]
    rows, columns = made.shift.shape[:2]
    shift = made.shift * np.array([width / columns, height / rows], np.float32)
    bent = np.abs(shift).max() >= LEAST_SHIFT
    if bent:
        where = resized(shift, (height, width))
        pixels = as_pixels(frame)
        for down, across in _moving(shift, (height, width)):
            place = places((height, width))[down, across] - where[down, across]
            planes[:, down, across] = as_planes(warp(pixels, place, cv2.INTER_CUBIC))
    lit = abs(made.gain - 1) >= LEAST_GAIN
    for plane in planes if bent or lit else ():
        if lit:
            _light(plane, made.gain)
        np.clip(plane, 0, 1, out=plane)
    return torch.from_numpy(planes)


def _light(plane: Picture, gain: float) -> None:
    """Multiply a plane by ``gain``, in place; darker white stays white."""
    glare = None
    if gain < 1 and float(plane.max()) > GLARE:
        glare = np.maximum(plane - np.float32(GLARE), 0) * np.float32((1 - gain) / (1 - GLARE))
    plane *= np.float32(gain)
    if glare is not None:
        plane += glare


def _moving(shift: Flow, size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """List rows and columns of a frame (h, w) that hold all that moves, band by band, given its grid's shifts."""
    moves, side = (
        np.abs(shift).max(-1) >= STILL,
        [pixels / cells for pixels, cells in zip(size, shift.shape, strict=False)],
    )
    moves = cv2.dilate(moves.astype(np.uint8), np.ones((3, 3), np.uint8))  # what lies between two cells moves with both
    for first in range(0, len(moves), BAND):
        band = np.flatnonzero(moves[first : first + BAND].any(0))
        if len(band):
            last = min(first + BAND, len(moves))
            yield (
                slice(round(first * side[0]), round(last * side[0])),
                slice(math.floor(band[0] * side[1]), math.ceil((band[-1] + 1) * side[1])),
            )


class _Tally:
    """Counts and measures for the report."""

    def __init__(self) -> None:
        self.frames = self.scenes = self.faces = self.weighed = 0
        self.energies = np.zeros(4)

    def watch(self, seen: _Seen) -> None:
        """Count a frame."""
        self.frames += 1
        self.scenes += seen.flow is None
        self.faces += seen.face

    def weigh(self, seen: Neighbourhood, corrections: list[Correction]) -> None:
        """Measure shake and flicker of the last five frames, as they were and as they are."""
        if seen.here < 4:
            return
        last = slice(seen.here - 4, seen.here + 1)
        path, own = seen.path[last], places(seen.path.shape[1:3])
        moved = np.stack([way + warp(one.shift, own + way) for way, one in zip(path, corrections[last], strict=True)])
        weight = seen.middle.trust / seen.middle.trust.sum()
        shakes = [float((jitter(one).sum(-1) * weight).sum()) * seen.cell**2 for one in (path, moved)]
        levels, gains = seen.levels[last], np.log([one.gain for one in corrections[last]])
        self.energies += (*shakes, float(jitter(levels)), float(jitter(levels + gains)))
        self.weighed += 1

    def report(self) -> SmoothReport:
        """Sum up."""
        left = np.sqrt(self.energies / max(1, self.weighed)).tolist()
        return SmoothReport(self.frames, max(0, self.scenes - 1), self.faces, *left)
