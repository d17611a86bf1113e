"""The portrait begins to talk."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import host
from .schema import widget

if TYPE_CHECKING:
    from ..sonic_core import Staged, TalkingPortrait
    from .portrait import Prepared

_DIRECTED = (
    "What changes over time, from Sonic Direction: head, gaze, blinks, expressions. sonic-base can be told the two "
    "scales alone."
)


class Sampler:
    """Make the talking video out of what PreData prepared."""

    CATEGORY = "Sonic/animate"
    SEARCH_ALIASES = (
        "talking head",
        "talking portrait",
        "avatar",
        "digital human",
        "speech to video",
        "audio to video",
        "lip sync",
        "数字人",
        "对口型",
        "说话",
        "人像",
        "唱歌",
    )
    DESCRIPTION = "Makes the talking video: picture and sound together, ready to be saved."
    FUNCTION = "sample"
    RETURN_TYPES = ("VIDEO",)
    RETURN_NAMES = ("video",)
    OUTPUT_TOOLTIPS = ("The talking video, for Sonic Video Combine, Save Video or any other node that takes one.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        return {
            "required": {
                "model": ("SONIC_MODEL", {"tooltip": "The same model as for Sonic PreData."}),
                "conditions": ("SONIC_CONDITIONS", {"tooltip": "From Sonic PreData.", "lazy": True}),
                "inference_steps": widget("inference_steps"),
                "dynamic_scale": widget("dynamic_scale", step=0.05),
                "motion_scale": widget("motion_scale", step=0.05),
                "seed": widget("seed", min=0, max=2**64 - 1, control_after_generate=True),
                "fps": widget("fps", step=0.01),
                "paste_back": widget("paste_back"),
            },
            "optional": {
                "appearance_guidance": widget("appearance_guidance", step=0.1),
                "audio_guidance": widget("audio_guidance", step=0.1),
                "window": widget("window"),
                "window_overlap": widget("window_overlap"),
                "window_shift": widget("window_shift"),
                "quality": widget("quality"),
                "deepcache": widget("deepcache"),
                "stream": widget("stream"),
                "direction": ("SONIC_DIRECTION", {"tooltip": _DIRECTED}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def check_lazy_status(self, **chosen: Any) -> list[str]:
        """Refuse, before anything is prepared, what no clip can be made with.

        The host checks each number against its range, but not two against each other, and lets "not a number" pass.
        """
        from ..sonic_core import SETTINGS, check_possible

        check_possible(**{name: value for name, value in chosen.items() if name in SETTINGS})
        model, direction = chosen.get("model"), chosen.get("direction")
        if model is not None and direction is not None:
            direction.shared.within(model.model.directs, model.name)
        return ["conditions"]

    def sample(
        self,
        model: TalkingPortrait,
        conditions: Prepared,
        unique_id: str | None = None,
        **chosen: Any,
    ) -> tuple[Any]:
        """Make the video."""
        progress = host.progress_of(unique_id)
        with host.warnings_shown(unique_id, conditions.told):
            settings = replace(conditions.made_by(model.name).settings, **chosen)
            made = model.animate(conditions.conditions, settings, progress, stages=())  # nodes of their own follow
            video = host.video_of(made.clip, progress, show=True)
            tell_dubbing(made)
            return (video,)


def tell_dubbing(made: Staged[Any]) -> None:
    """Tell what was dubbed, and warn where the video was left as it was; known when the clip has been read."""
    import warnings

    from ..sonic_core import Dubbing, SonicWarning

    for part in made.report.flat():
        if isinstance(part, Dubbing):
            host.log.info(part.reason)
            if part.frames_without_face or part.frames_left:
                warnings.warn(part.reason, SonicWarning, stacklevel=2)
