"""Take a head's movement from a video, to direct another one by it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..clip import Clip, open_clip
from ..direction import CHANNELS, Direction
from ..errors import FaceNotFoundError, SettingsError
from ..keyframes import Curve
from ..media.ahead import closable, read_ahead
from ..types import FaceFinder, Progress, ignore_progress
from .finder import face_finder
from .geometry import head_pose
from .mesh_track import MeshTracker

WHEN_LONGER = ("bounce", "hold")
"""What a head does after its video's end: it goes back and forth, or stays."""
SMOOTHING = 0.08
"""Seconds: deviation of the Gaussian that takes the mesh's trembling out of the angles."""
MOST_SCALE = 4.0
"""Times that a movement is made larger at most."""
_SIGNS = {"head_yaw": -1.0, "head_pitch": -1.0, "head_roll": 1.0}  # of the mesh's angles: left, down, clockwise
_RATE = 25.0  # keyframes per second at most


def follow_head(
    video: str | Path | Clip,
    *,
    scale: float = 1.0,
    smoothing: float = SMOOTHING,
    when_longer: str = WHEN_LONGER[0],
    finder: FaceFinder | None = None,
    progress: Progress = ignore_progress,
) -> Direction:
    """Measure how the largest face of a video turns, nods and tilts, around its own middle position.

    Args:
        video: A video file or a clip; where its face is not seen for a while, the head goes straight on to where it is
            seen again.
        scale: Factor on all angles.
        smoothing: Seconds over which they are smoothed.
        when_longer: One of ``WHEN_LONGER``, for sounds that are longer than the video.
        finder: Finds the face; None takes the best one that is there.
        progress: Called with ("pose", frames done, frames in all).

    Returns:
        ``head_yaw``, ``head_pitch`` and ``head_roll``, to be joined with what else is directed.

    Raises:
        SettingsError: ``scale``, ``smoothing`` or ``when_longer`` is not possible.
        FaceNotFoundError: There is no face in any frame.
        MediaError: The video cannot be read.
    """
    if not 0 <= scale <= MOST_SCALE:
        raise SettingsError(f"A head's movement is scaled by 0 to {MOST_SCALE:g}; got {scale}.")
    if not 0 <= smoothing < np.inf:
        raise SettingsError(f"smoothing must be 0 seconds or more; got {smoothing}.")
    if when_longer not in WHEN_LONGER:
        raise SettingsError(f"After its video's end a head can {' or '.join(WHEN_LONGER)}; got {when_longer!r}.")
    clip = video if isinstance(video, Clip) else open_clip(video)
    angles = _angles(clip, finder or face_finder(), progress)
    rate = float(clip.fps)
    if smoothing:
        angles = ndimage.gaussian_filter1d(angles, smoothing * rate, axis=0, mode="nearest")
    chosen = np.unique(np.rint(np.arange(0, len(angles), max(rate / _RATE, 1.0))).astype(int))
    seconds, curves = tuple((chosen / rate).tolist()), []
    for column, (name, sign) in enumerate(_SIGNS.items()):
        limits = CHANNELS[name]
        values = np.clip(sign * scale * angles[chosen, column], limits.least, limits.most)
        curves.append((name, Curve(seconds, tuple(values.tolist()), bounces=when_longer == WHEN_LONGER[0])))
    return Direction(tuple(sorted(curves)))


def _angles(clip: Clip, finder: FaceFinder, progress: Progress) -> np.ndarray:
    """Read yaw, pitch and roll in degrees in every frame, around their medians: (n, 3)."""
    tracker, found = MeshTracker(finder), []
    with closing(read_ahead(closable(clip.frames()))) as frames:
        for number, frame in enumerate(frames):
            progress("pose", number, clip.length)
            face = tracker.follow(frame)
            found.append((np.nan,) * len(_SIGNS) if face is None else tuple(head_pose(face.points)))
    progress("pose", clip.length, clip.length)
    angles = np.array(found, np.float64)
    seen = ~np.isnan(angles[:, 0])
    if not seen.any():
        raise FaceNotFoundError(
            f"Expected a face in the video whose head shall be followed; none was found in any frame (finder: "
            f"{finder.name}); use a video with one larger, front-facing face."
        )
    times = np.arange(len(angles))
    angles = np.stack([np.interp(times, times[seen], one[seen]) for one in angles.T], axis=1)
    return angles - np.median(angles[seen], axis=0)
