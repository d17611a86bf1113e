from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sonic_core import CheckpointError, MediaError
from sonic_core.weights import convert, read
from sonic_core.weights.convert import Converted, convert_folder

IP = "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.0.weight"
UNET = {"conv_in.weight": torch.randn(4, 3), IP: torch.randn(5, 5), "odd": torch.randn(7), "steps": torch.arange(3)}
TOKENS = {name: torch.randn(3, 2) for name in ("proj1.weight", "proj2.weight", "proj3.weight", "norm.weight")}
BUCKETS = {name: torch.randn(3, 2) for name in ("proj1.weight", "proj2.weight", "proj3.weight")}
FLOW = {f"module.block{i}.conv0.0.0.weight": torch.randn(3, 2) for i in (0, 1, 2, "_tea")}


def laid(path: Path, tensors) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path)
    return path


@pytest.fixture
def published(tmp_path) -> Path:
    """A folder in the published layout, its largest file larger than a portion."""
    laid(tmp_path / "Sonic" / "unet.pth", UNET)
    laid(tmp_path / "Sonic" / "audio2token.pth", TOKENS)
    laid(tmp_path / "sonic" / "audio2bucket.pth", BUCKETS)
    laid(tmp_path / "RIFE" / "flownet.pkl", FLOW)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_published_pickles_get_a_converted_file_beside_them(published, monkeypatch):
    monkeypatch.setattr(read, "PORTION", 50)
    before = files(published)
    reports = []
    converted = convert_folder(published, progress=lambda *report: reports.append(report))
    names = {"Sonic/unet", "Sonic/audio2token", "sonic/audio2bucket", "RIFE/flownet"}
    assert files(published) == before | {f"{name}.safetensors" for name in names}
    assert [type(one) for one in converted] == [Converted] * 4
    unet = next(one for one in converted if one.source.name == "unet.pth")
    assert unet.result == unet.source.with_suffix(".safetensors")
    assert (unet.tensors, unet.bytes) == (4, unet.result.stat().st_size)
    there = load_file(unet.result)
    assert set(there) == set(UNET)
    assert torch.equal(there["steps"], UNET["steps"])
    assert torch.equal(there["odd"], UNET["odd"].half())
    flow = load_file(published / "RIFE" / "flownet.safetensors")
    assert set(flow) == {f"block{i}.conv0.0.0.weight" for i in range(3)}
    assert torch.equal(flow["block1.conv0.0.0.weight"], FLOW["module.block1.conv0.0.0.weight"])
    assert ("converting unet.pth", 0, 4) in reports
    assert ("converting unet.pth", 4, 4) in reports


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_another_type_can_be_asked_for(published, dtype):
    convert_folder(published, dtype)
    there = load_file(published / "Sonic" / "unet.safetensors")
    assert torch.equal(there[IP], UNET[IP].to(dtype))


def test_the_small_networks_keep_their_digits_unless_something_else_is_asked_for(published):
    convert_folder(published)
    tokens, buckets = published / "Sonic" / "audio2token.safetensors", published / "sonic" / "audio2bucket.safetensors"
    assert all(torch.equal(tensor, TOKENS[name]) for name, tensor in load_file(tokens).items())
    assert all(torch.equal(tensor, BUCKETS[name]) for name, tensor in load_file(buckets).items())
    convert_folder(published, torch.float16)
    assert all(torch.equal(tensor, TOKENS[name].half()) for name, tensor in load_file(tokens).items())


@pytest.mark.parametrize("wrapping", ["unet.", "module._orig_mod.", "model.diffusion_model."])
def test_trained_networks_are_converted_under_their_plain_names(tmp_path, wrapping):
    laid(tmp_path / "Sonic" / "unet.pth", {"module": {wrapping + name: tensor for name, tensor in UNET.items()}})
    convert_folder(tmp_path)
    assert set(load_file(tmp_path / "Sonic" / "unet.safetensors")) == set(UNET)


