"""From a sound to features of every frame: Whisper's hidden states around it.

The sound passes in blocks of 30 seconds, and no more than one block's hidden states are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch

from ...media.mixing import resample_blocks, resampled_length
from ...types import Audio
from .config import AUDIO_RATE, FRAME_SAMPLES

BLOCK_SAMPLES = 480_000
"""Samples that the audio encoder takes at a time: 30 seconds."""
POSITION_SAMPLES = 320
"""Samples of one position of the encoder's output."""
POSITIONS_PER_FRAME = FRAME_SAMPLES // POSITION_SAMPLES
"""Positions of one frame."""
ARRIVING_MARGIN = 10
"""Positions that have come beyond those that are taken of a sound that is still coming: 0.2 s."""
ARRIVING_POSITIONS = 25
"""Positions for which it is encoded anew: every half second."""
ARRIVING_BLOCK = 8000
"""Samples that are resampled at a time meanwhile."""
TICK_SAMPLES = 640
"""The release measures a sound in whole ticks of 1/25 s and drops the rest."""
CONTEXT_BEFORE, CONTEXT_ROWS = 24, 50
"""A frame's context: positions before its first one, and in all. Beyond the sound they are zero."""
TOKEN_ROWS = slice(20, 30)
"""The rows of the context that make a frame's tokens, of all states; its buckets are made of all rows of the last
state."""


def encoder_length(audio: Audio) -> int:
    """Count the samples that a sound has in the encoder's input format."""
    return resampled_length(audio, AUDIO_RATE)


def arriving_parts(audio: Audio) -> Iterator[torch.Tensor]:
    """Bring a sound that is still coming to the encoder's input format, in parts (n,) as soon as they are there."""
    for part in resample_blocks(audio, AUDIO_RATE, channels=1, block=ARRIVING_BLOCK):
        yield part[0]


def encoder_blocks(audio: Audio) -> Iterator[torch.Tensor]:
    """Bring a sound to the encoder's input format, block by block: (BLOCK_SAMPLES,) each, mono, 16 kHz.

    The last one is shorter, or empty; no more than two blocks are in memory.
    """
    waiting, held = [], 0
    for part in resample_blocks(audio, AUDIO_RATE, channels=1):
        waiting.append(part[0])
        held += len(part[0])
        while held >= BLOCK_SAMPLES:
            joined = torch.cat(waiting)
            yield joined[:BLOCK_SAMPLES]
            waiting, held = [joined[BLOCK_SAMPLES:]], held - BLOCK_SAMPLES
    yield torch.cat(waiting) if waiting else torch.zeros(0)


def log_mel(samples: torch.Tensor) -> torch.Tensor:
    """Compute Whisper's log-mel spectrogram of one block.

    Args:
        samples: (n,), n ≤ 480,000, 16 kHz; silence is appended to 30 seconds.

    Returns:
        (1, 80, 3000) float32.

    Source: Radford et al., arXiv 2212.04356; transformers' ``WhisperFeatureExtractor``.
    """
    features = _extractor()(samples.numpy(), sampling_rate=AUDIO_RATE, return_tensors="pt")
    return features.input_features.float()


def hidden_states(encoder: Any, blocks: Iterator[torch.Tensor], count: int) -> Iterator[torch.Tensor]:  # noqa: ANN401
    """Encode a sound block by block.

    Args:
        encoder: transformers' ``WhisperEncoder``, on whatever device.
        blocks: (BLOCK_SAMPLES,) each, as of ``encoder_blocks``; what is missing at the end is silence.
        count: Positions wanted in all.

    Yields:
        (positions, states, width) float32 on the CPU: what each position is after the embedding and every layer, the
        last one normalised.
    """
    per_block = BLOCK_SAMPLES // POSITION_SAMPLES
    weights = next(encoder.parameters())
    for first in range(0, count, per_block):
        mel = log_mel(next(blocks, torch.zeros(0)))
        with torch.inference_mode():
            states = encoder(mel.to(weights.device, weights.dtype), output_hidden_states=True).hidden_states
            block = torch.stack(states, 2)[0].float().cpu()
        yield block[: count - first]


def arriving_states(encoder: Any, parts: Iterator[torch.Tensor], count: int) -> Iterator[torch.Tensor]:  # noqa: ANN401
    """Encode a sound that is still coming: again and again the present 30 seconds, as far as they have come.

    The encoder looks both ways, so what it makes of a moment changes a little with what follows; here it has heard at
    least ``ARRIVING_MARGIN`` positions more.

    Args:
        encoder: transformers' ``WhisperEncoder``, on whatever device.
        parts: (n,) each, one after the other, at 16 kHz.
        count: Positions wanted in all.

    Yields:
        (positions, states, width) float32 on the CPU.
    """
    block, given, left = torch.zeros(0), 0, count

    def taken(ready: int) -> torch.Tensor:
        states = next(hidden_states(encoder, iter([block[:BLOCK_SAMPLES]]), ready))
        return states[given:][:left]

    for part in parts:
        block = torch.cat([block, part])
        while len(block) >= BLOCK_SAMPLES and left:
            made = taken(BLOCK_SAMPLES // POSITION_SAMPLES)
            yield made
            block, given, left = block[BLOCK_SAMPLES:], 0, left - len(made)
        ready = len(block) // POSITION_SAMPLES - ARRIVING_MARGIN
        if left and ready - given >= ARRIVING_POSITIONS:
            made = taken(ready)
            yield made
            given, left = ready, left - len(made)
        if not left:
            return
    yield taken(min(BLOCK_SAMPLES // POSITION_SAMPLES, given + left))


def frame_contexts(blocks: Iterator[torch.Tensor], frames: int) -> Iterator[torch.Tensor]:
    """Cut every frame's context out of a stream of positions.

    Frame i gets the rows [p·i, p·i + CONTEXT_ROWS) of the stream, p being POSITIONS_PER_FRAME, with CONTEXT_BEFORE zero
    rows before it and as many after it as are needed.

    Args:
        blocks: (positions, states, width) one after the other.
        frames: Frames in all.

    Yields:
        (n, CONTEXT_ROWS, states, width) of the next n frames, a view, until all are done.
    """
    waiting, done = None, 0
    for block in blocks:
        waiting = torch.cat([torch.zeros(CONTEXT_BEFORE, *block.shape[1:]) if waiting is None else waiting, block])
        ready = min((len(waiting) - CONTEXT_ROWS) // POSITIONS_PER_FRAME + 1, frames - done)
        if ready > 0:
            yield _rows(waiting, ready)
            waiting, done = waiting[ready * POSITIONS_PER_FRAME :], done + ready
    if done < frames and waiting is not None:
        missing = (frames - done - 1) * POSITIONS_PER_FRAME + CONTEXT_ROWS - len(waiting)
        rest = torch.cat([waiting, torch.zeros(max(missing, 0), *waiting.shape[1:])])
        yield _rows(rest, frames - done)


def _rows(positions: torch.Tensor, count: int) -> torch.Tensor:
    return positions.unfold(0, CONTEXT_ROWS, POSITIONS_PER_FRAME)[:count].movedim(-1, 1)


@cache
def _extractor() -> Any:  # noqa: ANN401
    from transformers import WhisperFeatureExtractor  # noqa: PLC0415 - takes seconds to import

    return WhisperFeatureExtractor()
