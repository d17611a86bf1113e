"""Gestures follow the voice, live in its pauses, never repeat and never jump."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from sonic_core.curves import CURVE_RATE
from sonic_core.models.preview.gaze import CAMERA
from sonic_core.models.preview.gestures import Gestures, gesture_curves
from sonic_core.models.preview.nodding import PITCH, ROLL, SWAY, YAW, breath_curve
from sonic_core.speech.prosody import Prosody

NAMES = [field.name for field in fields(Gestures)]
HEAD = ("yaw", "pitch", "roll")


def voice(seconds: float, seed: int = 0) -> Prosody:
    """Phrases of 1.5 to 4 s with pauses of 0.4 to 1 s; syllables about four times a second, not all as loud or high."""
    stream = np.random.default_rng(seed)
    speaking, loudness, tone = [np.zeros(CURVE_RATE // 2)], [np.zeros(CURVE_RATE // 2)], [np.zeros(CURVE_RATE // 2)]
    while sum(map(len, speaking)) < seconds * CURVE_RATE:
        spoken, pause = int(stream.uniform(1.5, 4) * CURVE_RATE), int(stream.uniform(0.4, 1) * CURVE_RATE)
        time = np.arange(spoken) / CURVE_RATE
        stress = np.interp(time, np.arange(0, 5, 0.25), stream.uniform(0.3, 1, 20))
        speaking.append(np.repeat([1.0, 0.0], [spoken, pause]))
        loudness.append(np.concatenate([stress * np.abs(np.sin(2 * np.pi * 2 * time)), np.zeros(pause)]))
        melody = np.interp(time, np.arange(0, 5, 0.4), stream.uniform(-3, 4, 13))
        tone.append(np.concatenate([melody * np.hanning(spoken), np.zeros(pause)]))
    count = int(seconds * CURVE_RATE)
    return Prosody(*(np.concatenate(one)[:count] for one in (speaking, loudness, tone)))


def pause(seconds: float) -> Prosody:
    nothing = np.zeros(int(seconds * CURVE_RATE))
    return Prosody(nothing, nothing, nothing)


def beginning(prosody: Prosody, seconds: float) -> Prosody:
    count = int(seconds * CURVE_RATE)
    return Prosody(prosody.speaking[:count], prosody.loudness[:count], prosody.tone[:count])


def curves(gestures: Gestures) -> dict[str, np.ndarray]:
    return {name: getattr(gestures, name) for name in NAMES}


def frames(gestures: Gestures, fps: float = 25, end: float = 599) -> Gestures:
    return gestures.at(np.arange(0, end, 1 / fps))


def speeds(gestures: Gestures, name: str) -> np.ndarray:
    """Degrees a second from frame to frame at 25 a second."""
    return np.abs(np.diff(getattr(frames(gestures), name))) * 25


@pytest.fixture(scope="module")
def spoken() -> Prosody:
    return voice(600)


@pytest.fixture(scope="module")
def ten_minutes(spoken) -> Gestures:
    return gesture_curves(spoken, 1)


@pytest.fixture(scope="module")
def listening() -> Gestures:
    return gesture_curves(pause(600), 1)


def blink_moments(gestures: Gestures) -> np.ndarray:
    """Seconds at which the eyes close beyond the half."""
    return np.flatnonzero((gestures.blink[1:] >= 0.5) & (gestures.blink[:-1] < 0.5)) / CURVE_RATE


def shifts(gestures: Gestures, least: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Seconds at which the eyes jump, and by how many degrees."""
    way = np.stack([gestures.gaze_x, gestures.gaze_y])
    moving = np.hypot(*np.diff(way)) > 0.02
    edges = np.flatnonzero(np.diff(moving.astype(int), prepend=0, append=0))
    size = np.array([np.hypot(*(way[:, end] - way[:, begin])) for begin, end in edges.reshape(-1, 2)])
    return edges[::2][size > least] / CURVE_RATE, size[size > least]


def test_every_curve_has_the_sounds_length_and_the_first_frame_is_the_portrait_itself():
    for count in (0, 1, 2, 7, 500):
        ones = np.ones(count)
        for curve in curves(gesture_curves(Prosody(ones, ones, ones), 3)).values():
            assert len(curve) == max(count, 2)
            assert curve.dtype == np.float32
            assert curve[0] == 0


