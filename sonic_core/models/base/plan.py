"""How much is computed at once: estimated from the free memory before the first step, halved when that was too much."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from .config import LATENT_SIDE, BaseConfig
from .unet.passes import DECODER_PIECE
from .unet.residual import WHOLE
from .vae import PUBLISHED_CHUNK

BRANCHES = 3
"""Branches of a guided prediction: unconditional, image, image and audio."""
MOST_WINDOWS = 4
"""Windows that pass through the UNet together at most; more keep no card busier."""
BUSY = 1 << 17
"""Latent pixels, over all frames and branches, that keep a card busy; windows are batched only below that."""
LEAST_PIECE = 1 << 8
"""Pixels of a piece below which nothing is saved."""
LEAST_CUT = 1 << 14
"""Pixels of a convolution piece below which nothing is saved: no card holds so little at a size worth making."""
MOST_PIECE = 1 << 17
"""Pixels of a piece above which little is gained: fewer kernels, none of them faster."""
HOST_PIECE = 1 << 12
"""Pixels of a piece on a processor, whose caches are small."""
SPARE = 0.9
"""Share of the free memory that is planned with."""
CONVOLVED_MAPS = 9.1
"""Feature maps of the first level's size and width that are alive per branch while the UNet's last block convolves
whole. This number and the next four: ``python benchmarks/unet.py --count``."""
CUT_MAPS = 6.0
"""Those that are alive per branch while it convolves in pieces."""
CUT_PIECE_MAPS = 7.0
"""Those that such a piece takes, at its own size; its maps are ``JOINED`` times as wide, so it holds fewer pixels."""
JOINED = 3
"""How many times as wide as the first level the widest maps of its size are: what comes up, joined with a skip."""
WAITING_MAPS = 5.2
"""Those that are alive per branch while its last block attends."""
PIECE_MAPS = 17.0
"""Those that the piece that attends takes, at its own size."""
DECODER_MAPS = 2.6
"""Feature maps of full size and the decoder's second width that are alive at its peak, per frame, where a layer takes
all frames at once. This number and the next two: ``python benchmarks/unet.py --count``."""
CUT_DECODER_MAPS = 1.125
"""Those per frame where it takes the frames in pieces."""
DECODER_PIECE_MAPS = 4.5
"""Those that such a piece takes, at its own size."""
FUSED_DECODER_MAPS = 2.0
"""Those that are alive per frame where the decoder's blocks are fused and mix frames: what goes in, what comes out,
and two between. 3.5 were measured on a card while what had gone in was held too."""
FUSED_DECODER_PIXELS = 1.5
"""Those per frame, and those of a piece at its own size, where fused blocks convolve over pixels."""
MARGIN = 1.1
"""What allocators and convolutions take beside the maps, which ``benchmarks/unet.py`` counts."""
LEAST_FUSED = 4
"""Frames that must fit a fused decoder together: for fewer the lean one, which takes more of them, wastes less."""
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
    convolution_piece: int
    """Pixels, over all frames, that pass through a residual block together."""
    chunk: int
    """Frames that are decoded together."""
    cache_audio: bool
    """Cache the keys and values of the audio tokens of the whole clip on the device."""
    working: int
    """Bytes that the UNet is expected to take beside its weights."""
    decoding: int
    """Bytes that the decoder is expected to take beside its weights."""
    fused_decoder: bool = False
    """Whether the decoder's blocks are fused."""

    def __str__(self) -> str:
        kept = "kept" if self.cache_audio else "made anew per window"
        cut = "" if self.convolution_piece >= WHOLE else f", convolved in pieces of {self.convolution_piece}"
        return (
            f"{self.rows} of {BRANCHES * self.windows} branches at once in pieces of {self.piece} pixels{cut} "
            f"({self.working / 1e9:.2f} GB beside the weights), the sound's keys {kept}, {self.chunk} frames decoded "
            f"at once ({self.decoding / 1e9:.2f} GB)"
        )


