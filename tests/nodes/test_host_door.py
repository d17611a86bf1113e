"""The host's things turned into ours and back."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from tests.nodes.conftest import FolderPaths


def sentence(host: ModuleType, check: str, value: object) -> str:
    from_pack = __import__("sys").modules[host.__name__.replace("nodes.host", "sonic_core.errors")]
    with pytest.raises(from_pack.SonicError) as caught:
        getattr(host, check)(value)
    return str(caught.value)


def test_pictures_come_in_and_go_out(host: ModuleType) -> None:
    image = torch.rand(1, 5, 4, 3)
    assert torch.equal(host.image_of(host.picture_of(image)), image)
    clear = torch.cat([image, torch.zeros(1, 5, 4, 1)], dim=3)
    assert torch.equal(host.picture_of(clear), torch.ones(3, 5, 4))
    assert host.picture_of(image[..., :1]).shape == (3, 5, 4)


def test_what_is_no_picture_is_said_in_a_sentence(host: ModuleType) -> None:
    assert "not numbers" in sentence(host, "picture_of", torch.full((1, 4, 4, 3), float("nan")))
    assert "got (4, 4, 3)" in sentence(host, "picture_of", torch.zeros(4, 4, 3))
    assert "from 0 to 1, got 65535" in sentence(host, "picture_of", torch.full((1, 4, 4, 3), 65535.0))


def test_a_picture_that_nobody_divided_does_not_become_white(host: ModuleType) -> None:
    image = torch.randint(0, 255, (1, 5, 4, 3), dtype=torch.uint8)
    for given in (image, image.float()):
        assert torch.allclose(host.image_of(host.picture_of(given)), image / 255, atol=1e-6)
    assert float(host.picture_of(torch.full((1, 4, 4, 3), 1.1)).max()) == 1


def test_sounds_come_in_and_go_out(host: ModuleType) -> None:
    audio = {"waveform": torch.rand(1, 2, 100), "sample_rate": 16000}
    sound = host.sound_of(audio)
    assert (sound.samples.shape, sound.rate) == ((2, 100), 16000)
    assert torch.equal(host.audio_of(sound)["waveform"], audio["waveform"])
    whole = host.sound_of({"waveform": torch.full((1, 1, 4), 32767, dtype=torch.int16), "sample_rate": 8000})
    assert float(whole.samples.max()) == 1.0


def test_what_is_no_sound_is_said_in_a_sentence(host: ModuleType) -> None:
    rate = {"sample_rate": 16000}
    assert "one sound" in sentence(host, "sound_of", {"waveform": torch.zeros(2, 1, 9), **rate})
    assert "not numbers" in sentence(host, "sound_of", {"waveform": torch.full((1, 1, 9), float("nan")), **rate})
    assert "Load Audio" in sentence(host, "sound_of", {})
    assert "Load Audio" in sentence(host, "sound_of", None)
    heard = {"waveform": torch.zeros(1, 1, 9)}
    for number in (float("inf"), float("nan"), "often", None):
        assert "Load Audio" in sentence(host, "sound_of", {**heard, "sample_rate": number})
    for number in (0, -1, 0.5):
        assert "at 0 per second" in sentence(host, "sound_of", {**heard, "sample_rate": number}).replace("-1", "0")
    for shape in ((1, 0, 9), (1, 1, 0)):
        assert "got" in sentence(host, "sound_of", {"waveform": torch.zeros(shape), **rate})


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "a/../../secret.wav", "../input2/x.wav"])
def test_inputs_outside_the_folder_are_refused(host: ModuleType, folders: FolderPaths, name: str) -> None:
    (folders.home / "secret.wav").touch()
    assert "leads out of the inputs folder" in sentence(host, "input_path", name)
    assert "leads out" in str(host.problem(host.input_path, name))


def test_inputs_inside_the_folder_are_found(host: ModuleType, folders: FolderPaths) -> None:
    (folders.home / "input/sub").mkdir(exist_ok=True)
    (folders.home / "input/sub/x.wav").touch()
    assert host.input_path("sub/x.wav") == folders.home / "input/sub/x.wav"
    assert host.problem(host.input_path, "sub/x.wav") is True
    assert "upload it" in sentence(host, "input_path", "absent.wav")
    assert "sub" not in host.input_files()


@pytest.mark.parametrize("prefix", ["../x", "/out/x", "", "a/../../x", "a/", ".", "a\0b"])
def test_outputs_outside_the_folder_are_refused(host: ModuleType, prefix: str) -> None:
    assert "filename_prefix" in sentence(host, "check_prefix", prefix)


def test_marks_that_no_browser_reads_are_left_out(host: ModuleType) -> None:
    prompt = {"1": {"class_type": "X", "inputs": {}, "is_changed": [float("nan")]}}
    assert host.own_video.written({"prompt": prompt, "workflow": {}}) == {
        "prompt": '{"1": {"class_type": "X", "inputs": {}}}',
        "workflow": "{}",
    }
