"""How much of a voice the lips still follow in noise, before and after ``voice clean``; and who is told to speak.

``python benchmarks/voice.py [SOUND ...]`` takes clean recordings of one voice each; the project's own are always there.
Ratios of processor time on one core are told, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core.evaluate.following import compare_motions  # noqa: E402
from sonic_core.media.audio import read_audio  # noqa: E402
from sonic_core.media.mixing import resample  # noqa: E402
from sonic_core.speech import Speech  # noqa: E402
from sonic_core.speech.motion import Motion  # noqa: E402
from sonic_core.speech.voice.activity import find_speech, measure_activity  # noqa: E402
from sonic_core.speech.voice.cleaning import clean_voice  # noqa: E402
from sonic_core.speech.voice.denoisers import DENOISERS, Denoiser  # noqa: E402
from sonic_core.speech.voice.turns import hear_voices  # noqa: E402
from sonic_core.types import Audio  # noqa: E402

RATE = 16_000
ASSETS = ROOT / "assets"
OWN = ("speech.wav", "sounds/english.wav", "sounds/spanish.wav", "sounds/chinese.wav")
LEVELS = (5, 0)
"""dB by which speech exceeds the noise."""
LEVEL = 0.06
"""Root mean square of speech."""
FPS = 25.0
TURNS, RIGHT = (3.0, 2.0, 1.5, 1.0, 0.8), 0.05
"""Seconds of turns that are tried, and the share by which what is told of a voice may be wrong."""
FARTHEST = 0.03
"""Seconds within which a shift is looked for."""
Samples = np.ndarray


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sounds", nargs="*", type=Path, help="clean recordings of one voice each")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each that are heard (%(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    paths = [*(ASSETS / name for name in OWN), *options.sounds]
    voices = {path.stem: read_voice(path, options.seconds) for path in paths}
    ways: dict[str, Denoiser | None] = {"speech alone": None}
    ways |= {name: one for name, one in DENOISERS.items() if one.folder is not None}
    print(f"voices: {', '.join(voices)}; what takes noise out: {', '.join(ways)}")
    tell_noise(voices, ways)
    tell_turns(voices)
    tell_lengths(voices)
    tell_speed(voices, ways)


def read_voice(path: Path, seconds: float) -> Samples:
    """Read (n,) samples at ``RATE``, as loud as all others."""
    samples = resample(read_audio(path, duration=seconds), RATE, channels=1).samples[0].numpy()
    return samples * np.float32(LEVEL / np.sqrt(np.square(samples).mean()))


def sound(samples: Samples) -> Audio:
    """Make a sound of (n,) samples."""
    return Audio(torch.from_numpy(samples.astype(np.float32))[None], RATE)


def tell_noise(voices: dict[str, Samples], ways: dict[str, Denoiser | None]) -> None:
    """Print how well the mouth follows a voice in noise, as it is and in each way that it is made clear."""
    rng = np.random.default_rng(0)
    noises: dict[str, Callable[[str, int], Samples]] = {
        "none": lambda _, count: np.zeros(count),
        "white": lambda _, count: rng.standard_normal(count),
        "street": lambda _, count: street(count, rng),
        "music": lambda _, count: music(count, rng),
        "babble": lambda name, count: babble([one for key, one in voices.items() if key != name], count, rng),
    }
    print(f"\n{'noise':10}{'as it is':>16}" + "".join(f"{way:>18}" for way in ways) + "   correlation, F1 of closures")
    for kind, make in noises.items():
        for level in LEVELS if kind != "none" else (0,):
            rows = [scores(voice, make(name, len(voice)), level, ways) for name, voice in voices.items()]
            means = np.nanmean(np.array(rows), axis=0)
            label = f"{kind} {level} dB" if kind != "none" else kind
            print(f"{label:12}" + "".join(f"{corr:11.3f} {kept:5.0%}" for corr, kept in means))
            if kind == "none":
                worst = np.nanmin(np.array(rows)[:, :, 0], axis=0)
                print(f"{'the worst':12}" + "".join(f"{corr:11.3f}      " for corr in worst))
    for way, denoiser in ways.items():
        shifts = [shift_of(voice, denoiser) for voice in voices.values()]
        print(f"shift, {way}: at most {1000 * max(map(abs, shifts)):.2f} ms")


def scores(voice: Samples, noise: Samples, level: float, ways: dict[str, Denoiser | None]) -> list[tuple[float, float]]:
    """Score a noisy voice as it is, and made clear in each way."""
    power = np.square(noise).mean()
    noisy = voice + noise * (LEVEL / max(np.sqrt(power), 1e-9) / 10 ** (level / 20))
    noisy *= min(1.0, 0.9 / np.abs(noisy).max())
    wanted = motion_of(sound(voice))
    heard, audio = hear_voices(sound(noisy)), sound(noisy)
    made = [audio, *(clean_voice(audio, heard, denoiser=one).audio for one in ways.values())]
    found = [compare_motions(motion_of(one), wanted) for one in made]
    return [(one.correlation, one.closures) for one in found]


def motion_of(audio: Audio) -> Motion:
    """Read the mouth's motion at each frame."""
    return Speech.of(audio).motion.at(np.arange(0, audio.duration, 1 / FPS))


