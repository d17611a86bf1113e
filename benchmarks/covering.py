"""How well is seen what passes before a mouth: objects drawn over talking clips, and the clips as they are.

python benchmarks/covering.py VIDEOS [--frames 200]

Prints for each video and object the frames in which half of the mouth is covered, those that are left as they were, and
those in which the object stays in front; of the cells of the lower face that it covers there the share that was seen,
and of those that were taken for it the share that is.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from sonic_core import open_clip
from sonic_core.faces.geometry import eye_distance
from sonic_core.faces.person_track import PersonTracker
from sonic_core.models.preview.dub.covering import SMALL, find_covered
from sonic_core.models.preview.dub.lattice import COLUMNS, LIPS, OUTSIDE, ROWS, lattice_of, read_cells

FIRST = 30
"""Frame in which an object comes."""
WAYS = {
    "across": lambda t: (-2.6 + 5.2 * t, 0.0),
    "rise": lambda t: (0.15, 2.2 - 2.3 * np.sin(np.pi * t) ** 0.7),
    "low": lambda t: (0.3, 2.2 - 1.75 * np.sin(np.pi * t) ** 0.6),
    "side": lambda t: (1.6 - 1.25 * np.sin(np.pi * t) ** 0.6, -0.1),
}
"""How objects go, in eye distances from the mouth, while t goes from 0 to 1."""
CASES = (
    ("nothing", "low", 1), ("microphone", "rise", 40), ("microphone", "across", 15), ("microphone", "low", 60),
    ("microphone", "side", 50), ("stick", "across", 25), ("cup", "rise", 40), ("hand", "rise", 40),
    ("hand", "across", 60), ("palm", "rise", 40), ("palm", "side", 50), ("finger", "across", 30),
)  # fmt: skip
"""Objects, how they go, and for how many frames. Hands have the very colour of the cheek."""


class Seen(NamedTuple):
    """A frame: its cells, and which of them an object covers."""

    cells: np.ndarray
    covered: np.ndarray


def draw(kind: str, unit: float, skin: np.ndarray) -> np.ndarray:
    """Draw an object: (h, w, 4) of colours and cover; its place is the middle, a fifth from above."""
    side = int(3 * unit)
    middle, top, thing = side // 2, side // 5, np.zeros((side, side, 4), np.float32)
    cover, x = np.zeros((side, side), np.float32), (np.arange(side) - middle) / unit

    def line(across: float, down: float, width: float) -> None:
        start = (middle + int(across * unit), top + int(down * unit))
        cv2.line(cover, start, (start[0], side), (1.0,), max(int(width * unit), 1), cv2.LINE_AA)

    if kind == "microphone":
        thing[..., :3] = (0.12 + 0.25 * np.exp(-((x + 0.15) ** 2) / 0.05))[None, :, None]
        cv2.circle(cover, (middle, top), int(0.42 * unit), (1.0,), -1, cv2.LINE_AA)
        line(0, 0, 0.3)
    elif kind == "stick":
        thing[..., :3] = (0.2, 0.22, 0.5)
        line(0, 0, 0.16)
    elif kind == "cup":
        thing[..., :3] = np.array((0.85, 0.85, 0.9)) * (1 - 0.5 * np.clip(2 * x, -1, 1) ** 2)[None, :, None]
        cv2.rectangle(cover, (middle - side // 6, top), (middle + side // 6, top + int(1.2 * unit)), (1.0,), -1)
    elif kind == "palm":
        thing[..., :3] = skin
        cv2.circle(cover, (middle, top + int(0.8 * unit)), int(0.6 * unit), (1.0,), -1, cv2.LINE_AA)
    elif kind in ("hand", "finger"):
        for finger in range(4 if kind == "hand" else 1):
            line(0.27 * (finger - 1.5 * (kind == "hand")), (0.15, 0.0, 0.05, 0.2)[finger], 0.24)
        depth = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / (0.08 * unit)
        thing[..., :3] = skin * (0.72 + 0.28 * np.clip(depth, 0, 1)[..., None])
    thing[..., 3] = cv2.GaussianBlur(cover, (0, 0), max(0.008 * unit, 0.6))
    return thing


def look(frames: list[np.ndarray], kind: str, way: str, lasts: int) -> list[Seen | None]:
    """Follow the person of a video before whose mouth an object passes."""
    clean, tracker, found, thing = PersonTracker(), PersonTracker(), [], None
    for number, frame in enumerate(frames):
        shown, cover = frame.astype(np.float32) / 255, np.zeros(frame.shape[:2], np.float32)
        sight, share = clean.follow(torch.from_numpy(shown).permute(2, 0, 1)), (number - FIRST) / lasts
        if sight is not None and kind != "nothing" and 0 <= share <= 1:
            points, unit = sight.points, eye_distance(sight.points)
            if thing is None:
                thing = draw(kind, unit, np.median([shown[int(y), int(x)] for x, y in points[[50, 280], :2]], 0))
            off = np.array(WAYS[way](share)) * unit - thing.shape[0] / np.array((2, 5))
            place = points[[0, 17], :2].mean(0) + off - (0, 0.25 * unit)
            laid = cv2.warpAffine(thing, np.column_stack((np.eye(2), place)), frame.shape[1::-1])
            cover = laid[..., 3]
            shown = shown * (1 - laid[..., 3:]) + laid[..., :3] * laid[..., 3:]
        shown = (shown * 255).round().astype(np.uint8)
        sight = tracker.follow(torch.from_numpy(shown.astype(np.float32) / 255).permute(2, 0, 1))
        found.append(None if sight is None else seen(shown, cover, sight.points))
    return found


def seen(shown: np.ndarray, cover: np.ndarray, points: np.ndarray) -> Seen:
    """Read a frame's cells."""
    scale = min(SMALL / eye_distance(points), 1.0)
    small = np.asarray(cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    high, wide = shown.shape[:2]
    places = np.clip(lattice_of(points).places().round().astype(int), 0, (wide - 1, high - 1))
    x, y = np.moveaxis(places, -1, 0)
    return Seen(read_cells(small, points * scale + (scale - 1) / 2), cover[y, x] > 0.5)


def main() -> None:
    """Print what is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    given = parser.parse_args()
    print(f"{'video':24} {'object':20} covered  left  in front  seen  right")
    for path in given.videos:
        frames = [frame.permute(1, 2, 0).numpy() for frame in itertools.islice(open_clip(path).frames(), given.frames)]
        frames = [(frame * 255).round().astype(np.uint8) for frame in frames]
        for kind, way, lasts in CASES:
            looked = look(frames, kind, way, lasts)
            there = np.array([one is not None for one in looked])
            nothing = Seen(np.zeros((ROWS, COLUMNS, 4), np.uint8), np.zeros((ROWS, COLUMNS), bool))
            kept = [one or nothing for one in looked]
            cells, covered = (np.stack(part) for part in zip(*kept, strict=True))
            found = find_covered(cells, there, np.zeros(len(there), np.int32))
            face, mouth = cells[..., 3] != OUTSIDE, cells[..., 3] >= LIPS
            over = (covered & mouth).sum((1, 2)) > 0.5 * np.maximum(mouth.sum((1, 2)), 1)
            masks = np.stack([found.masks.get(number, np.zeros((ROWS, COLUMNS), bool)) for number in range(len(there))])
            true = covered & face & ~found.hidden[:, None, None]
            right = (masks & true).sum()
            shares = [right / max(part.sum(), 1) for part in (true, masks & face)]
            print(
                f"{path.stem[:23]:24} {kind + ' ' + way:20} {over.sum():7} {found.hidden.sum():5} {len(found.masks):9} "
                f"{shares[0]:5.2f} {shares[1]:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
