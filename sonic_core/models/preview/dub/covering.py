"""See what passes before a mouth: cells of the lower face whose colours it never has otherwise, and lips that are gone.

Thresholds are those with which twelve clips in which nothing passes show nothing, two filmed people and ten times a
portrait that sonic-preview moves, and cups, microphones, sticks and hands drawn over six of them do: ``python
benchmarks/covering.py``. What has the very colour of the skin and leaves the lips free is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .lattice import COLUMNS, FACE, INSIDE, LIPS, OUTSIDE, ROWS

SMALL = 20.0
"""Pixels per eye distance at which colours are read."""
STRANGE, TIMES = 16.0, 4.0
"""Lab units from what a cell and its neighbours usually show, and times how far it usually is from that, from which
something else is there: of people who speak and nothing else, 1 cell of 1000 is 26 away."""
DOUBTFUL = 0.55
"""Share of that from which a cell belongs to what is there beside it."""
USUAL = 50
"""Percentile of a cell's distances that is what is usual of it: an object may be there for a quarter of the time."""
CELLS, VOLUME, LASTS = 14, 40, 3
"""Strange cells at once, in all, and frames, from which they are an object: people who speak have 7, 25 and 35, objects
22, 167 and 9 and more."""
GONE = 0.33
"""Share of the lips' usual difference from the skin around them below which they are gone, behind something like skin:
in the median of five frames of people who speak, .39 and more, of covered ones mostly below .3."""
PALEST = 5.0
"""Lab units from which lips differ enough from the skin for that."""
MEDIAN = 5
"""Frames of that median."""
SKIN = 0.33
"""Share of an object's strange cells that must lie beside the lips: one that is seen on them alone is like skin, and
nobody knows how far it reaches."""
MOST_LIPS, MOST_FACE = 0.5, 0.6
"""Shares of the mouth, and of the lower face, from which too little of it is seen for a new one."""
AROUND = 6
"""Frames before and after that are left alone as well: what covers a mouth is at the chin a moment before."""
ALIKE = 15.0
"""Lab units by which cells beside the face may differ from an object to be of it."""
FEWEST = 12
"""Frames of a scene below which nobody knows what is usual in it."""
SAMPLED, CHUNK = 600, 500
"""Frames of which what is usual is taken, and that are looked at at once."""
DARKEST, LIGHTEST = 0.75, 1.33
"""Bounds of the change of light that is no object."""
_GAP = 2  # frames without a strange cell that do not end an object
_LEAST_SEEN = 0.2  # share of the frames in which a cell must show a face to be known
_LEAST_LIPS = 6  # cells of lips below which what is inside counts too
_FAR = 1e3  # Lab units: further than anything
_CLOSED = 2  # cells: radius of holes in an object that are filled
_ROUND = np.ones((3, 3), np.uint8)

Cells = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Covering:
    """What is before the mouth in a video."""

    hidden: NDArray[np.bool_]
    """(n,): whether too little is seen of the mouth."""
    masks: dict[int, NDArray[np.bool_]]
    """(rows, columns) of the lattice by number of the frame: where something is in front, in frames that are not
    hidden."""


def find_covered(cells: Cells, seen: NDArray[np.bool_], scenes: NDArray[np.int32]) -> Covering:
    """Find what is before a mouth.

    Args:
        cells: (n, rows, columns, 4) as ``read_cells`` gives them.
        seen: (n,): whether there is a face at all.
        scenes: (n,): number of the scene.
    """
    found = Covering(np.zeros(len(seen), bool), {})
    for scene in range(int(scenes.max()) + 1 if len(scenes) else 0):
        here = np.flatnonzero((scenes == scene) & seen)
        if len(here) >= FEWEST:
            _look_through(cells, here, found)
    return found