@dataclass(frozen=True)
class Workload:
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

    def unet_bytes(self, rows: int, piece: int, convolution_piece: int = WHOLE) -> int:
        """Estimate what one UNet call over ``rows`` branches takes beside its weights."""
        width = self.config.unet["block_out_channels"][0]
        frame = math.prod(self.latent_size)
        pixels = rows * self.window * frame
        maps = WAITING_MAPS * pixels + PIECE_MAPS * min(max(piece, frame), pixels)
        convolving = CONVOLVED_MAPS * pixels
        if convolution_piece < JOINED * pixels:
            convolving = min(convolving, CUT_MAPS * pixels + CUT_PIECE_MAPS * max(convolution_piece // JOINED, frame))
        return int(MARGIN * self.dtype.itemsize * width * max(convolving, maps))

    def decoder_bytes(self, chunk: int, *, fused: bool = False) -> int:
        """Estimate what decoding ``chunk`` frames takes beside the decoder's weights."""
        widths = self.config.vae["block_out_channels"]
        pixels = math.prod(self.latent_size) * LATENT_SIDE**2
        piece = max(DECODER_PIECE, pixels)
        if fused:
            convolving = FUSED_DECODER_PIXELS * (pixels * chunk + min(piece, pixels * chunk))
            maps = max(FUSED_DECODER_MAPS * pixels * chunk, convolving)
        else:
            maps = min(DECODER_MAPS * pixels * chunk, CUT_DECODER_MAPS * pixels * chunk + DECODER_PIECE_MAPS * piece)
        return int(MARGIN * self.dtype.itemsize * widths[min(1, len(widths) - 1)] * maps)

    def audio_cache_bytes(self) -> int:
        """Count what the cached keys and values of the audio tokens of all frames take."""
        widths, layers = self.config.unet["block_out_channels"], self.config.unet["layers_per_block"]
        per_level = 2 * layers + 1  # down and up
        channels = sum(per_level * width for width in widths[:-1]) + widths[-1]
        tokens = self.config.audio2token["context_tokens"]
        return 2 * 2 * channels * tokens * self.frames * self.dtype.itemsize


def make_plan(
    job: Workload,
    device: torch.device,
    free: int,
    unet_weight: int,
    decoder_weight: int,
    *,
    fused_decoder: bool = False,
) -> Plan:
    """Choose how much is computed at once.

    Args:
        job: The sizes.
        device: Where it is computed; on a processor small pieces are faster, for its caches.
        free: Bytes that can be had on the device when no network is on it; on a processor, beside them.
        unet_weight: Bytes of the UNet.
        decoder_weight: Bytes of the decoder.
        fused_decoder: Whether its blocks can be fused; they are where a chunk fits so.
    """
    host = device.type == "cpu"
    room = int(free * SPARE) - (0 if host else unet_weight)
    cached = job.audio_cache_bytes()
    cache_audio = cached <= free * KEPT_SHARE
    room -= cached if cache_audio else 0
    options = list(_options(job, host=host))
    rows, piece, cut = next((option for option in options if job.unet_bytes(*option) <= room), options[-1])
    room = int(free * SPARE) - (0 if host else decoder_weight)
    fused = fused_decoder and job.decoder_bytes(LEAST_FUSED, fused=True) <= room
    chunk = next((size for size in (8, 6, 4, 3, 2) if job.decoder_bytes(size, fused=fused) <= room), 1)
    return Plan(
        windows=max(1, rows // BRANCHES),
        rows=rows,
        piece=piece,
        convolution_piece=cut,
        chunk=min(chunk, PUBLISHED_CHUNK),
        cache_audio=cache_audio,
        working=job.unet_bytes(rows, piece, cut),
        decoding=job.decoder_bytes(chunk, fused=fused),
        fused_decoder=fused,
    )


def lighter(plan: Plan, job: Workload) -> Plan | None:
    """Lower what the UNet computes at once after memory ran out; None when nothing that is left to lower saves any."""
    if plan.rows > 1:
        following = replace(plan, rows=plan.rows // 2)
    elif plan.cache_audio:
        following = replace(plan, cache_audio=False)
    else:
        cuts = [
            replace(plan, piece=piece, convolution_piece=cut)
            for piece, cut in _cuts(plan.piece, plan.convolution_piece)
            if job.unet_bytes(1, piece, cut) < plan.working
        ]
        if not cuts:
            return None
        following = cuts[0]
    return replace(following, working=job.unet_bytes(following.rows, following.piece, following.convolution_piece))


def _options(job: Workload, *, host: bool) -> Iterator[tuple[int, int, int]]:
    """List rows, piece and convolution piece that are worth trying, each lighter than the one before."""
    least = math.inf
    for option in _all_options(job, host=host):
        if (taken := job.unet_bytes(*option)) < least:
            least = taken
            yield option


def _all_options(job: Workload, *, host: bool) -> Iterator[tuple[int, int, int]]:
    largest = HOST_PIECE if host else MOST_PIECE
    for rows in [BRANCHES] if host else job.batches():
        pixels = rows * job.window * math.prod(job.latent_size)
        if pixels > largest and not host:
            yield rows, pixels, WHOLE
        yield rows, largest, WHOLE
    for piece, cut in _cuts(largest, WHOLE):
        yield 1, piece, cut


def _cuts(piece: int, convolution_piece: int) -> Iterator[tuple[int, int]]:
    """List smaller and smaller pieces and convolution pieces, the present ones first."""
    while piece >= LEAST_PIECE:
        yield piece, convolution_piece
        if convolution_piece > max(piece, LEAST_CUT):
            convolution_piece = max(piece, LEAST_CUT)
            yield piece, convolution_piece
        piece //= 4
