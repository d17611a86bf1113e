"""VideoCombine: every format, shown and kept as the host expects it; nothing is left behind."""

from __future__ import annotations

import inspect
import json
import re
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import pytest
import torch

from sonic_core.media.audio import read_audio
from sonic_core.media.formats import FORMATS, available_formats
from tests.nodes.conftest import FolderPaths

WORKFLOW = {"nodes": [{"id": 1}]}
PROMPT = {"8": {"class_type": "VideoCombine", "inputs": {}}}


class VideoFromFile:
    """The host's video: a file, or what is in memory."""

    def __init__(self, source: str) -> None:
        self.source = source

    def get_stream_source(self) -> str:
        return self.source


class VideoFromComponents:
    """The host's other video."""

    def __init__(self, images: torch.Tensor, audio: dict[str, Any] | None, rate: Fraction) -> None:
        self.components = SimpleNamespace(images=images, audio=audio, frame_rate=rate)

    def get_components(self) -> SimpleNamespace:
        return self.components


class VideoFromTheirComponents:
    """The same, as the host makes one."""

    def __init__(self, components: SimpleNamespace) -> None:
        self.components = components


class Canvas:
    """What the node says and asks while it runs."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.bars: list[tuple[int, int]] = []
        self.cancel_after: int | None = None
        self.client_id = "me"

    def send_sync(self, _event: str, said: dict[str, Any], _client: str) -> None:
        self.messages.append(said["message"])

    def throw_exception_if_processing_interrupted(self) -> None:
        if self.cancel_after is not None and len(self.bars) >= self.cancel_after:
            raise InterruptedError("cancelled")

    def bar(self, total: int, node_id: str | None = None) -> SimpleNamespace:
        return SimpleNamespace(update_absolute=lambda done, _total: self.bars.append((done, total)))


def get_save_image_path(prefix: str, folder: str, _width: int, _height: int) -> tuple[str, str, int, str, str]:
    """Number the next file as the host does: by the highest number that is there, folders too."""
    subfolder, name = str(Path(prefix).parent).strip("."), Path(prefix).name
    full = Path(folder) / subfolder
    full.mkdir(parents=True, exist_ok=True)
    taken = [int(file.name[len(name) + 1 :].split("_")[0]) for file in full.iterdir() if file.name.startswith(name)]
    return str(full), name, max(taken, default=0) + 1, subfolder, prefix


@pytest.fixture
def canvas(pack: ModuleType, folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canvas:
    """The modules of the host that the node looks up while it runs."""
    canvas = Canvas()
    modules = {
        "comfy_api.latest": SimpleNamespace(
            InputImpl=SimpleNamespace(VideoFromFile=VideoFromFile, VideoFromComponents=VideoFromTheirComponents)
        ),
        "comfy_api.latest._util": SimpleNamespace(VideoComponents=SimpleNamespace),
        "comfy.cli_args": SimpleNamespace(args=SimpleNamespace(disable_metadata=False)),
        "comfy.model_management": canvas,
        "comfy.utils": SimpleNamespace(ProgressBar=canvas.bar),
        "server": SimpleNamespace(PromptServer=SimpleNamespace(instance=canvas)),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("comfy_api", "comfy"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(folders, "home", tmp_path)
    monkeypatch.setattr(folders, "get_save_image_path", get_save_image_path, raising=False)
    return canvas


def sound(seconds: float = 0.4, rate: int = 16000) -> dict[str, Any]:
    wave = torch.sin(torch.arange(round(seconds * rate)) / 10)
    return {"waveform": 0.5 * wave[None, None], "sample_rate": rate}


def video(length: int = 10, audio: dict[str, Any] | None = None) -> VideoFromComponents:
    shades = torch.linspace(0.1, 0.9, length)[:, None, None, None]
    return VideoFromComponents(shades.expand(length, 48, 64, 3), audio, Fraction(25))


def combined(pack: ModuleType, given: Any, prefix: str = "a/film", keep: bool = True, **options: Any) -> dict[str, Any]:
    node = pack.NODE_CLASS_MAPPINGS["VideoCombine"]()
    asked = {"prompt": PROMPT, "extra_pnginfo": {"workflow": WORKFLOW}, "unique_id": "8"}
    return node.combine(given, prefix, options.pop("crf", 18), keep, **options, **asked)


def shown(answer: dict[str, Any], home: Path) -> Path:
    file = answer["ui"]["images"][0]
    return home / file["type"] / file["subfolder"] / file["filename"]


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_workflows_of_before_still_load(pack: ModuleType) -> None:
    node = pack.NODE_CLASS_MAPPINGS["VideoCombine"]
    inputs = node.INPUT_TYPES()
    assert list(inputs["required"]) == ["video", "filename_prefix", "crf", "save_output"]
    assert list(inputs["optional"]) == ["format", "frame_rate", "pingpong", "sound", "audio", "loop_count", "mark"]
    defaults = {name: one.default for name, one in inspect.signature(node.combine).parameters.items()}
    for name, (kind, options) in inputs["optional"].items():
        assert kind == "AUDIO" or options["default"] == defaults[name]
    assert inputs["optional"]["format"][0] == list(available_formats())


@pytest.mark.parametrize("name", available_formats())
def test_every_format_is_shown(pack: ModuleType, canvas: Canvas, tmp_path: Path, name: str) -> None:
    given = video(audio=sound())
    for number in (1, 2):
        answer = combined(pack, given, format=name)
        path = shown(answer, tmp_path)
        assert path.is_file()
        kept = FORMATS[name].suffix
        assert path.relative_to(tmp_path / "output/a").parts[0] == f"film_{number:05}_{kept}"
    assert answer["result"] == (given,)
    assert answer["ui"]["animated"] == (FORMATS[name].movie,)
    assert len(list((tmp_path / "output/a").iterdir())) == 2
    assert canvas.bars[-1] == (10, 10)
    silent = [message for message in canvas.messages if "has no sound" in message]
    assert bool(silent) == (name in {"webp", "gif"})


@pytest.mark.parametrize("name", available_formats())
@pytest.mark.parametrize("heard", [True, False])
def test_the_figures_are_those_of_the_file(
    pack: ModuleType, canvas: Canvas, tmp_path: Path, name: str, heard: bool
) -> None:
    long = sound(1.0) if heard else None
    answer = combined(pack, video(audio=long), format=name, frame_rate=50.0, pingpong=True)
    (told,), path = answer["ui"]["sonic_video"], shown(answer, tmp_path)
    audible = heard and bool(FORMATS[name].sounds)
    frames = 50 if audible else 38
    assert told | answer["ui"]["images"][0] == told
    assert Path(told["path"]) == (path.parent if name == "png16" else path)
    assert (told["frames"], told["fps"], told["seconds"]) == (frames, 50.0, pytest.approx(frames / 50))
    assert (told["width"], told["height"], told["format"], told["sound"]) == (64, 48, name, audible)
    assert told["title"] == FORMATS[name].title
    files = list(path.parent.iterdir()) if name == "png16" else [path]
    assert told["bytes"] == sum(file.stat().st_size for file in files) > 0
    if name == "png16":
        assert sum(file.suffix == ".png" for file in files) == frames
    elif name != "webp":  # which FFmpeg reads only of late
        assert frames_of(path) == frames


def test_a_trimmed_sound_leaves_the_picture_its_length(pack: ModuleType, canvas: Canvas) -> None:
    (told,) = combined(pack, video(audio=sound(1.0)), sound="trimmed", frame_rate=29.97)["ui"]["sonic_video"]
    assert (told["frames"], told["fps"], told["sound"]) == (12, pytest.approx(29.97, abs=0.001), True)
    assert told["seconds"] == pytest.approx(12 / 29.97, abs=0.001)


def test_a_linked_name_is_checked_when_it_is_known(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    node = pack.NODE_CLASS_MAPPINGS["VideoCombine"]
    assert node.VALIDATE_INPUTS(filename_prefix=None) is True
    assert "inside the outputs folder" in node.VALIDATE_INPUTS(filename_prefix="../out")
    errors = sys.modules[f"{pack.__name__}.sonic_core.errors"]
    for prefix in ("../out", "", "folder/"):
        with pytest.raises(errors.SettingsError, match="inside the outputs folder"):
            combined(pack, video(), prefix=prefix)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_the_workflow_is_in_the_first_picture(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(shown(combined(pack, video(), format="png16"), tmp_path)) as picture:
        picture.load()
        texts = dict(picture.text)
    assert (json.loads(texts["workflow"]), json.loads(texts["prompt"])) == (WORKFLOW, PROMPT)


def test_what_is_only_shown_is_kept_where_the_host_forgets_it(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    answer = combined(pack, video(), keep=False)
    assert answer["ui"]["images"][0]["type"] == "temp"
    assert not (tmp_path / "output").exists()


def test_forward_and_backward_at_another_rate(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    path = shown(combined(pack, video(audio=sound()), frame_rate=50.0, pingpong=True), tmp_path)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 50
    assert frames_of(path) == 38
    assert read_audio(path).duration == pytest.approx(0.76, abs=0.001)
    ntsc = shown(combined(pack, video(), frame_rate=29.97), tmp_path)
    with av.open(str(ntsc)) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


@pytest.mark.parametrize(("choice", "expected"), [("whole", (25, 1.0)), ("trimmed", (10, 0.4))])
def test_another_sound(
    pack: ModuleType, canvas: Canvas, tmp_path: Path, choice: str, expected: tuple[int, float]
) -> None:
    frames, seconds = expected
    path = shown(combined(pack, video(audio=sound()), audio=sound(1.0, 48000), sound=choice), tmp_path)
    assert frames_of(path) == frames
    heard = read_audio(path)
    assert (heard.rate, heard.duration) == (48000, pytest.approx(seconds, abs=0.001))
    assert bool(canvas.messages) == (choice == "whole")


def test_a_broken_sound_is_silence_and_none_is_none(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    broken = sound()
    broken["waveform"][0, 0, 100:200] = float("nan")
    for given in (combined(pack, video(audio=broken)), combined(pack, video(), audio=broken)):
        assert read_audio(shown(given, tmp_path)).samples.isfinite().all()
    assert len(canvas.messages) == 2
    assert "not numbers" in canvas.messages[0]
    for audio in (None, {"waveform": torch.zeros(1, 1, 0), "sample_rate": 16000}):
        with av.open(str(shown(combined(pack, video(audio=audio)), tmp_path))) as container:
            assert not container.streams.audio


def test_a_files_frames_are_read_from_it(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    first = shown(combined(pack, video(audio=sound())), tmp_path)
    again = shown(combined(pack, VideoFromFile(str(first)), format="webm-vp9"), tmp_path)
    assert frames_of(again) == 10
    assert read_audio(again).duration == pytest.approx(0.4, abs=0.001)


@pytest.mark.parametrize("name", available_formats())
def test_cancelling_leaves_nothing(pack: ModuleType, canvas: Canvas, tmp_path: Path, name: str) -> None:
    canvas.cancel_after = 4
    with pytest.raises(InterruptedError):
        combined(pack, video(audio=sound()), format=name)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_what_cannot_be_had_is_one_sentence(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    errors = sys.modules[f"{pack.__name__}.sonic_core.errors"]
    for options, words in [({"format": "avi"}, "one of mp4-h264, "), ({"crf": 60}, "to 51"), ({"sound": "x"}, "whole")]:
        with pytest.raises(errors.SettingsError, match=words):
            combined(pack, video(), **options)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crf": 60}, "crf must be from 0 (best) to 51 for mp4-h264, got 60."),
        ({"crf": 64, "format": "webm-vp9"}, "crf must be from 0 (best) to 63 for webm-vp9, got 64."),
        ({"format": "avi"}, "format must be one of mp4-h264, "),
        ({"frame_rate": float("nan")}, "frame_rate must be from 0, the video's own, to 240; got nan."),
        ({"frame_rate": 1000.0}, "frame_rate must be from 0"),
        ({"sound": "half"}, "sound must be one of whole, trimmed; got 'half'."),
        ({"filename_prefix": "../x"}, "filename_prefix must name files inside the outputs folder, got '../x'."),
        ({"filename_prefix": "a\0b"}, "filename_prefix must be a name that files can have, got 'a\\x00b'."),
        ({"audio": sound(0.0)}, "audio holds a sound of no length"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_video_is_made(
    pack: ModuleType, canvas: Canvas, options: dict[str, Any], words: str
) -> None:
    node = pack.NODE_CLASS_MAPPINGS["VideoCombine"]()
    asked = {"filename_prefix": "a/film", "crf": 18, "save_output": True, "unique_id": "8", "prompt": {}} | options
    with pytest.raises(sys.modules[f"{pack.__name__}.sonic_core.errors"].SonicError, match=re.escape(words)):
        node.check_lazy_status(**asked)
    assert node.INPUT_TYPES()["required"]["video"][1]["lazy"], "else the host makes it first"


@pytest.mark.parametrize("options", [{}, {"crf": 100, "format": "webp"}, {"crf": 99, "format": "gif"},
                                     {"audio": sound(), "frame_rate": 240.0}])  # fmt: skip
def test_what_can_be_written_asks_for_the_video(pack: ModuleType, canvas: Canvas, options: dict[str, Any]) -> None:
    asked = {"filename_prefix": "a/film", "crf": 18, "save_output": True, "video": None} | options
    assert pack.NODE_CLASS_MAPPINGS["VideoCombine"]().check_lazy_status(**asked) == ["video"]


def test_only_videos_are_warned_of_names_that_mean_pictures(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    combined(pack, video(), prefix="my_png", format="gif")
    combined(pack, video(), prefix="my_png", format="webp")
    assert canvas.messages == []
    combined(pack, video(), prefix="my_png", format="webm-vp9")
    assert "not shown" in canvas.messages[0]


@pytest.mark.parametrize(("rate", "seconds"), [(0.0, 0.4), (12.5, 0.8)])
def test_pictures_become_a_video(pack: ModuleType, canvas: Canvas, tmp_path: Path, rate: float, seconds: float) -> None:
    images = torch.linspace(0.1, 0.9, 10)[:, None, None, None].expand(10, 48, 64, 4)
    answer = combined(pack, images, frame_rate=rate, audio=sound(seconds))
    path = shown(answer, tmp_path)
    assert frames_of(path) == 10
    assert read_audio(path).duration == pytest.approx(seconds, abs=0.001)
    made = answer["result"][0].components
    assert made.images is images
    assert made.frame_rate == Fraction(rate or 25)
    assert made.audio["waveform"].shape[-1] == round(16000 * seconds)
    grey = combined(pack, torch.full((2, 48, 64, 1), float("nan")))
    assert frames_of(shown(grey, tmp_path)) == 2
    assert grey["result"][0].components.audio is None
    with pytest.raises(sys.modules[f"{pack.__name__}.sonic_core.errors"].InputError, match="image must be"):
        combined(pack, torch.zeros(2, 48, 64, 5))


def test_the_video_may_be_pictures(pack: ModuleType) -> None:
    kind, _ = pack.NODE_CLASS_MAPPINGS["VideoCombine"].INPUT_TYPES()["required"]["video"]
    assert kind.split(",") == ["VIDEO", "IMAGE"]


def test_a_loop_plays_as_often_as_is_asked_for(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    film = shown(combined(pack, video(audio=sound()), loop_count=3), tmp_path)
    assert frames_of(film) == 30
    assert read_audio(film).duration == pytest.approx(1.2, abs=0.001)
    assert frames_of(shown(combined(pack, video(), loop_count=2, pingpong=True), tmp_path)) == 36
    (told,) = combined(pack, video(), loop_count=3, format="webp")["ui"]["sonic_video"]
    assert told["frames"] == 10


def test_formats_of_ones_own_are_offered_until_they_are_gone(
    pack: ModuleType, canvas: Canvas, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heed = sys.modules[f"{pack.__name__}.nodes.host.own_formats"].heed_own_formats
    file = tmp_path / "user/sonic_formats.json"
    file.parent.mkdir()
    file.write_text('[{"name": "mp4-small", "like": "mp4-h264", "crf": 40}, {"name": "xy"}]', encoding="utf-8")
    offered = pack.NODE_CLASS_MAPPINGS["VideoCombine"].INPUT_TYPES()["optional"]["format"][0]
    assert offered == [*available_formats(), "mp4-small"]
    assert heed()[0].startswith(f"Format 2 in {file} is left out: like must be one of ")
    assert caplog.text.count("is left out") == 1
    (told,) = combined(pack, video(), format="mp4-small", crf=40)["ui"]["sonic_video"]
    assert (told["format"], told["title"], told["frames"]) == ("mp4-small", "MP4 H.264", 10)
    file.unlink()
    assert heed() == []
    offered = pack.NODE_CLASS_MAPPINGS["VideoCombine"].INPUT_TYPES()["optional"]["format"][0]
    assert offered == list(available_formats())