@pytest.mark.parametrize("seed", range(6))
def test_the_head_is_on_its_way_within_six_tenths_of_a_second(seed):
    for prosody in (voice(5, seed), pause(5)):
        gestures = gesture_curves(prosody, seed)
        assert (
            max(np.abs(np.diff(getattr(gestures, name)[: int(0.6 * CURVE_RATE)])).max() for name in HEAD) * CURVE_RATE
            > 1.0
        )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["talking", "listening", "monologue"])
def test_people_blink_ten_to_thirty_times_a_minute(seed, kind):
    ones = np.ones(600 * CURVE_RATE)
    prosody = {"talking": voice(600, seed), "listening": pause(600), "monologue": Prosody(ones, ones, 0 * ones)}[kind]
    moments = blink_moments(gesture_curves(prosody, seed))
    assert 100 <= len(moments) <= 300
    assert moments[0] > 0.5
    intervals = np.diff(moments)
    assert intervals.std() > 0.35 * intervals.mean()


def test_blinks_prefer_the_ends_of_phrases_and_large_shifts_of_the_gaze(ten_minutes, spoken):
    moments = blink_moments(ten_minutes)
    jumps, size = shifts(ten_minutes)
    for places in (np.flatnonzero(np.diff(spoken.speaking) < 0) / CURVE_RATE, jumps[size > 4]):
        near = np.abs(moments[:, None] - places[None]).min(1) < 0.2
        assert near.mean() > 1.4 * min(1.0, len(places) * 0.4 / 600)


@pytest.mark.parametrize("late", [0.0, 0.01, 0.02, 0.03])
def test_in_every_blink_a_frame_sees_the_eye_shut_after_two_or_three_and_five_to_seven_frames_open_it(
    ten_minutes, late
):
    lids = ten_minutes.at(np.arange(0, 599, 0.04) + late).blink
    edges = np.flatnonzero(np.diff((lids > 0.02).astype(int), prepend=0, append=0)).reshape(-1, 2)
    assert len(edges) > 80
    for begin, end in edges:
        assert lids[begin:end].max() > 0.97
        if end - begin < 13:  # one that comes once
            shut = begin + np.flatnonzero(lids[begin:end] > 0.97)
            assert shut[0] - begin <= 3
            assert 2 <= end - shut[-1] <= 8


def test_gestures_repeat_with_the_seed_and_differ_without():
    prosody = voice(30)
    first, again, other = (curves(gesture_curves(prosody, seed)) for seed in (7, 7, 8))
    for name in NAMES:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


def test_a_longer_sound_begins_alike():
    longer = voice(60)
    one, two = (curves(gesture_curves(prosody, 7)) for prosody in (beginning(longer, 30), longer))
    for name in NAMES:
        assert np.allclose(one[name][: 25 * CURVE_RATE], two[name][: 25 * CURVE_RATE], atol=0.02), name


def test_nothing_jumps_between_frames_but_the_gaze(ten_minutes):
    shown = curves(frames(ten_minutes))
    most = {"yaw": 1.5, "pitch": 1.6, "roll": 1.0, "sway_x": 0.008, "sway_y": 0.008, "brows": 0.35, "blink": 0.8}
    for name, least in most.items():
        assert np.abs(np.diff(shown[name])).max() < least, name
        jerk = np.abs(np.diff(getattr(ten_minutes, name), 3)).max()
        assert jerk < least / 3 or name == "blink", name


@pytest.mark.parametrize("seed", range(3))
def test_the_head_turns_by_real_degrees_while_it_speaks(seed):
    gestures = gesture_curves(voice(600, seed + 10), seed)
    for name, least, most, limit in (("yaw", 1.5, 3, YAW), ("pitch", 1.5, 3, PITCH), ("roll", 1, 2, ROLL)):
        curve = getattr(gestures, name)
        assert least < curve.std() < most, name
        assert np.abs(curve).max() < limit, name
        assert np.percentile(np.abs(curve), 99) > 0.6 * limit, name
    for name in ("sway_x", "sway_y"):
        assert getattr(gestures, name).std() > 0.004 and np.abs(getattr(gestures, name)).max() < SWAY, name


