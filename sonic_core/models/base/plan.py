"""How much is computed at once: estimated from the free memory before the first step, halved when that was too much."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from .config import LATENT_SIDE, BaseConfig
from .vae import PUBLISHED_CHUNK

BRANCHES = 3
"""Branches of a guided prediction: unconditional, image, image and audio."""
MOST_WINDOWS = 4
"""Windows that pass through the UNet together at most; more keep no card busier."""
BUSY = 1 << 17
"""Latent pixels, over all frames and branches, that keep a card busy; windows are batched only below that."""
LEAST_PIECE = 1 << 10
"""Pixels of a piece below which nothing is saved."""
MOST_PIECE = 1 << 17
"""Pixels of a piece above which nothing is gained."""
HOST_PIECE = 1 << 12
"""Pixels of a piece on a processor, whose caches are small."""
SPARE = 0.9
"""Share of the free memory that is planned with."""
CONVOLVED_MAPS = 12
"""Feature maps of the first level's size and width that are alive per branch while the UNet's last block convolves."""
WAITING_MAPS = 8
"""Those that are alive per branch while its last block attends."""
PIECE_MAPS = 23
"""Those that the piece that attends takes, at its own size."""
DECODER_MAPS = 3.5
"""Feature maps of full size and the decoder's second width that are alive at its peak, per frame."""
MARGIN = 1.1
"""What allocators and convolutions take beside the maps, which ``benchmarks/unet.py`` counts."""
KEPT_SHARE = 0.05
"""Share of the free memory that a clip's keys and values may take."""


@dataclass(frozen=True)
class Plan:
    """What is computed at once."""

    windows: int
    """Windows that are denoised together."""
    rows: int
    """Branches, of all those windows, that pass through the UNet together."""
    piece: int
    """Pixels, over all frames, that pass through a transformer block together."""
    chunk: int
    """Frames that are decoded together."""
    cache_audio: bool
    """Cache the keys and values of the audio tokens of the whole clip on the device."""
    working: int
    """Bytes that the UNet is expected to take beside its weights."""
    decoding: int
    """Bytes that the decoder is expected to take beside its weights."""

    def __str__(self) -> str:
        kept = "kept" if self.cache_audio else "made anew per window"
        return (
            f"{self.rows} of {BRANCHES * self.windows} branches at once in pieces of {self.piece} pixels "
            f"({self.working / 1e9:.2f} GB beside the weights), the sound's keys {kept}, {self.chunk} frames decoded "
            f"at once ({self.decoding / 1e9:.2f} GB)"
        )


@dataclass(frozen=True)
class Job:
    """The sizes that memory depends on."""

    config: BaseConfig
    latent_size: tuple[int, int]
    """(h, w) of the latents."""
    frames: int
    """Frames of the clip."""
    window: int
    """Frames of a window."""
    overlap: int
    """Frames that windows share."""
    dtype: torch.dtype

    def batches(self) -> list[int]:
        """List how many rows are worth passing through the UNet together, the most first."""
        pixels = self.window * math.prod(self.latent_size) * BRANCHES
        windows = math.ceil(self.frames / (self.window - self.overlap))
        most = max(1, min(MOST_WINDOWS, windows, BUSY // pixels))
        return [BRANCHES * count for count in range(most, 0, -1)]

    def unet_bytes(self, rows: int, piece: int) -> int:
        """Estimate what one UNet call over ``rows`` branches takes beside its weights."""
        width = self.config.unet["block_out_channels"][0]
        pixels = self.window * math.prod(self.latent_size)
        attending = WAITING_MAPS * rows * pixels + PIECE_MAPS * min(piece, pixels)
        return int(MARGIN * self.dtype.itemsize * width * max(CONVOLVED_MAPS * rows * pixels, attending))

    def decoder_bytes(self, chunk: int) -> int:
        """Estimate what decoding ``chunk`` frames takes beside the decoder's weights."""
        widths = self.config.vae["block_out_channels"]
        pixels = math.prod(self.latent_size) * LATENT_SIDE**2
        return int(MARGIN * self.dtype.itemsize * pixels * chunk * widths[min(1, len(widths) - 1)] * DECODER_MAPS)

    def audio_cache_bytes(self) -> int:
        """Count what the cached keys and values of the audio tokens of all frames take."""
        widths, layers = self.config.unet["block_out_channels"], self.config.unet["layers_per_block"]
        per_level = 2 * layers + 1  # down and up
        channels = sum(per_level * width for width in widths[:-1]) + widths[-1]
        tokens = self.config.audio2token["context_tokens"]
        return 2 * 2 * channels * tokens * self.frames * self.dtype.itemsize


def make_plan(job: Job, device: torch.device, free: int, unet_weight: int, decoder_weight: int) -> Plan:
    """Choose how much is computed at once.

    Args:
        job: The sizes.
        device: Where it is computed; on a processor small pieces are faster, for its caches.
        free: Bytes that can be had on the device when no network is on it; on a processor, beside them.
        unet_weight: Bytes of the UNet.
        decoder_weight: Bytes of the decoder.
    """
    host = device.type == "cpu"
    room = int(free * SPARE) - (0 if host else unet_weight)
    cached = job.audio_cache_bytes()
    cache_audio = cached <= free * KEPT_SHARE
    room -= cached if cache_audio else 0
    largest = HOST_PIECE if host else MOST_PIECE
    options = [(rows, largest) for rows in (*([BRANCHES] if host else job.batches()), 1)]
    options += [(1, largest >> n) for n in range(2, 7, 2)]
    fitting = [option for option in options if job.unet_bytes(*option) <= room]
    rows, piece = fitting[0] if fitting else (1, LEAST_PIECE)
    room = int(free * SPARE) - (0 if host else decoder_weight)
    chunk = next((size for size in (8, 6, 4, 3, 2) if job.decoder_bytes(size) <= room), 1)
    return Plan(
        windows=max(1, rows // BRANCHES),
        rows=rows,
        piece=piece,
        chunk=min(chunk, PUBLISHED_CHUNK),
        cache_audio=cache_audio,
        working=job.unet_bytes(rows, piece),
        decoding=job.decoder_bytes(chunk),
    )


def lighter(plan: Plan, job: Job) -> Plan | None:
    """Lower what the UNet computes at once after memory ran out; None when there is nothing left to lower."""
    if plan.rows > 1:
        plan = replace(plan, rows=plan.rows // 2)
    elif plan.cache_audio:
        plan = replace(plan, cache_audio=False)
    elif plan.piece > LEAST_PIECE:
        plan = replace(plan, piece=max(LEAST_PIECE, plan.piece // 4))
    else:
        return None
    return replace(plan, working=job.unet_bytes(plan.rows, plan.piece))
