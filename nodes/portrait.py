"""The picture and the sound are made ready."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import host
from .schema import told, widget

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from ..sonic_core import (
        Audio,
        Conditions,
        Face,
        FaceFinder,
        InputError,
        Portrait,
        Settings,
        TalkingPortrait,
        Weights,
    )


@dataclass(frozen=True, eq=False)
class Prepared:
    """What goes from PreData to the sampler."""

    conditions: Conditions
    """What the model knows before the first frame."""
    settings: Settings
    """The settings under which they were made."""
    model: str
    """The name of the model that made them."""
    told: frozenset[str]
    """Warnings that were shown on the way."""

    def made_by(self, model: str) -> Prepared:
        """Hand itself on when ``model`` made it.

        Raises:
            InputError: Another model made it.
        """
        from ..sonic_core import InputError

        if model != self.model:
            raise InputError(f"The conditions were prepared for {self.model}, the sampler has {model}: give both one.")
        return self


@dataclass(frozen=True, eq=False)
class Seen:
    """A portrait, and from what it was made: for the next sound that it says, and for the next run."""

    portrait: Portrait
    face: Face
    """The face in the full picture's pixels."""
    overlay: torch.Tensor
    """The picture with all this drawn on it, (3, h, w)."""
    asked: tuple[object, ...]
    """The settings that decided."""

    def answers(self, picture: torch.Tensor, asked: tuple[object, ...]) -> bool:
        """Say whether the same would be made of ``picture``."""
        import torch

        return asked == self.asked and torch.equal(picture, self.portrait.placement.source)


