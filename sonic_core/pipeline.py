"""The main job, wired: a portrait and a sound go in, a talking clip comes out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from .clip import Clip, Source
from .devices import Hardware, Keeper
from .errors import SettingsError, SonicWarning
from .faces import RememberingFinder, choose_face, crop_portrait, face_finder, quality_warnings
from .media.arriving import ArrivingAudio
from .media.audio import read_audio
from .media.image import read_image
from .media.mixing import check_duration, cut
from .models.registry import find_model
from .post.compose import Compose
from .post.finish import Finish
from .post.stage import Stage, apply_stages
from .settings import SETTINGS, Settings
from .types import Audio, Model, Portrait, Progress, ignore_progress
from .weights.search import SearchPath, Weights

SVD_IS_A_PART = "svd= goes with the next release; name the file or folder of Stable Video Diffusion among weights."


@dataclass(frozen=True)
class TalkingPortrait:
    """A loaded model, ready to make clips."""

    name: str
    """Name of the model that was chosen; never "auto"."""
    model: Model
    weights: Weights = ()
    """Where weights of face finders are looked for first."""

    def generate(
        self,
        audio: str | Path | Audio,
        image: str | Path | torch.Tensor,
        *,
        settings: Settings | None = None,
        progress: Progress = ignore_progress,
        **options: Any,  # noqa: ANN401
    ) -> Clip:
        """Make the portrait say the sound.

        Args:
            audio: A sound file, or a sound.
            image: A picture file, or a picture (3, h, w), RGB in [0, 1].
            settings: All settings at once; or give single ones as ``options``, named as in ``Settings``.
            progress: Hears (stage, done, total).
            **options: Fields of ``Settings``.

        Returns:
            A clip to ``export``; what can be computed frame by frame is computed while it is read.

        Raises:
            SettingsError: A setting is not possible or not known.
            InputError: The sound or the picture cannot be used; ``FaceNotFoundError`` when there is no face.
            MediaError: A file cannot be read.
        """
        settings = _merged(settings, options)
        sound = audio if isinstance(audio, Audio) else read_audio(audio)
        sound = checked_audio(sound, settings)
        picture = image if isinstance(image, torch.Tensor) else read_image(image)
        progress("portrait", 0, 1)
        portrait = prepare_portrait(picture, settings, weights=self.weights)
        progress("portrait", 1, 1)
        conditions = self.model.prepare(portrait, sound, settings, progress)
        clip = self.model.animate(conditions, settings, progress)
        return apply_stages(self.stages(portrait, settings), clip, progress).clip

    def stages(self, portrait: Portrait, settings: Settings) -> list[Stage]:
        """List what follows the model, as far as the settings ask for it."""
        stages: list[Stage] = []
        if not (self.model.exact or settings.published):
            stages.append(
                Finish(
                    align=settings.lip_sync_refinement,
                    smooth=settings.temporal_smoothing,
                    streamed=settings.stream,
                    finder=RememberingFinder(face_finder("auto", self.weights)),
                )
            )
        if settings.paste_back:
            stages.append(Compose(Source(portrait.placement.source), (portrait.placement.box,)))
        return stages


def load_model(
    name: str = "auto",
    *,
    weights: Weights = (),
    svd: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    keeper: Keeper | None = None,
    others: Sequence[Keeper] = (),
    acceleration: str = "auto",
    attention: str = "auto",
) -> TalkingPortrait:
    """Load a model by name; what it reads is read when it is first needed.

    Args:
        name: "sonic-base", "sonic-preview", or "auto": sonic-base where all its weights are found, else sonic-preview.
        weights: Folders in which weights are looked for first, and files or folders of single parts, each found as the
            part it is: under its published name, or as any ``.safetensors`` file Stable Video Diffusion.
        svd: Deprecated: name the file or folder of Stable Video Diffusion among ``weights``.
        device: For sonic-base: "auto", "cpu", "cuda", "cuda:1", "xpu", "mps"; or several, "cuda:0,cuda:1", which share
            the windows of a clip.
        precision: For sonic-base: "auto", "fp16", "bf16" or "fp32".
        keeper: For sonic-base: who brings networks to the device, instead of ``device``; a host has its own.
        others: Keepers of further devices, beside ``keeper``.
        acceleration: For sonic-base on a card: "auto", "off", or levers such as "compile=on,graphs=off".
        attention: For sonic-base on a card: "auto", "sdpa", or another kernel that is installed, such as "sage".

    Returns:
        The loaded model; its ``name`` says which one "auto" chose.

    Raises:
        CheckpointError: The model's weights are not there; the message lists every missing file, where it belongs and
            where it comes from.
        SettingsError: There is no such model, device or precision.
    """
    search = SearchPath.of(weights)
    if svd is not None:
        warnings.warn(SVD_IS_A_PART, DeprecationWarning, stacklevel=2)
        search = search.naming(svd)
    spec = find_model(name, search)
    model = spec.load(search, Hardware(device, precision, keeper, others, acceleration, attention))
    return TalkingPortrait(spec.name, model, search)


def prepare_portrait(
    image: torch.Tensor, settings: Settings, *, weights: Weights = (), finder: str = "auto"
) -> Portrait:
    """Find the face in a picture (3, h, w) and cut it out at working size.

    Raises:
        FaceNotFoundError: There is no face, or fewer than asked for.

    Warns:
        SonicWarning: The face can be animated, but something about it makes the result worse.
    """
    face = choose_face(image, face_finder(finder, weights), settings)
    for reason in quality_warnings(image, face):
        warnings.warn(reason, SonicWarning, stacklevel=2)
    return crop_portrait(image, face, settings)


def checked_audio(audio: Audio, settings: Settings) -> Audio:
    """Cut a sound to the wanted duration, or keep it whole when none is given.

    Raises:
        InputError: The duration is longer than the sound by more than one frame.
    """
    if settings.duration is None or isinstance(audio, ArrivingAudio):
        return audio
    check_duration(audio, settings.duration, Fraction(settings.fps))
    return cut(audio, settings.duration)


def _merged(settings: Settings | None, options: dict[str, Any]) -> Settings:
    if settings is not None and options:
        raise SettingsError(
            f"give either settings or single options, not both; got both settings and {', '.join(options)}."
        )
    unknown = sorted(set(options) - set(SETTINGS))
    if unknown:
        raise SettingsError(f"{', '.join(unknown)}: no such setting; there are {', '.join(SETTINGS)}.")
    return settings if settings is not None else Settings(**options)
