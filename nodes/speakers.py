"""Further people of the picture speak, each by a sound of its own."""

# ruff: noqa: N802, PLC0415
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import host
from .schema import widget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..sonic_core import Speaker

Speakers = dict[int, "Speaker"]
"""What goes from speaker to speaker and into PreData: who says what, by the faces' numbers."""


class AddSpeaker:
    """Let one more face of the picture say a sound of its own."""

    CATEGORY = "Sonic/input"
    SEARCH_ALIASES = (
        "two people",
        "dialogue",
        "conversation",
        "podcast",
        "multiple speakers",
        "group",
        "多人",
        "双人",
        "对话",
        "说话人",
    )
    DESCRIPTION = (
        "Lets one more person of the picture speak, by a sound of its own. One node for each; chain them, and connect "
        "the last to Sonic PreData, whose own sound is the first person's."
    )
    FUNCTION = "add"
    RETURN_TYPES = ("SONIC_SPEAKERS",)
    RETURN_NAMES = ("speakers",)
    OUTPUT_TOOLTIPS = ("For Sonic PreData, or for the next Sonic Speaker.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        begin = "Seconds of the video before this sound begins; the person listens until then."
        return {
            "required": {
                "audio": ("AUDIO", {"tooltip": "What this person says."}),
                "face_index": widget(
                    "face_index", " The picture on Sonic PreData shows the number of each.", default=1, min=0, max=99
                ),
                "begin": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 86400.0, "step": 0.1, "tooltip": begin}),
            },
            "optional": {"speakers": ("SONIC_SPEAKERS", {"tooltip": "Another Sonic Speaker: who speaks besides."})},
        }

    def add(
        self, audio: Mapping[str, Any], face_index: int, begin: float, speakers: Speakers | None = None
    ) -> tuple[Speakers]:
        """Add a person to those who speak."""
        from ..sonic_core import Speaker

        return (with_speaker(speakers or {}, face_index, Speaker(host.sound_of(audio), begin)),)


def with_speaker(speakers: Speakers, face_index: int, speaker: Speaker) -> Speakers:
    """Add a person to others.

    Raises:
        SettingsError: That face has a sound already.
    """
    from ..sonic_core import SettingsError

    if face_index in speakers:
        raise SettingsError(
            f"Face {face_index} has two sounds: give each Sonic Speaker a face_index of its own, other than that of "
            "Sonic PreData."
        )
    return {**speakers, face_index: speaker}