class PreData:
    """Find the face, crop it, and compute all that does not depend on the frame."""

    CATEGORY = "Sonic/animate"
    SEARCH_ALIASES = (
        "portrait",
        "face",
        "crop face",
        "talking head",
        "digital human",
        "人像",
        "人脸",
        "肖像",
        "数字人",
    )
    DESCRIPTION = (
        "Finds the face in the picture, crops it, and prepares picture and sound for the sampler. The node shows what "
        "is cut out and which face speaks."
    )
    FUNCTION = "prepare"
    RETURN_TYPES = ("SONIC_CONDITIONS", "IMAGE")
    RETURN_NAMES = ("conditions", "portrait")
    OUTPUT_TOOLTIPS = ("For Sonic Sampler.", "The crop that will be animated.")

    def __init__(self) -> None:
        self._seen: Seen | None = None
        self._run, self._told, self._shown = "", frozenset[str](), None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        seconds = told("duration", " 0 takes the sound's whole length.")
        return {
            "required": {
                "model": ("SONIC_MODEL", {"tooltip": "From Sonic Model Loader."}),
                "image": ("IMAGE", {"tooltip": "A picture with a face in it; of several pictures the first is taken."}),
                "audio": ("AUDIO", {"tooltip": "Speech or song, from any node that gives a sound."}),
                "duration": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 86400.0, "step": 0.01, "tooltip": seconds}),
                "min_resolution": widget("min_resolution", step=64),
                "expand_ratio": widget("expand_ratio", step=0.01),
            },
            "optional": {
                "face_index": widget("face_index", " The node's picture shows the number of each.", min=0, max=99),
                "published": widget("published"),
                "face_box": ("STRING", {"default": "", "tooltip": told("face", " Empty: it is searched for.")}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, face_box: str | None = "") -> bool | str:
        """Say before anything runs when the box is none; of the numbers the host itself checks the range."""
        return True if face_box is None else host.problem(box_of, face_box)

    def prepare(
        self,
        model: TalkingPortrait,
        image: torch.Tensor,
        audio: Mapping[str, Any],
        *,
        duration: float,
        face_box: str = "",
        unique_id: str | None = None,
        **chosen: Any,
    ) -> dict[str, Any]:
        """Make the conditions; of several sounds in one run the portrait is made, shown and warned about once."""
        from ..sonic_core import Settings

        if host.run_id() != self._run:
            self._run, self._told, self._shown = host.run_id(), frozenset(), None
        with host.warnings_shown(unique_id, self._told) as told:
            settings = Settings(**chosen, duration=duration or None, face=box_of(face_box))
            sound = _trimmed(host.sound_of(audio), settings)
            seen = self._look(host.picture_of(image), settings, model.weights, unique_id)
            conditions = model.model.prepare(seen.portrait, sound, settings, host.progress_of(unique_id))
        pictures = [] if seen is self._shown else [host.shown(seen.overlay)]
        self._told, self._shown = self._told | told, seen
        prepared = Prepared(conditions, settings, model.name, frozenset(told))
        return {"ui": {"images": pictures}, "result": (prepared, host.image_of(seen.portrait.image))}

    def _look(self, picture: torch.Tensor, settings: Settings, weights: Weights, node: str | None) -> Seen:
        """Make the portrait, or take the last one where it would be the same, and warn of what it lacks."""
        import warnings

        from ..sonic_core import SonicWarning, quality_warnings

        asked = (settings.min_resolution, settings.expand_ratio, settings.face, settings.face_index, weights)
        seen = self._seen
        if seen is None or not seen.answers(picture, asked):
            host.progress_of(node)("portrait", 0, 1)
            finder = _Witness(host.face_finder(weights))
            seen = self._seen = Seen(*_found(picture, settings, finder, node), asked)
        for reason in quality_warnings(picture, seen.face):
            warnings.warn(reason, SonicWarning, stacklevel=2)
        return seen


def box_of(text: str) -> tuple[float, float, float, float] | None:
    """Read a box, ``left,top,right,bottom``; None for no text.

    Raises:
        SettingsError: It is no box.
    """
    import math

    from ..sonic_core import SettingsError

    if not text.strip():
        return None
    try:
        left, top, right, bottom = (float(side) for side in text.split(","))
    except ValueError:
        left = top = right = bottom = math.nan
    if not (0 <= left < right < math.inf and 0 <= top < bottom < math.inf):
        raise SettingsError(
            "face_box must be empty, or left,top,right,bottom in the picture's pixels such as 120,80,360,340; "
            f"got {text!r}."
        )
    return left, top, right, bottom


class _Witness:
    """A face finder (the engine's ``FaceFinder``) that remembers what another one found."""

    def __init__(self, finder: FaceFinder) -> None:
        self.name, self.finder = finder.name, finder
        self.found: list[Face] = []

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first."""
        self.found = self.finder.find(image)
        return self.found


def _found(
    picture: torch.Tensor, settings: Settings, finder: _Witness, node: str | None
) -> tuple[Portrait, Face, torch.Tensor]:
    """Find the face, cut it out and draw that; where it fails, the node shows the picture that was searched."""
    from ..sonic_core import InputError, choose_face, crop_portrait, draw_crop, draw_search

    try:
        face = choose_face(picture, finder, settings)
        portrait = crop_portrait(picture, face, settings)
    except InputError as error:
        caption, words = _failure(settings, finder, error)
        host.show_now(draw_search(picture, caption, finder.found), node)
        raise type(error)(words) from error
    return portrait, face, draw_crop(portrait, finder.found)


def _failure(settings: Settings, finder: _Witness, error: InputError) -> tuple[str, str]:
    """Say why there is no portrait: in a few words, and in a sentence for the person at the canvas."""
    if settings.face is not None:
        return "face_box does not fit", str(error)
    if finder.found:
        most = len(finder.found) - 1
        return f"face_index: 0 to {most}" if settings.face_index > most else "The face is too small", str(error)
    return "No face found\nuse a larger, brighter, front-facing picture, or face_box", (
        f"No face was found (finder: {finder.name}): use a larger, brighter, front-facing picture, or write into "
        "face_box where the face is, as left,top,right,bottom in pixels; the picture on this node has a ruler."
    )


def _trimmed(sound: Audio, settings: Settings) -> Audio:
    """Cut the sound to the wanted duration."""
    from ..sonic_core import InputError, trim_audio

    try:
        return trim_audio(sound, settings)
    except InputError as error:
        raise InputError(f"{error} On this node, duration 0 takes the whole.") from error