def test_tensors_begin_where_memory_likes_it(published):
    convert_folder(published)
    whole = (published / "Sonic" / "unet.safetensors").read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:start])
    assert start % convert.ALIGNMENT == 0
    sizes = {"F16": 2, "I64": 8}
    header.pop("__metadata__")
    assert all(one["data_offsets"][0] % sizes[one["dtype"]] == 0 for one in header.values())


def test_what_is_converted_already_is_left_alone(published):
    convert_folder(published)
    result = published / "Sonic" / "unet.safetensors"
    stamp = result.stat().st_mtime_ns
    assert convert_folder(published) == []
    assert result.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("reason", ["cut short", "damaged header", "older", "of another type"])
def test_a_converted_file_that_does_not_serve_is_made_anew(published, reason):
    convert_folder(published, torch.float32 if reason == "of another type" else torch.float16)
    result = published / "Sonic" / "unet.safetensors"
    whole = result.read_bytes()
    if reason == "cut short":
        result.write_bytes(whole[:-1])
    elif reason == "damaged header":
        result.write_bytes(whole[:20] + b"?" + whole[21:])
    elif reason == "older":
        os.utime(result, (1, 1))
    assert published / "Sonic" / "unet.pth" in [one.source for one in convert_folder(published)]
    assert torch.equal(load_file(result)["odd"], UNET["odd"].half())


def test_a_file_is_converted_from_within_its_own_folder(tmp_path):
    laid(tmp_path / "flownet.pkl", {"state_dict": FLOW})
    assert [one.source.name for one in convert_folder(tmp_path)] == ["flownet.pkl"]


class CancelledError(Exception):
    """Raised by a progress callback."""


@pytest.mark.parametrize("at", [0, 2, 4])
@pytest.mark.parametrize("raised", [CancelledError, OSError, ValueError])
def test_cancelling_leaves_nothing_behind(tmp_path, at, raised):
    laid(tmp_path / "unet.pth", UNET)

    def cancel(stage: str, done: int, total: int) -> None:
        if done == at:
            raise raised("enough")

    with pytest.raises(raised, match=r"^enough$"):
        convert_folder(tmp_path, progress=cancel)
    assert files(tmp_path) == {"unet.pth"}


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    laid(tmp_path / "unet.pth", UNET)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(MediaError, match=r"unet\.pth needs .* in .*, where 10 bytes are free"):
        convert_folder(tmp_path)
    assert files(tmp_path) == {"unet.pth"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(tmp_path, monkeypatch):
    laid(tmp_path / "unet.pth", UNET)
    opened = Path.open

    def full(path: Path, mode: str = "r", **rest):
        return opened(Path("/dev/full") if mode == "wb" else path, mode, **rest)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(MediaError, match=r"Cannot write .*unet\.safetensors \(No space left"):
        convert_folder(tmp_path)
    assert files(tmp_path) == {"unet.pth"}


@pytest.mark.parametrize(
    ("name", "tensors"),
    [("unet.pth", TOKENS), ("audio2token.pth", BUCKETS), ("audio2bucket.pth", UNET), ("flownet.pkl", UNET)],
)
def test_another_network_under_a_published_name_is_told_so(tmp_path, name, tensors):
    laid(tmp_path / name, tensors)
    with pytest.raises(CheckpointError, match=rf"is not the published {name}: .* is missing in it"):
        convert_folder(tmp_path)
    assert files(tmp_path) == {name}


def test_a_type_that_the_format_lacks_is_told_so(tmp_path):
    laid(tmp_path / "unet.pth", {**UNET, "strange": torch.zeros(2, dtype=torch.complex64)})
    with pytest.raises(CheckpointError, match=r"holds strange of type torch\.complex64"):
        convert_folder(tmp_path)


def test_a_folder_with_nothing_to_convert_is_told_what_was_looked_for(tmp_path):
    laid(tmp_path / "other.pth", UNET)
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(CheckpointError, match=r"nothing to convert; looked for unet\.pth, .*RIFE/flownet\.pkl"):
            convert_folder(folder)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads what Linux says about open files")
def test_no_file_stays_open(published):
    convert_folder(published)
    still = Path("/proc/self/maps").read_text() + " ".join(str(p.resolve()) for p in Path("/proc/self/fd").iterdir())
    assert str(published) not in still
