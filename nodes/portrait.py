"""The picture and the sound are made ready."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import host
from .schema import told, widget
from .speakers import with_speaker

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from ..sonic_core import (
        Audio,
        Cast,
        Clip,
        Conditions,
        Face,
        FaceFinder,
        InputError,
        Portrait,
        Settings,
        TalkingPortrait,
        Weights,
    )
    from .speakers import Speakers


VIDEO = (
    "In place of a picture, a video whose person says the sound: mouth, jaw and lower cheeks are new, all else stays. "
    "With sonic-preview only."
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
    video: Any = None
    """The VIDEO that is dubbed, if one is: its file lives as long as it does."""

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
        "Finds the face in the picture, crops it, and prepares picture and sound for the sampler; or finds it in a "
        "video, which is dubbed. The node shows what is cut out and which face speaks."
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
        lips = "What the lips follow in place of audio, which is still heard: a vocal track, or what Sonic Voice gives."
        others = "Further people of picture or video, each with a sound of its own, from Sonic Speaker. All is shown."
        first = "A picture with a face in it; of several pictures the first is taken."
        numbered, box = " The node's picture shows the number of each.", told("face", " Empty: it is searched for.")
        return {
            "required": {
                "model": ("SONIC_MODEL", {"tooltip": "From Sonic Model Loader."}),
                "audio": ("AUDIO", {"tooltip": "Speech or song, from any node that gives a sound."}),
                "duration": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 86400.0, "step": 0.01, "tooltip": seconds}),
                "min_resolution": widget("min_resolution", step=64),
                "expand_ratio": widget("expand_ratio", step=0.01),
            },
            "optional": {
                "image": ("IMAGE", {"tooltip": first, "lazy": True}),
                "face_index": widget("face_index", numbered, min=0, max=99, advanced=True),
                "published": widget("published"),
                "face_box": ("STRING", {"default": "", "tooltip": box, "advanced": True}),
                "listeners": widget("listeners", advanced=True),
                "speakers": ("SONIC_SPEAKERS", {"tooltip": others}),
                "video": ("VIDEO", {"tooltip": VIDEO, "lazy": True}),
                "when_longer": widget("when_longer", advanced=True),
                "lips": ("AUDIO", {"tooltip": lips}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, face_box: str | None = "") -> bool | str:
        """Say before anything runs when the box is none; of the numbers the host itself checks the range."""
        return True if face_box is None else host.problem(box_of, face_box)

    def check_lazy_status(self, model: TalkingPortrait, face_box: str = "", **linked: Any) -> list[str]:
        """Refuse, before anything is made, what cannot be: the host gives only what is linked or chosen."""
        from ..sonic_core import Dubs, SettingsError

        wanted = check_source(face_box, **linked)
        if "video" in wanted and not isinstance(model.model, Dubs):
            raise SettingsError(
                f"video is linked, and {model.name} animates pictures only: choose sonic-preview in Sonic Model Loader "
                "to dub a video, or link image in its place."
            )
        return wanted

    def prepare(
        self,
        model: TalkingPortrait,
        image: torch.Tensor | None = None,
        audio: Any = None,
        *,
        duration: float,
        face_box: str = "",
        speakers: Speakers | None = None,
        video: Any = None,
        lips: Mapping[str, Any] | None = None,
        unique_id: str | None = None,
        **chosen: Any,
    ) -> dict[str, Any]:
        """Make the conditions; of several sounds in one run the portrait is made, shown and warned about once."""
        import torch

        from ..sonic_core import Settings, SettingsError, Speaker, hear_speakers, prepare_heard

        if speakers and lips is not None:
            raise SettingsError("lips is for one who speaks, and speakers are several: disconnect one of them.")
        if host.run_id() != self._run:
            self._run, self._told, self._shown = host.run_id(), frozenset(), None
        with host.warnings_shown(unique_id, self._told) as told:
            settings = Settings(**chosen, duration=duration or None, face=box_of(face_box))
            picture = None if image is None else host.picture_of(image)
            track = None if lips is None else host.sound_of(lips)
            people = with_speaker(speakers, settings.face_index, Speaker(host.sound_of(audio))) if speakers else {}
            if picture is None:
                heard = hear_speakers(people, settings := replace(settings, face_index=0)) if people else None
                said = heard or _trimmed(host.sound_of(audio), settings)
                conditions, drawn = _dubbed(host.clip_of(video), (said, track), settings, model.weights, unique_id)
            elif people:
                conditions, drawn = self._gather(model, picture, people, replace(settings, face_index=0), unique_id)
            else:
                sound = _trimmed(host.sound_of(audio), settings)
                seen = self._look(picture, settings, model.weights, unique_id)
                progress = host.progress_of(unique_id)
                conditions = prepare_heard(model.model, seen.portrait, sound, settings, progress, lips_from=track)
                drawn = seen.overlay
        known = self._shown is not None and torch.equal(drawn, self._shown)
        pictures = [] if known else [host.shown(drawn)]
        self._told, self._shown = self._told | told, drawn
        prepared = Prepared(conditions, settings, model.name, frozenset(told), video)
        return {"ui": {"images": pictures}, "result": (prepared, host.image_of(conditions.portrait.image))}

    def _gather(
        self, model: TalkingPortrait, picture: torch.Tensor, people: Speakers, settings: Settings, node: str | None
    ) -> tuple[Conditions, torch.Tensor]:
        """Make the conditions of several people, and draw who speaks."""
        from ..sonic_core import draw_cast, hear_speakers

        progress, sounds = host.progress_of(node), hear_speakers(people, settings)
        progress("portrait", 0, 1)
        cast = _everybody(picture, sounds, settings, _Witness(host.face_finder(model.weights, everybody=True)), node)
        return model.prepare_cast(cast, settings, progress), draw_cast(cast)

    def _look(self, picture: torch.Tensor, settings: Settings, weights: Weights, node: str | None) -> Seen:
        """Make the portrait, or take the last one where it would be the same, and warn of what it lacks."""
        import warnings

        from ..sonic_core import SonicWarning, quality_warnings

        asked = (settings.min_resolution, settings.expand_ratio, settings.face, settings.face_index, weights)
        seen = self._seen
        if seen is None or not seen.answers(picture, asked):
            host.progress_of(node)("portrait", 0, 1)
            finder = _Witness(host.face_finder(weights, everybody=settings.face_index > 0))
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


def check_source(face_box: str = "", **linked: Any) -> list[str]:
    """Name which of image and video is linked, to be asked for.

    Args:
        face_box: What is written there.
        linked: All other inputs that are linked or chosen, by name, whatever their value.

    Raises:
        SettingsError: Both are linked, or none, or with a video what belongs to a picture.
    """
    from ..sonic_core import SettingsError

    wanted = [name for name in ("image", "video") if name in linked]
    if len(wanted) != 1:
        raise SettingsError(
            "image and video are both linked: keep image to animate a picture, or video to dub one."
            if wanted
            else "Neither image nor video is linked: link a picture to image, or a video to dub to video."
        )
    if wanted == ["video"] and (face_box or "").strip():
        raise SettingsError("face_box is for a picture: with a video leave it empty, and choose by face_index.")
    return wanted


class _Witness:
    """A face finder (the engine's ``FaceFinder``) that remembers what another one found."""

    def __init__(self, finder: FaceFinder) -> None:
        self.name, self.finder = finder.name, finder
        self.found: list[Face] = []
        self.searched: torch.Tensor | None = None
        """The picture that was searched last, (3, h, w)."""

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first."""
        self.found, self.searched = self.finder.find(image), image
        return self.found


def _dubbed(
    clip: Clip,
    heard: tuple[Audio | Mapping[int, Audio], Audio | None],
    settings: Settings,
    weights: Weights,
    node: str | None,
) -> tuple[Conditions, torch.Tensor]:
    """Find those people of a video who speak and draw them; where that fails, the node shows what was searched last."""
    from ..sonic_core import InputError, draw_dub, draw_search, prepare_dub

    finder = _Witness(host.face_finder(weights, everybody=True))
    try:
        conditions = prepare_dub(clip, heard[0], settings, finder, host.progress_of(node), lips_from=heard[1])
    except InputError as error:
        if finder.searched is not None:
            caption, _ = _failure(settings, finder, error)
            host.show_now(draw_search(finder.searched, caption, finder.found), node)
        raise
    return conditions, draw_dub(conditions)


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


def _everybody(
    picture: torch.Tensor, sounds: Mapping[int, Audio], settings: Settings, finder: _Witness, node: str | None
) -> Cast:
    """Find everybody; where it fails, the node shows the picture that was searched."""
    from ..sonic_core import InputError, draw_search, gather_cast

    try:
        return gather_cast(picture, sounds, settings, finder)
    except InputError as error:
        caption, words = _failure(replace(settings, face_index=max(sounds)), finder, error)
        host.show_now(draw_search(picture, caption, finder.found), node)
        raise type(error)(words) from error


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
