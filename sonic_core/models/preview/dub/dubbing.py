"""People of a video say something else; but for their lower faces every pixel stays as it was, to the bit."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ....clip import Clip, frame_count
from ....errors import InputError, SettingsError, SonicWarning, about_face
from ....media.ahead import closable, read_ahead
from ....media.lazy import LazyFrame, lazy_frames, siting_of
from ....media.mixing import cut, mixdown
from ....media.threads import single_threaded
from ....post.stage import Report, Reports, Staged
from ....settings import Settings, amend
from ....speech import Speech
from ....types import Audio, FaceFinder, Frames, Progress
from ..posing import poses
from ..puppet.pose import Pose
from .lengths import lengthen, numbers
from .painting import Painter
from .survey import Survey, survey

_DIRECTED = ("dynamic_scale",)
"""What of a dubbed video can be directed: all else is the video's own."""
MOST_TOLD = 5
"""Stretches in which something is in front of the mouth that are told one by one."""
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

    number: int | None = None
    """Of the person, where several speak."""
    hidden: tuple[tuple[float, float], ...] = ()
    """Stretches, from and to in seconds, in which something is in front of the mouth, and little is seen of it."""
    frames_behind: int = 0
    """Frames in which something is in front of a part of the lower face: it stays there, the new mouth behind it."""

    @property
    def reason(self) -> str:
        """One sentence: what was done."""
        spoken = self.frames - self.frames_without_face - self.frames_left
        told = "dubbing: " if self.number is None else f"dubbing face {self.number}: "
        told += f"the mouth is new in {spoken} of {self.frames} frames"
        if self.frames_without_face:
            told += f", the face is not seen in {self.frames_without_face}"
        if self.frames_left:
            told += f", {self.frames_left} are left as they were, the mouth being hidden, too small or turned away"
        if self.frames_behind:
            told += f", in {self.frames_behind} it is behind what passes in front of it"
        told += "".join(
            f"; from {begin:.1f} to {end:.1f} s something is in front of the mouth: left as it was"
            for begin, end in self.hidden[:MOST_TOLD]
        )
        if len(self.hidden) > MOST_TOLD:
            told += f", and so are {len(self.hidden) - MOST_TOLD} more stretches"
        if self.changed_share is None:
            return f"{told}; how many pixels differ is known when the clip has been read."
        return (
            f"{told}; {self.changed_share:.2%} of all pixels differ from the video, the others are its own to the bit."
        )


class _Speaking(NamedTuple):
    """One person of a video who speaks."""

    painter: Painter
    poses: list[Pose]
    report: Dubbing


def dub(
    video: Clip, sounds: Mapping[int, Audio], settings: Settings, finder: FaceFinder, progress: Progress
) -> Staged[Report]:
    """Let people of a video say something else.

    The video is looked through at once; the new mouths are painted whenever the clip is read.

    Args:
        video: The video, whose own sound is not heard.
        sounds: What shall be said, cut to its duration and all as long, by the number of who says it, as
            ``PeopleTracker`` numbers them.
        settings: Heeded are ``duration``, ``dynamic_scale``, also as it is directed, and ``when_longer``.
        finder: Finds the faces.
        progress: Called with ("track", frames done, frames in all).

    Returns:
        A clip of the video's rate and size, and a ``Dubbing``, of several people ``Reports`` of one each.

    Raises:
        SettingsError: Anything but the mouth is directed, or somebody's who says nothing.
        FaceNotFoundError: A person is never seen.
        InputError: A face is nowhere large, free and frontal enough.

    Warns:
        SonicWarning: Nobody speaks in a sound, or a mouth is never shut in the video.
    """
    _check_directed(settings, sounds)
    length = _length(video, next(iter(sounds.values())), settings)
    video = video.cut(0, min(length, video.length))
    number = numbers(video.length, settings.when_longer)
    shown = [number(place) for place in range(length)]
    speaking: list[_Speaking] = []
    for person, found in survey(video, finder, sounds, progress).items():
        with about_face(person) if len(sounds) > 1 else nullcontext():
            one = _person(found, video, sounds[person], _directed(settings, person), shown)
        one.report.number = person if len(sounds) > 1 else None
        speaking.append(one)
    behind = lengthen(video, length, settings.when_longer)
    sound = mixdown(list(sounds.values()))
    sound = cut(sound, min(sound.duration, float(length / video.fps)))
    reports = [one.report for one in speaking]
    clip = replace(behind, read=_Dubbed(behind, speaking, shown), audio=sound)
    return Staged(clip, Reports(tuple(reports)) if len(reports) > 1 else reports[0])


