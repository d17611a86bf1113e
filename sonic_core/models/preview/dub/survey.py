"""Look through a video once: where people's faces are, where mouths are hidden, and which frames show them shut.

Of each frame a few hundred numbers are kept, of a long video in a file that is mapped; of the pictures only some
candidates for a reference.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ....clip import Clip
from ....faces.doubts import examine
from ....faces.geometry import RIGID, eye_distance, head_pose
from ....faces.landmarks import Reading, complete
from ....faces.person_track import PeopleTracker, Sight
from ....faces.regions import Pixels, Region
from ....media.ahead import closable, read_ahead
from ....media.lazy import LazyFrame, lazy_frames
from ....media.pixels import shrink
from ....media.spool import room
from ....media.threads import lone_networks, single_threaded
from ....post.flow import Picture, is_cut, thumbnail
from ....types import FaceFinder, Landmarks, Progress
from .bending import MOVING
from .covering import SMALL, find_covered
from .lattice import AXIS, COLUMNS, ROWS, read_cells
from .lip_tint import LIGHT, SAMPLED, measure_tint, read_light, read_lips

STAGE = "track"
"""The name under which progress is reported."""
KEPT = tuple(sorted({*RIGID, *MOVING, *AXIS}))
"""Points of the mesh that are kept of each frame."""
_PLACES = 3 * len(KEPT), 3 * len(KEPT) + 3 * len(LIGHT)  # where a row's light, and its lips', begin
_STIFF = np.isin(KEPT, RIGID)
_CHOSEN = _STIFF, ~_STIFF
PARABOLAS = (
    (-2 / 21, 3 / 21, 6 / 21, 7 / 21, 6 / 21, 3 / 21, -2 / 21),
    (-3 / 35, 12 / 35, 17 / 35, 12 / 35, -3 / 35),
)
"""Weights of a frame and its neighbours: a parabola through what does not speak, and through what does. Of two filmed
faces, 3.7 and 3.1 pixels quick, the nose is .76 and .58 pixels off the picture's own flow so (.94 and .61 unsmoothed,
1.4 and 1.0 where the place is smoothed too), and the mouth trembles against it by .07 (unsmoothed .29 and .25)."""
SMALLEST = 14.0
"""Eye distance in pixels below which a mouth is too small to be drawn."""
FARTHEST = 45.0
"""Degrees to a side beyond which a face is seen in profile, and left as it is."""
THINNED = 192
"""Pixels of a frame's longer side that are looked at, at least, to see whether a scene ends."""
BIN = 12.0
"""Degrees of a head's turn: of each so many, the best frame of a scene is a candidate for a reference."""
SPELL = 50
"""Frames of which the best one is kept beside that of the next so many: something may be before one of them."""
MOST = 24
"""Candidates that are kept."""
AROUND = 0.6
"""Eye distances around the face that are cut out with a candidate."""
_SHUT, _OPEN = 0.03, 0.03  # I: mesh's gap of shut lips; how much more makes a frame worse by 1
_THICK, _PURSED, _TURNED, _BLURRED = 8.0, 0.06, 15.0, 2.0
# a frame is worse by 1 for lips thinner by 1/8 I, a mouth wider or narrower by so many I, a head turned by so many
# degrees; and by so much at the most for being less sharp
_SHARP_SIDE = 96  # pixels of the cut in which sharpness is measured
_AWAY, _LARGER, _ELSEWHERE = 10.0, 0.5, 0.5
# degrees from a scene's usual turn, and doublings from its size, by which a reference is worse by 1; for being of
# another scene