def shift_of(voice: Samples, denoiser: Denoiser | None) -> float:
    """Tell by how many seconds a voice with a little noise comes late when it was made clear."""
    rng = np.random.default_rng(1)
    audio = sound(voice + LEVEL / 4 * rng.standard_normal(len(voice)))
    made = clean_voice(audio, hear_voices(audio), denoiser=denoiser).audio.samples[0].numpy()
    spectrum = np.fft.rfft(made, 2 * len(made)) * np.conj(np.fft.rfft(voice, 2 * len(made)))
    fit, most = np.fft.irfft(spectrum), round(FARTHEST * RATE)
    around = np.concatenate((fit[-most:], fit[: most + 1]))
    return (int(around.argmax()) - most) / RATE


def tell_turns(voices: dict[str, Samples]) -> None:
    """Print how many seconds are told of each of two who take turns, and of two who speak at once."""
    pause, names = np.zeros(RATE // 4), list(voices)
    print("\ntwo in turn: seconds told, and that there are")
    for one, other in zip(names, names[1:] + names[:1], strict=True):
        parts = [*halves(voices[one]), *halves(voices[other])]
        order = [parts[0], pause, parts[2], pause, parts[1], pause, parts[3]]
        mixed = np.concatenate(order)
        edges = np.cumsum([0, *map(len, order)]) / RATE
        spans = find_speech(measure_activity([mixed.astype(np.float32)]), len(mixed) / RATE)
        there = [
            sum(max(0.0, min(b, edges[k + 1]) - max(a, edges[k])) for a, b in spans for k in places)
            for places in ((0, 4), (2, 6))
        ]
        told = [voice.seconds for voice in hear_voices(sound(mixed)).voices]
        words = ", ".join(f"{said:.2f}" for said in told)
        print(f"  {one}, {other}: {words}; {there[0]:.2f}, {there[1]:.2f}")
    count = min(len(voices[names[0]]), len(voices[names[1]]))
    both = hear_voices(sound(voices[names[0]][:count] + voices[names[1]][:count]))
    print(f"two at once: {both.reason}")


def tell_lengths(voices: dict[str, Samples]) -> None:
    """Print, by how long turns are, how many pairs are two voices, and how many have their seconds within ``RIGHT``."""
    print("\nturns of, pairs, told to be two, their seconds right")
    pause, pairs = np.zeros(RATE // 4), list(combinations(voices.values(), 2))
    for seconds in TURNS:
        two = right = 0
        for one, other in pairs:
            steps = range(0, min(len(one), len(other)) - round(seconds * RATE) + 1, round(seconds * RATE))
            parts = [x for step in steps for voice in (one, other) for x in (voice[step:][: steps.step], pause)]
            mixed = np.concatenate(parts).astype(np.float32) if parts else np.zeros(RATE, np.float32)
            edges, spans = np.cumsum([0, *map(len, parts)]) / RATE, find_speech(measure_activity([mixed]), 1e9)
            there = [
                sum(max(0.0, min(b, edges[k + 1]) - max(a, edges[k])) for a, b in spans for k in places)
                for places in (range(0, len(parts), 4), range(2, len(parts), 4))
            ]
            told = [voice.seconds for voice in hear_voices(sound(mixed)).voices]
            two += len(told) == len(there)
            right += len(told) == len(there) and bool(np.allclose(told, there, rtol=RIGHT, atol=0))
        print(f"  {seconds:3} s: {len(pairs)}, {two}, {right}")


def halves(samples: Samples) -> tuple[Samples, Samples]:
    """Cut samples in two."""
    return samples[: len(samples) // 2], samples[len(samples) // 2 :]


def tell_speed(voices: dict[str, Samples], ways: dict[str, Denoiser | None]) -> None:
    """Print the processor time that a second of sound takes."""
    audio = sound(np.concatenate(list(voices.values())))
    begun = time.process_time()
    heard = hear_voices(audio)
    print(f"\nwho speaks when: {(time.process_time() - begun) / audio.duration:.3f} s a second of sound")
    for way, denoiser in ways.items():
        begun = time.process_time()
        clean_voice(audio, heard, denoiser=denoiser)
        print(f"{way}: {(time.process_time() - begun) / audio.duration:.3f} s a second of sound")


def babble(others: list[Samples], count: int, rng: np.random.Generator) -> Samples:
    """Let other voices speak at once."""
    return sum((np.roll(np.resize(one, count), rng.integers(count)) for one in others), np.zeros(count))


def street(count: int, rng: np.random.Generator) -> Samples:
    """Make a low rumble that comes and goes."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.arange(len(spectrum)) * RATE / count
    rumble = np.fft.irfft(spectrum / np.sqrt((1 + hertz) * (1 + (hertz / 200) ** 2)), count)
    return rumble * (1 + 0.6 * np.sin(2 * np.pi * 0.3 * np.arange(count) / RATE))


def music(count: int, rng: np.random.Generator) -> Samples:
    """Strike a chord of six overtones four times a second."""
    made, beat = np.zeros(count), RATE // 4
    for begin in range(0, count, beat):
        moments = np.arange(min(2 * beat, count - begin)) / RATE
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        tones = (
            np.sin(2 * np.pi * root * tone * over * moments) / over for tone in (1, 1.25, 1.5) for over in range(1, 7)
        )
        made[begin : begin + len(moments)] += np.exp(-moments / 0.2) * sum(tones)
    return made


if __name__ == "__main__":
    main()
