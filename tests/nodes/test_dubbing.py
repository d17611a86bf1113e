"""A video on the canvas whose person says another sound."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from sonic_core import open_clip
from tests.nodes.conftest import ROOT
from tests.nodes.test_portrait import NUMBERS, errors_of, model, node_of, seen, sound
from tests.nodes.test_whole import CHOSEN, Host, canvas, frames_of

__all__ = ["canvas", "model"]

FRAMES = 10
GIVEN = {"model": None, "audio": None, "duration": 0.0, "face_index": 0, "unique_id": "6"}
"""What the host hands to ``check_lazy_status`` besides pictures and videos."""


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """The bundled video's first frames, as the host has them, in a larger picture of noise."""
    torch.manual_seed(0)
    shown = torch.rand(FRAMES, 400, 480, 3)
    clip = open_clip(ROOT / "assets/video.mp4")
    shown[:, 8:392, 48:432] = torch.stack([*islice(clip.frames(), FRAMES)]).permute(0, 2, 3, 1)
    return (shown * 255).round() / 255


def video_of(images: torch.Tensor) -> Any:
    """A video as the host's own nodes make it, in memory."""
    components = SimpleNamespace(images=images, audio=None, frame_rate=Fraction(30))
    return SimpleNamespace(get_components=lambda: components)


def sampled(pack: ModuleType, model: Any, prepared: Any) -> Any:
    numbers = {"inference_steps": 25, "dynamic_scale": 1.0, "motion_scale": 1.0, "seed": 0, "fps": 25.0}
    (video,) = pack.NODE_CLASS_MAPPINGS["SonicSampler"]().sample(model, prepared, "7", paste_back=False, **numbers)
    return video


def test_the_person_is_shown_and_dubbed_and_all_else_stays(
    pack: ModuleType, host: ModuleType, canvas: Host, model: Any, images: torch.Tensor
) -> None:
    video = video_of(images)
    answer = node_of(pack).prepare(model, None, sound(), **NUMBERS, video=video, when_longer="cut", unique_id="6")
    prepared, crop = answer["result"]
    assert prepared.video is video, "its file must live as long as what was prepared of it"
    assert crop.shape[1:] == (384, 384, 3)
    picture = seen(answer, Path(sys.modules["folder_paths"].get_temp_directory()).parent)
    assert picture.shape == (3, 400, 480)
    green = (picture[1] - picture[0] > 0.2) & (picture[1] > 0.7)
    assert int(green.sum()) > 300, "the frame around the face"
    made = sampled(pack, model, prepared)
    clip = host.clip_of(made)
    assert (clip.fps, clip.size, clip.length) == (Fraction(30), (400, 480), FRAMES)
    assert (clip.mark.model, clip.mark.dubbed) == ("sonic-preview", True), "what is written of it says so"
    changed = (frames_of(host, made) - images.permute(0, 3, 1, 2)).abs().amax((0, 1)) > 1e-6
    assert 2000 < int(changed.sum()) < 80_000
    rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
    (_, eye), (_, other) = prepared.conditions.faces[0].points[:2]
    assert rows[0] > max(eye, other), "brows and eyes are the video's"
    assert columns[0] >= 60 and columns[-1] < 420


def test_our_own_videos_are_dubbed_too(
    pack: ModuleType, host: ModuleType, canvas: Host, model: Any, images: torch.Tensor
) -> None:
    ours = host.video_of(host.clip_of(video_of(images)), host.progress_of())
    made = []
    for video in (ours, video_of(images)):
        answer = node_of(pack).prepare(model, None, sound(), **NUMBERS, video=video)
        made.append(frames_of(host, sampled(pack, model, answer["result"][0])))
    assert torch.equal(*made)
    assert len(made[0]) == 12, "the last frame is held until the sound ends"


def test_the_one_node_dubs_as_the_three_do(
    pack: ModuleType, host: ModuleType, canvas: Host, model: Any, images: torch.Tensor
) -> None:
    node = pack.NODE_CLASS_MAPPINGS["SonicTalkingPortrait"]()
    chosen = CHOSEN | {"dynamic_scale": 1.0, "duration": 0.0}
    answer = node.talk(audio=sound(), video=video_of(images), model_name="auto", unique_id="4", **chosen)
    ((one,),) = answer["result"]
    assert len(answer["ui"]["images"]) == 1
    prepared, _ = node_of(pack).prepare(model, None, sound(), **NUMBERS, video=video_of(images))["result"]
    assert torch.equal(frames_of(host, one), frames_of(host, sampled(pack, model, prepared)))