@dataclass(frozen=True, eq=False)
class Candidate:
    """A frame that may be a reference."""

    number: int
    """Of the frame."""
    scene: int
    pixels: Pixels
    """(h, w, 3) bytes: the face and what is around it."""
    landmarks: Landmarks
    """The face in these pixels."""
    cost: float
    """How bad it is, in shares of what is noticed."""
    turn: tuple[float, float]
    """Yaw and pitch in degrees."""
    unit: float
    """Eye distance in pixels."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a video."""

    there: NDArray[np.bool_]
    """(n,): whether the person's face is seen."""
    fit: NDArray[np.bool_]
    """(n,): whether it is large enough and turned to the camera too."""
    hidden: NDArray[np.bool_]
    """(n,): whether something is before the mouth, and too little of it is seen."""
    fronts: Mapping[int, NDArray[np.bool_]]
    """Where something is before the lower face in frames that are not hidden, by number: (rows, columns) of the
    lattice."""
    scenes: NDArray[np.int32]
    """(n,): the scene that each frame belongs to, counted from 0."""
    candidates: tuple[Candidate, ...]
    chosen: NDArray[np.int32]
    """(scenes,): number among the candidates of each scene's reference; −1 for none."""
    tints: NDArray[np.float64]
    """(scenes, 2): by what the lips of each scene's reference are multiplied, as ``measure_tint`` has it."""
    _rows: NDArray[np.float32]

    def tint(self, number: int) -> NDArray[np.float64]:
        """Return by what the lips of a frame's reference are multiplied, (2,)."""
        return self.tints[self.scenes[number]]

    def candidate(self, number: int) -> Candidate:
        """Return the reference of a frame, which must have one."""
        return self.candidates[self.chosen[self.scenes[number]]]

    def points(self, number: int) -> NDArray[np.float64]:
        """Return the mesh of a frame, (468, 3), smoothed with its neighbours; only those of ``KEPT`` are known.

        Where the face is, is read off its own frame; how it is turned and what it does are smoothed.
        """
        points = np.zeros((468, 3))
        for chosen, weights in zip(_CHOSEN, PARABOLAS, strict=True):
            points[np.array(KEPT)[chosen]] = self._smoothed(number, weights)[chosen]
        return points

    def _smoothed(self, number: int, weights: tuple[float, ...]) -> NDArray[np.float64]:
        """Smooth all points of ``KEPT``, (n, 3)."""
        reach = len(weights) // 2
        near = [n for n in range(number - reach, number + reach + 1) if self._beside(n, number)]
        if len(near) < len(weights):
            side = min(number - near[0], near[-1] - number)
            near, weights = [n for n in near if abs(n - number) <= side], (1 / (2 * side + 1),) * (2 * side + 1)
        shapes = self._rows[near, : 3 * len(KEPT)].reshape(len(near), -1, 3).astype(np.float64)
        places = shapes[:, _STIFF].mean(1, keepdims=True)
        return np.einsum("n,npc->pc", np.array(weights), shapes - places) + places[near.index(number)]

    def _beside(self, number: int, other: int) -> bool:
        if not 0 <= number < len(self.there) or self.scenes[number] != self.scenes[other]:
            return False
        between = slice(min(number, other), max(number, other) + 1)
        return bool(self.there[between].all())


def survey(clip: Clip, finder: FaceFinder, people: Collection[int], progress: Progress) -> dict[int, Survey]:
    """Look through a video.

    Args:
        clip: Read once.
        finder: Finds the faces.
        people: Who is looked for, numbered as ``PeopleTracker`` does.
        progress: Called with ("track", frames done, frames in all).

    Returns:
        What is known of each, by number.

    Raises:
        FaceNotFoundError: One of them is never seen.
    """
    tracker, watches = PeopleTracker(finder, people), {number: _Watch(clip.length) for number in people}
    with single_threaded(), closing(read_ahead(_followed(clip, tracker))) as frames:
        for number, (begins, seen) in enumerate(frames):
            for person, watch in watches.items():
                watch.scene += begins
                watch.see(number, seen.get(person))
            progress(STAGE, number + 1, clip.length)
    tracker.check()
    return {person: watch.sum_up() for person, watch in watches.items()}


def _followed(clip: Clip, tracker: PeopleTracker) -> Generator[tuple[bool, dict[int, Sight]], None, None]:
    """Say of each frame whether another scene begins with it, and who is seen."""
    with lone_networks(), closing(read_ahead(_told_apart(clip))) as frames:
        for frame, begins in frames:
            if begins:
                tracker.forget()
            yield begins, tracker.follow(frame)


def _told_apart(clip: Clip) -> Generator[tuple[LazyFrame, bool], None, None]:
    """Say of each frame whether another scene begins with it."""
    last: Picture | None = None
    with closing(closable(lazy_frames(clip.read))) as frames:
        for frame in frames:
            thumb = _thumbnail(frame)
            yield frame, last is not None and is_cut(last, thumb)
            last = thumb


