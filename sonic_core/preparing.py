"""What comes before a model: the face that will speak, found in its picture or video, and the sound, cut to length."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from .clip import Clip
from .errors import SettingsError, SonicWarning
from .faces import choose_face, crop_portrait, draw_roles, face_finder, quality_warnings
from .faces.person_track import PeopleTracker
from .media.ahead import closable
from .media.arriving import ArrivingAudio
from .media.given import as_picture
from .media.lazy import lazy_frames
from .media.mixing import check_duration, cut, mixdown
from .models.protocol import Model
from .settings import SETTINGS, Settings, amend
from .types import Audio, Face, FaceFinder, Portrait, Progress, ignore_progress
from .weights.search import Weights

_NOSE = 1
"""The mesh's tip of the nose."""


def merge_settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    """Take all settings at once, or make them of single ones.

    Raises:
        SettingsError: Both are given, or one that there is not.
    """
    if settings is not None and options:
        raise SettingsError(
            f"give either settings or single options, not both; got both settings and {', '.join(options)}."
        )
    unknown = sorted(set(options) - set(SETTINGS))
    if unknown:
        raise SettingsError(f"{', '.join(unknown)}: no such setting; there are {', '.join(SETTINGS)}.")
    return settings if settings is not None else Settings(**options)


def prepare_portrait(
    image: Any,  # noqa: ANN401 - pictures have many forms
    settings: Settings,
    *,
    weights: Weights = (),
    finder: str = "auto",
) -> Portrait:
    """Find the face in a picture and cut it out at working size.

    Args:
        image: (3, h, w) RGB in [0, 1], or a picture in another form as ``TalkingPortrait.generate`` takes it.
        settings: All settings.
        weights: Where weights of face finders are looked for first.
        finder: As of ``face_finder``.

    Raises:
        InputError: It is no picture.
        FaceNotFoundError: There is no face, or fewer than asked for.

    Warns:
        SonicWarning: The face can be animated, but something about it makes the result worse.
    """
    image = as_picture(image)
    face = choose_face(image, face_finder(finder, weights, everybody=settings.face_index > 0), settings)
    for reason in quality_warnings(image, face):
        warnings.warn(reason, SonicWarning, stacklevel=2)
    return crop_portrait(image, face, settings)


def direct_one(settings: Settings, model: Model) -> Settings:
    """Take of the settings' direction what is meant for the one face that moves.

    Raises:
        SettingsError: Another face is meant, or the model cannot be told that.
    """
    if settings.direction is None:
        return settings
    others = settings.direction.faces - {settings.face_index}
    if others:
        raise SettingsError(
            f"Face {min(others)} is directed, and face {settings.face_index} alone moves: leave out the number, or let "
            "several speak."
        )
    own = settings.direction.for_face(settings.face_index)
    own.within(model.directs, model.name)
    return amend(settings, direction=own)


def trim_audio(audio: Audio, settings: Settings) -> Audio:
    """Cut a sound to the wanted duration, or keep it whole when none is given.

    Raises:
        InputError: The duration is longer than the sound by more than one frame.
    """
    if settings.duration is None or isinstance(audio, ArrivingAudio):
        return audio
    check_duration(audio, settings.duration, Fraction(settings.fps))
    return cut(audio, settings.duration)


@dataclass(frozen=True, eq=False)
class DubConditions:
    """What is known of a video before its people say something else (protocol ``Conditions``)."""

    video: Clip
    """What will be dubbed; it is tracked and painted when the clip is made."""
    sounds: Mapping[int, Audio]
    """What will be said, cut to its duration, by the number of who says it."""
    portrait: Portrait
    """One who speaks, cut out of the first frame in which one of them is seen."""
    faces: tuple[Face, ...]
    """All faces of that frame, the largest first."""
    numbers: Mapping[int, int]
    """Who they are, of those who speak: numbers by the place among ``faces``."""

    @property
    def audio(self) -> Audio:
        """All that will be said, mixed."""
        return mixdown(list(self.sounds.values()))


def find_dubbed(
    video: Clip,
    sounds: Mapping[int, Audio],
    settings: Settings,
    finder: FaceFinder,
    progress: Progress = ignore_progress,
) -> DubConditions:
    """Find those people of a video who will say something, for ``TalkingPortrait.animate``.

    Args:
        video: Read up to the first frame in which one of them is seen.
        sounds: What shall be said, cut to its duration, by the number of who says it: as people appear, the largest
            first.
        settings: All settings.
        finder: Finds the faces.
        progress: Called with ("portrait", frames searched, frames in all).

    Raises:
        FaceNotFoundError: None of them is ever seen.
        InputError: The face is too small to be cut out.
    """
    frame, noses = _first_sight(video, sounds, finder, progress)
    faces = tuple(finder.find(frame))
    numbers: dict[int, int] = {}
    for number, nose in sorted(noses.items(), reverse=True):
        numbers[int(np.argmin([np.hypot(*np.subtract(face.points[2], nose)) for face in faces]))] = number
    first = min(numbers, key=lambda place: numbers[place])
    return DubConditions(video, sounds, crop_portrait(frame, faces[first], settings), faces, numbers)


def draw_dubbed(conditions: DubConditions) -> torch.Tensor:
    """Draw on the first frame that shows somebody who is dubbed who that is, and the numbers of the others.

    Returns:
        (3, h, w) RGB in [0, 1].
    """
    roles = [
        (face, f"{conditions.numbers[place]} is dubbed" if place in conditions.numbers else str(place))
        for place, face in enumerate(conditions.faces)
    ]
    drawn = [(face, text, place in conditions.numbers) for place, (face, text) in enumerate(roles)]
    return draw_roles(conditions.portrait.placement.source, sorted(drawn, key=lambda one: one[2]))


def _first_sight(
    video: Clip, people: Collection[int], finder: FaceFinder, progress: Progress
) -> tuple[torch.Tensor, dict[int, tuple[float, float]]]:
    """Find the first frame (3, h, w) in which one of the people is seen, and where in it their noses are."""
    tracker = PeopleTracker(finder, people)
    with closing(closable(lazy_frames(video.read))) as frames:
        for done, frame in enumerate(frames, start=1):
            seen = tracker.follow(frame)
            progress("portrait", done, video.length)
            if seen:
                return frame.whole(), {
                    number: (float(sight.points[_NOSE, 0]), float(sight.points[_NOSE, 1]))
                    for number, sight in seen.items()
                }
    tracker.check()
    raise AssertionError("somebody who was seen is found")
