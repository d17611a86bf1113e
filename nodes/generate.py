"""The portrait begins to talk."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import host
from .schema import Widget, widget

if TYPE_CHECKING:
    from ..sonic_core.pipeline import TalkingPortrait
    from .portrait import Prepared


class Sampler:
    """Make the talking video out of what PreData prepared."""

    CATEGORY = "Sonic"
    DESCRIPTION = "Makes the talking video: picture and sound together, ready to be saved."
    FUNCTION = "sample"
    RETURN_TYPES = ("VIDEO",)
    RETURN_NAMES = ("video",)
    OUTPUT_TOOLTIPS = ("The talking video, for Sonic Video Combine, Save Video or any other node that takes one.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        steps = "Denoising steps of sonic-base; sonic-preview has none."
        mouth = "Strength of the mouth's movement; with sonic-base of all movement."
        head = (
            "Strength of head, gaze and brows: at 1 sonic-preview's head moves by about 2 degrees; 0 keeps all but the "
            "mouth still, lids too."
        )
        take = "Same seed, same video. Other portraits and sounds move differently with the same seed."
        return {
            "required": {
                "model": ("SONIC_MODEL", {"tooltip": "The same model as for Sonic PreData."}),
                "conditions": ("SONIC_CONDITIONS", {"tooltip": "From Sonic PreData."}),
                "inference_steps": widget("inference_steps", steps),
                "dynamic_scale": widget("dynamic_scale", mouth, step=0.05),
                "motion_scale": widget("motion_scale", head, step=0.05),
                "seed": widget("seed", take, min=0, max=2**64 - 1, control_after_generate=True),
                "fps": widget("fps", "Pictures per second.", step=0.01),
                "paste_back": widget("paste_back", "Put the animated crop back into the full picture."),
            },
            "optional": _diffusion_widgets(),
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, window: int | None = None, window_overlap: int | None = None) -> bool | str:
        """Say before anything runs when windows overlap whole.

        The host checks every other number, and does not check those that are named here.
        """
        from ..sonic_core.settings import check_possible

        given = {"window": window, "window_overlap": window_overlap}
        chosen = {name: value for name, value in given.items() if value is not None}
        return host.problem(lambda: check_possible(**chosen))

    def sample(
        self,
        model: TalkingPortrait,
        conditions: Prepared,
        unique_id: str | None = None,
        **chosen: Any,
    ) -> tuple[Any]:
        """Make the video."""
        from ..sonic_core.post.compose import paste

        progress = host.progress_of(unique_id)
        with host.warnings_shown(unique_id, conditions.told):
            settings = replace(conditions.made_by(model.name).settings, **chosen)
            clip = model.model.animate(conditions.conditions, settings, progress)
            if settings.paste_back:
                clip = paste(clip, conditions.conditions.portrait).clip
            return (host.video_of(clip, progress, show=True),)


def _diffusion_widgets() -> dict[str, Widget]:
    """Describe what only sonic-base heeds."""
    window = "Frames, at 12.5 per second, that sonic-base sees at once; fewer take less memory."
    shift = "Frames by which the windows move from step to step, so that no seam stays in one place."
    portrait = "How closely sonic-base follows the portrait."
    quality = (
        "How much sonic-base computes. exact: three branches at every step, as published. fast: 10 steps of its own, "
        "guidance renewed at every second one: 18 branch-steps where 25 exact ones take 75. live: a student's few "
        "steps and the tiny decoder where their files are there, else 6 steps: 10 branch-steps. fast and live are not "
        "the published numbers."
    )
    deep = (
        "With quality exact: steps from one computation of sonic-base's deeper levels to the next, which saves time "
        "and costs detail. 1 computes all at every step."
    )
    stream = (
        "sonic-base goes front to back: true frames are shown early, and memory does not grow with the length. Given "
        "up is the published ring, which joins the clip's end to its beginning. A window_shift of 3 shows them earlier."
    )
    return {
        "appearance_guidance": widget("appearance_guidance", portrait, step=0.1),
        "audio_guidance": widget("audio_guidance", "How closely sonic-base follows the sound.", step=0.1),
        "window": widget("window", window),
        "window_overlap": widget("window_overlap", "Frames that neighbouring windows share."),
        "window_shift": widget("window_shift", shift),
        "quality": widget("quality", quality),
        "deepcache": widget("deepcache", deep),
        "stream": widget("stream", stream),
    }
