"""Write a set of checkpoints with random weights, in the published files, names and layout.

    python tests/parity/make_weights.py FOLDER [--tiny] [--single-file] [--seed N]

At full size it takes 8 GB on disk, and 7 GB of memory while the UNet is written. ``--tiny`` writes networks of a few
megabytes, and their sizes to ``Sonic/sonic-base.json``. ``--single-file`` writes ``svd_xt.safetensors`` in place of a
diffusers folder. The same seed gives the same weights in either layout, but for the folder's half precision.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from sonic_core.models.base import networks  # noqa: E402
from sonic_core.models.base.config import BaseConfig  # noqa: E402
from sonic_core.post.interpolators.flownet import IFNet  # noqa: E402
from sonic_core.weights.svd import CLIP_PREFIX, VAE_PREFIX  # noqa: E402

TINY = HERE / "tiny.json"
SVD_FOLDER = "stable-video-diffusion-img2vid-xt"
LISTENING = {
    "chunk_length": 30,
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "hop_length": 160,
    "n_fft": 400,
    "n_samples": 480000,
    "nb_max_frames": 3000,
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "WhisperProcessor",
    "return_attention_mask": False,
    "sampling_rate": 16000,
}
TO_VAE = (
    (r"^decoder\.time_conv_out\.", "decoder.conv_out.time_mix_conv."),
    (r"conv_norm_out", "norm_out"),
    (r"mid_block\.attentions\.0\.group_norm\.", "mid.attn_1.norm."),
    (r"mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
    (r"mid_block\.attentions\.0\.to_", "mid.attn_1."),
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"_blocks\.(\d+)\.resnets\.", r".\1.block."),
    (r"_blocks\.(\d+)\.(up|down)samplers\.0\.", r".\1.\2sample."),
    (r"conv_shortcut", "nin_shortcut"),
    (r"spatial_res_block\.|time_mixer\.", ""),
    (r"temporal_res_block\.norm1", "time_stack.in_layers.0"),
    (r"temporal_res_block\.conv1", "time_stack.in_layers.2"),
    (r"temporal_res_block\.norm2", "time_stack.out_layers.0"),
    (r"temporal_res_block\.conv2", "time_stack.out_layers.3"),
)
TO_CLIP = (
    (r"^vision_model\.(embeddings\.)?", ""),
    (r"^patch_embedding", "conv1"),
    (r"^position_embedding\.weight", "positional_embedding"),
    (r"^pre_layrnorm", "ln_pre"),
    (r"^post_layernorm", "ln_post"),
    (r"^encoder\.layers", "transformer.resblocks"),
    (r"layer_norm", "ln_"),
    (r"self_attn", "attn"),
    (r"fc1", "c_fc"),
    (r"fc2", "c_proj"),
    (r"^visual_projection\.weight", "proj"),
)


def write_set(folder: Path, *, tiny: bool, single_file: bool, seed: int = 0) -> None:
    """Write a whole set into ``folder``."""
    config = BaseConfig.read(TINY) if tiny else BaseConfig()
    sonic = folder / "Sonic"
    sonic.mkdir(parents=True, exist_ok=True)
    if tiny:
        shutil.copyfile(TINY, sonic / "sonic-base.json")
    for name in ("unet", "audio2token", "audio2bucket"):
        network = getattr(networks, f"empty_{name}")(config)
        torch.save(drawn(network, name, seed), sonic / f"{name}.pth")
    write_flownet(folder / "RIFE", seed)
    write_whisper(folder / "whisper-tiny", config, seed)
    if single_file:
        save_file(single_file_tensors(config, seed), folder / "svd_xt.safetensors")
    else:
        write_svd_folder(folder / SVD_FOLDER, config, seed)


def drawn(network: nn.Module, prefix: str, seed: int) -> dict[str, torch.Tensor]:
    """Draw a network's tensors; each depends on its name and the seed only.

    Matrices keep the size of what passes through them. What normalizes is about 1, what is added is small, and the
    VAE's quantizer is the identity, as where a file has none.
    """
    return {name: draw(f"{prefix}.{name}", like.shape, seed) for name, like in network.state_dict().items()}


def draw(name: str, shape: torch.Size, seed: int) -> torch.Tensor:
    """Draw one tensor."""
    if "quant_conv" in name:
        return torch.eye(shape[0])[..., None, None] if name.endswith("weight") else torch.zeros(shape)
    chance = torch.Generator().manual_seed(zlib.crc32(f"{seed}:{name}".encode()))
    if len(shape) >= 2:
        return torch.empty(shape).normal_(0, shape[1:].numel() ** -0.5, generator=chance)
    middle = 1.0 if name.endswith("weight") else 0.0
    return torch.empty(shape).normal_(middle, 1.0 if name.endswith("mix_factor") else 0.1, generator=chance)


def write_flownet(folder: Path, seed: int) -> None:
    """Write the interpolator, with the teacher that its training left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        network = IFNet()
    tensors = drawn(network, "rife", seed)
    teacher = {name.replace("block2.", "block_tea."): t for name, t in tensors.items() if name.startswith("block2.")}
    torch.save({f"module.{name}": tensor for name, tensor in {**tensors, **teacher}.items()}, folder / "flownet.pkl")


