"""The VAE and the image encoder of a single-file checkpoint give what an independent implementation gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_clip, empty_vae
from sonic_core.weights.read import load_into
from sonic_core.weights.svd import CLIP_PREFIX, VAE_PREFIX, clip_source, vae_source
from tests.parity.kit import SHARED_KIT, named_array, needs_kit

CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

pytestmark = needs_kit


def halved(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Keep the bits that the other implementation keeps: half of them in the encoder, all of them around it."""
    whole = name.startswith(VAE_PREFIX) or name.removeprefix(CLIP_PREFIX).startswith(("ln_pre", "ln_post", "proj"))
    return tensor if whole else tensor.half().float()


def single_file(folder: Path, prefix: str, salt: str) -> Path:
    """Write a checkpoint with the kit's weights under one prefix, and a tensor that is nobody's."""
    shapes = json.loads((SHARED_KIT / "svd_keys.json").read_text())
    own = {name: shape for name, shape in shapes.items() if name.startswith(prefix)}
    tensors = {
        name: halved(name, torch.from_numpy(named_array(salt, name, tuple(shape)))) for name, shape in own.items()
    }
    tensors["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(4)
    path = folder / "svd_xt.safetensors"
    save_file(tensors, path)
    return path


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Relative L2 error."""
    return float((ours - theirs).norm() / theirs.norm())


@pytest.fixture(scope="module")
def kit() -> dict[str, torch.Tensor]:
    with np.load(SHARED_KIT / "svd_single_file.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file if name != "salt"} | {"salt": str(file["salt"])}


@pytest.fixture
def folder(tmp_path):
    """A folder that does not stay until the next runs, as pytest's do; the file is large."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@torch.inference_mode()
def test_the_vae_encodes_and_decodes_as_elsewhere(kit, folder):
    path, recipe = vae_source(single_file(folder, VAE_PREFIX, kit["salt"]))
    vae = empty_vae(BaseConfig())
    load_into(vae, path, recipe=recipe)
    assert distance(vae.encode(kit["image"]).latent_dist.mode(), kit["latents_mode"]) <= 1e-4
    assert distance(vae.decode(kit["z"], num_frames=3).sample, kit["decoded"]) <= 1e-4


@pytest.mark.slow
@torch.inference_mode()
def test_the_image_encoder_sees_as_elsewhere(kit, folder):
    path, recipe = clip_source(single_file(folder, CLIP_PREFIX, kit["salt"]))
    clip = empty_clip(BaseConfig())
    load_into(clip, path, recipe=recipe)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_DEVIATION))
    pixels = (kit["clip_image"].permute(0, 3, 1, 2) * 255).round() / 255  # the other implementation sees 8 bits
    pixels = (pixels - mean) / deviation
    assert distance(clip(pixels).image_embeds, kit["image_embeds"]) <= 1e-4