def _person(found: Survey, video: Clip, audio: Audio, settings: Settings, shown: list[int]) -> _Speaking:
    """Prepare one who speaks."""
    painter = Painter(found)
    if not painter.strength.any():
        raise InputError(
            "Expected a face whose mouth can be seen in the video; in all its frames it is hidden, too small or turned "
            "away: use a video with one larger, front-facing face."
        )
    if not painter.shuts():
        warnings.warn(_GAPING, SonicWarning, stacklevel=3)
    report = Dubbing(
        len(shown),
        int((~found.there[shown]).sum()),
        int((found.there & (painter.strength == 0))[shown].sum()),
        int(found.scenes[-1]) + 1,
        hidden=_stretches(found.hidden[shown], float(video.fps)),
        frames_behind=sum(number in found.fronts and painter.strength[number] > 0 for number in shown),
    )
    return _Speaking(painter, _poses(video, audio, settings, len(shown)), report)


def _stretches(where: NDArray[np.bool_], fps: float) -> tuple[tuple[float, float], ...]:
    """List where something lasts, from and to in seconds."""
    edges = np.flatnonzero(np.diff(where, prepend=False, append=False)) / fps
    return tuple((float(begin), float(end)) for begin, end in edges.reshape(-1, 2))


def _check_directed(settings: Settings, sounds: Collection[int]) -> None:
    """Raise where anything is directed that cannot be."""
    if settings.direction is None:
        return
    settings.direction.within(_DIRECTED, "A dubbed video")
    others = settings.direction.faces - set(sounds)
    if others:
        raise SettingsError(
            f"Face {min(others)} is directed, and {', '.join(map(str, sorted(sounds)))} alone speaks: leave out the "
            "number, or give that face a sound."
        )


def _directed(settings: Settings, person: int) -> Settings:
    """Take the direction that is meant for one person."""
    return amend(settings, direction=settings.direction.for_face(person)) if settings.direction else settings


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


@dataclass(frozen=True, eq=False)
class _Dubbed:
    """Reads a video and paints mouths into its frames (a ``ReadsLazily``)."""

    behind: Clip
    speaking: Sequence[_Speaking]
    shown: list[int]
    """Which frame of the video each frame of ``behind`` shows."""

    def __call__(self) -> Iterator[Frames]:
        """Begin anew."""
        with closing(closable(self.lazy())) as frames:
            for frame in frames:
                yield frame.whole()[None]

    @property
    def siting(self) -> int | None:
        """Where the frames have their chroma if most can be encoded as they came."""
        return siting_of(self.behind.read)

    def lazy(self) -> Iterator[LazyFrame]:
        """Begin anew; what is not painted is passed on as it came."""
        changed = [0] * len(self.speaking)
        with closing(read_ahead(closable(lazy_frames(self.behind.read)))) as frames:
            for place, (frame, number) in enumerate(zip(frames, self.shown, strict=True)):
                painted = frame
                with single_threaded():
                    for one, (painter, posed, _) in enumerate(self.speaking):
                        painted, count = painter.paint(painted, number, posed[place])
                        changed[one] += count
                yield painted
        height, width = self.behind.size
        for (_, _, report), count in zip(self.speaking, changed, strict=True):
            report.changed_share = count / (len(self.shown) * height * width)
