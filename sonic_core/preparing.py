"""What comes before a model: the face that will speak, cut out of its picture, and the sound, cut to its duration."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

from .errors import SettingsError, SonicWarning
from .faces import choose_face, crop_portrait, face_finder, quality_warnings
from .media.arriving import ArrivingAudio
from .media.given import as_picture
from .media.mixing import check_duration, cut
from .models.protocol import Model
from .settings import Settings, amend
from .types import Audio, Portrait
from .weights.search import Weights


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
