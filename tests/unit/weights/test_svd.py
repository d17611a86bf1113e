from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sonic_core import CheckpointError
from sonic_core.weights.read import load_into
from sonic_core.weights.svd import CLIP_PREFIX, VAE_PREFIX, clip_recipe, clip_source, vae_recipe, vae_source


def laid(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_a_folder_gives_its_files_full_precision_first(tmp_path):
    expected = [
        ("vae/diffusion_pytorch_model.fp16.bin", "image_encoder/model.fp16.safetensors"),
        ("vae/diffusion_pytorch_model.bin", "image_encoder/model.fp16.safetensors"),
        ("vae/diffusion_pytorch_model.fp16.safetensors", "image_encoder/model.fp16.safetensors"),
        ("vae/diffusion_pytorch_model.safetensors", "image_encoder/model.safetensors"),
    ]
    for vae, clip in expected:
        laid(tmp_path, vae)
        laid(tmp_path, clip)
        assert vae_source(tmp_path) == (tmp_path / vae, None)
        assert clip_source(tmp_path) == (tmp_path / clip, None)


def test_a_folder_without_them_is_told_so(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no vae/diffusion_pytorch_model\.safetensors; expected svd_xt"):
        vae_source(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds no image_encoder/model\.safetensors; expected svd_xt"):
        clip_source(tmp_path)


@pytest.mark.parametrize("inside", ["model.diffusion_model.out.2.bias", f"{VAE_PREFIX}decoder.conv_in.weight"])
def test_a_file_without_them_is_told_so(tmp_path, inside):
    path = tmp_path / "sd15.safetensors"
    save_file({inside: torch.zeros(4)}, path)
    with pytest.raises(CheckpointError, match=r"sd15\.safetensors holds no VAE for video"):
        vae_source(path)
    with pytest.raises(CheckpointError, match=r"sd15\.safetensors holds no image encoder"):
        clip_source(path)
    with pytest.raises(CheckpointError, match="no file is there"):
        vae_source(tmp_path / "svd.safetensors")


def test_the_decoders_blocks_are_counted_from_the_other_end():
    names = [f"{VAE_PREFIX}decoder.up.{i}.block.0.time_stack.in_layers.2.weight" for i in range(3)]
    recipe = vae_recipe([*names, "conditioner.other"])
    for i, name in enumerate(names):
        target = f"decoder.up_blocks.{2 - i}.resnets.0.temporal_res_block.conv1.weight"
        assert recipe[target]({name: "it"}) == "it"


def test_queries_keys_and_values_are_parted_and_the_projection_turned():
    block = f"{CLIP_PREFIX}transformer.resblocks.7.attn.in_proj_weight"
    file = {block: torch.arange(12.0).reshape(6, 2), f"{CLIP_PREFIX}proj": torch.arange(6.0).reshape(2, 3)}
    recipe = clip_recipe(file)
    layer = "vision_model.encoder.layers.7.self_attn"
    assert set(recipe) == {f"{layer}.{part}_proj.weight" for part in "qkv"} | {"visual_projection.weight"}
    assert recipe[f"{layer}.k_proj.weight"](file).tolist() == [[4, 5], [6, 7]]
    assert recipe["visual_projection.weight"](file).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_missing_quantiser_is_the_identity(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({f"{VAE_PREFIX}encoder.conv_out.bias": torch.ones(8)}, path)
    recipe = vae_recipe([f"{VAE_PREFIX}encoder.conv_out.bias"])
    with torch.device("meta"):
        network = nn.ModuleDict({"quant_conv": nn.Conv2d(8, 8, 1)})
    load_into(network, path, recipe={name: way for name, way in recipe.items() if name.startswith("quant")})
    picture = torch.rand(1, 8, 3, 3)
    assert torch.equal(network["quant_conv"](picture), picture)


def test_a_quantiser_that_is_there_is_taken():
    name = f"{VAE_PREFIX}quant_conv.weight"
    assert vae_recipe([name])["quant_conv.weight"]({name: "it"}) == "it"