def test_the_head_moves_as_fast_as_a_speakers_head_for_its_size(ten_minutes):
    """Two filmed speakers: median speed 1.6 to 3.4 deviations a second, 99 of 100 frames below 18."""
    for name in HEAD:
        speed, size = speeds(ten_minutes, name), getattr(ten_minutes, name).std()
        assert 1.2 * size < np.median(speed) < 3.4 * size, name
        assert np.percentile(speed, 99) < 14 * size, name
        assert (speed > 0.5).mean() > 0.75, name


def test_most_of_the_heads_movement_is_slower_than_two_a_second_and_none_of_it_is_a_rhythm(ten_minutes):
    for name in HEAD:
        curve = getattr(frames(ten_minutes, end=595), name)
        power = (np.abs(np.fft.rfft(curve.reshape(-1, 875) * np.hanning(875), axis=1)) ** 2).mean(0)
        frequency = np.fft.rfftfreq(875, 0.04)
        among = [
            power[(frequency > least) & (frequency <= most)].sum() for least, most in ((0.05, 2), (0.2, 2), (3, 13))
        ]
        assert among[1] > 0.35 * among[0], name
        assert among[2] < 0.03 * among[0], name
        likeness = np.fft.irfft(np.abs(np.fft.rfft(curve - curve.mean(), 2 * len(curve))) ** 2)[: 25 * 60]
        assert likeness[25 * 3 :].max() < 0.3 * likeness[0], name


def test_the_head_wanders_but_never_drifts_or_repeats(ten_minutes):
    for name in HEAD:
        curve = getattr(ten_minutes, name)
        minutes = curve.reshape(-1, 60 * CURVE_RATE)
        assert np.abs(minutes.mean(1)).max() < 0.8 * curve.std(), name
        likeness = np.corrcoef(minutes) - np.eye(len(minutes))
        assert np.abs(likeness).max() < 0.6, name


def test_heads_come_to_rest_in_pauses_but_live(ten_minutes, listening):
    for name in HEAD:
        calm, moved = (np.median(speeds(one, name)) for one in (listening, ten_minutes))
        assert 0.1 * moved < calm < 0.55 * moved, name
    assert 0.02 < listening.brows.std() < 0.4 * ten_minutes.brows.std()


def test_a_listener_nods_now_and_then(listening):
    """A nod goes down by a degree within a third of a second; a drifting head does not."""
    pitch = listening.pitch
    quick = pitch[int(0.34 * CURVE_RATE) :] - pitch[: -int(0.34 * CURVE_RATE)] > 0.8
    nods = np.flatnonzero(np.diff(quick.astype(int)) == 1) / CURVE_RATE
    assert 30 < len(nods) < 300
    assert (np.diff(nods) > 2).sum() > 30


def test_brows_are_a_third_raised_with_stress(ten_minutes):
    assert 0.25 < ten_minutes.brows.std() < 0.5
    assert np.percentile(ten_minutes.brows, 95) > 0.6
    assert ten_minutes.brows.min() > -0.7 and ten_minutes.brows.max() < 1.15


