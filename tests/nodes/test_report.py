"""The report: what a talking video scores, on the canvas and on a page among the outputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

import sonic_core as sonic
from tests.nodes.conftest import ROOT
from tests.nodes.test_combine import Canvas, canvas

__all__ = ["canvas"]

FRAMES, RATE = 15, Fraction(30)
NAME = "SonicReport"


class VideoFromComponents:
    """The host's video of pictures in memory, which tells when it is asked for them."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images, self.asked = images, 0

    def get_components(self) -> SimpleNamespace:
        self.asked += 1
        wave = {"waveform": torch.rand(1, 1, 8000) - 0.5, "sample_rate": 16000}
        return SimpleNamespace(images=self.images, audio=wave, frame_rate=RATE)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """The bundled video's first frames, as the host has them."""
    clip = sonic.open_clip(ROOT / "assets/video.mp4")
    return torch.stack([*islice(clip.frames(), FRAMES)]).permute(0, 2, 3, 1)[:, ::2, ::2].contiguous()


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    return sonic.read_image(ROOT / "assets/portrait.png").permute(1, 2, 0)[None]


def judged(pack: ModuleType, video: Any, **linked: Any) -> dict[str, Any]:
    return pack.NODE_CLASS_MAPPINGS[NAME]().judge(video, "judged/a video", **linked, unique_id="9")


def page_of(answer: dict[str, Any], home: Path) -> Path:
    (page,) = answer["ui"]["sonic_report"]
    assert Path(page["path"]) == home / page["type"] / page["subfolder"] / page["filename"]
    return Path(page["path"])


def test_the_figures_are_those_of_the_command(
    pack: ModuleType, canvas: Canvas, tmp_path: Path, images: torch.Tensor, portrait: torch.Tensor
) -> None:
    answer = judged(pack, VideoFromComponents(images), portrait=portrait, reference=VideoFromComponents(images))
    text, figures, curves = answer["result"]
    told = json.loads(figures)
    (video,) = told["videos"]
    assert (video["frames"], video["fps"], video["size"]) == (FRAMES, 30.0, [192, 192])
    assert video["measures"]["psnr"] == 100, "the reference shows the same pixels"
    assert video["measures"]["sharpness"] == pytest.approx(video["reference"]["measures"]["sharpness"])
    assert 0 < video["measures"]["identity"] < 2, "the portrait is the person"
    assert answer["ui"]["sonic_report"][0]["measures"] == video["measures"]
    assert "PSNR, dB" in text and text.splitlines()[0].split() == ["video", "reference", "minus", "reference"]
    assert curves.shape == (1, 540, 960, 3)
    page = page_of(answer, tmp_path)
    assert told["page"] == str(page)
    assert page == tmp_path / "output/judged/a video_00001_.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "temp" / answer["ui"]["images"][0]["filename"]).is_file(), "the curves are shown"
    assert canvas.bars[-1] == (FRAMES, FRAMES)


def test_pages_are_numbered_and_what_is_missing_is_told(
    pack: ModuleType, canvas: Canvas, tmp_path: Path, images: torch.Tensor
) -> None:
    dark = VideoFromComponents(torch.zeros_like(images[:5]))
    pages = [page_of(judged(pack, dark), tmp_path).name for _ in range(2)]
    assert pages == ["a video_00001_.html", "a video_00002_.html"]
    text, figures, _ = judged(pack, dark)["result"]
    missing = json.loads(figures)["videos"][0]["missing"]
    assert missing["mouth"] == "a face was read in 0 of 5 frames"
    assert missing["psnr"] == "no reference was given"
    assert "no portrait was given." in text


def test_what_no_page_can_be_written_about_is_refused_before_a_video_is_made(
    pack: ModuleType, canvas: Canvas, images: torch.Tensor, portrait: torch.Tensor
) -> None:
    node = pack.NODE_CLASS_MAPPINGS[NAME]
    errors = import_module(f"{pack.__name__}.sonic_core.errors")
    described = node.INPUT_TYPES()
    assert described["required"]["video"][1]["lazy"] and described["optional"]["reference"][1]["lazy"]
    assert node.VALIDATE_INPUTS("../out").startswith("filename_prefix must name files inside the outputs folder")
    assert node.VALIDATE_INPUTS(filename_prefix=None) is True, "it comes from another node"
    asked = {"filename_prefix": "a", "video": None, "unique_id": "9"}
    assert node().check_lazy_status(**asked) == ["video"]
    assert node().check_lazy_status(**asked, portrait=portrait, reference=None) == ["video", "reference"]
    with pytest.raises(errors.SettingsError, match="filename_prefix"):
        node().check_lazy_status(**asked | {"filename_prefix": "../out"})
    with pytest.raises(errors.FaceNotFoundError):
        node().check_lazy_status(**asked, portrait=torch.full((1, 96, 96, 3), 0.5))
    with pytest.raises(errors.InputError, match=r"image must be \(pictures"):
        node().check_lazy_status(**asked, portrait=torch.zeros(96, 96, 3))


def test_a_cancelled_run_leaves_no_page(pack: ModuleType, canvas: Canvas, tmp_path: Path, images: torch.Tensor) -> None:
    canvas.cancel_after = 3
    with pytest.raises(InterruptedError):
        judged(pack, VideoFromComponents(images))
    assert not list(tmp_path.rglob("*.html"))


@pytest.fixture(autouse=True)
def own_videos(host: ModuleType) -> Iterator[None]:
    """Forget which class the host's videos have: each test has a host of its own."""
    sys.modules[f"{host.__name__}.own_video"].video_class.cache_clear()
    yield
    sys.modules[f"{host.__name__}.own_video"].video_class.cache_clear()
