"""Sync-C and Sync-D: what SyncNet hears, where its face is cut out, and which shift fits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from sonic_core import Audio, Clip
from sonic_core.evaluate.scores.lipsync import SHIFTS, LipSyncMeter, LipSyncScorer, cut_face
from sonic_core.evaluate.scores.mfcc import BLOCK, SAMPLE_RATE, mfcc
from sonic_core.evaluate.scores.syncnet import COLUMNS, SIZE, WINDOW, SyncNet
from sonic_core.faces.geometry import average_face, face_box
from sonic_core.media.mixing import shift
from sonic_core.types import Landmarks

CPU = torch.device("cpu")
FRAMES = 70
LOUD = 3.0
"""How the logarithm of the sound's level follows the light of the face."""
TONE = (20.5, 26.039, 9.439, -7.569, -21.875, -29.197, -25.888, -15.189, -0.197, 12.476, 19.98, 19.129, 12.239)
"""The fourth column of a tone of 440 Hz at half of full scale, by python_speech_features 0.6."""


def test_a_tone_has_the_coefficients_that_published_scores_are_made_with():
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1600) / SAMPLE_RATE)
    found = mfcc(tone.astype(np.float32))
    assert found.shape == (9, 13)
    assert found[3] == pytest.approx(TONE, abs=2e-3)


@pytest.mark.parametrize(("count", "columns"), [(0, 1), (1, 1), (400, 1), (401, 2), (560, 2), (561, 3)])
def test_the_last_column_is_filled_up_with_silence(count, columns):
    assert mfcc(np.full(count, 0.1, np.float32)).shape == (columns, 13)
    assert np.isfinite(mfcc(np.zeros(count, np.float32))).all()


def test_blocks_leave_no_seam():
    sound = np.random.default_rng(0).normal(0, 0.1, (BLOCK + 50) * 160).astype(np.float32)
    whole, later = mfcc(sound), mfcc(sound[1000 * 160 :])
    assert np.abs(whole[1001 : 1000 + len(later)] - later[1:]).max() < 1e-4


def test_a_face_is_cut_out_as_published():
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[100:200, 150:230] = 255
    face = cut_face(picture, (150.0, 100.0, 230.0, 200.0))
    assert face.shape == (SIZE, SIZE, 3)
    rows, columns = (np.flatnonzero(face[..., 0].max(axis) > 127) for axis in (1, 0))
    scale = SIZE / 140  # 2.8 half sides of 50 pixels
    assert (rows[0], rows[-1] + 1) == pytest.approx((0, 100 * scale), abs=2)
    assert (columns[0], columns[-1] + 1) == pytest.approx((30 * scale, 110 * scale), abs=2)
    beyond = cut_face(picture, (0.0, 0.0, 80.0, 100.0))
    assert (beyond[:, 0] == 110).all(), "grey beyond the picture"


def face_at(picture):
    """A face that fills the middle of a picture."""
    height, width = picture.shape[:2]
    points = average_face() * width / 6 + (width / 2, height / 2, 0)
    return Landmarks(points.astype(np.float32), np.zeros((2, 5, 2), np.float32), 1.0)


