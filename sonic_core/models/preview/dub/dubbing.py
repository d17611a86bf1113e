"""The person of a video says another sound; but for the lower face every pixel stays as it was, to the bit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import torch

from ....clip import Clip, frame_count
from ....errors import InputError, SonicWarning
from ....media.ahead import closable, read_ahead
from ....media.mixing import cut
from ....media.threads import single_threaded
from ....post.stage import Staged
from ....settings import Settings
from ....speech import Speech
from ....types import Audio, FaceFinder, Frames, Progress
from ..posing import poses
from ..puppet.pose import Pose
from .lengths import lengthen, numbers
from .painting import Painter
from .survey import survey

_DIRECTED = ("dynamic_scale",)
"""What of a dubbed video can be directed: all else is the video's own."""
_SILENCE = 1.0
"""Seconds of silence behind a sound that ends before the video: until then the mouth has shut."""
_GAPING = (
    "The mouth is never shut in the video: it closes only partly; a video in which it rests for a moment is better."
)


@dataclass(eq=False)
class Dubbing:
    """What dubbing says (a ``Report``)."""

    frames: int
    """Frames of the new video."""
    frames_without_face: int
    """Frames in which the person is not seen: they are the video's to the bit."""
    frames_left: int
    """Frames in which the person is seen, but something is before the mouth, or the face is too small or turned too far
    away: they are the video's to the bit, but for a soft passage of a few frames."""
    scenes: int
    """Scenes of the video."""
    changed_share: float | None = None
    """Share of all pixels that differ from the video's, of the last time that the clip was read to its end."""

    @property
    def reason(self) -> str:
        """One sentence: what was done."""
        spoken = self.frames - self.frames_without_face - self.frames_left
        told = f"dubbing: the mouth is new in {spoken} of {self.frames} frames"
        if self.frames_without_face:
            told += f", the face is not seen in {self.frames_without_face}"
        if self.frames_left:
            told += f", {self.frames_left} are left as they were, the mouth being hidden, too small or turned away"
        if self.changed_share is None:
            return f"{told}; how many pixels differ is known when the clip has been read."
        return (
            f"{told}; {self.changed_share:.2%} of all pixels differ from the video, the others are its own to the bit."
        )


def dub(video: Clip, audio: Audio, settings: Settings, finder: FaceFinder, progress: Progress) -> Staged[Dubbing]:
    """Let the person of a video say a sound.

    The video is looked through at once; the new mouth is painted whenever the clip is read.

    Args:
        video: The video, whose own sound is not heard.
        audio: What shall be said, cut to its duration.
        settings: Heeded are ``duration``, ``dynamic_scale``, also as it is directed, ``face_index`` and
            ``when_longer``.
        finder: Finds the face.
        progress: Called with ("track", frames done, frames in all).

    Returns:
        A clip of the video's rate and size.

    Raises:
        SettingsError: Anything but the mouth is directed.

    Raises:
        FaceNotFoundError: The person is never seen.
        InputError: The face is nowhere large, free and frontal enough.

    Warns:
        SonicWarning: Nobody speaks in the sound, or the mouth is never shut in the video.
    """
    if settings.direction is not None:
        settings.direction.within(_DIRECTED, "A dubbed video")
    length = _length(video, audio, settings)
    video = video.cut(0, min(length, video.length))
    found = survey(video, finder, settings.face_index, progress)
    painter = Painter(found)
    if not painter.strength.any():
        raise InputError(
            "Expected a face whose mouth can be seen in the video; in all its frames it is hidden, too small or turned "
            "away: use a video with one larger, front-facing face."
        )
    if not painter.shuts():
        warnings.warn(_GAPING, SonicWarning, stacklevel=3)
    posed = _poses(video, audio, settings, length)
    number = numbers(video.length, settings.when_longer)
    shown = [number(place) for place in range(length)]
    report = Dubbing(
        length,
        int((~found.there[shown]).sum()),
        int((found.there & (painter.strength == 0))[shown].sum()),
        int(found.scenes[-1]) + 1,
    )
    behind = lengthen(video, length, settings.when_longer)
    sound = cut(audio, min(audio.duration, float(length / video.fps)))
    return Staged(replace(behind, read=lambda: _paint(behind, painter, posed, shown, report), audio=sound), report)


def _length(video: Clip, audio: Audio, settings: Settings) -> int:
    """Count the frames of the new video."""
    spoken = frame_count(settings.duration or audio.duration, video.fps)
    if settings.when_longer == "cut":
        return min(video.length, spoken)
    return spoken if settings.duration is not None else max(video.length, spoken)


def _poses(video: Clip, audio: Audio, settings: Settings, length: int) -> list[Pose]:
    """Say what the mouth does in every frame; behind the sound it is shut."""
    left = min(max(float(length / video.fps) - audio.duration, 0.0), _SILENCE)
    if left:
        silence = torch.zeros(audio.samples.shape[0], round(left * audio.rate))
        audio = replace(audio, samples=torch.cat((audio.samples, silence), 1), mapped=None)
    speech = Speech.of(audio)
    for reason in speech.remarks:
        warnings.warn(reason, SonicWarning, stacklevel=4)
    return poses(speech, replace(settings, motion_scale=0.0), length, video.fps, seed=settings.seed)


def _paint(behind: Clip, painter: Painter, posed: list[Pose], shown: list[int], report: Dubbing) -> Iterator[Frames]:
    """Paint the frames of ``behind``, each of which shows the video's frame ``shown`` says."""
    changed = 0
    with closing(read_ahead(closable(behind.frames()))) as frames:
        for frame, number, pose in zip(frames, shown, posed, strict=True):
            with single_threaded():
                painted, count = painter.paint(frame, number, pose)
            changed += count
            yield painted[None]
    height, width = behind.size
    report.changed_share = changed / (len(shown) * height * width)
