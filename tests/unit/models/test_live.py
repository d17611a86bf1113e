"""A sound that is still coming is heard nearly as well as one that is whole, and answered while somebody speaks."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from itertools import chain, takewhile
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core.curves import spans
from sonic_core.media.audio import read_audio
from sonic_core.models.preview.live import _ACT, live_poses
from sonic_core.models.preview.posing import poses
from sonic_core.settings import Settings
from sonic_core.speech import Speech
from sonic_core.speech.live import AHEAD, STEP, WINDOW, listen
from sonic_core.types import Audio

ASSETS = Path(__file__).resolve().parents[3] / "assets"
FPS = Fraction(25)


class Coming:
    """Samples that nobody may ask for before they have come; silence follows their end."""

    def __init__(self, samples):
        self.samples, self.asked, self.shape = samples, 0, torch.Size((samples.shape[0], 10**9))

    def __getitem__(self, place):
        start, stop = place[1].start, place[1].stop
        self.asked = max(self.asked, stop)
        some = self.samples[:, start:stop]
        return torch.nn.functional.pad(some, (0, stop - start - some.shape[1]))


def coming(samples, rate):
    audio = Audio(samples, rate)
    object.__setattr__(audio, "samples", Coming(samples))
    return audio


def opening(audio, duration):
    """The mouth's opening at each frame, as it is known when the frame is settled."""
    heard = []
    for passage in takewhile(lambda one: one.start < duration - 1e-6, listen(audio)):
        frames = np.arange(round(passage.start * FPS), round(passage.settled * FPS))
        heard += passage.speech.motion.at(frames / float(FPS) - passage.begin).opening.tolist()
    return np.array(heard)


@pytest.fixture(scope="module")
def speech():
    audio = read_audio(ASSETS / "speech.wav")
    return Audio(audio.samples[:1], audio.rate)


def test_the_mouth_opens_as_if_the_whole_sound_were_known(speech):
    heard = opening(coming(speech.samples, speech.rate), speech.duration)
    whole = Speech.of(speech).motion.at(np.arange(len(heard)) / float(FPS)).opening
    assert np.corrcoef(heard, whole)[0, 1] > 0.95
    late = round(4 * FPS)
    assert np.corrcoef(heard[late:], whole[late:])[0, 1] > 0.98


def test_no_more_is_waited_for_than_the_look_ahead(speech):
    audio = coming(speech.samples, speech.rate)
    for passage, _ in zip(listen(audio), range(20), strict=False):
        assert audio.samples.asked == round((passage.settled + AHEAD) * speech.rate)
        assert passage.settled - passage.start == pytest.approx(STEP)


@pytest.mark.slow
def test_noise_after_speech_does_not_move_the_mouth(speech):
    generator = torch.Generator().manual_seed(0)
    room = torch.randn(1, round((speech.duration + 3 * WINDOW) * speech.rate), generator=generator) * 10 ** (-55 / 20)
    room[:, : speech.samples.shape[1]] += speech.samples
    heard = opening(coming(room, speech.rate), room.shape[1] / speech.rate)
    spoken, after = heard[: round(speech.duration * FPS)], heard[round((speech.duration + 1) * FPS) :]
    assert spoken.max() > 0.8
    assert after.max() < 0.1, "not even when the speech itself is long out of the window"


def test_silence_leaves_the_mouth_shut():
    assert np.abs(opening(coming(torch.zeros(2, 44100 * 3), 44100), 3.0)).max() == 0


def fields_of(speech, seconds, **options):
    """Tell each field of the poses, (frames,), and how many came at a time."""
    repeated = speech.samples.repeat(1, int(seconds // speech.duration) + 1)
    groups = list(live_poses(coming(repeated, speech.rate), Settings(**options), round(seconds * FPS), FPS, seed=3))
    rows = [asdict(pose) for pose in chain.from_iterable(groups)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}, [len(group) for group in groups]


def test_frames_come_five_at_a_time_and_end_where_they_should(speech):
    _, sizes = fields_of(speech, 2.12)
    assert sizes == [5] * 10 + [3]


@pytest.mark.slow
def test_the_head_never_jumps_not_even_from_one_act_to_the_next(speech):
    found, _ = fields_of(speech, _ACT + 4)
    seconds = len(found["yaw"]) / float(FPS)
    repeated = Audio(speech.samples.repeat(1, 4), speech.rate)
    whole = [asdict(pose) for pose in poses(Speech.of(repeated), Settings(), round(seconds * FPS), FPS, seed=3)]
    for name in ("yaw", "pitch", "roll"):
        assert found[name].std() > 0.5, "it lives"
        usual = np.abs(np.diff([row[name] for row in whole])).max()
        assert np.abs(np.diff(found[name])).max() < 1.6 * usual, f"{name} jumps"


def test_no_blink_is_taken_back_half_way(speech):
    lids = fields_of(speech, 12.0)[0]["blink"]
    depths = [lids[begin:end].max() for begin, end in spans(lids > 0.05)]
    assert len(depths) >= 3
    assert min(depths[:-1]) > 0.9, "the last may not have ended"


def test_only_the_mouth_moves_at_motion_scale_0(speech):
    found, _ = fields_of(speech, 3.0, motion_scale=0.0)
    still = [name for name, values in found.items() if not values.any()]
    assert {"yaw", "pitch", "roll", "blink", "brows", "gaze_x"} <= set(still)
    assert found["gap"].max() > 0.1


@pytest.mark.parametrize("fps", [Fraction(24), Fraction(30000, 1001)])
def test_every_frame_rate_has_all_its_frames(speech, fps):
    groups = live_poses(coming(speech.samples, speech.rate), Settings(), 40, fps, seed=0)
    assert sum(len(group) for group in groups) == 40
