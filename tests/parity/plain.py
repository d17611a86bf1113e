"""What SPEC-conform Sonic computes, written in the plainest way: whole arrays, float64, every repetition spelt out.

It shares with the engine the names and shapes of the networks, and nothing of how they are used: images pass through
Pillow, attention is a softmax over repeated tokens, all branches go through the stock UNet in one batch, windows are
added up in a sum and divided by a count, the VAE is the stock one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import (
    empty_audio2bucket,
    empty_audio2token,
    empty_clip,
    empty_unet,
    empty_vae,
    empty_whisper,
)
from tests.parity.kit import draw, draw_interpolator

CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass
class PlainConditioning:
    """The conditioning of all rows of the UNet's batch."""

    rows: int = 0
    """Branches."""
    image_tokens: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    """(rows · frames, 1, width)."""
    audio_tokens: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    """(rows · frames, tokens, width)."""
    mask: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    """(1, 1, H, W)."""
    latent_size: tuple[int, int] = (0, 0)

    def mask_at(self, pixels: int) -> torch.Tensor:
        """Resize the mask to the level that has so many pixels: (1, pixels, 1)."""
        height, width = self.latent_size
        while height * width > pixels:
            height, width = math.ceil(height / 2), math.ceil(width / 2)
        grid = functional.interpolate(self.mask.float(), (height, width), mode="bicubic").to(self.mask.dtype)
        return grid.reshape(1, pixels, 1)


class PlainAttention:
    """Attention to image and audio, tokens repeated for everybody who asks."""

    def __init__(self, processor: Any, conditioning: PlainConditioning) -> None:
        self.to_k_ip, self.to_v_ip = processor.to_k_ip[0], processor.to_v_ip[0]
        self.temporal, self.conditioning = processor.temporal, conditioning

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: Any = None, attention_mask: Any = None
    ) -> torch.Tensor:
        conditioning = self.conditioning
        image, audio = conditioning.image_tokens, conditioning.audio_tokens
        if self.temporal:
            pixels = len(hidden_states) // conditioning.rows
            image, audio = (
                tokens.unflatten(0, (conditioning.rows, -1)).mean(1).repeat_interleave(pixels, 0)
                for tokens in (image, audio)
            )
        queries = attn.to_q(hidden_states)
        image_part = softmax_attention(queries, attn.to_k(image), attn.to_v(image), attn.heads)
        audio_part = softmax_attention(queries, self.to_k_ip(audio), self.to_v_ip(audio), attn.heads)
        weight = 1.0 if self.temporal else conditioning.mask_at(hidden_states.shape[1])
        return attn.to_out[0](image_part + weight * audio_part)


def softmax_attention(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int) -> torch.Tensor:
    """Write out softmax(q kᵀ / √d) v for every head: (n, a, width)."""
    q, k, v = (tensor.unflatten(-1, (heads, -1)) for tensor in (queries, keys, values))
    scores = torch.einsum("nahd,nbhd->nhab", q, k) / math.sqrt(q.shape[-1])
    return torch.einsum("nhab,nbhd->nahd", scores.softmax(-1), v).flatten(2)


def plain_unet(config: BaseConfig, salt: str) -> tuple[Any, PlainConditioning]:
    """Build the stock UNet in float64 with plain attention, and the conditioning that its attention reads."""
    unet = draw(empty_unet(config, lean=False), salt, "unet").double()
    conditioning = PlainConditioning()
    for name, module in unet.named_modules():
        if name.endswith("attn2"):
            module.set_processor(PlainAttention(module.processor, conditioning))
    return unet, conditioning


def call_unet(
    unet: Any,
    conditioning: PlainConditioning,
    *,
    sample: torch.Tensor,
    image_tokens: torch.Tensor,
    audio_tokens: torch.Tensor,
    mask: torch.Tensor,
    ids: torch.Tensor,
    timestep: float,
) -> torch.Tensor:
    """Run all branches at once.

    Args:
        unet: The stock UNet with plain attention.
        conditioning: That of its attention.
        sample: (rows, frames, 8, h, w).
        image_tokens: (rows · frames, 1, width).
        audio_tokens: (rows · frames, tokens, width).
        mask: (1, 1, H, W).
        ids: (rows, 3), the added time ids.
        timestep: What the UNet is told about the noise.
    """
    conditioning.rows, conditioning.latent_size = len(sample), (sample.shape[3], sample.shape[4])
    conditioning.image_tokens, conditioning.audio_tokens, conditioning.mask = (
        image_tokens.double(),
        audio_tokens.double(),
        mask.double(),
    )
    unused = torch.zeros(len(sample), 1, 1, dtype=torch.float64)
    moment = torch.tensor(timestep, dtype=torch.float64)
    with torch.inference_mode():
        return unet(sample.double(), moment, unused, ids.double(), return_dict=False)[0]


