"""Animate everybody, and lay all of them over their picture."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import NamedTuple, TypeAlias

import torch

from ..clip import Clip, Source
from ..errors import SettingsError, SonicWarning, about_face
from ..media.mixing import mixdown
from ..models.protocol import Conditions, Model
from ..post.compose import Layer, Place, compose
from ..post.stage import Report, Reports, Staged
from ..settings import Settings, amend
from ..types import Audio, Portrait, Progress, ignore_progress
from .people import Cast, Member

_SILENT_RATE = 16000
"""Samples per second of what a listener hears of itself: nothing."""


class CastPart(NamedTuple):
    """One animated face: by which model, and what that prepared."""

    member: Member
    model: Model
    conditions: Conditions


@dataclass(frozen=True, eq=False)
class CastConditions:
    """What is known of everybody before the first frame (protocol ``Conditions``)."""

    cast: Cast
    parts: tuple[CastPart, ...]
    """Those who move, those who speak first."""
    audio: Audio = field(repr=False)
    """All that is said, mixed."""

    @property
    def portrait(self) -> Portrait:
        """The first one who speaks."""
        return self.parts[0].conditions.portrait


def prepare_cast(
    cast: Cast, model: Model, listening: Model, settings: Settings, progress: Progress = ignore_progress
) -> CastConditions:
    """Compute for everybody what does not depend on the frame.

    Args:
        cast: Everybody.
        model: Makes those speak who do.
        listening: Moves those who only listen.
        settings: All settings; each face is made to be put back into the picture.
        progress: Hears (stage, done, total).
    """
    settings = amend(settings, paste_back=True, duration=None)
    for member, one in _moving(cast, model, listening):
        _directed(settings, member, one)
    _check_directed(settings, cast)
    silence = Audio(torch.zeros(1, 1).expand(1, round(cast.duration * _SILENT_RATE)), _SILENT_RATE)  # takes no memory
    parts: list[CastPart] = []
    for member in cast.members:
        if member.portrait is None:
            continue
        if member.audio is not None:
            with about_face(member.number):
                conditions = model.prepare(member.portrait, member.audio, settings, progress)
            parts.append(CastPart(member, model, conditions))
            continue
        with warnings.catch_warnings():  # that nobody speaks in silence, and what concerns mouths that open
            warnings.simplefilter("ignore", SonicWarning)
            parts.append(CastPart(member, listening, listening.prepare(member.portrait, silence, settings, progress)))
    spoken = [member.audio for member in cast.members if member.audio is not None]
    return CastConditions(cast, tuple(parts), mixdown(spoken))


Finishing: TypeAlias = Callable[[Clip], Staged[Reports]]
"""What follows the model, for each who speaks."""


def animate_cast(
    conditions: CastConditions, settings: Settings, finish: Finishing, progress: Progress = ignore_progress
) -> Staged[Reports]:
    """Make everybody's clip and lay all of them over the picture; all else in it stays, to the bit.

    Nobody is laid over another's face: where two overlap each pixel goes to the face that it is nearer to.

    Args:
        conditions: What ``prepare_cast`` gave.
        settings: All settings.
        finish: Asked to finish the clip of each who speaks.
        progress: Hears (stage, done, total).
    """
    settings = amend(settings, paste_back=True, duration=None)
    layers, spoken = list[Layer](), list[Audio]()
    reports: list[Report] = [conditions.cast.report]
    for member, model, prepared in conditions.parts:
        made = model.animate(prepared, _directed(settings, member, model), progress)
        if member.audio is not None:
            finished = finish(made)
            made = finished.clip
            reports += finished.report.parts
            spoken += [made.audio] if made.audio else []
        placement = made.placement or prepared.portrait.placement
        layers.append(Layer(made, (placement.box,)))
    length = max(layer.clip.length for layer in layers)
    layers = [layer._replace(clip=layer.clip.held(length)) for layer in layers]
    layers += _left(conditions.cast, layers, length)
    composed = compose(Source(conditions.cast.image), layers)
    clip = replace(composed.clip, audio=mixdown(spoken) if spoken else None)
    return Staged(clip, Reports((*reports, composed.report)))


def _moving(cast: Cast, model: Model, listening: Model) -> list[tuple[Member, Model]]:
    """List those who move, each with what moves it."""
    moving = [member for member in cast.members if member.portrait is not None]
    return [(member, listening if member.audio is None else model) for member in moving]


def _directed(settings: Settings, member: Member, model: Model) -> Settings:
    """Take the direction that is meant for one person."""
    if settings.direction is None:
        return settings
    own = settings.direction.for_face(member.number)
    with about_face(member.number):
        own.within(model.directs, model.name)
    return amend(settings, direction=own)


def _check_directed(settings: Settings, cast: Cast) -> None:
    """Raise where somebody is directed who is not there, or stays as he is."""
    there = {member.number for member in cast.members if member.portrait is not None}
    absent = sorted(settings.direction.faces - there) if settings.direction else []
    if absent:
        raise SettingsError(
            f"Face {absent[0]} is directed, but those who move in the picture are {', '.join(map(str, sorted(there)))}."
        )


def _left(cast: Cast, moving: Sequence[Layer], length: int) -> list[Layer]:
    """Keep the faces of those who stay as they are, where they lie so near to others that those have no less room."""
    height, width = cast.image.shape[1:]
    taken = [place for layer in moving for place in layer.placements if place]
    kept: list[Layer] = []
    for member in cast.members:
        left, top, right, bottom = (round(side) for side in member.face.box)
        box = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if member.portrait is None and box[0] < box[2] and box[1] < box[3] and any(_meet(box, one) for one in taken):
            size = box[3] - box[1], box[2] - box[0]
            kept.append(Layer(Clip(_shown(cast.image, box, length), moving[0].clip.fps, length, size, None), (box,)))
    return kept


def _shown(image: torch.Tensor, box: Place, length: int) -> Callable[[], Iterator[torch.Tensor]]:
    left, top, right, bottom = box
    return lambda: repeat(image[None, :, top:bottom, left:right], length)


def _meet(one: Place, other: Place) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
