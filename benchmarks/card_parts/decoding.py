"""The decoder, the interpolator and the tiny VAE: seconds a frame and memory."""

from __future__ import annotations

from typing import Any

import torch

from sonic_core.models.base.networks import empty_vae
from sonic_core.models.base.tiny_vae import decode_tiny, empty_tiny_vae
from sonic_core.models.base.unet.acceleration import accelerate_decoder
from sonic_core.models.base.unet.fused import card_kernels
from sonic_core.models.base.unet.lean import make_lean
from sonic_core.models.base.vae import PUBLISHED_CHUNK, decode_chunk

from .bench import Bench, relative, size_of
from .networks import fill, interpolator

DECODER_OPERATIONS = 3.04e12
"""Operations of one decoded frame of 512², counted as ``benchmarks/unet.py`` counts the UNet's."""


def decoder(bench: Bench, side: int) -> dict[str, Any]:
    """Decode a chunk in half precision, with kernels of our own and without, and in float32."""
    frames = 2 if bench.rehearse else PUBLISHED_CHUNK
    latents = torch.randn(frames, 4, side // 8, side // 8, generator=torch.Generator().manual_seed(side))
    fuses = not isinstance(card_kernels(bench.device), str)
    forms = [(torch.float16, False), *([(torch.float16, True)] if fuses else [])] if bench.card else []
    found: dict[str, Any] = {"pixels": side, "chunk": frames}
    pictures: list[torch.Tensor] = []
    for dtype, fused in [*forms, (torch.float32, False)]:
        vae = fill(empty_vae(bench.config), bench.device, torch.float32)
        vae.decoder.to(dtype)
        make_lean(vae)
        accelerate_decoder(vae, fused=fused)
        peak = bench.peak()
        seconds = bench.seconds(lambda vae=vae: pictures.append(decode_chunk(vae, latents))) / frames
        most, name = peak.stop(), str(dtype).removeprefix("torch.") + (" fused" if fused else "")
        stayed = next(vae.decoder.parameters()).dtype == dtype
        share = DECODER_OPERATIONS * (side / 512) ** 2 / seconds / bench.rate
        found[name] = {"seconds": seconds, "gigabytes": most / 1e9, "stayed": stayed, "share": share}
        bench.say(
            f"decoder {side}² {name}: {seconds:.4f} s a frame in chunks of {frames}, {most / 1e9:.2f} GB beside "
            f"{size_of(vae.decoder) / 1e9:.2f} GB of weights"
            + ("" if bench.rehearse else f", {share:.1%} of the matrix rate")
            + ("" if stayed else "; it overflowed and went on in float32")
        )
    found["difference"] = relative(pictures[0], pictures[-1])
    return found


def between(bench: Bench, side: int) -> dict[str, Any]:
    """Draw frames between frames."""
    network = interpolator(bench.device)
    one, other = (torch.rand(1, 3, side, side, device=bench.device) for _ in range(2))
    peak = bench.peak()
    with torch.inference_mode():
        seconds = bench.seconds(lambda: network(one, other))
    most = peak.stop()
    bench.say(f"interpolator {side}²: {seconds:.4f} s a frame drawn, {most / 1e9:.2f} GB")
    return {"pixels": side, "seconds": seconds, "gigabytes": most / 1e9}


def tiny_decoder(bench: Bench, side: int) -> dict[str, Any]:
    """Decode a chunk by the tiny decoder."""
    frames = 2 if bench.rehearse else PUBLISHED_CHUNK
    latents = torch.randn(frames, 4, side // 8, side // 8, generator=torch.Generator().manual_seed(side))
    network = fill(empty_tiny_vae(), bench.device, bench.dtype)
    peak = bench.peak()
    with torch.inference_mode():
        seconds = bench.seconds(lambda: decode_tiny(network, latents)) / frames
    most = peak.stop()
    bench.say(f"tiny decoder {side}²: {seconds:.4f} s a frame in chunks of {frames}, {most / 1e9:.2f} GB")
    return {"pixels": side, "chunk": frames, "seconds": seconds, "gigabytes": most / 1e9}