@pytest.mark.parametrize("name", ["pitch", "brows"])
def test_nods_and_raised_brows_fall_on_stressed_syllables(name):
    """Deeper around stressed syllables than with the sound shifted by half a minute or more."""
    prosody = voice(600, 5)
    moved = getattr(gesture_curves(prosody, 3), name)
    moments, strength = prosody.stresses
    places = (moments[strength > 0.3] * CURVE_RATE).astype(int)

    def rise(by: int) -> float:
        around = (places + by)[(places + by > CURVE_RATE) & (places + by < len(moved) - CURVE_RATE)]
        return float((moved[around] - (moved[around - CURVE_RATE // 2] + moved[around + CURVE_RATE // 2]) / 2).mean())

    assert rise(0) > 0.25 * moved.std()
    assert rise(0) > 2 * max(abs(rise(int(lag * CURVE_RATE))) for lag in (37.1, 61.7, 113.3))


def test_the_head_rises_with_the_voices_pitch():
    count = 200 * CURVE_RATE
    tone = np.sin(np.arange(count) / CURVE_RATE * 2 * np.pi * 0.6)
    flat, sung = (gesture_curves(Prosody(np.ones(count), np.ones(count), one), 2) for one in (0 * tone, tone))
    assert np.corrcoef(sung.pitch - flat.pitch, tone)[0, 1] < -0.9
    assert np.corrcoef(sung.brows - flat.brows, tone)[0, 1] > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_eyes_rest_on_the_camera_most_of_the_time(seed):
    for prosody in (voice(600, seed), pause(600)):
        gestures = gesture_curves(prosody, seed)
        at_camera = np.hypot(gestures.gaze_x, gestures.gaze_y) < CAMERA
        assert 0.65 < at_camera.mean() < 0.93
        away = np.diff(np.flatnonzero(np.diff(at_camera.astype(int), prepend=1, append=1)).reshape(-1, 2)) / CURVE_RATE
        assert away.max() < 4 and np.median(away) < 1.3


def test_the_gaze_shifts_one_to_three_times_a_second_in_bursts_and_by_two_to_eight_degrees_past_the_camera(ten_minutes):
    moments, size = shifts(ten_minutes)
    assert 1 < len(moments) / 600 < 3
    intervals = np.diff(moments)
    assert np.median(intervals) < 0.8 * intervals.mean()
    assert 0.1 < (size > 2).mean() < 0.6
    assert 12 > size.max() > 6


def test_a_shift_of_the_gaze_takes_one_or_two_frames(ten_minutes):
    way = np.hypot(np.diff(ten_minutes.gaze_x), np.diff(ten_minutes.gaze_y)) > 0.02
    lasting = np.diff(np.flatnonzero(np.diff(way.astype(int), prepend=0, append=0)).reshape(-1, 2)) / CURVE_RATE
    assert lasting.max() <= 0.08


def test_eyes_look_away_in_pauses_and_back_when_speech_goes_on(ten_minutes, spoken):
    past = np.hypot(ten_minutes.gaze_x, ten_minutes.gaze_y) > CAMERA
    pauses = past[spoken.speaking < 0.5].mean()
    late = spoken.speaking * (np.roll(spoken.speaking, CURVE_RATE) > 0.5)
    assert pauses > 1.5 * past[late > 0.5].mean()


def test_pauses_take_a_breath_and_a_listener_twelve_to_sixteen_a_minute():
    speaking = np.ones(20 * CURVE_RATE)
    speaking[10 * CURVE_RATE : int(10.6 * CURVE_RATE)] = 0
    breath = breath_curve(20 * CURVE_RATE, speaking, np.random.default_rng(1))
    assert breath[int(9.9 * CURVE_RATE)] < 0.05
    assert breath[int(10.2 * CURVE_RATE) : 12 * CURVE_RATE].max() > 0.4
    still = breath_curve(300 * CURVE_RATE, np.zeros(300 * CURVE_RATE), np.random.default_rng(4))
    assert 11.5 <= ((still[1:] >= 0.3) & (still[:-1] < 0.3)).sum() / 5 <= 16.5


def test_any_frame_rate_reads_the_same_curves(ten_minutes):
    slow, fast = (curves(frames(ten_minutes, fps, 20)) for fps in (24, 48))
    for name in NAMES:
        assert np.allclose(slow[name], fast[name][::2])


@pytest.mark.parametrize("seconds", [4, 8])
def test_a_short_sound_turns_every_head_as_much_as_a_long_one_turns_most(seconds):
    """Of forty people who say four seconds, chance alone left a third nearly still."""
    spreads = np.array(
        [
            [getattr(gestures, name).std() for name in HEAD]
            for gestures in (gesture_curves(voice(seconds, seed), seed) for seed in range(40))
        ]
    )
    for index, (name, least, most) in enumerate((("yaw", 1.5, 3), ("pitch", 1.5, 3), ("roll", 1, 2))):
        assert ((spreads[:, index] > least) & (spreads[:, index] < most)).mean() >= 0.9, name
