"""PreData: what it shows, says and keeps; nothing is computed, shown or said twice in a run."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from tests.nodes.conftest import ROOT, FolderPaths

NUMBERS: dict[str, Any] = {
    "duration": 0.0, "min_resolution": 384, "expand_ratio": 0.2, "face_index": 0, "published": False
}  # fmt: skip


class Canvas:
    """The host's server, and what it was told to say."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.client_id: str | None = "me"
        self.last_prompt_id = "first run"
        self.last_node_id = "6"

    def send_sync(self, event: str, said: dict[str, Any], _client: str) -> None:
        self.said.append((event, said))

    @property
    def warnings(self) -> list[str]:
        return [said["message"] for event, said in self.said if event == "sonic.warning"]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return [said for event, said in self.said if event == "executed"]

    def throw_exception_if_processing_interrupted(self) -> None:
        """Go on."""


@pytest.fixture
def canvas(pack: ModuleType, folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canvas:
    """The modules of the host that the node looks up while it runs."""
    canvas = Canvas()
    bar = SimpleNamespace(update_absolute=lambda _done, _total: None)
    modules = {
        "comfy": ModuleType("comfy"),
        "comfy.model_management": canvas,
        "comfy.utils": SimpleNamespace(ProgressBar=lambda _total, node_id: bar),
        "server": SimpleNamespace(PromptServer=SimpleNamespace(instance=canvas)),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(folders, "home", tmp_path)
    return canvas


@pytest.fixture(scope="module")
def model(pack: ModuleType) -> Any:
    return import_module(f"{pack.__name__}.sonic_core").load_model("sonic-preview")


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    """The bundled portrait as the host has pictures, its face small enough to be warned of."""
    picture = read_image(ROOT / "assets/portrait.png")[None]
    return torch.nn.functional.interpolate(picture, (200, 200), mode="area").permute(0, 2, 3, 1)


def sound(seconds: float = 0.4) -> dict[str, Any]:
    audio = read_audio(ROOT / "assets" / "speech.wav", start=2.0, duration=seconds)
    return {"waveform": audio.samples[None], "sample_rate": audio.rate}


def node_of(pack: ModuleType) -> Any:
    return pack.NODE_CLASS_MAPPINGS["SONIC_PreData"]()


def errors_of(pack: ModuleType) -> ModuleType:
    return import_module(f"{pack.__name__}.sonic_core.errors")


def seen(answer: dict[str, Any], home: Path) -> torch.Tensor:
    (file,) = answer["ui"]["images"]
    assert (file["type"], file["subfolder"]) == ("temp", "")
    return read_image(home / "temp" / file["filename"])


def test_workflows_of_before_still_load(pack: ModuleType) -> None:
    inputs = node_of(pack).INPUT_TYPES()
    assert list(inputs["required"]) == ["model", "audio", "duration", "min_resolution", "expand_ratio"]
    later = ["face_index", "published", "face_box", "listeners", "speakers", "video", "when_longer", "lips"]
    assert list(inputs["optional"]) == ["image", *later]


def test_the_node_shows_what_will_be_animated(
    pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor, tmp_path: Path
) -> None:
    answer = node_of(pack).prepare(model, portrait, sound(), **NUMBERS, unique_id="6")
    picture, (prepared, crop) = seen(answer, tmp_path), answer["result"]
    assert picture.shape == (3, 384, 384)
    assert crop.shape == (1, *prepared.conditions.portrait.image.shape[1:], 3)
    left, top, right, _ = (round(side * 384 / 200) for side in prepared.conditions.portrait.placement.box)
    assert picture[:, top, (left + right) // 2].min() > 0.6, "the crop's outline"
    dark, bright = picture[:, 300:350, 20:60].mean(), portrait[0, 156:182, 10:31].mean()
    assert float(dark / bright) == pytest.approx(0.5, abs=0.03)


def test_of_several_sounds_the_portrait_is_made_shown_and_warned_about_once(
    pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor, tmp_path: Path
) -> None:
    node = node_of(pack)
    first, second = (
        node.prepare(model, portrait.clone(), sound(length), **NUMBERS, unique_id="6") for length in (0.4, 0.6)
    )
    one, other = (answer["result"][0] for answer in (first, second))
    assert one.conditions.portrait is other.conditions.portrait
    assert (one.conditions.audio.duration, other.conditions.audio.duration) == (0.4, 0.6)
    seen(first, tmp_path)
    assert second["ui"]["images"] == []
    (said,) = canvas.warnings
    assert said.startswith("The face is small")
    assert one.told == other.told == {said}


def test_another_run_shows_and_warns_again_but_does_not_search_again(
    pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor, tmp_path: Path
) -> None:
    node = node_of(pack)
    first = node.prepare(model, portrait, sound(), **NUMBERS, unique_id="6")
    canvas.last_prompt_id = "second run"
    second = node.prepare(model, portrait, sound(), **NUMBERS, unique_id="6")
    assert first["result"][0].conditions.portrait is second["result"][0].conditions.portrait
    assert torch.equal(seen(first, tmp_path), seen(second, tmp_path))
    assert len(canvas.warnings) == 2
    assert len(set(canvas.warnings)) == 1


def test_another_picture_or_another_crop_is_looked_at_anew(
    pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor, tmp_path: Path
) -> None:
    node = node_of(pack)
    answers = [
        node.prepare(model, picture, sound(), **NUMBERS | more)
        for picture, more in [
            (portrait, {}),
            (portrait.roll(10, 2), {}),
            (portrait, {}),
            (portrait, {"expand_ratio": 0.3}),
            (portrait, {"face_box": "60,40,140,120"}),
        ]
    ]
    places = [answer["result"][0].conditions.portrait.placement.box for answer in answers]
    assert places[0] == places[2]
    assert len(set(places)) == 4
    assert len({seen(answer, tmp_path).numpy().tobytes() for answer in answers}) == 4


def test_a_box_takes_the_place_of_the_search(pack: ModuleType, canvas: Canvas, model: Any, tmp_path: Path) -> None:
    meadow = torch.full((1, 300, 400, 3), 0.4)
    answer = node_of(pack).prepare(model, meadow, sound(), **NUMBERS, face_box=" 100, 100,200 ,200")
    assert answer["result"][0].conditions.portrait.placement.box == (80, 80, 220, 220)
    assert seen(answer, tmp_path).shape == (3, 300, 400)


def test_without_a_face_the_node_shows_what_was_searched(
    pack: ModuleType, canvas: Canvas, model: Any, tmp_path: Path
) -> None:
    meadow = torch.full((1, 480, 640, 3), 0.4)
    with pytest.raises(errors_of(pack).FaceNotFoundError) as caught:
        node_of(pack).prepare(model, meadow, sound(), **NUMBERS, unique_id="6")
    said = str(caught.value)
    assert "face_box" in said
    assert "--face" not in said
    (told,) = canvas.outputs
    picture = seen({"ui": told.pop("output")}, tmp_path)
    assert told == {"node": "6", "display_node": "6", "prompt_id": "first run"}
    assert picture.shape == (3, 480, 640)
    assert picture[:, -30:].amax() > 0.7, "the caption"


def test_nobody_is_shown_anything_where_nobody_looks(
    pack: ModuleType, canvas: Canvas, model: Any, tmp_path: Path
) -> None:
    canvas.client_id = None
    with pytest.raises(errors_of(pack).FaceNotFoundError):
        node_of(pack).prepare(model, torch.full((1, 480, 640, 3), 0.4), sound(), **NUMBERS)
    assert canvas.said == []
    assert not (tmp_path / "temp").exists()


def test_a_face_that_is_not_there_is_answered_with_those_that_are(
    pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor, tmp_path: Path
) -> None:
    with pytest.raises(errors_of(pack).FaceNotFoundError, match="face_index is 3, but 1 face was found"):
        node_of(pack).prepare(model, portrait, sound(), **NUMBERS | {"face_index": 3}, unique_id="6")
    picture = seen({"ui": canvas.outputs[0]["output"]}, tmp_path)
    green = (picture[1] - picture[0] > 0.2) & (picture[1] > 0.7)
    assert int(green.sum()) > 300, "the face's frame"


def test_a_box_beside_the_picture_is_told(pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor) -> None:
    with pytest.raises(errors_of(pack).InputError, match="does not lie inside the 200×200 picture"):
        node_of(pack).prepare(model, portrait, sound(), **NUMBERS, face_box="100,100,300,300")
    assert len(canvas.outputs) == 1


@pytest.mark.parametrize(
    "text", ["1,2,3", "a,b,c,d", "1;2;3;4", "100,10,50,60", "0,9,9,9", "-1,0,9,9", "0,0,nan,9", "0,0,9,inf"]
)
def test_a_box_that_is_none_is_refused_before_anything_runs(pack: ModuleType, text: str) -> None:
    said = node_of(pack).VALIDATE_INPUTS(face_box=text)
    assert said.startswith("face_box must be empty, or left,top,right,bottom")
    assert said.endswith(f"got {text!r}.")


def test_boxes_nothing_and_links_are_let_pass(pack: ModuleType) -> None:
    for text in ("", "  ", "10,20,30,40", "10.5, 20, 30, 40", None):
        assert node_of(pack).VALIDATE_INPUTS(face_box=text) is True


def test_too_long_a_duration_is_answered_in_the_nodes_words(
    pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor
) -> None:
    with pytest.raises(errors_of(pack).InputError, match=r"sound's 0.40 s, got 2.00 s; .* duration 0 takes the whole"):
        node_of(pack).prepare(model, portrait, sound(), **NUMBERS | {"duration": 2.0})
