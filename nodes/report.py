"""A talking video is judged: figures, curves and a page about it."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import host

if TYPE_CHECKING:
    import torch

    from ..sonic_core import FaceFinder


class Judge:
    """Measure what is good and bad about a talking video, and write a page about it."""

    CATEGORY = "Sonic/output"
    SEARCH_ALIASES = (
        "evaluate",
        "quality",
        "metrics",
        "measure",
        "score",
        "lip sync",
        "compare videos",
        "PSNR",
        "SSIM",
        "flicker",
        "评估",
        "评测",
        "质量",
        "指标",
        "对比",
    )
    DESCRIPTION = (
        "Measures what is good and bad about a talking video: lips against sound, movement, flicker, likeness. It "
        "shows the curves and writes a page with figures, curves and a few frames. Nothing is downloaded."
    )
    FUNCTION = "judge"
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING", "STRING", "IMAGE")
    RETURN_NAMES = ("report", "figures", "curves")
    OUTPUT_TOOLTIPS = (
        "A table to read, and why something in it is missing.",
        "The same as JSON, with the path of the page.",
        "What moves in the video, over time.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        name = "What the page's name begins with, folders included; a number is added, nothing is overwritten."
        made = (
            "The picture that the video was made of: for sharpness, identity, and what changed around the face. Of "
            "several the first is taken."
        )
        real = "A real video of the same performance: its own score beside every score, shares of its movement, PSNR."
        shown = "From Sonic Sampler, Load Video or any other node that gives a video."
        return {
            "required": {
                "video": ("VIDEO", {"tooltip": shown, "lazy": True}),
                "filename_prefix": ("STRING", {"default": "sonic/report", "tooltip": name}),
            },
            "optional": {
                "portrait": ("IMAGE", {"tooltip": made}),
                "reference": ("VIDEO", {"tooltip": real, "lazy": True}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None) -> bool | str:
        """Say before anything runs when the page could not be written."""
        return True if filename_prefix is None else host.problem(host.check_prefix, filename_prefix)

    def check_lazy_status(
        self, filename_prefix: str, portrait: torch.Tensor | None = None, **linked: object
    ) -> list[str]:
        """Refuse, before the videos are made, what no page could be written about: the host gives what is linked."""
        from ..sonic_core import check_portrait

        host.check_prefix(filename_prefix)
        if portrait is not None:
            check_portrait(host.picture_of(portrait[:1]))
        return ["video", *({"reference"} & linked.keys())]

    def judge(
        self,
        video: Any,
        filename_prefix: str,
        portrait: torch.Tensor | None = None,
        reference: Any = None,
        unique_id: str | None = None,
    ) -> dict[str, Any]:
        """Measure, and write the page."""
        from ..sonic_core import describe_reports, draw_report, evaluate_clip, list_figures, write_report

        with host.warnings_shown(unique_id):
            finder: FaceFinder = host.face_finder(host.search_path())
            done = evaluate_clip(
                host.clip_of(video),
                portrait=None if portrait is None else host.picture_of(portrait[:1]),
                reference=None if reference is None else host.clip_of(reference),
                finder=finder,
                weights=host.search_path(),
                name="video",
                progress=host.progress_of(unique_id),
            )
        path, file = host.next_file(filename_prefix, ".html")
        write_report(path, [done])
        curves, told = draw_report(done), list_figures([done], page=str(path))
        page = {**file, "path": str(path), "measures": told["videos"][0]["measures"]}
        texts = describe_reports([done]), json.dumps(told, ensure_ascii=False, indent=1)
        return {
            "ui": {"images": [host.shown(curves)], "sonic_report": [page]},
            "result": (*texts, host.image_of(curves)),
        }
