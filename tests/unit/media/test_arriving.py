"""A sound that comes by a pipe is waited for, ends where it ends, and is silent afterwards."""

from __future__ import annotations

import io
import os
import struct
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from sonic_core.errors import MediaError, SonicError
from sonic_core.media.arriving import read_arriving, read_whole

RATE = 16000


def head(channels=1):
    """A WAV's head whose writer does not know how long it will be."""
    form = struct.pack("<IHHIIHH", 16, 1, channels, RATE, RATE * 2 * channels, 2 * channels, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + form + b"data\xff\xff\xff\xff"


def wave(count, channels=1):
    samples = (np.sin(np.arange(count) * 0.05) * 20000).astype("<i2")
    return np.repeat(samples[:, None], channels, 1).tobytes()


@contextmanager
def pipe():
    """Both ends, as files."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "wb", buffering=0) as goal:
        yield source, goal


def fed(goal, *parts):
    """Write into a pipe, which holds little, from a thread of its own."""
    thread = threading.Thread(target=lambda: [goal.write(part) for part in parts], daemon=True)
    thread.start()
    return thread


def test_what_has_come_is_there_though_the_talker_pauses():
    """FFmpeg waits for 64 KB of a WAV; of what follows it, no more than a fifth of a second may be held back."""
    sent = 114_588  # samples: with the head nearly seven times the 32 KB that FFmpeg would ask for by itself
    with pipe() as (source, goal), open(source.fileno(), "rb", closefd=False) as buffered:
        fed(goal, head(), wave(sent))
        audio = read_arriving(buffered, most=60)
        there = []
        asking = threading.Thread(target=lambda: there.append(audio.samples[:, : sent - RATE // 5]), daemon=True)
        asking.start()
        asking.join(10)
        came = len(there)
        goal.close()
        asking.join()
    assert came, "the samples are waited for although they have been sent"


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_samples_are_waited_for_and_silence_follows_the_end(channels):
    with pipe() as (source, goal):
        feeding = fed(goal, head(channels), wave(4 * RATE, channels))
        audio = read_arriving(source, most=10)
        expected = np.frombuffer(wave(RATE), "<i2") / np.float32(2**15)
        assert tuple(audio.samples.shape) == (min(channels, 2), 10 * RATE)
        got = audio.samples[:, 100:200]
        assert got.shape == (min(channels, 2), 100)
        if channels <= 2:
            assert np.allclose(got[0], expected[100:200], atol=1e-6)
        feeding.join()
        assert audio.ended is None
        later = []
        waiting = threading.Thread(target=lambda: later.append(audio.samples[:, 3 * RATE : 6 * RATE]))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive(), "what has not come is waited for"
        fed(goal, wave(RATE // 2, channels)).join()
        goal.close()
        waiting.join(30)
        assert audio.ended == 4.5
        assert later[0].shape == (min(channels, 2), 3 * RATE)
        assert not bool(later[0][:, 3 * RATE // 2 :].any())
        assert bool(later[0][:, RATE : 3 * RATE // 2].any())


def test_frames_end_with_the_sound():
    audio = read_arriving(io.BytesIO(head() + wave(RATE)), most=10)
    assert audio.samples[:, : 2 * RATE].shape == (1, 2 * RATE)  # its end has come
    chunks = (torch.zeros(7, 3, 2, 2) for _ in range(40))
    assert [len(chunk) for chunk in audio.until_end(chunks, 25.0)] == [7, 7, 7, 4]


def test_no_more_is_taken_than_was_asked_for():
    audio = read_arriving(io.BytesIO(head() + wave(3 * RATE)), most=2)
    assert bool(audio.samples[:, 2 * RATE - 5 :].any())
    assert (audio.ended, audio.duration) == (2.0, 2.0)


@pytest.mark.parametrize("content", [b"", b"only words and no sound at all " * 300, head()])
def test_what_is_no_sound_is_one_sentence(content):
    for read in (read_arriving, read_whole):
        with pytest.raises(SonicError) as failure:
            read(io.BytesIO(content))
        assert "\n" not in str(failure.value)


def test_a_whole_sound_is_read_to_its_end():
    assert read_whole(io.BytesIO(head() + wave(RATE))).duration == 1.0
    with pytest.raises(MediaError):
        read_whole(io.BytesIO(b""))