def agreeing():
    """SyncNet, its first channels so that light of the face and level of the sound become one and the same number."""
    network = SyncNet(16).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.copy_(torch.full_like(value, float(name.endswith("weight") and value.dim() == 1)))
        for tower in (network.netcnnaud, network.netcnnlip):
            for layer in tower:
                if isinstance(layer, (torch.nn.Conv2d, torch.nn.Conv3d)):
                    middle = tuple(side // 2 for side in layer.kernel_size)
                    layer.weight[(0, 0, *middle)] = 1
        network.netcnnlip[0].weight[0] = 1 / network.netcnnlip[0].weight[0].numel()
        network.netcnnlip[18].weight[0, 0] = 1 / 36
        network.netcnnaud[0].weight[0, 0, :, :] = 0
        network.netcnnaud[0].weight[0, 0, 1, 1] = 1
        network.netcnnaud[18].weight[0, 0] = 0
        network.netcnnaud[18].weight[0, 0, 0] = 1 / 4
        for head in (network.netfcaud, network.netfclip):
            head[0].weight[0, 0] = head[3].weight[0, 0] = 1
    return network


@pytest.fixture(scope="module")
def talking():
    """A face whose light is as loud as its sound, three seconds of it."""
    stream = np.random.default_rng(1)
    fine = np.interp(np.arange(FRAMES * 8) / 8, np.arange(0, FRAMES + 2, 2), stream.uniform(0, 1, FRAMES // 2 + 1))
    light = fine.reshape(FRAMES, 8).mean(1)
    level = np.exp(LOUD * np.repeat(fine, 80)[: FRAMES * 640] - LOUD)
    sound = (0.2 * level * stream.normal(size=FRAMES * 640)).astype(np.float32)

    def read():
        for value in light:
            yield torch.full((1, 3, 96, 96), float(value))

    clip = Clip(read=read, length=FRAMES, fps=Fraction(25), size=(96, 96), audio=None)
    return replace(clip, audio=Audio(torch.from_numpy(sound), SAMPLE_RATE))


@pytest.fixture(scope="module")
def scorer(talking):
    """The agreeing network; level and light are brought to one scale by what both say of the clip in step."""
    network = agreeing()
    faces = torch.cat(list(talking.read()))[:, :, :1, :1].expand(-1, -1, SIZE, SIZE)[:25] * 255
    columns = mfcc(talking.audio.samples[0].numpy())
    heard = np.stack([columns[4 * i : 4 * i + COLUMNS] for i in range(25 - WINDOW + 1)])
    with torch.inference_mode():
        seen, loud = network.see(faces)[:, 0], network.hear(torch.from_numpy(heard))[:, 0]
    slope, base = np.polyfit(loud.numpy(), seen.numpy(), 1)
    with torch.no_grad():
        network.netfcaud[3].weight *= float(slope)
        network.netfcaud[3].bias[0] = float(base)
    return LipSyncScorer(network, CPU)


def watch(scorer, clip, landmarks=face_at):
    meter = LipSyncMeter(scorer, clip)
    for frame in clip.frames():
        picture = (frame.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        meter.see(picture, landmarks(picture), None)
    return meter


@pytest.mark.parametrize("late", [0, 3, -5])
def test_a_shifted_sound_fits_best_where_it_was_shifted_to(scorer, talking, late):
    meter = watch(scorer, replace(talking, audio=shift(talking.audio, late / 25)))
    apart, values = meter.distances(), meter.values()
    assert apart.shape == (2 * SHIFTS + 1,)
    assert int(apart.argmin()) - SHIFTS == late
    assert values["sync_d"] == apart.min()
    assert values["sync_c"] == pytest.approx(np.median(apart) - apart.min()) and values["sync_c"] > 0


def test_a_wrong_sound_is_less_sure_and_farther(scorer, talking):
    noise = np.random.default_rng(9).permutation(talking.audio.samples[0].numpy().reshape(-1, 2 * 640)).ravel()
    right = watch(scorer, talking).values()
    wrong = watch(scorer, replace(talking, audio=Audio(torch.from_numpy(noise), SAMPLE_RATE))).values()
    assert wrong["sync_c"] < right["sync_c"] / 2
    assert wrong["sync_d"] > 2 * right["sync_d"]


def test_other_frame_rates_are_read_at_25(scorer, talking):
    held = list(talking.frames())
    twice = [held[number // 2] for number in range(2 * len(held))]
    fast = replace(talking, read=lambda: (frame[None] for frame in twice), length=len(twice), fps=Fraction(50))
    once, again = watch(scorer, talking), watch(scorer, fast)
    assert again.distances() == pytest.approx(once.distances(), abs=0.5)
    assert again.points == once.points


def test_every_five_frames_are_seen_as_if_they_were_alone(scorer):
    faces = torch.rand(WINDOW + 2, 3, SIZE, SIZE) * 255
    with torch.inference_mode():
        together = scorer.network.see(faces)
        alone = [scorer.network.see(faces[first : first + WINDOW])[0] for first in range(3)]
    assert torch.stack(alone) == pytest.approx(together, rel=1e-3, abs=1e-3)


def test_a_face_that_is_lost_parts_the_video(scorer, talking):
    seen = iter(range(FRAMES))
    meter = watch(scorer, talking, lambda picture: face_at(picture) if next(seen) not in range(30, 50) else None)
    apart = meter.distances()
    lost = 20 - 2 * 6  # those with a face within six frames keep its place
    assert meter.points == FRAMES - WINDOW - lost - (WINDOW - 1)
    assert int(apart.argmin()) == SHIFTS


def test_what_is_silent_or_too_short_says_so(scorer, talking):
    silent = watch(scorer, replace(talking, audio=None)).values()
    assert silent == dict.fromkeys(("sync_c", "sync_d"), "the video has no sound")
    unseen = watch(scorer, talking, lambda picture: None).values()
    assert unseen["sync_c"] == "a face is seen and heard too shortly"


def test_the_box_of_a_mesh_is_where_a_face_is():
    picture = np.zeros((96, 96, 3), np.uint8)
    left, top, right, bottom = face_box(face_at(picture).points)
    assert 0 < left < right < 96 and 0 < top < bottom < 96