def _thumbnail(frame: LazyFrame) -> Picture:
    """Shrink a frame to what scenes are compared by; a large one is thinned out before."""
    return thumbnail(frame.thinned(max(1, max(frame.size) // THINNED)))


class _Watch:
    """Gathers what is seen."""

    def __init__(self, length: int) -> None:
        self.scene = 0
        self._columns = _PLACES[1] + 6
        self._rows, self._mapped = room(length, self._columns)
        cells, self._cells_mapped = room(length, ROWS * COLUMNS)  # four bytes each
        self._cells = cells.view(np.uint8).reshape(length, ROWS, COLUMNS, 4)
        self._there, self._fit, self._scenes = (
            np.zeros(length, bool),
            np.zeros(length, bool),
            np.zeros(length, np.int32),
        )
        self._turns = np.zeros((length, 3), np.float32)
        self._best: dict[tuple[int, int, int], Candidate] = {}
        self._width = self._sharpest = 0.0
        self._count = 0

    def see(self, number: int, sight: Sight | None) -> None:
        """Take the person in a frame."""
        self._scenes[number] = self.scene
        row = self._rows[number]
        row[:], self._cells[number] = 0, 0
        if sight is None:
            return
        pose, unit = head_pose(sight.points), eye_distance(sight.points)
        self._there[number] = True
        self._fit[number] = unit >= SMALLEST and abs(pose.yaw) <= FARTHEST
        self._turns[number] = pose.yaw, pose.pitch, np.log2(max(unit, 1.0))
        row[: _PLACES[0]] = sight.points[list(KEPT)].reshape(-1)
        small, scale = _small(sight, unit)
        points = (sight.points - np.array((*sight.origin, 0))) * scale
        row[_PLACES[0] : _PLACES[1]] = read_light(small, points).reshape(-1)
        self._cells[number] = read_cells(small, points + (scale - 1) / 2)
        row[_PLACES[1] :] = read_lips(sight).reshape(-1)
        if self._fit[number]:
            self._consider(number, sight, (pose.yaw, pose.pitch), unit)

    def _consider(self, number: int, sight: Sight, turn: tuple[float, float], unit: float) -> None:
        """Keep a frame where it is the best of its scene that is turned like it."""
        cost = self._cost(sight, turn, unit)
        place = self.scene, round(turn[0] / BIN), number // SPELL % 2
        known = self._best.get(place)
        if known is not None and known.cost <= cost:
            return
        left, top, right, bottom = _box(sight, unit)
        x, y = sight.origin
        pixels = sight.frame.part((slice(y + top, y + bottom), slice(x + left, x + right)))
        points = sight.points - (x + left, y + top, 0)
        landmarks = complete(pixels, Reading(points, sight.presence, Region(0, 0, 1)))
        self._best[place] = Candidate(number, self.scene, pixels, landmarks, cost, turn, unit)
        if len(self._best) > MOST:
            del self._best[max(self._best, key=lambda one: self._best[one].cost)]

    def _cost(self, sight: Sight, turn: tuple[float, float], unit: float) -> float:
        """Tell how bad a frame is as a reference."""
        points = sight.points
        gap, upper, lower, width = (
            float(np.linalg.norm(points[one] - points[other])) / unit
            for one, other in ((13, 14), (0, 13), (14, 17), (61, 291))
        )
        self._count += 1
        self._width += (width - self._width) / self._count
        sharp = _sharpness(sight, unit)
        self._sharpest = max(self._sharpest, sharp)
        return (
            max(gap - _SHUT, 0) / _OPEN
            - _THICK * (upper + lower)
            + abs(width - self._width) / _PURSED
            + float(np.hypot(*turn)) / _TURNED
            - _BLURRED * sharp / max(self._sharpest, 1e-6)
        )

    def sum_up(self) -> Survey:
        """Decide what is hidden, and which reference each scene has."""
        colours = self._rows[:, _PLACES[0] :].reshape(len(self._rows), -1, 3)
        covering = find_covered(self._cells, self._fit, self._scenes)
        hidden, fronts = covering.hidden, covering.masks
        free = [one for one in self._best.values() if not (hidden[one.number] or one.number in fronts)]
        candidates = tuple(one for one in free if not examine(one.pixels, one.landmarks).mouth_hidden)
        chosen, tints = np.full(self.scene + 1, -1, np.int32), np.ones((self.scene + 1, 2))
        for scene in range(self.scene + 1):
            here = self._fit & (self._scenes == scene)
            if here.any() and candidates:
                usual = np.median(self._turns[here], axis=0)
                chosen[scene] = int(np.argmin([_unfit(one, scene, usual) for one in candidates]))
                tints[scene] = _tint(colours, here & ~hidden, candidates[chosen[scene]].number)
        return Survey(self._there, self._fit, hidden, fronts, self._scenes, candidates, chosen, tints, self._rows)


def _tint(colours: NDArray[np.float32], here: NDArray[np.bool_], reference: int) -> NDArray[np.float64]:
    """Compare a reference's lips with those of a scene's frames (n,), in what rows have of colours: (2,)."""
    known = np.flatnonzero(here)
    if not len(known):
        return np.ones(2)
    compared = colours[[*known[:: max(1, len(known) // SAMPLED)], reference]]
    return measure_tint(compared[:, len(LIGHT) :], compared[:, : len(LIGHT)], len(compared) - 1)


def _unfit(one: Candidate, scene: int, usual: NDArray[np.floating]) -> float:
    """Tell how little a candidate suits a scene whose usual yaw, pitch and size (doublings) are known."""
    away = float(np.hypot(*(np.array(one.turn) - usual[:2]))) / _AWAY
    larger = abs(float(np.log2(one.unit) - usual[2])) / _LARGER
    return one.cost + away + larger + _ELSEWHERE * (one.scene != scene)


def _box(sight: Sight, unit: float) -> tuple[int, int, int, int]:
    """Choose what is cut out around a face, in the sight's pixels."""
    points = sight.points[:, :2] - sight.origin
    height, width = sight.pixels.shape[:2]
    left, top = np.clip(points.min(0) - AROUND * unit, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(points.max(0) + AROUND * unit, (left + 1, top + 1), (width, height)).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _small(sight: Sight, unit: float) -> tuple[Pixels, float]:
    """Shrink what is around a face to ``SMALL``; return by what its places are multiplied too."""
    scale = min(SMALL / unit, 1.0)
    height, width = sight.pixels.shape[:2]
    return shrink(sight.pixels, (max(round(height * scale), 1), max(round(width * scale), 1))), scale


def _sharpness(sight: Sight, unit: float) -> float:
    """Measure how sharp a face is: the deviation of its Laplacian at a fixed size."""
    left, top, right, bottom = _box(sight, -0.2 * unit)
    part = shrink(sight.pixels[top:bottom, left:right], (_SHARP_SIDE, _SHARP_SIDE))
    return float(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())
