"""A frame's audio features are those of the whole sound, however the sound comes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from sonic_core.media.mixing import resample
from sonic_core.models.base.audio_features import (
    BLOCK_SAMPLES,
    CONTEXT_ROWS,
    TOKEN_ROWS,
    arriving_states,
    encoder_blocks,
    encoder_length,
    frame_contexts,
    hidden_states,
    log_mel,
)
from sonic_core.models.base.conditions import count_frames
from sonic_core.types import Audio


def around(states, frame, before, count):
    """Cut ``count`` rows from 4·frame on out of the whole sound with ``before`` zero rows before it."""
    padded = functional.pad(states, (0, 0, 0, 0, before, count))
    return padded[4 * frame : 4 * frame + count]


@pytest.mark.parametrize("positions", [1, 3, 4, 24, 26, 49, 50, 51, 100, 1500, 1501, 1523, 1524, 3017])
@pytest.mark.parametrize("block", [1500, 7, 4000])
def test_contexts_are_those_of_the_whole(positions, block):
    if block == 7 and positions > 200:
        positions = positions % 200 + 60
    states = torch.randn(positions, 2, 3, generator=torch.Generator().manual_seed(positions))
    for frames in {max(1, positions // 4), -(-positions // 4)}:
        parts = list(frame_contexts(iter(states.split(block)), frames))
        got = torch.cat(parts)
        assert got.shape == (frames, CONTEXT_ROWS, 2, 3)
        for frame in range(frames):
            assert torch.equal(got[frame], around(states, frame, 24, 50))  # buckets, SPEC §3
            assert torch.equal(got[frame, TOKEN_ROWS], around(states, frame, 4, 10))  # tokens


def test_little_is_held_at_once():
    def blocks():
        for _ in range(40):
            yield torch.zeros(100, 1, 1)

    sizes = [part.untyped_storage().nbytes() // 4 for part in frame_contexts(blocks(), 1000)]
    assert max(sizes) < 100 + 2 * CONTEXT_ROWS


@pytest.mark.parametrize(
    ("samples", "published", "own"),
    [(48000, (37, 150), (38, 152)), (32000, (25, 100), (25, 100)), (600, (1, 0), (1, 4)), (1281, (1, 4), (2, 8))],
)
def test_frames_are_counted(samples, published, own):
    assert count_frames(samples, published=True) == published
    assert count_frames(samples, published=False) == own


class Encoder(torch.nn.Module):
    """Sums up loudness per position, in the encoder's form."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.spectrograms = []

    def forward(self, mel, *, output_hidden_states):
        assert output_hidden_states
        assert mel.shape == (1, 80, 3000)
        self.spectrograms.append(mel)
        states = mel.mean(1).unflatten(1, (1500, 2)).mean(2)[..., None]
        return type("Output", (), {"hidden_states": (states, states * 2)})


def test_a_long_sound_is_encoded_in_blocks():
    moments = torch.arange(BLOCK_SAMPLES * 2 + 16000) / 16000
    samples = torch.sin(moments * 2000) * (moments / 61)
    encoder = Encoder()
    parts = list(hidden_states(encoder, iter(samples.split(BLOCK_SAMPLES)), 3050))
    assert [len(part) for part in parts] == [1500, 1500, 50]
    assert all(part.shape[1:] == (2, 1) for part in parts)
    for number, mel in enumerate(encoder.spectrograms):
        begin = number * BLOCK_SAMPLES
        assert torch.equal(mel, log_mel(samples[begin : begin + BLOCK_SAMPLES]))


def test_positions_after_the_sound_are_silence():
    (part,) = hidden_states(Encoder(), iter([torch.sin(torch.arange(1000) / 8)]), 8)
    assert len(part) == 8
    assert bool(part.isfinite().all())


@pytest.mark.parametrize(
    ("rate", "channels", "seconds"), [(48000, 2, 1), (44100, 1, 61.3), (16000, 2, 95), (16000, 1, 30)]
)
def test_any_sound_becomes_mono_at_16_khz_block_by_block(rate, channels, seconds):
    moments = torch.arange(round(seconds * rate)) / rate
    audio = Audio(torch.stack([torch.sin(moments * 900), torch.sin(moments * 300)])[:channels], rate)
    whole = resample(audio, 16000, channels=1).samples[0]
    blocks = list(encoder_blocks(audio))
    assert torch.equal(torch.cat(blocks), whole)
    assert encoder_length(audio) == len(whole) == round(seconds * 16000)
    assert all(len(block) == BLOCK_SAMPLES for block in blocks[:-1])
    assert len(blocks[-1]) < BLOCK_SAMPLES


@pytest.mark.parametrize("part", [800, 3211, 16000, 700_000])
def test_a_sound_that_is_still_coming_is_encoded_as_the_whole(part):
    """With an encoder that hears each moment by itself the states are the same, however the sound comes."""
    samples = torch.sin(torch.arange(BLOCK_SAMPLES + 80_000) * 0.4)
    count = len(samples) // 320 - 20
    whole = torch.cat(list(hidden_states(Encoder(), iter(samples.split(BLOCK_SAMPLES)), count)))
    asked = []

    def parts():
        for one in samples.split(part):
            asked.append(len(one))
            yield one

    reader = arriving_states(Encoder(), parts(), count)
    first = next(reader)
    assert sum(asked) < 16000 + part, "the first positions come before a second has"
    got = torch.cat([first, *reader])
    assert got.shape == whole.shape
    torch.testing.assert_close(got, whole, rtol=1e-3, atol=1e-3)