def _look_through(cells: Cells, here: NDArray[np.intp], found: Covering) -> None:
    """Look through the frames of one scene."""
    usual = _Usual(cells[here[:: max(1, len(here) // SAMPLED)]])
    lips, strange = np.empty(len(here), np.float32), np.zeros(len(here), bool)
    for first in range(0, len(here), CHUNK):
        some = cells[here[first : first + CHUNK]]
        lab = usual.relative(some)
        lips[first : first + CHUNK] = usual.lips_seen(lab, some[..., 3])
        strange[first : first + CHUNK] = (usual.strangeness(lab, some[..., 3]) > 1).any((1, 2))
    gone = np.asarray(ndimage.median_filter(lips, MEDIAN, mode="nearest")) < GONE
    masks: dict[int, NDArray[np.bool_]] = {}
    for run in _runs(strange):
        some = cells[here[run]]
        for place, mask, known in _objects(usual, some):
            masks[run.start + place] = mask
            kinds = some[place, ..., 3]
            mouth, face = kinds >= LIPS, kinds != OUTSIDE
            much = _share(mask, mouth) >= MOST_LIPS or _share(mask, face) >= MOST_FACE
            gone[run.start + place] |= much or not known
    hidden = np.asarray(ndimage.binary_dilation(gone, iterations=AROUND), bool) if gone.any() else gone
    found.hidden[here] = hidden
    found.masks.update({int(here[place]): mask for place, mask in masks.items() if not hidden[place]})


def _connected(marked: NDArray[np.bool_], near: NDArray[np.float64] | None = None) -> tuple[NDArray[np.int32], int]:
    """Number what hangs together from 1 on; also how much that is."""
    labels, count = cast("tuple[NDArray[np.int32], int]", ndimage.label(marked, near))
    return labels, int(count)


def _share(mask: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    return float(mask[of].mean()) if of.any() else 0.0


def _runs(active: NDArray[np.bool_]) -> Iterator[slice]:
    """List the stretches of frames in which something is strange, and a few around them."""
    wide = np.asarray(ndimage.binary_dilation(active, iterations=_GAP), bool) if active.any() else active
    labels, _ = _connected(wide)
    for (span,) in ndimage.find_objects(labels):
        for first in range(span.start, span.stop, CHUNK):
            yield slice(first, min(first + CHUNK, span.stop))


def _objects(usual: _Usual, cells: Cells) -> Iterator[tuple[int, NDArray[np.bool_], bool]]:
    """Find objects in successive frames: which frame, (rows, columns) where, and whether all of it is known."""
    lab = usual.relative(cells)
    strange = usual.strangeness(lab, cells[..., 3])
    sure, skin = strange > 1, cells[..., 3] == FACE
    labels, count = _connected(strange > DOUBTFUL, np.ones((3, 3, 3)))
    kept, known = np.zeros(count + 1, bool), np.ones(count + 1, bool)
    for number, part in enumerate(ndimage.find_objects(labels), 1):
        inside = sure[part] & (labels[part] == number)
        at_once = inside.sum((1, 2))
        kept[number] = at_once.max() >= CELLS and at_once.sum() >= VOLUME and len(at_once) >= LASTS
        known[number] = float(skin[part][inside].mean() if inside.any() else 0) >= SKIN
    found = kept[labels]
    beyond = np.pad(found, ((1, 1), (0, 0), (0, 0)))
    whole = np.asarray(ndimage.binary_closing(beyond, np.ones((3, 3, 3))), bool)[1:-1] | found
    disc = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _CLOSED + 1, 2 * _CLOSED + 1)))
    for place in np.flatnonzero(whole.any((1, 2))):
        padded = np.pad(whole[place].astype(np.uint8), _CLOSED)
        closed = np.asarray(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc))[_CLOSED:-_CLOSED, _CLOSED:-_CLOSED] > 0
        mask = _with_what_is_beside(closed, lab[place], cells[place, ..., 3])
        yield int(place), mask, bool(known[labels[place][found[place]]].all())


def _with_what_is_beside(mask: NDArray[np.bool_], lab: NDArray[np.float32], kinds: Cells) -> NDArray[np.bool_]:
    """Add what an object shows beside the face, and within an open mouth."""
    alike = np.linalg.norm(lab - np.median(lab[mask], axis=0), axis=-1) < ALIKE
    beside = (kinds == OUTSIDE) | (kinds == INSIDE)
    return np.asarray(ndimage.binary_propagation(mask, mask=mask | (alike & beside)), bool)


class _Usual:
    """What the cells of a face usually show."""

    def __init__(self, cells: Cells) -> None:
        """Measure some frames (n, rows, columns, 4)."""
        kinds = cells[..., 3]
        self._level = float(np.median(_light(cells)))
        lab = self.relative(cells)
        known = (kinds == FACE) | (kinds == LIPS)
        self._known = known.mean(0) > _LEAST_SEEN
        shown = np.where(known[..., None], lab, np.nan)
        shown[:, ~self._known] = 0
        self._colours = np.nanmedian(shown, axis=0).astype(np.float32)
        apart = np.where(known & self._known, self._apart(lab), np.nan)
        apart[:, ~self._known] = 0
        self._limits = np.maximum(STRANGE, TIMES * np.nanpercentile(apart, USUAL, axis=0)).astype(np.float32)
        self._lips = np.median(self._differences(lab, kinds), axis=0)

    def relative(self, cells: Cells) -> NDArray[np.float32]:
        """Turn colours into Lab as they would be in the usual light: (n, rows, columns, 3)."""
        gain = np.clip(self._level / np.maximum(_light(cells), 1), DARKEST, LIGHTEST) / 255
        even = np.minimum(cells[..., :3] * gain[:, None, None, None].astype(np.float32), 1)
        flat = np.ascontiguousarray(even, np.float32).reshape(-1, COLUMNS, 3)
        return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2Lab), np.float32).reshape(-1, ROWS, COLUMNS, 3)

    def strangeness(self, lab: NDArray[np.float32], kinds: Cells) -> NDArray[np.float32]:
        """Tell how strange cells are, (n, rows, columns): from 1 on something else is there."""
        known = ((kinds == FACE) | (kinds == LIPS)) & self._known
        return np.where(known, self._apart(lab) / self._limits, 0).astype(np.float32)

    def lips_seen(self, lab: NDArray[np.float32], kinds: Cells) -> NDArray[np.float32]:
        """Tell how much of their usual difference from the skin lips have, (n,)."""
        contrast = float(np.linalg.norm(self._lips))
        if contrast < PALEST:
            return np.ones(len(lab), np.float32)
        return np.asarray(self._differences(lab, kinds) @ self._lips / contrast**2, np.float32)

    def _apart(self, lab: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tell how far cells are from what they or their neighbours usually show."""
        nearest = np.full(lab.shape[:-1], _FAR, np.float32)
        padded = np.pad(self._colours, ((1, 1), (1, 1), (0, 0)))
        there = np.pad(self._known, 1)
        for row in range(3):
            for column in range(3):
                beside = np.s_[row : row + ROWS, column : column + COLUMNS]
                apart = np.linalg.norm(lab - padded[beside], axis=-1)
                nearest = np.minimum(nearest, np.where(there[beside], apart, _FAR))
        return nearest

    def _differences(self, lab: NDArray[np.float32], kinds: Cells) -> NDArray[np.float32]:
        """Measure how lips differ from the skin around them, (n, 3) in Lab; 0 where none of either is seen."""
        found = np.zeros((len(lab), 3), np.float32)
        for number, (colours, kind) in enumerate(zip(lab, kinds, strict=True)):
            mouth = (kind >= LIPS).astype(np.uint8)
            near = cv2.dilate(mouth, _ROUND)
            around = (cv2.dilate(near, _ROUND) > near) & (kind == FACE)
            lips = kind == LIPS if (kind == LIPS).sum() >= _LEAST_LIPS else kind >= LIPS
            if lips.any() and around.any():
                found[number] = np.median(colours[lips], axis=0) - np.median(colours[around], axis=0)
        return found


def _light(cells: Cells) -> NDArray[np.float32]:
    """Measure how light skin and lips are in each frame, (n,) in [0, 255]."""
    levels = cells[..., :3].mean(-1, dtype=np.float32)
    known = (cells[..., 3] != OUTSIDE) & (cells[..., 3] != INSIDE)
    shown = np.where(known, levels, np.nan)
    shown[~known.any((1, 2))] = 1
    return np.nanmedian(shown.reshape(len(cells), -1), axis=1).astype(np.float32)
