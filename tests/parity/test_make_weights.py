"""A random set is what the published one is: the same files, read by the same libraries, found by the same names."""

from __future__ import annotations

import json

import pytest
import torch

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.files import find_base
from sonic_core.models.base.networks import (
    empty_audio2bucket,
    empty_audio2token,
    empty_clip,
    empty_unet,
    empty_vae,
    empty_whisper,
)
from sonic_core.post.interpolators.flownet import load_flownet
from sonic_core.weights.convert import convert_folder
from sonic_core.weights.read import load_into
from sonic_core.weights.svd import clip_source, vae_source
from tests.parity.kit import SHARED_KIT, needs_kit
from tests.parity.make_weights import TINY, single_file_tensors, write_set

CONFIG = BaseConfig.read(TINY)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A tiny set with the diffusers folder, and one with the single file."""
    folders = tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("single")
    for folder, single in zip(folders, (False, True), strict=True):
        write_set(folder, tiny=True, single_file=single)
    return folders


def filled(network, source, dtype=torch.float32, **how):
    load_into(network, source[0], recipe=source[1], dtype=dtype, **how)
    return network.state_dict()


def test_both_layouts_hold_the_same_weights(sets):
    for empty, source in ((empty_vae, vae_source), (empty_clip, clip_source)):
        halves = filled(empty(CONFIG), source(sets[0] / "stable-video-diffusion-img2vid-xt"))
        wholes = filled(empty(CONFIG), source(sets[1] / "svd_xt.safetensors"))
        assert all(torch.equal(halves[name], wholes[name].half().float()) for name in wholes)


def test_every_network_is_found_and_filled_before_and_after_conversion(sets):
    for _ in range(2):
        files = find_base([sets[0]])
        assert BaseConfig.read(files.sizes) == CONFIG
        for empty, path in (
            (empty_unet, files.unet),
            (empty_audio2token, files.audio2token),
            (empty_audio2bucket, files.audio2bucket),
        ):
            assert filled(empty(CONFIG), (path, None))
        encoder = (files.whisper / "model.safetensors", None)
        assert filled(empty_whisper(CONFIG), encoder, prefix="model.encoder.")
        load_flownet(files.interpolator)
        convert_folder(sets[0])
    assert files.unet.suffix == files.interpolator.suffix == ".safetensors"


def test_the_libraries_read_the_folders_too(sets):
    from diffusers import AutoencoderKLTemporalDecoder
    from transformers import CLIPVisionModelWithProjection, WhisperModel

    svd = sets[0] / "stable-video-diffusion-img2vid-xt"
    vae = AutoencoderKLTemporalDecoder.from_pretrained(svd / "vae", variant="fp16").state_dict()
    clip = CLIPVisionModelWithProjection.from_pretrained(svd / "image_encoder", variant="fp16").state_dict()
    encoder = WhisperModel.from_pretrained(sets[0] / "whisper-tiny").encoder.state_dict()
    ours = filled(empty_vae(CONFIG), vae_source(svd)), filled(empty_clip(CONFIG), clip_source(svd))
    heard = filled(
        empty_whisper(CONFIG), (sets[0] / "whisper-tiny" / "model.safetensors", None), prefix="model.encoder."
    )
    for one, other in zip((*ours, heard), (vae, clip, encoder), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name].float()) for name in one)


@needs_kit
def test_a_single_file_has_the_published_names(monkeypatch):
    monkeypatch.setattr("tests.parity.make_weights.draw", lambda name, shape, seed: torch.empty(shape, device="meta"))
    ours = {name: list(tensor.shape) for name, tensor in single_file_tensors(BaseConfig(), 0).items()}
    ours.pop("model.diffusion_model.out.2.bias")
    assert ours == json.loads((SHARED_KIT / "svd_keys.json").read_text())