def write_whisper(folder: Path, config: BaseConfig, seed: int) -> None:
    """Write whisper as the hub has it: encoder and decoder below ``model.``, the last projection shared."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    sizes = WhisperConfig(**config.whisper)
    with torch.device("meta"):
        network = WhisperForConditionalGeneration(sizes)
    tensors = drawn(network, "whisper", seed)
    del tensors["proj_out.weight"]
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    sizes.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(LISTENING, indent=2) + "\n", encoding="utf-8")


def write_svd_folder(folder: Path, config: BaseConfig, seed: int) -> None:
    """Write the VAE and the image encoder in half precision, as diffusers keeps them."""
    vae, clip = networks.empty_vae(config), networks.empty_clip(config)
    vae.save_config(folder / "vae")
    clip.config.save_pretrained(folder / "image_encoder")
    for network, prefix, path in (
        (vae, "vae", folder / "vae" / "diffusion_pytorch_model.fp16.safetensors"),
        (clip, "clip", folder / "image_encoder" / "model.fp16.safetensors"),
    ):
        tensors = {name: tensor.half() for name, tensor in drawn(network, prefix, seed).items()}
        save_file(tensors, path, {"format": "pt"})


def single_file_tensors(config: BaseConfig, seed: int) -> dict[str, torch.Tensor]:
    """Give the VAE and the image encoder the names of a single file, and a piece of the UNet that is beside them."""
    vae = drawn(networks.empty_vae(config), "vae", seed)
    clip = drawn(networks.empty_clip(config), "clip", seed)
    tensors = {"model.diffusion_model.out.2.bias": torch.zeros(4)}
    tensors |= {VAE_PREFIX + name: tensor for name, tensor in vae_tensors(vae)}
    tensors |= {CLIP_PREFIX + name: tensor for name, tensor in clip_tensors(clip)}
    return tensors


def vae_tensors(vae: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Rename diffusers' VAE to what it was trained as."""
    last = max(int(found[1]) for name in vae if (found := re.match(r"decoder\.up_blocks\.(\d+)", name)))
    for name, tensor in vae.items():
        if name.startswith("quant_conv"):
            continue
        old = re.sub(r"(up_blocks\.)(\d+)", lambda found: f"{found[1]}{last - int(found[2])}", name)
        square = re.search(r"to_.*weight", name) is not None
        yield renamed(old, TO_VAE), tensor[..., None, None] if square else tensor


def clip_tensors(clip: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Rename transformers' image encoder to OpenCLIP's, queries, keys and values in one."""
    for name, tensor in clip.items():
        part = re.search(r"\.([qkv])_proj\.", name)
        if part is None:
            yield renamed(name, TO_CLIP), tensor.t().contiguous() if name.startswith("visual_projection") else tensor
        elif part[1] == "q":
            three = [clip[name.replace(".q_proj.", f".{other}_proj.")] for other in "qkv"]
            yield renamed(name, TO_CLIP).replace(".q_proj.", ".in_proj_"), torch.cat(three)


def renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    """Apply rules one after the other."""
    for pattern, new in rules:
        name = re.sub(pattern, new, name)
    return name


def main() -> None:
    """Write the set that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--single-file", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_set(options.folder, tiny=options.tiny, single_file=options.single_file, seed=options.seed)


if __name__ == "__main__":
    main()
