"""The VAE and the image encoder inside Stable Video Diffusion, as one file or as a diffusers folder.

A single file keeps the names of the networks it was trained with: a VAE with temporal blocks, and OpenCLIP's ViT-H/14.
The recipes here are made from the file's own names, so they fit any size; of the file's 9.5 GB only those two are read.

Source: Blattmann et al., "Stable Video Diffusion" (arXiv 2311.15127); names as in the published files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from pathlib import Path

import torch

from ..errors import CheckpointError
from .read import Recipe, Tensors, open_tensors

VAE_PREFIX = "first_stage_model."
CLIP_PREFIX = "conditioner.embedders.0.open_clip.model.visual."
_ENDINGS = (".safetensors", ".fp16.safetensors", ".bin", ".fp16.bin")
_VAE_NAMES = (
    (r"^decoder\.conv_out\.time_mix_conv\.", "decoder.time_conv_out."),
    (r"\bnorm_out\.", "conv_norm_out."),
    (r"\bmid\.attn_1\.", "mid_block.attentions.0."),
    (r"\bmid\.block_1\.", "mid_block.resnets.0."),
    (r"\bmid\.block_2\.", "mid_block.resnets.1."),
    (r"\bdown\.(\d+)\.block\.", r"down_blocks.\1.resnets."),
    (r"\bdown\.(\d+)\.downsample\.", r"down_blocks.\1.downsamplers.0."),
    (r"\bup\.(\d+)\.block\.", r"up.\1.resnets."),
    (r"\bup\.(\d+)\.upsample\.", r"up.\1.upsamplers.0."),
    (r"\bnin_shortcut\.", "conv_shortcut."),
    (r"^(decoder\..*resnets\.\d+\.)(norm|conv)", r"\1spatial_res_block.\2"),
    (r"\bmix_factor$", "time_mixer.mix_factor"),
    (r"\btime_stack\.in_layers\.0\.", "temporal_res_block.norm1."),
    (r"\btime_stack\.in_layers\.2\.", "temporal_res_block.conv1."),
    (r"\btime_stack\.out_layers\.0\.", "temporal_res_block.norm2."),
    (r"\btime_stack\.out_layers\.3\.", "temporal_res_block.conv2."),
    (r"(attentions\.0\.)norm\.", r"\1group_norm."),
    (r"(attentions\.0\.)([qkv])\.", r"\1to_\2."),
    (r"(attentions\.0\.)proj_out\.", r"\1to_out.0."),
)
_CLIP_NAMES = (
    (r"^class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^ln_pre\.", "vision_model.pre_layrnorm."),  # the library's spelling
    (r"^ln_post\.", "vision_model.post_layernorm."),
    (r"^transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)


def vae_source(svd: Path) -> tuple[Path, Recipe | None]:
    """Say from which file, and by which recipe, diffusers' ``AutoencoderKLTemporalDecoder`` is filled.

    Args:
        svd: A single-file checkpoint or a diffusers folder, which needs no recipe.

    Raises:
        CheckpointError: It cannot be read, or holds no VAE for video.
    """
    wanted = "decoder.time_conv_out.weight", f"VAE for video ({VAE_PREFIX}…)"
    return _source(Path(svd), "vae/diffusion_pytorch_model", vae_recipe, *wanted)


def clip_source(svd: Path) -> tuple[Path, Recipe | None]:
    """Say from which file, and by which recipe, transformers' ``CLIPVisionModelWithProjection`` is filled.

    Args:
        svd: A single-file checkpoint or a diffusers folder, which needs no recipe.

    Raises:
        CheckpointError: It cannot be read, or holds no image encoder.
    """
    wanted = "visual_projection.weight", f"image encoder ({CLIP_PREFIX}…)"
    return _source(Path(svd), "image_encoder/model", clip_recipe, *wanted)


def vae_recipe(names: Iterable[str]) -> Recipe:
    """Make diffusers' temporal VAE out of a file that holds ``names``; others than the VAE's are left alone.

    The file counts the decoder's blocks from the picture inwards, diffusers from the latents outwards. ``quant_conv``
    is the identity unless the file has one.
    """
    own = {name: name.removeprefix(VAE_PREFIX) for name in names if name.startswith(VAE_PREFIX)}
    numbers = (re.match(r"decoder\.up\.(\d+)\.", name) for name in own.values())
    last = max((int(number[1]) for number in numbers if number), default=0)
    recipe: dict[str, Callable[[Tensors], torch.Tensor]] = {}
    for name, short in own.items():
        target = re.sub(r"\bup\.(\d+)\.", lambda up: f"up_blocks.{last - int(up[1])}.", _renamed(short, _VAE_NAMES))
        recipe[target] = partial(_matrix, name) if re.search(r"\.to_.*weight$", target) else itemgetter(name)
    if recipe and "quant_conv.weight" not in recipe:
        recipe["quant_conv.weight"] = _identity
        recipe["quant_conv.bias"] = _nothing
    return recipe


def clip_recipe(names: Iterable[str]) -> Recipe:
    """Make transformers' image encoder out of a file that holds ``names``; others than the encoder's are left alone.

    The file keeps queries, keys and values in one matrix, and the last projection transposed.
    """
    recipe: dict[str, Callable[[Tensors], torch.Tensor]] = {}
    for name in names:
        if not name.startswith(CLIP_PREFIX):
            continue
        short = name.removeprefix(CLIP_PREFIX)
        fused = re.fullmatch(r"(.*)\.attn\.in_proj_(weight|bias)", _renamed(short, _CLIP_NAMES))
        if fused:
            for third, part in enumerate("qkv"):
                recipe[f"{fused[1]}.self_attn.{part}_proj.{fused[2]}"] = partial(_third, name, third)
        elif short == "proj":
            recipe["visual_projection.weight"] = partial(_transposed, name)
        else:
            recipe[_renamed(short, _CLIP_NAMES)] = itemgetter(name)
    return recipe


def _renamed(name: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, new in rules:
        name = re.sub(pattern, new, name)
    return name


def _matrix(name: str, tensors: Tensors) -> torch.Tensor:
    """Take a 1 × 1 convolution (o, i, 1, 1) as a linear layer (o, i)."""
    return tensors[name].flatten(1)


def _third(name: str, third: int, tensors: Tensors) -> torch.Tensor:
    return tensors[name].chunk(3)[third]


def _transposed(name: str, tensors: Tensors) -> torch.Tensor:
    return tensors[name].t().contiguous()


def _identity(tensors: Tensors) -> torch.Tensor:
    bias = tensors[f"{VAE_PREFIX}encoder.conv_out.bias"]
    return torch.eye(len(bias), dtype=bias.dtype)[..., None, None]


def _nothing(tensors: Tensors) -> torch.Tensor:
    return torch.zeros_like(tensors[f"{VAE_PREFIX}encoder.conv_out.bias"])


def _source(
    svd: Path, stem: str, make_recipe: Callable[[Iterable[str]], Recipe], tensor: str, network: str
) -> tuple[Path, Recipe | None]:
    """Find a network in a folder by its file's stem, or in a single file by a tensor that its recipe must make."""
    if svd.is_dir():
        return _in_folder(svd, stem), None
    recipe = make_recipe(open_tensors(svd))
    if tensor not in recipe:
        raise CheckpointError(_advise(svd, network))
    return svd, recipe


def _in_folder(folder: Path, stem: str) -> Path:
    """Find a network's file in a diffusers folder, full precision first."""
    for ending in _ENDINGS:
        path = folder / f"{stem}{ending}"
        if path.is_file():
            return path
    raise CheckpointError(_advise(folder, f"{stem}.safetensors"))


def _advise(svd: Path, lacking: str) -> str:
    return f"{svd} holds no {lacking}; expected svd_xt.safetensors or the folder of stable-video-diffusion-img2vid-xt."
