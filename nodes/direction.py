"""A face is directed over time: its head, its gaze, its lids and what it expresses."""

# ruff: noqa: N802, PLC0415
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import host

if TYPE_CHECKING:
    from ..sonic_core import Direction

WRITTEN = (
    "head_yaw", "head_pitch", "head_roll", "gaze_x", "gaze_y", "blinks", "smile", "sad", "surprise", "anger",
    "dynamic_scale", "motion_scale",
)  # fmt: skip
"""What can be written on the node, in its order."""
EVERYBODY = -1
"""The face's number that stands for all of them."""
_HOW = " A number, or keyframes as seconds:value, such as 0:0, 2:5. Empty: it is not directed."
_BLINKS = (
    "Moments in seconds at which the eyes are shut, such as 1.2, 3.4, in place of blinks by chance. Empty: by chance."
)


class Direct:
    """Write down what a face does over time."""

    CATEGORY = "Sonic/animate"
    SEARCH_ALIASES = (
        "expression",
        "emotion",
        "smile",
        "head pose",
        "gaze",
        "blink",
        "keyframes",
        "driving video",
        "beat",
        "nod",
        "表情",
        "微笑",
        "头部姿态",
        "视线",
        "眨眼",
        "关键帧",
        "节拍",
        "点头",
    )
    DESCRIPTION = (
        "Directs a face over time: where head and eyes go, when lids shut, and how much it smiles or looks sad, "
        "surprised or angry. Connect it to Sonic Sampler; the node shows the curves."
    )
    FUNCTION = "direct"
    RETURN_TYPES = ("SONIC_DIRECTION",)
    RETURN_NAMES = ("direction",)
    OUTPUT_TOOLTIPS = ("For Sonic Sampler, or for the next Sonic Direction.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        nods = "A song to whose beat the head nods; what is written above counts before it, it before pose_video."
        follows = "A video whose head is followed; what is written above for the head counts before it."
        longer = "After that video's end the head goes back and forth, or stays."
        face = "Whom it is for, where several people move: -1 is everybody, 0 the largest face."
        return {
            "required": {name: _line(name) for name in WRITTEN},
            "optional": {
                "pose_video": ("VIDEO", {"tooltip": follows}),
                "pose_scale": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.0,
                        "max": 4.0,
                        "step": 0.05,
                        "tooltip": "Factor on the movement of that video's head.",
                    },
                ),
                "pose_longer": (["bounce", "hold"], {"default": "bounce", "tooltip": longer}),
                "face_index": ("INT", {"default": EVERYBODY, "min": EVERYBODY, "max": 99, "tooltip": face}),
                "direction": (
                    "SONIC_DIRECTION",
                    {"tooltip": "Another Sonic Direction, such as of another face; this one counts before it."},
                ),
                "beat_audio": ("AUDIO", {"tooltip": nods}),
                "beat_scale": (
                    "FLOAT",
                    {"default": 1.0, "min": 0.0, "max": 4.0, "step": 0.05, "tooltip": "Factor on those nods."},
                ),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def direct(
        self,
        *,
        pose_video: object = None,
        pose_scale: float = 1.0,
        pose_longer: str = "bounce",
        face_index: int = EVERYBODY,
        direction: Direction | None = None,
        beat_audio: dict[str, Any] | None = None,
        beat_scale: float = 1.0,
        unique_id: str | None = None,
        **written: str,
    ) -> dict[str, Any]:
        """Read what is written, and draw it."""
        from ..sonic_core import Direction, draw_direction, follow_beat

        told = {name: curve for name, curve in written.items() if curve.strip()}
        made = Direction.of(told) if told else Direction()
        if beat_audio is not None:
            made = follow_beat(
                host.sound_of(beat_audio), scale=beat_scale, progress=host.progress_of(unique_id)
            ).joined(made)
        if pose_video is not None:
            made = self._followed(pose_video, pose_scale, pose_longer, unique_id).joined(made)
        if face_index != EVERYBODY:
            made = made.of_face(face_index)
        made = (direction or Direction()).joined(made)
        return {"ui": {"images": [host.shown(draw_direction(made))]}, "result": (made,)}

    def _followed(self, video: object, scale: float, longer: str, node: str | None) -> Direction:
        """Follow a video's head."""
        from ..sonic_core import follow_head

        finder, progress = host.face_finder(host.search_path()), host.progress_of(node)
        return follow_head(host.clip_of(video), scale=scale, when_longer=longer, finder=finder, progress=progress)


def _line(name: str) -> tuple[str, dict[str, Any]]:
    """Describe the line on which a curve is written."""
    from ..sonic_core import CHANNELS, SETTINGS

    if name not in CHANNELS:
        moments = {"least": 0, "most": 1, "unit": "", "apart": CHANNELS["blink"].apart}
        return "STRING", {"default": "", "tooltip": _BLINKS, "curve": moments}
    limits = (name in SETTINGS and SETTINGS[name].words.limits) or CHANNELS[name]
    words = CHANNELS[name].help
    tip = f"{words[0].upper()}{words[1:]}: {limits.least:g} to {limits.most:g}."
    curve = {"least": limits.least, "most": limits.most, "unit": CHANNELS[name].unit}
    return "STRING", {"default": "", "tooltip": tip + _HOW, "curve": curve}
