"""What quality "live" is made of: what is there, what is said of the rest, and the networks themselves."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from sonic_core.devices import OwnKeeper
from sonic_core.errors import CheckpointError, SonicWarning
from sonic_core.models.base.files import find_base
from sonic_core.models.base.live import live_parts
from sonic_core.models.base.loading import Networks
from sonic_core.models.base.model import BaseModel
from sonic_core.models.base.tiny_vae import empty_tiny_vae
from sonic_core.weights.read import open_tensors
from sonic_core.weights.student import Student

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.0"


@pytest.fixture
def folder(tmp_path, tiny_set):
    """A tiny set of its own, to which files can be added; nothing but the UNet is opened."""
    for part in tiny_set.iterdir():
        (tmp_path / part.name).symlink_to(part)
    (tmp_path / "Sonic").unlink()
    shutil.copytree(tiny_set / "Sonic", tmp_path / "Sonic")
    return tmp_path


def bare(folder):
    """The set without what the machine's own weight folders may add."""
    return replace(find_base([folder]), tiny_vae=None, student=None)


def lay_tiny(folder) -> None:
    tensors = {name: torch.zeros(like.shape) for name, like in empty_tiny_vae().state_dict().items()}
    torch.save(tensors, folder / "Sonic" / "taesdv.pth")


def lay_lora(folder, **header: str) -> None:
    tensors = {f"{LAYER}.lora_A.weight": torch.ones(1, 32), f"{LAYER}.lora_B.weight": torch.ones(64, 1)}
    save_file(tensors, folder / "Sonic" / "student_lora.safetensors", header or None)


def test_with_everything_there_nothing_is_lacking(folder):
    lay_tiny(folder)
    lay_lora(folder, steps="4", guidance="distilled")
    parts = live_parts(find_base([folder]))
    assert parts.lacking == ""
    assert parts.student == Student(folder / "Sonic" / "student_lora.safetensors", "lora", 4, distilled=True)
    assert parts.tiny_vae == folder / "Sonic" / "taesdv.pth"


def test_what_is_lacking_is_said_with_its_place_and_what_is_done_instead(folder):
    both = live_parts(bare(folder)).lacking
    for said in (
        str(folder / "Sonic"),
        "unet_student.safetensors or student_lora.safetensors",
        "the recipe of fast is taken with fewer steps",
        "taesdv.pth, from github.com/madebyollin/taesdv",
        "the full one is taken",
    ):
        assert said in both
    assert both.endswith("is taken.")
    student = live_parts(replace(bare(folder), tiny_vae=folder / "taesdv.pth")).lacking
    assert "student" in student
    assert "taesdv" not in student
    lay_lora(folder)
    tiny = live_parts(replace(bare(folder), student=folder / "Sonic" / "student_lora.safetensors")).lacking
    assert "taesdv" in tiny
    assert "student" not in tiny


def test_networks_that_are_not_there_are_asked_for_in_vain(folder):
    networks = Networks(bare(folder), torch.float32)
    with pytest.raises(CheckpointError, match="few-step student"):
        _ = networks.student_unet
    with pytest.raises(CheckpointError, match="tiny decoder"):
        _ = networks.tiny_vae


def test_a_lora_makes_a_second_unet_and_leaves_the_first(folder):
    lay_lora(folder, alpha="0.5")
    networks = Networks(find_base([folder]), torch.float32)
    stored = open_tensors(folder / "Sonic" / "unet.pth")
    student, unet = networks.student_unet.state_dict(), networks.unet.state_dict()
    assert networks.student_unet is networks.student_unet
    assert networks.student_unet.attention_context is not networks.unet.attention_context
    assert all(torch.equal(tensor, stored[name]) for name, tensor in unet.items())
    assert {name for name in unet if not torch.equal(student[name], unet[name])} == {f"{LAYER}.weight"}
    assert torch.allclose(student[f"{LAYER}.weight"], stored[f"{LAYER}.weight"] + 0.5)


def test_a_whole_student_is_read_from_its_own_file(folder):
    stored = open_tensors(folder / "Sonic" / "unet.pth")
    tensors = {name: tensor + 1 for name, tensor in stored.items()}
    save_file(tensors, folder / "Sonic" / "unet_student.safetensors", {"steps": "4"})
    networks = Networks(find_base([folder]), torch.bfloat16)
    student = networks.student_unet.state_dict()
    assert all(torch.equal(tensor, tensors[name].bfloat16()) for name, tensor in student.items())


def test_a_student_that_does_not_fit_is_named(folder):
    save_file({"conv_in.lora_A.weight": torch.ones(1, 3, 3, 3), "conv_in.lora_B.weight": torch.ones(32, 1, 1, 1)},
              folder / "Sonic" / "student_lora.safetensors")  # fmt: skip
    with pytest.raises(CheckpointError, match=r"student_lora\.safetensors is of another network: it changes conv_in"):
        _ = Networks(find_base([folder]), torch.float32).student_unet


@pytest.mark.parametrize(
    ("unet", "tiny"),
    [(torch.float32, torch.float32), (torch.float16, torch.float16), (torch.bfloat16, torch.float16)],
)
def test_the_tiny_decoder_keeps_the_digits_of_half_precision(folder, unet, tiny):
    lay_tiny(folder)
    assert next(Networks(find_base([folder]), unet).tiny_vae.parameters()).dtype == tiny


def test_live_draws_with_the_parts_that_are_there(folder, portrait, sound, settings):
    """The student's four steps with one branch, the tiny decoder; and neither UNet nor VAE decoder is read for it."""
    network = empty_tiny_vae().to_empty(device="cpu")
    for number, parameter in enumerate(network.parameters()):
        parameter.normal_(0, 0.1, generator=torch.Generator().manual_seed(number))
    torch.save(network.state_dict(), folder / "Sonic" / "taesdv.pth")
    lay_lora(folder, steps="4", guidance="distilled")
    model = BaseModel(find_base([folder]), OwnKeeper(torch.device("cpu")), torch.float32)
    rows = []
    model.networks.student_unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    for stream in (False, True):
        chosen = settings(quality="live", window=7, fps=12.5, stream=stream)
        clip = model.animate(model.prepare(portrait, sound, chosen), chosen)
        frames = torch.cat(list(clip.read()))
        assert frames.shape == (7, 3, 128, 128)
        assert torch.equal(torch.cat(list(clip.read())), frames)
    assert rows == [1] * 4 * 3  # once for the clip, and once for each reading of the stream
    assert "unet" not in vars(model.networks)


def test_live_without_its_parts_says_so_and_goes_on(tiny_set, portrait, sound, settings):
    model = BaseModel(bare(tiny_set), OwnKeeper(torch.device("cpu")), torch.float32)
    chosen = settings(quality="live", window=7, fps=12.5)
    with pytest.warns(SonicWarning, match="Quality live expects in .*without which the full one is taken"):
        clip = model.animate(model.prepare(portrait, sound, chosen), chosen)
    assert len(torch.cat(list(clip.read()))) == 7