def plain_case(index: dict[str, Any], case: dict[str, Any], given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a case from picture, sound and noise to frames, and keep every stage (float64 but where 8 bits are)."""
    config, salt = BaseConfig.of(index["config"]), index["salt"]
    made = image_features(config, salt, case, given["image"]) | audio_features(config, salt, given["waveform"])
    features = torch.from_numpy(made.pop("bucket_features"))
    bucket = draw(empty_audio2bucket(config), salt, "audio2bucket").double()
    with torch.inference_mode():
        buckets = bucket(features, torch.from_numpy(made["image_embeds"]))
    made["motion_buckets"] = buckets.reshape(-1, 1, 2, 1).numpy()
    low, high = (index["config"]["scheduler"][name] ** (1 / 7) for name in ("sigma_min", "sigma_max"))
    levels = [(high + step / max(1, case["steps"] - 1) * (low - high)) ** 7 for step in range(case["steps"])]
    made["sigmas"] = np.array([*levels, 0.0])
    made["timesteps"] = 0.25 * np.log(made["sigmas"][:-1])
    made["latents"] = denoised(config, salt, case, {**given, **made}).numpy()[None]
    made["frames"] = pixels_of(config, salt, case, torch.from_numpy(made["latents"][0])).numpy()[None]
    return made


def image_features(config: BaseConfig, salt: str, case: dict[str, Any], image: np.ndarray) -> dict[str, np.ndarray]:
    """Prepare the picture, its face mask, its embedding and its latents."""
    height, width = image.shape[:2]
    scale = case["image_size"] / min(height, width)
    size = (round(width * scale / 64) * 64, round(height * scale / 64) * 64)
    resized = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(resized, np.float64).transpose(2, 0, 1) / 255
    squashed = np.asarray(resized.resize((224, 224), Image.Resampling.LANCZOS), np.float64).transpose(2, 0, 1) / 255
    clip_img = (squashed - np.reshape(CLIP_MEAN, (3, 1, 1))) / np.reshape(CLIP_DEVIATION, (3, 1, 1))
    left, top, wide, tall = case["box"]
    mask = np.zeros((height, width), np.uint8)
    middle_x, middle_y = (2 * left + wide) // 2, (2 * top + tall) // 2
    half_x, half_y = int(wide * case["area"]) // 2, int(tall * case["area"]) // 2
    mask[max(0, middle_y - half_y) : middle_y + half_y, max(0, middle_x - half_x) : middle_x + half_x] = 255
    face_mask = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.LANCZOS), np.float64) / 255
    clip = draw(empty_clip(config), salt, "clip").double()
    vae = draw(empty_vae(config), salt, "vae").double()
    with torch.inference_mode():
        embeds = clip(torch.from_numpy(clip_img[None])).image_embeds
        latents = vae.encode(torch.from_numpy(pixels[None] * 2 - 1)).latent_dist.mode()
    return {
        "ref_img": pixels[None] * 2 - 1,
        "clip_img": clip_img[None],
        "face_mask": np.broadcast_to(face_mask, (1, 3, *face_mask.shape)),
        "image_embeds": embeds.numpy(),
        "ref_latents": latents.numpy(),
    }


def audio_features(config: BaseConfig, salt: str, waveform: np.ndarray) -> dict[str, np.ndarray]:
    """Encode a sound of less than 30 seconds, all at once."""
    from transformers import WhisperFeatureExtractor

    mel = WhisperFeatureExtractor()(waveform, sampling_rate=16000, return_tensors="pt").input_features
    encoder = draw(empty_whisper(config), salt, "whisper_encoder").double()
    network = draw(empty_audio2token(config), salt, "audio2token").double()
    ticks = len(waveform) // 640
    with torch.inference_mode():
        states = torch.stack(encoder(mel.double(), output_hidden_states=True).hidden_states, 2)[0, : 2 * ticks]
        tokens = network(rows_around(states, ticks // 2, before=4, after=6, count=10))
        nothing = network(torch.zeros(1, 10, *states.shape[1:], dtype=torch.float64))
    return {
        "audio_len": np.array(ticks),
        "mel_features_head": mel[:, :, :60].numpy(),
        "audio_tokens": tokens.numpy(),
        "uncond_audio_tokens": nothing[0].numpy(),
        "bucket_features": rows_around(states[:, -1:], ticks // 2, before=24, after=26, count=50).numpy(),
    }


def rows_around(states: torch.Tensor, frames: int, *, before: int, after: int, count: int) -> torch.Tensor:
    """Pad a whole sound's states with zeros and cut ``count`` rows every 4: (frames, count, states, width)."""
    padded = functional.pad(states, (0, 0, 0, 0, before, after))
    return torch.stack([padded[4 * frame : 4 * frame + count] for frame in range(frames)])


def denoised(config: BaseConfig, salt: str, case: dict[str, Any], known: dict[str, np.ndarray]) -> torch.Tensor:
    """Denoise with the whole clip in hand: (frames, 4, h, w)."""
    unet, conditioning = plain_unet(config, salt)
    know = {name: torch.from_numpy(np.array(values)).double() for name, values in known.items()}
    latents = 0.18215 * know["ref_latents"] + know["initial_noise"][0] * known["sigmas"][0]
    frames = len(latents)
    buckets = know["motion_buckets"].reshape(frames, 2) * case["dynamic_scale"]
    shifted = 0
    for sigma, following in zip(known["sigmas"][:-1].tolist(), known["sigmas"][1:].tolist(), strict=True):
        total, count = torch.zeros_like(latents), torch.zeros(frames, 1, 1, 1, dtype=torch.float64)
        for start in range(0, frames, case["window"] - case["overlap"]):
            numbers = [(start - shifted + place) % frames for place in range(case["window"])]
            window = latents[numbers]
            ids = torch.tensor([12.5, *buckets[numbers].mean(0).tolist()], dtype=torch.float64).expand(3, 3)
            velocity = guided(unet, conditioning, case, know, numbers=numbers, window=window, sigma=sigma, ids=ids)
            clean = window / (sigma**2 + 1) - velocity * sigma / math.sqrt(sigma**2 + 1)
            stepped = window + (following - sigma) * (window - clean) / sigma
            for number, result in zip(numbers, stepped, strict=True):
                total[number] += result
                count[number] += 1
        latents = total / count
        shifted += case["shift"]
    return latents


def guided(
    unet: Any, conditioning: PlainConditioning, case: dict[str, Any], know: dict[str, torch.Tensor], *,
    numbers: list[int], window: torch.Tensor, sigma: float, ids: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Predict a window's velocity from three branches in one batch."""
    length = len(numbers)
    embedding, silence = know["image_embeds"], know["uncond_audio_tokens"]
    pictures = torch.stack([torch.zeros_like(know["ref_latents"]), know["ref_latents"], know["ref_latents"]])
    scaled = (window / math.sqrt(sigma**2 + 1)).expand(3, -1, -1, -1, -1)
    unconditional = silence.expand(length, -1, -1)
    nothing, something, all_ = call_unet(
        unet,
        conditioning,
        sample=torch.cat([scaled, pictures.expand(-1, length, -1, -1, -1)], 2),
        image_tokens=torch.stack([torch.zeros_like(embedding), embedding, embedding]).repeat_interleave(length, 0),
        audio_tokens=torch.cat([unconditional, unconditional, know["audio_tokens"][numbers]]),
        mask=know["face_mask"][:, :1],
        ids=ids,
        timestep=0.25 * math.log(sigma),
    )
    pull, push = case["appearance_guidance"], case["audio_guidance"]
    return nothing + pull * (something - nothing) + push * (all_ - something)


def pixels_of(config: BaseConfig, salt: str, case: dict[str, Any], latents: torch.Tensor) -> torch.Tensor:
    """Decode chunk by chunk, nothing shared: (3, frames, 8h, 8w) in [0, 1]."""
    vae = draw(empty_vae(config), salt, "vae").double()
    with torch.inference_mode():
        chunks = [
            vae.decode(part / 0.18215, num_frames=len(part)).sample for part in latents.split(case["decode_chunk"])
        ]
    return (torch.cat(chunks) / 2 + 0.5).clamp(0, 1).transpose(0, 1)


def plain_middle(salt: str, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Draw the frame between two, block by block, each block run once for either order: (1, 3, h, w)."""
    network = draw_interpolator(salt).double()
    size = first.shape[2:]
    flow, mask = first.new_zeros(1, 4, *size), first.new_zeros(1, 1, *size)
    warped = [first, second]
    with torch.inference_mode():
        for block, scale in ((network.block0, 4), (network.block1, 2), (network.block2, 1)):
            forth, hide = once(block, scale, warped, mask, flow)
            back, show = once(block, scale, warped[::-1], -mask, flow[:, [2, 3, 0, 1]])
            flow = flow + (forth + back[:, [2, 3, 0, 1]]) / 2
            mask = mask + (hide - show) / 2
            warped = [moved(first, flow[:, :2]), moved(second, flow[:, 2:])]
        share = 1 / (1 + torch.exp(-mask))
        return share * warped[0] + (1 - share) * warped[1]


def once(
    block: nn.Module, scale: int, frames: list[torch.Tensor], mask: torch.Tensor, flow: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a block on shrunk inputs: its flow (1, 4, h, w) and mask (1, 1, h, w), grown back."""
    size = mask.shape[2:]
    small = [side // scale for side in size]
    state = functional.interpolate(torch.cat([*frames, mask, flow / scale], 1), small, mode="bilinear")
    hidden = block.conv0(state)
    for name in ("convblock0", "convblock1", "convblock2", "convblock3"):
        hidden = getattr(block, name)(hidden) + hidden
    return (
        functional.interpolate(block.conv1(hidden), size, mode="bilinear") * scale,
        functional.interpolate(block.conv2(hidden), size, mode="bilinear"),
    )


def moved(frame: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Take every pixel from where the flow, in pixels, points."""
    height, width = frame.shape[2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x = (columns + flow[:, 0]) / ((width - 1) / 2) - 1
    y = (rows + flow[:, 1]) / ((height - 1) / 2) - 1
    return functional.grid_sample(frame, torch.stack([x, y], -1), padding_mode="border", align_corners=True)
