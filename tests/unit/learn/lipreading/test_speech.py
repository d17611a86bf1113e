"""From text to targets: the synthesiser's door, the table of sounds, co-articulation, roughening."""

from __future__ import annotations

import numpy as np
import pytest

from sonic_core.errors import SonicError
from sonic_core.learn.lipreading import espeak
from sonic_core.learn.lipreading.articulation import PAUSE, SOUNDS, sounds_of
from sonic_core.learn.lipreading.coarticulation import Script, draw_targets, script_of
from sonic_core.learn.lipreading.dataset import levels_of, speak
from sonic_core.learn.lipreading.espeak import Phone, Synthesizer, Utterance
from sonic_core.learn.lipreading.invention import HELD_OUT, HELD_OUT_VARIANTS, TRAINING, TRAINING_VARIANTS, invent
from sonic_core.learn.lipreading.roughening import coded, noise, reverberated, with_effort, worn
from sonic_core.speech.mel import mel_levels
from sonic_core.speech.network import CHANNELS, KINDS
from sonic_core.speech.spectrum import RATE, power_of

OPENING, ROUNDING, CLOSURE, KIND = 0, CHANNELS.index("rounding"), len(CHANNELS), len(CHANNELS) + 1


@pytest.mark.parametrize("sound", [*SOUNDS.values(), PAUSE], ids=lambda sound: f"/{sound.symbol}/")
def test_every_sound_of_the_table_is_a_possible_mouth(sound):
    assert sound.kind in KINDS
    assert len(sound.target) == len(sound.strength) == len(CHANNELS)
    for name, value in zip(CHANNELS, sound.target, strict=True):
        assert (-1 if name in {"width", "lower"} else 0) <= value <= 1.05
    assert min(sound.strength) > 0
    assert sound.closed == (sound.symbol in "pbmɓ" and sound.symbol != "")


def test_the_table_knows_open_from_close_and_round_from_spread():
    assert SOUNDS["a"].target[OPENING] > SOUNDS["e"].target[OPENING] > SOUNDS["i"].target[OPENING]
    assert SOUNDS["ɔ"].target[OPENING] > SOUNDS["u"].target[OPENING]
    assert SOUNDS["u"].target[ROUNDING] > SOUNDS["ɔ"].target[ROUNDING] > SOUNDS["a"].target[ROUNDING]
    assert SOUNDS["f"].target[CHANNELS.index("lower")] < -0.5


@pytest.mark.parametrize(
    ("name", "symbols"),
    [("aɪ", "aɪ"), ("tʃʰ", "tʃ"), ("ts.h", "ts"), ("n̩", "n"), ("ɑ̃ː", "ɑ"), ("ph", "p"), ("h", "h"), ("(en)", "")],
)
def test_names_are_split_into_sounds(name, symbols):
    assert "".join(sound.symbol for sound in sounds_of(name)) == symbols


def test_an_empty_name_is_a_pause_and_an_unknown_letter_is_refused():
    assert sounds_of("") == [PAUSE]
    with pytest.raises(KeyError):
        sounds_of("☃")


def hand_made() -> Script:
    """A pause, /p a m u f i/, 0.15 s each, lips shut on p and m."""
    rows = [(0.15 * i, 0.15 * (i + 1), ord(symbol)) for i, symbol in enumerate("_pamufi")]
    return Script(np.array(rows, np.float32), np.array([(0.15, 0.3), (0.45, 0.6)], np.float32))


def test_targets_say_what_was_said():
    targets = draw_targets(hand_made(), np.full((106, 40), -40.0))
    middle = {symbol: targets[round(15 * i + 7.5)] for i, symbol in enumerate("_pamufi")}
    assert targets.shape == (106, len(CHANNELS) + 2) and targets.dtype == np.float32
    assert [KINDS[int(middle[s][KIND])] for s in "_pau"] == ["pause", "bilabial", "open vowel", "close round vowel"]
    assert middle["p"][CLOSURE] == middle["m"][CLOSURE] == 1
    assert middle["a"][CLOSURE] == middle["i"][CLOSURE] == 0
    assert middle["a"][OPENING] > middle["i"][OPENING] > middle["u"][OPENING] > 0
    assert middle["u"][ROUNDING] > 0.7 and middle["a"][ROUNDING] < 0.2
    assert middle["f"][CHANNELS.index("lower")] < -0.4
    assert np.abs(np.diff(targets[:, :CLOSURE], axis=0)).max() < 0.35


def test_louder_vowels_open_wider():
    levels = np.full((106, 40), -40.0)
    levels[30:45] += 6
    assert draw_targets(hand_made(), levels)[37, OPENING] > 1.1 * draw_targets(hand_made(), levels * 0)[37, OPENING]


