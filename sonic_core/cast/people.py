"""Find everybody in a picture, and tell who speaks, who listens and who stays still."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ..errors import FaceNotFoundError, InputError, SonicWarning, about_face
from ..faces import choose_face, crop_portrait, draw_roles, quality_warnings
from ..settings import Settings, amend
from ..types import Audio, Face, FaceFinder, Portrait, largest_first

log = logging.getLogger("sonic")

LEAST_MOVED = 12.0
"""Pixels between the eyes under which nobody sees whether a listener moves: such a face stays as it is."""
LEAST_SCORE = 0.5
"""A finder's confidence under which what may be a mask, a dog or a pattern is not moved unless it should speak."""
SPEAKS, LISTENS, STILL = "speaks", "listens", "still"
"""What somebody in a picture does."""


@dataclass(frozen=True, eq=False)
class Member:
    """Somebody in a picture."""

    number: int
    """As faces are numbered everywhere: 0 is the largest."""
    face: Face
    """In the picture's pixels."""
    portrait: Portrait | None = None
    """The face cut out; None: it stays as it is in the picture."""
    audio: Audio | None = None
    """What is said, as long as the video; None: nothing."""

    @property
    def role(self) -> str:
        """What this one does."""
        return STILL if self.portrait is None else LISTENS if self.audio is None else SPEAKS


@dataclass(frozen=True)
class CastReport:
    """Who did what."""

    roles: Mapping[int, str]
    """By the faces' numbers: "speaks", "listens" or "still"."""

    @property
    def reason(self) -> str:
        """The same in a sentence."""
        told = [(role, [number for number, one in self.roles.items() if one == role]) for role in (SPEAKS, LISTENS)]
        left = [number for number, role in self.roles.items() if role == STILL]
        words = [f"{_faces(them)} {role[:-1] if len(them) > 1 else role}" for role, them in told if them]
        words += [f"{_faces(left)} {'stay as they are' if len(left) > 1 else 'stays as it is'}"] if left else []
        return f"cast: {'; '.join(words)}."


@dataclass(frozen=True, eq=False)
class Cast:
    """Everybody in a picture, those who speak first."""

    image: torch.Tensor
    """The picture, (3, H, W)."""
    members: tuple[Member, ...]
    duration: float
    """Seconds of video."""

    @property
    def report(self) -> CastReport:
        """Who does what."""
        return CastReport({one.number: one.role for one in sorted(self.members, key=lambda one: one.number)})


def gather_cast(image: torch.Tensor, sounds: Mapping[int, Audio], settings: Settings, finder: FaceFinder) -> Cast:
    """Find everybody in a picture, and cut out who moves.

    Args:
        image: (3, H, W) RGB in [0, 1].
        sounds: As of ``hear_speakers``.
        settings: ``listeners`` tells what those do who say nothing; ``expand_ratio`` and ``min_resolution`` count.
        finder: Asked once.

    Raises:
        FaceNotFoundError: There is no face, or one that should speak is not there.
        InputError: The face of one who should speak is too small to be cut out.

    Warns:
        SonicWarning: A face that speaks can be animated, but something about it makes the result worse; or listeners
            are too small to move.
    """
    last = max(sounds)
    choose_face(image, _Known(finder, found := largest_first(finder.find(image))), amend(settings, face_index=0))
    if last >= len(found):
        count = "1 face was" if len(found) == 1 else f"{len(found)} faces were"
        raise FaceNotFoundError(
            f"Face {last} should speak, but {count} found in the picture (finder: {finder.name}); choose from 0, the "
            f"largest, to {len(found) - 1}."
        )
    speaking = [_speaking(image, number, found[number], sounds[number], settings) for number in sorted(sounds)]
    others = [_listening(image, number, face, settings) for number, face in enumerate(found) if number not in sounds]
    members = tuple(_with_room(one, found) for one in (*speaking, *others))
    made = Cast(image, members, next(iter(sounds.values())).duration)
    small = [one.number for one in others if one.face.eye_distance < LEAST_MOVED]
    if small and settings.listeners == "listen":
        warnings.warn(
            f"{_faces(small)} {'are' if len(small) > 1 else 'is'} too small to move: under {LEAST_MOVED:g} pixels "
            "between the eyes a face stays as it is; use a larger picture.",
            SonicWarning,
            stacklevel=2,
        )
    log.info("%s", made.report.reason)
    return made


def draw_cast(cast: Cast) -> torch.Tensor:
    """Draw on a picture who speaks, who listens and who stays still, each with its number.

    Returns:
        (3, h, w) RGB in [0, 1], as ``draw_crop`` gives.
    """
    roles = [(one.face, f"{one.number} {one.role}", one.role == SPEAKS) for one in reversed(cast.members)]
    return draw_roles(cast.image, roles)


class _Known:
    """A finder that was asked already about the picture as it stands."""

    def __init__(self, finder: FaceFinder, found: list[Face]) -> None:
        self.name, self._finder, self._found = finder.name, finder, found

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image``; where none were found, the picture is a turned one."""
        return self._found or self._finder.find(image)


def _with_room(member: Member, found: Sequence[Face]) -> Member:
    """Leave a face the room up to half-way to each other one, in the direction in which they are further apart.

    What moves with a head comes to rest there, so that nothing is torn where two heads touch. Faces that overlap share
    their room.
    """
    if member.portrait is None:
        return member
    placement, (left, top, right, bottom) = member.portrait.placement, member.face.box
    height, width = placement.source.shape[1:]
    room = [0, 0, width, height]
    for other in found:
        gaps = left - other.box[2], top - other.box[3], other.box[0] - right, other.box[1] - bottom
        side = max(range(len(gaps)), key=lambda one: gaps[one])
        if other is member.face or gaps[side] <= 0:
            continue
        middle = round(((left, top, right, bottom)[side] + other.box[(side + 2) % 4]) / 2)
        room[side] = max(room[side], middle) if side < len(gaps) // 2 else min(room[side], middle)
    placed = replace(placement, room=(room[0], room[1], room[2], room[3]))
    return replace(member, portrait=replace(member.portrait, placement=placed))


def _speaking(image: torch.Tensor, number: int, face: Face, audio: Audio, settings: Settings) -> Member:
    with about_face(number):
        for reason in quality_warnings(image, face):
            warnings.warn(reason, SonicWarning, stacklevel=2)
        return Member(number, face, crop_portrait(image, face, settings), audio)


def _listening(image: torch.Tensor, number: int, face: Face, settings: Settings) -> Member:
    if settings.listeners == "still" or face.eye_distance < LEAST_MOVED or face.score < LEAST_SCORE:
        return Member(number, face)
    try:
        return Member(number, face, crop_portrait(image, face, settings))
    except InputError:
        return Member(number, face)


def _faces(numbers: Collection[int]) -> str:
    *first, last = (str(number) for number in numbers)
    return f"faces {', '.join(first)} and {last}" if first else f"face {last}"
