"""The command that teaches sync says what is wrong in one sentence, and brings people's videos in step."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from sonic_core.cli.main import main
from sonic_core.clip import Clip
from sonic_core.learn.sync.people import gather, in_step, shifted
from sonic_core.learn.sync.pieces import MOVED, motion_of, moved_curves, piece_of, read_heard
from sonic_core.learn.sync.shapes import DrawnClip, fit_slopes
from sonic_core.media.mixing import shift
from sonic_core.speech import Speech
from sonic_core.speech.mel import measure_levels
from sonic_core.sync.network import sync_network
from sonic_core.types import Audio


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--steps", "0"), "steps must be between 1 and 1e+06, got 0."),
        (("--people-steps", "-3"), "Expected --people-steps to be 1 or more, got -3; choose a larger one."),
        (("--videos", "nowhere"), "Expected --videos to be a folder, got nowhere, which is none; check the name."),
        (("--sounds", "nowhere"), "Expected --sounds to be a folder, got nowhere, which is none; check the name."),
    ],
)
def test_what_is_not_possible_is_said_in_one_sentence(arguments, words, tmp_path, capsys):
    threads = torch.get_num_threads()
    assert main(["learn", "sync", "--folder", str(tmp_path), "--jobs", str(threads), *arguments]) == 2
    assert capsys.readouterr().err == f"sonic: {words}\n"
    assert not list(tmp_path.iterdir())


def test_a_piece_has_the_mouth_that_the_product_would_draw(talking):
    speech = Speech.of(talking.audio)
    slopes = np.eye(len(MOVED))
    piece = piece_of(speech.levels, speech.levels, slopes, "here")
    assert len(piece.clean) == 4 * piece.mouth.shape[1] - 3
    wanted = moved_curves(speech.motion, piece.mouth.shape[1], 25.0)
    assert np.allclose(piece.mouth, wanted, atol=0.02)
    assert np.allclose(motion_of(speech.levels).opening, speech.motion.opening, atol=0.02)


def test_sounds_of_ones_own_become_pieces(tmp_path, talking):

    path = tmp_path / "own.wav"
    write_wave(path, talking.audio)
    (piece,) = read_heard([path], np.eye(len(MOVED)))
    assert piece.source == "own.wav" and not piece.real


def write_wave(path, audio):
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.rate)
        file.writeframes((audio.samples[0].clamp(-1, 1) * 32767).short().numpy().tobytes())


def test_what_a_mesh_sees_of_a_motion_is_fitted():
    random = np.random.default_rng(0)
    meant = random.standard_normal((len(MOVED), 400)).cumsum(1) * 0.05
    truth = random.standard_normal((8, len(MOVED)))
    clips = [DrawnClip(meant, truth @ meant + 0.01 * random.standard_normal((8, 400)))]
    assert np.allclose(fit_slopes(clips), truth, atol=0.3)


@pytest.mark.parametrize("late", [-0.13, 0.0, 0.1])
def test_a_video_of_people_is_brought_in_step(talking, talking_mouth, late):
    moved = replace(talking, audio=shift(talking.audio, late))
    piece = in_step(moved, talking_mouth, sync_network(), "clip")
    assert piece.real and len(piece.clean) == 4 * piece.mouth.shape[1] - 3
    frames = int(np.ceil(max(0.0, -late) * 25 - 0.3))
    own = measure_levels(talking.audio).astype(float)
    begin = 4 * frames
    errors = {
        off: np.abs(piece.clean[200:500].astype(float) - own[begin + 200 + off : begin + 500 + off]).mean()
        for off in range(-3, 8)
    }
    assert abs(min(errors, key=errors.get)) <= 4


def test_videos_that_teach_nothing_are_left_out_with_a_reason(talking, talking_mouth, tmp_path, astronaut):
    network = sync_network()
    still = np.repeat(talking_mouth.signals[:, :1], talking.length, axis=1)
    backwards = replace(talking, audio=Audio(talking.audio.samples.flip(1), talking.audio.rate))
    short = replace(talking_mouth, signals=talking_mouth.signals[:, :50], seen=talking_mouth.seen[:50])
    reasons = {
        "without sound": (replace(talking, audio=None), talking_mouth),
        "that is too short": (talking, short),
        "that is cut": (talking, replace(talking_mouth, cuts=2)),
        "whose mouth hardly moves": (talking, replace(talking_mouth, signals=still)),
        "that may have another's sound": (backwards, talking_mouth),
        "that is too far out of step": (replace(talking, audio=shift(talking.audio, 0.39)), talking_mouth),
    }
    assert {reason: in_step(clip, motion, network, "") for reason, (clip, motion) in reasons.items()} == {
        reason: reason for reason in reasons
    }
    (tmp_path / "text.mp4").write_text("no video")
    frame = torch.full((1, 3, 64, 64), 0.5)
    grey = Clip(lambda: iter([frame] * 100), Fraction(25), 100, (64, 64), talking.audio)
    grey.export(tmp_path / "grey.mp4", sound="trimmed")
    replace(grey, audio=None).export(tmp_path / "silent.mp4")
    found = gather(sorted(tmp_path.iterdir()), network)
    assert found.dropped == {"without a face": 1, "without sound": 1, "that cannot be read": 1}
    assert str(found).startswith("0 videos of people are used, 3 left out (1 ")


def test_a_shift_keeps_what_both_have():
    curves = np.arange(100.0)[None]
    levels = (np.arange(400)[:, None] * np.ones(40)).astype(np.float16)
    for late in (0.0, 0.08, -0.08, -0.05):
        piece = shifted(curves, levels, late, "")
        assert len(piece.clean) == 4 * piece.mouth.shape[1] - 3
        assert piece.clean[0, 0] == pytest.approx(4 * piece.mouth[0, 0] + 100 * late, abs=0.6)