@pytest.mark.slow
def test_two_people_of_a_video_each_say_a_sound_of_their_own(
    pack: ModuleType, host: ModuleType, canvas: Host, model: Any, images: torch.Tensor
) -> None:
    heads = images[:4, 8:392, 48:432]
    both = torch.cat((heads, heads.flip(3).flip(2)), 2)
    others = pack.NODE_CLASS_MAPPINGS["SonicSpeaker"]().add(sound(), 1, 0.04)[0]
    node, numbers = node_of(pack), {**NUMBERS, "when_longer": "cut"}
    answer = node.prepare(model, None, sound(), **numbers, video=video_of(both), speakers=others, unique_id="6")
    prepared, crop = answer["result"]
    assert sorted(prepared.conditions.sounds) == [0, 1] and crop.shape[1:] == (384, 384, 3)
    made = frames_of(host, sampled(pack, model, prepared))
    changed = (made - both.permute(0, 3, 1, 2)).abs().amax((0, 1)) > 1e-6
    assert changed[:, :384].any() and changed[:, 384:].any()
    assert sum(said.startswith("dubbing face") for said in canvas.warnings) == 0, "nothing was left as it was"
    last = both.clone()
    last[2:, :, 384:] = 0.5
    answer = node.prepare(model, None, sound(), **numbers, video=video_of(last), speakers=others, unique_id="6")
    sampled(pack, model, answer["result"][0])
    assert any("the face is not seen in 2" in said for said in canvas.warnings)


def test_what_is_left_as_it_was_is_said(
    pack: ModuleType, host: ModuleType, canvas: Host, model: Any, images: torch.Tensor
) -> None:
    some = images.clone()
    some[-3:] = 0.5
    prepared, _ = node_of(pack).prepare(model, None, sound(), **NUMBERS, video=video_of(some), when_longer="cut")[
        "result"
    ]
    sampled(pack, model, prepared)
    (said,) = [said for said in canvas.warnings if said.startswith("dubbing")]
    assert "the face is not seen in 3" in said


def test_without_a_face_the_node_shows_what_was_searched(
    pack: ModuleType, canvas: Host, model: Any, tmp_path: Path
) -> None:
    meadow = video_of(torch.full((3, 96, 128, 3), 0.4))
    with pytest.raises(errors_of(pack).FaceNotFoundError, match="none was found in any frame"):
        node_of(pack).prepare(model, None, sound(), **NUMBERS, video=meadow, unique_id="6")
    (told,) = canvas.outputs
    assert seen({"ui": told["output"]}, tmp_path).shape == (3, 288, 384)


@pytest.mark.parametrize(
    ("linked", "words"),
    [
        ({"image": None, "video": None}, "image and video are both linked: keep image to animate a picture, or video"),
        ({}, "Neither image nor video is linked: link a picture to image, or a video to dub to video."),
        ({"video": None, "face_box": "1,2,30,40"}, "face_box is for a picture: with a video leave it empty"),
    ],
)
@pytest.mark.parametrize("node", ["SONIC_PreData", "SonicTalkingPortrait"])
def test_what_does_not_go_together_is_refused_before_it_is_made(
    pack: ModuleType, model: Any, node: str, linked: dict[str, Any], words: str
) -> None:
    check = pack.NODE_CLASS_MAPPINGS[node]().check_lazy_status
    with pytest.raises(errors_of(pack).SettingsError, match=re.escape(words)):
        check(**{**GIVEN, "model": model, "model_name": "auto", **linked})


@pytest.mark.parametrize("node", ["SONIC_PreData", "SonicTalkingPortrait"])
def test_what_is_linked_is_asked_for_and_nothing_else(pack: ModuleType, model: Any, node: str) -> None:
    kind = pack.NODE_CLASS_MAPPINGS[node]
    given = {**GIVEN, "model": model, "model_name": "auto"}
    for name in ("image", "video"):
        assert kind().check_lazy_status(**given, **{name: None}) == [name]
        assert kind.INPUT_TYPES()["optional"][name][1]["lazy"], "else the host makes it first"


def test_the_diffusion_model_is_refused_in_words_for_the_canvas(pack: ModuleType, model: Any) -> None:
    errors, base = errors_of(pack), replace(model, name="sonic-base", model=object())
    with pytest.raises(errors.SettingsError, match="choose sonic-preview in Sonic Model Loader"):
        node_of(pack).check_lazy_status(**GIVEN | {"model": base, "video": None})
    assert node_of(pack).check_lazy_status(**GIVEN | {"model": base, "image": None}) == ["image"]
    whole = pack.NODE_CLASS_MAPPINGS["SonicTalkingPortrait"]()
    with pytest.raises(errors.SettingsError, match="choose auto or sonic-preview as model_name"):
        whole.check_lazy_status(model_name="sonic-base", video=None)


def test_of_two_people_the_chosen_one_is_shown(pack: ModuleType, model: Any, images: torch.Tensor) -> None:
    sonic = import_module(f"{pack.__name__}.sonic_core")
    head = images[:1, 8:392, 48:432].permute(0, 3, 1, 2)
    both = torch.cat((head, head.flip(3)), 3)
    clip = sonic.Clip(lambda: iter([both]), Fraction(25), 1, (384, 768), None)
    audio, finder = sonic.Audio(torch.zeros(1, 1600), 16000), sonic.face_finder()
    shown = []
    for index in (0, 1):
        found = sonic.prepare_dub(clip, audio, sonic.Settings(face_index=index), finder)
        left, _, right, _ = found.portrait.placement.box
        shown.append((left + right) / 2 > 384)
        assert sonic.draw_dub(found).shape == (3, 384, 768)
    assert sorted(shown) == [False, True]
