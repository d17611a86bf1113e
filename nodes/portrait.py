"""The picture and the sound are made ready."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import host
from .schema import widget

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from ..sonic_core.pipeline import TalkingPortrait
    from ..sonic_core.settings import Settings


@dataclass(frozen=True, eq=False)
class Prepared:
    """What goes from PreData to the sampler."""

    conditions: Any
    """The model's own; it carries ``portrait`` and ``audio``."""
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
        from ..sonic_core.errors import InputError

        if model != self.model:
            raise InputError(f"The conditions were prepared for {self.model}, the sampler has {model}: give both one.")
        return self


class PreData:
    """Find the face, crop it, and compute all that does not depend on the frame."""

    CATEGORY = "Sonic"
    DESCRIPTION = "Finds the face in the picture, crops it, and prepares picture and sound for the sampler."
    FUNCTION = "prepare"
    RETURN_TYPES = ("SONIC_CONDITIONS", "IMAGE")
    RETURN_NAMES = ("conditions", "portrait")
    OUTPUT_TOOLTIPS = ("For Sonic Sampler.", "The crop that will be animated.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        seconds = "Seconds of video; 0 takes the sound's whole length."
        resolution = "Shorter side of the animated crop in pixels, in multiples of 64."
        published = "On: sonic-base does as its release does, with its seams and its shorter end. Off is better."
        around = "How much is kept around the face, as a share of the face on each side."
        return {
            "required": {
                "model": ("SONIC_MODEL", {"tooltip": "From Sonic Model Loader."}),
                "image": ("IMAGE", {"tooltip": "A picture with a face in it; of several pictures the first is taken."}),
                "audio": ("AUDIO", {"tooltip": "Speech or song, from any node that gives a sound."}),
                "duration": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 86400.0, "step": 0.01, "tooltip": seconds}),
                "min_resolution": widget("min_resolution", resolution, step=64),
                "expand_ratio": widget("expand_ratio", around, step=0.01),
            },
            "optional": {
                "face_index": widget("face_index", "Which face: 0 is the largest.", min=0, max=99),
                "published": widget("published", published),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def prepare(
        self,
        model: TalkingPortrait,
        image: torch.Tensor,
        audio: Mapping[str, Any],
        unique_id: str | None = None,
        **chosen: Any,
    ) -> tuple[Prepared, torch.Tensor]:
        """Make the conditions."""
        from ..sonic_core import pipeline
        from ..sonic_core.settings import Settings

        with host.warnings_shown(unique_id) as told:
            settings = Settings(**{**chosen, "duration": chosen["duration"] or None})
            sound = pipeline.checked_audio(host.sound_of(audio), settings)
            portrait = pipeline.prepare_portrait(host.picture_of(image), settings, weights=model.weights)
            conditions = model.model.prepare(portrait, sound, settings, host.progress_of(unique_id))
        return Prepared(conditions, settings, model.name, frozenset(told)), host.image_of(portrait.image)