def test_nothing_said_is_a_resting_mouth():
    targets = draw_targets(Script(np.zeros((0, 3), np.float32), np.zeros((0, 2), np.float32)), np.full((10, 40), -80.0))
    assert np.allclose(targets[:, :CLOSURE], PAUSE.target) and not targets[:, CLOSURE:].any()


def test_a_voiceless_stop_is_shut_before_its_burst():
    rate = espeak.RATE
    time = np.arange(rate) / rate
    samples = 0.3 * np.sin(2 * np.pi * 150 * time) * ((time < 0.4) | (time > 0.5))
    phones = [Phone("a", 0, rate // 2), Phone("p", rate // 2, int(0.55 * rate)), Phone("a", int(0.55 * rate), rate)]
    script = script_of(Utterance(samples.astype(np.float32), phones), rate)
    ((start, end),) = script.closures
    assert start == pytest.approx(0.4, abs=0.02) and end == pytest.approx(0.5, abs=0.01)
    slower = script_of(Utterance(samples.astype(np.float32), phones), rate / 2)
    assert slower.closures[0, 1] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("language", [*TRAINING, *HELD_OUT])
def test_text_is_invented_in_every_language(language):
    spelling = {**TRAINING, **HELD_OUT}[language]
    first, again, other = (invent(spelling, 30, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other and len(first.split()) >= 3


def test_what_is_held_out_is_not_trained_on():
    assert not set(TRAINING) & set(HELD_OUT)
    assert not set(TRAINING_VARIANTS) & set(HELD_OUT_VARIANTS)


def test_roughening_keeps_the_time_and_can_be_repeated():
    samples = np.zeros(2 * RATE)
    samples[RATE : RATE + 4000] = np.sin(np.arange(4000) * 0.4)
    for seed in range(12):
        first, again = (worn(samples, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first, again) and len(first) == len(samples)
        assert np.isfinite(first).all() and np.abs(first).max() <= 1
        loud = np.abs(mel_levels(power_of(np.pad(first, (256, 256))))).argmin(0)
        assert (np.median(loud) >= 97) and (np.median(loud) <= 128)


def test_codecs_and_rooms_do_not_move_the_sound():
    random = np.random.default_rng(3)
    samples = random.standard_normal(RATE) * (np.arange(RATE) % 4000 < 2000)
    for step in (coded, reverberated):
        changed = step(samples, random)
        lags = np.correlate(changed[4000:12000], samples[4100:11900], "valid")
        assert abs(int(np.abs(lags).argmax()) - 100) <= 3


@pytest.mark.parametrize("seed", range(8))
def test_noise_has_unit_deviation(seed):
    sound = noise(RATE, np.random.default_rng(seed))
    assert sound.shape == (RATE,) and sound.std() == pytest.approx(1, abs=0.01) and np.isfinite(sound).all()


def test_effort_changes_the_level_and_not_the_length():
    tone = np.sin(np.arange(3 * RATE) * 0.1)
    louder = with_effort(tone, np.random.default_rng(0), RATE)
    level = [np.abs(louder[i : i + 1600]).max() for i in range(0, len(louder), 1600)]
    assert louder.shape == tone.shape and max(level) > 1.5 * min(level)


def test_a_missing_synthesiser_is_named(monkeypatch):
    monkeypatch.setattr(espeak, "_NAMES", ("libnothing-of-that-name.so",))
    with pytest.raises(SonicError, match="install the system's package espeak-ng"):
        Synthesizer()


def test_the_synthesiser_says_what_it_is_told(synthesizer):
    said = synthesizer.say("[[pa m'u]]", "de", rate=150)
    names = "".join(phone.name for phone in said.phones)
    assert "p" in names and "m" in names and "u" in names
    assert said.phones[-1].end == len(said.samples) and np.abs(said.samples).max() > 0.1
    assert all(a.end == b.start for a, b in zip(said.phones, said.phones[1:], strict=False))
    with pytest.raises(ValueError, match="voice"):
        synthesizer.say("a", "no-such-language")


@pytest.mark.parametrize("language", ["en", "sw", "cmn-latn-pinyin"])
def test_what_is_spoken_comes_with_its_script(synthesizer, language):
    samples, script = speak(synthesizer, language, np.random.default_rng(7))
    seconds = len(samples) / RATE
    assert 2 < seconds < 12 and len(script.sounds) > 10 and len(script.closures) > 1
    assert (np.diff(script.closures, axis=1) >= 0.049).all() and script.closures.max() <= seconds + 0.1
    levels = levels_of(samples).astype(np.float32).max(1)
    inside = [levels[round(100 * (a + b) / 2)] for a, b in script.closures if b < seconds - 0.05]
    vowels = [levels[round(50 * (a + b))] for a, b, code in script.sounds if chr(int(code)) in "aeiou" and b < seconds]
    assert np.median(inside) < np.median(vowels) - 6
