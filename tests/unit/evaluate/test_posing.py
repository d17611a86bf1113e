"""A portrait is put into hard poses and looked at; while it holds a note its picture stays as steady as its mouth."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sonic_core import Settings, SonicWarning, read_audio
from sonic_core.evaluate.posing.holding import (
    HELD,
    PAUSE,
    PITCH,
    RATE,
    SPOKEN,
    compare_changes,
    hold_note,
    measure_held_note,
)
from sonic_core.evaluate.posing.sheets import (
    POSE,
    ROW_TILE,
    TOGETHER,
    WIDTH,
    draw_poses,
    liveliest,
    refused,
    strips,
    tile,
    title_poses,
    write_together,
)
from sonic_core.evaluate.posing.sitter import POSES, Sitter

ASSETS = Path(__file__).resolve().parents[3] / "assets"


@pytest.fixture(scope="module")
def voice():
    return read_audio(ASSETS / "speech.wav", duration=4.0)


@pytest.fixture(scope="module")
def sitter(voice):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SonicWarning)
        settings = Settings(min_resolution=160, motion_scale=0.0)
    return Sitter(ASSETS / "portrait.png", settings, hold_note(voice))


def test_the_note_is_an_open_a_between_two_silences(voice):
    note = hold_note(voice)
    assert note.rate == RATE and note.duration == pytest.approx(SPOKEN + HELD + 2 * PAUSE)
    samples = note.samples[0].numpy()
    begin, end = int((SPOKEN + PAUSE) * RATE), int((SPOKEN + PAUSE + HELD) * RATE)
    assert not samples[int(SPOKEN * RATE) : begin].any() and not samples[end:].any()
    spectrum = np.abs(np.fft.rfft(samples[begin : begin + RATE] * np.hanning(RATE)))
    strongest = int(spectrum[600:900].argmax()) + 600
    assert abs(strongest / PITCH - round(strongest / PITCH)) < 0.2, "an overtone of the note"
    assert spectrum[650:800].max() > 5 * spectrum[1500:2000].max()
    assert np.abs(samples[begin:end]).max() == pytest.approx(0.8 * np.abs(samples[:begin]).max(), rel=0.01)


def test_what_changes_with_the_mouth_and_what_changes_without_it_are_told_apart():
    opening = 0.5 + 0.1 * np.sin(np.arange(60) / 4)
    opening[30:] = opening[29]
    frames = torch.zeros(60, 3, 8, 8) + torch.from_numpy(opening).float()[:, None, None, None]
    steady = compare_changes(frames, opening)
    assert steady.change_with_opening == pytest.approx(1, abs=1e-3) and steady.opening == pytest.approx(opening.mean())
    still = np.abs(np.diff(opening))[np.abs(np.diff(opening)) < 0.005]
    assert steady.change_when_still == pytest.approx(255 * still.max(), abs=0.01)
    frames[45:] += 0.1
    assert compare_changes(frames, opening).change_when_still == pytest.approx(25.5, abs=0.1)
    assert np.isnan(compare_changes(frames[::2], np.arange(30) / 30).change_when_still), "it never rests"


def test_a_portrait_that_holds_a_note_keeps_still(sitter):
    held = measure_held_note(sitter)
    assert 0.5 < held.opening < 1
    assert held.change_with_opening > 0.9


def test_every_pose_is_drawn_and_is_no_other(sitter):
    drawn = {name: sitter.posed(asked) for name, asked in POSES.items()}
    assert {frame.shape for frame in drawn.values()} == {sitter.picture.shape}
    below = slice(int((sitter.eyes + sitter.mouth)[1] / 2), None)
    apart = {name: np.abs(frame.astype(int) - drawn["at rest"]).mean() for name, frame in drawn.items()}
    assert all(value > 0.05 for name, value in apart.items() if name != "at rest"), apart
    assert np.abs(drawn["open"].astype(int) - drawn["closed"])[below].mean() > 1
    row = draw_poses(sitter)
    assert row.shape == (ROW_TILE[1], len(POSES) * ROW_TILE[0], 3) and title_poses().shape[1] == row.shape[1]


def test_what_was_asked_of_a_clip_is_recorded(sitter):
    clip, poses = sitter.speak()
    short = clip.cut(0, 20)
    record = sitter.record(short, poses[:20])
    assert record["gap"] == pytest.approx(sitter.gaps(poses[:20])) and record["fps"] == float(clip.fps)
    assert len(record["blink"]) == 20
    changed = record["changed"]
    assert changed.shape == sitter.picture.shape[:2] and changed.dtype == np.uint8
    x, y = sitter.mouth.astype(int)
    assert changed[y - 5 : y + 5, x - 5 : x + 5].max() > 10
    assert changed[:8, :8].max() <= 3


def test_strips_show_poses_close_by_and_the_liveliest_frames_of_speech(sitter):
    drawn = strips(sitter)
    assert list(drawn) == ["poses", "mouths", "eyes", "spoken"]
    assert all(strip.shape[1:] == (WIDTH, 3) and (strip < 250).any() for strip in drawn.values())
    gaps = np.zeros(50)
    gaps[33] = 1
    assert liveliest(gaps) == 28


def test_beyond_the_picture_a_tile_is_white():
    picture = np.zeros((40, 40, 3), np.uint8)
    shown = tile(picture, np.array([0.0, 0.0]), 20.0, (10, 10))
    assert shown[:4, :4].min() == 255 and shown[-3:, -3:].max() == 0


def test_a_portrait_that_is_refused_has_its_place_on_the_sheets(tmp_path):
    row = refused(np.zeros((100, 300, 3), np.uint8), "there is no face in it")
    assert row["poses"].shape == (POSE[1], WIDTH, 3) and (row["poses"][100:122, 210:] < 128).any(), "and why is said"
    write_together("poses", [(f"p{number}", row["poses"]) for number in range(TOGETHER + 1)], tmp_path)
    heights = {path.name: cv2.imread(str(path)).shape[0] for path in sorted(tmp_path.iterdir())}
    one = POSE[1] + 22
    assert heights == {"poses_01.png": TOGETHER * one, "poses_02.png": one}
