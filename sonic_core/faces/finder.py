"""Choose a finder, and with it the face that will speak."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import torch

from ..errors import FaceNotFoundError, InputError, SettingsError
from ..media.ahead import attended
from ..media.pixels import as_bytes
from ..settings import Settings
from ..types import Box, Face, FaceFinder, largest_first
from ..weights.search import Weights
from .embedded import EmbeddedFinder, face_inside
from .insightface import InsightFaceFinder, locate_pack
from .yoloface import YoloFaceFinder, locate_yoloface

FINDERS = ("auto", "insightface", "yoloface", "embedded")
"""Names that ``face_finder`` knows."""


def face_finder(name: str = "auto", weights: Weights = (), *, everybody: bool = False) -> FaceFinder:
    """Make the finder called ``name``.

    Args:
        name: "insightface" or "yoloface", which need files; "embedded", which needs none; "auto" takes the first of the
            three whose files are there.
        weights: Folders in which files are looked for first.
        everybody: As of ``EmbeddedFinder``; the others always look for all.

    Raises:
        SettingsError: There is no finder of that name.
        CheckpointError: The files of the finder that was asked for are missing or damaged, or its package is.
    """
    if name not in FINDERS:
        raise SettingsError(f"The face finder must be one of {', '.join(FINDERS)}; got {name!r}.")
    if name == "insightface" or (name == "auto" and InsightFaceFinder.usable(weights)):
        return InsightFaceFinder(locate_pack(weights))
    if name == "yoloface" or (name == "auto" and locate_yoloface(weights) is not None):
        return YoloFaceFinder(locate_yoloface(weights))
    return EmbeddedFinder(everybody=everybody)


class AttendedFinder:
    """A finder that calls ``report`` a few times a second while it searches; what that raises ends the search."""

    def __init__(self, finder: FaceFinder, report: Callable[[], None]) -> None:
        self.name, self._finder, self._report = finder.name, finder, report

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first."""
        return attended(partial(self._finder.find, image), self._report)


class RememberingFinder:
    """A finder that knows the faces of the last picture: two steps that follow one face begin with the same frame."""

    def __init__(self, finder: FaceFinder) -> None:
        self.name, self._finder = finder.name, finder
        self._last: tuple[tuple[tuple[int, ...], bytes], list[Face]] = ((), b""), []

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first."""
        asked = tuple(image.shape), hashlib.sha256(as_bytes(image).data).digest()
        known, faces = self._last
        if asked != known:
            faces = list(self._finder.find(image))
            self._last = asked, faces
        return list(faces)


def choose_face(image: torch.Tensor, finder: FaceFinder, settings: Settings) -> Face:
    """Return the face that will speak.

    Args:
        image: (3, h, w) RGB in [0, 1].
        finder: Asked unless ``settings.face`` says where the face is.
        settings: ``face`` is a box that overrules the finder, ``face_index`` counts from the largest face.

    Raises:
        FaceNotFoundError: There is no face, or there are fewer than ``face_index`` asks for.
        InputError: The box of ``settings.face`` does not lie inside the picture.
    """
    height, width = image.shape[-2:]
    if settings.face is not None:
        return _face_in_box(image, settings.face)
    faces = largest_first(finder.find(image))
    if not faces:
        advice = _turn_that_helps(image, finder) or (
            "use a larger, brighter, front-facing picture, or say where the face is with --face left,top,right,bottom."
        )
        raise FaceNotFoundError(f"No face was found in the {width}×{height} picture (finder: {finder.name}); {advice}")
    if settings.face_index >= len(faces):
        count = "1 face was" if len(faces) == 1 else f"{len(faces)} faces were"
        raise FaceNotFoundError(
            f"face_index is {settings.face_index}, but {count} found in the {width}×{height} picture "
            f"(finder: {finder.name}); choose from 0, the largest, to {len(faces) - 1}."
        )
    return faces[settings.face_index]


def _turn_that_helps(image: torch.Tensor, finder: FaceFinder) -> str:
    """Say by how much to turn a picture without a face so that there is one; nothing where that does not help."""
    turns = {1: "by 90° to the left", 3: "by 90° to the right", 2: "upside down"}
    for quarters, words in turns.items():
        if finder.find(torch.rot90(image, quarters, (1, 2)).contiguous()):
            return f"turn it {words}: there is one then."
    return ""


def _face_in_box(image: torch.Tensor, box: Box) -> Face:
    height, width = image.shape[-2:]
    left, top, right, bottom = box
    if left < 0 or top < 0 or right > width or bottom > height:
        raise InputError(
            f"The face box {left:g},{top:g},{right:g},{bottom:g} does not lie inside the {width}×{height} picture; "
            "give left,top,right,bottom in its pixels."
        )
    if min(right - left, bottom - top) < 8:
        raise InputError(f"The face box is {right - left:g}×{bottom - top:g} pixels; a face needs at least 8×8.")
    return face_inside(image, box)
