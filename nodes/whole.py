"""The whole way in one node: a picture and a sound go in, a talking video comes out."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import host
from .generate import Sampler, tell_dubbing
from .load import ModelLoader
from .portrait import PreData, check_source

if TYPE_CHECKING:
    import torch

    from ..sonic_core import TalkingPortrait

CUTTING = ("duration", "min_resolution")
"""Inputs of PreData that most people want to choose."""
MOVING = ("dynamic_scale", "motion_scale", "seed", "paste_back")
"""Inputs of the sampler that most people want to turn."""
CHOOSING = ("face_index", "face_box")
"""Inputs of PreData for pictures that are not simple."""
DENOISING = ("inference_steps", "quality")
"""Inputs of the sampler that sonic-base alone heeds."""


class TalkingVideo:
    """Load the model, prepare picture and sound, and make the video."""

    CATEGORY = "Sonic/animate"
    SEARCH_ALIASES = (
        "talking head",
        "talking photo",
        "avatar",
        "digital human",
        "lip sync",
        "speech to video",
        "image and audio to video",
        "数字人",
        "说话",
        "照片说话",
        "图片说话",
        "对口型",
        "唱歌",
        "人像",
        "一键",
    )
    DESCRIPTION = (
        "Makes a picture talk, or dubs a video: picture and sound go in, a video comes out. Sonic Model Loader, Sonic "
        "PreData and Sonic Sampler in one node, with the inputs that most people use."
    )
    FUNCTION = "talk"
    RETURN_TYPES = ("VIDEO",)
    RETURN_NAMES = ("video",)
    OUTPUT_IS_LIST = (True,)
    OUTPUT_TOOLTIPS = Sampler.OUTPUT_TOOLTIPS

    def __init__(self) -> None:
        self._prepare = PreData()
        self._loaded: tuple[tuple[str, str], TalkingPortrait] | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs: those that most people want of the three nodes."""
        loader, prepare, sampler = (node.INPUT_TYPES() for node in (ModelLoader, PreData, Sampler))
        required = {"audio": prepare["required"]["audio"]} | loader["required"]
        required |= {name: prepare["required"][name] for name in CUTTING}
        required |= {name: sampler["required"][name] for name in MOVING}
        each = "A picture with a face in it; each picture of a batch becomes a video of its own."
        kind, options = required["paste_back"]
        required["paste_back"] = (kind, {**options, "default": True})  # what went in whole is expected back whole
        optional = {"image": ("IMAGE", {"tooltip": each, "lazy": True})}
        optional |= {name: prepare["optional"][name] for name in CHOOSING}
        optional |= {name: {**sampler["required"], **sampler["optional"]}[name] for name in DENOISING}
        optional["video"] = prepare["optional"]["video"]
        return {"required": required, "optional": optional, "hidden": {"unique_id": "UNIQUE_ID"}}

    @classmethod
    def VALIDATE_INPUTS(cls, face_box: str | None = "") -> bool | str:
        """Say before anything runs when the box is none."""
        return PreData.VALIDATE_INPUTS(face_box)

    @classmethod
    def IS_CHANGED(cls, model_name: str = host.AUTO, **_others: object) -> str:
        """Run again when weights have come, gone or been replaced."""
        return ModelLoader.IS_CHANGED(model_name)

    def check_lazy_status(self, model_name: str, face_box: str = "", **linked: Any) -> list[str]:
        """Refuse, before anything is made, what cannot be: the host gives only what is linked or chosen."""
        from ..sonic_core import DUBBING, SettingsError

        wanted = check_source(face_box, **linked)
        if "video" in wanted and model_name not in {host.AUTO, DUBBING}:
            raise SettingsError(
                f"video is linked, and {model_name} animates pictures only: choose auto or {DUBBING} as model_name to "
                "dub a video, or link image in its place."
            )
        return wanted

    def talk(
        self,
        image: torch.Tensor | None = None,
        audio: Any = None,
        *,
        model_name: str,
        video: Any = None,
        unique_id: str | None = None,
        **chosen: Any,
    ) -> dict[str, Any]:
        """Make the video, of several pictures one each."""
        from ..sonic_core import DUBBING

        model = self._model(DUBBING if video is not None else model_name, unique_id)
        videos, shown = [], []
        for one in [None] if image is None else image.split(1) or [image]:
            answer = self._prepare.prepare(model, one, audio, video=video, **chosen, unique_id=unique_id)
            prepared, _ = answer["result"]
            progress = host.progress_of(unique_id)
            with host.warnings_shown(unique_id, prepared.told):
                made = model.animate(prepared.conditions, prepared.settings, progress)
                videos.append(host.video_of(made.clip, progress, show=True))
                tell_dubbing(made)
            shown += answer["ui"]["images"]
        return {"ui": {"images": shown}, "result": (videos,)}

    def _model(self, name: str, node: str | None) -> TalkingPortrait:
        """Load the model, or take the last one while its weights are the same."""
        asked = name, ModelLoader.IS_CHANGED(name)
        if self._loaded is None or self._loaded[0] != asked:
            self._loaded = None  # the old one goes before the new one comes
            self._loaded = asked, ModelLoader().load(name, unique_id=node)[0]
        return self._loaded[1]
