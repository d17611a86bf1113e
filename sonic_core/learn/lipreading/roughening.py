"""Make clean synthetic speech as rough as recordings are: effort, colour, rooms, overload, codecs, narrow bands, noise.

Everything is invented from random numbers; no recording is used.
"""

from __future__ import annotations

import io

import av
import numpy as np
from scipy import ndimage, signal

from ...speech.spectrum import RATE

_SCALE = (0, 2, 4, 7, 9)  # semitones of a pentatonic scale
_CODECS = (
    # container, encoder, rate, bits per second
    ("mp3", "libmp3lame", 16_000, (16_000, 24_000, 32_000)),
    ("mp3", "libmp3lame", 44_100, (32_000, 48_000, 64_000)),
    ("adts", "aac", 16_000, (16_000, 24_000)),
    ("ogg", "libopus", 16_000, (8_000, 12_000, 20_000)),
)


def slow_curve(count: int, seconds: float, random: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """Draw a smooth random curve (count,) of zero mean and unit deviation that changes about every ``seconds``."""
    knots = random.standard_normal(int(count / rate / seconds) + 4)
    curve = np.asarray(ndimage.zoom(knots, (count + 1) / (len(knots) - 3), order=3))
    return curve[:count] if len(curve) >= count else np.pad(curve, (0, count - len(curve)), mode="edge")


def with_effort(samples: np.ndarray, random: np.random.Generator, rate: int) -> np.ndarray:
    """Let the voice grow louder and softer from syllable to syllable, brighter where it is louder."""
    gain = random.uniform(0, 4.5) * slow_curve(len(samples), random.uniform(0.2, 0.6), random, rate)
    gain = np.clip(gain, -10, 8)
    slope = np.diff(samples, prepend=samples[:1]) * 2.0
    return (samples + slope * np.clip(gain / 12, -0.4, 0.6)) * 10 ** (gain / 20)


def coloured(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Filter with a random smooth response within about ±12 dB."""
    frequency = np.linspace(0, 1, 33)
    decibels = np.cumsum(random.standard_normal(33)) * random.uniform(0.5, 2.5)
    decibels -= decibels.mean()
    response = 10 ** (np.clip(decibels, -15, 15) / 20)
    return signal.fftconvolve(samples, signal.firwin2(257, frequency, response), "same")


def reverberated(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Put the voice into a random room: 0.12 … 0.9 s of decaying noise after the direct sound, some early echoes."""
    decay = float(np.exp(random.uniform(np.log(0.12), np.log(0.9))))
    length = int(RATE * min(decay, 0.6))
    time = np.arange(length) / RATE
    tail = random.standard_normal(length) * 10 ** (-3 * time / decay)
    tail = ndimage.gaussian_filter1d(tail, random.uniform(0.3, 1.2))
    tail[: int(0.004 * RATE)] = 0
    for _ in range(int(random.integers(0, 6))):
        tail[int(random.uniform(0.002, 0.04) * RATE)] += random.uniform(-3, 3)
    ratio = 10 ** (-random.uniform(-2, 12) / 20)
    tail *= ratio / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] += 1
    return signal.fftconvolve(samples, tail)[: len(samples)]


def overloaded(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Compress or clip."""
    peak = np.percentile(np.abs(samples), 99.5) + 1e-6
    drive = random.uniform(0.5, 3)
    return np.tanh(samples / peak * drive) / drive


def narrowed(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Cut off low and high frequencies, as telephones and cheap microphones do."""
    low, high = random.uniform(60, 300), random.uniform(3000, 7500)
    return np.asarray(signal.sosfilt(signal.butter(3, (low, high), "band", fs=RATE, output="sos"), samples))


def coded(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Send the sound through a low-rate codec and back, aligned to where it was."""
    container, encoder, rate, bits = _CODECS[int(random.integers(len(_CODECS)))]
    data = io.BytesIO()
    pcm = (np.clip(samples / (np.abs(samples).max() + 1e-6), -1, 1) * 30000).astype(np.int16)
    with av.open(data, "w", format=container) as out:
        stream = out.add_stream(encoder, rate=48_000 if encoder == "libopus" else rate)
        stream.bit_rate = int(random.choice(bits))
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        fifo = av.AudioResampler(stream.format, "mono", stream.rate, frame_size=stream.codec_context.frame_size or 1024)
        for part in [*fifo.resample(frame), *fifo.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    data.seek(0)
    with av.open(data) as source:
        back = av.AudioResampler("flt", "mono", RATE)
        blocks = [part.to_ndarray()[0] for frame in source.decode(audio=0) for part in back.resample(frame)]
    return _aligned(np.concatenate(blocks), samples)


def _aligned(sound: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Shift ``sound`` to where it correlates best with ``reference``, within 0.15 s."""
    sound = np.pad(sound, (0, max(0, len(reference) - len(sound))))[: len(reference)]
    match = signal.fftconvolve(sound, reference[::-1])
    centre, reach = len(reference) - 1, int(0.15 * RATE)
    lag = int(np.argmax(match[centre - reach : centre + reach])) - reach
    return np.roll(sound, -lag)


def worn(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Roughen (n,) samples at ``RATE`` in a random selection of the ways of ``_WEAR``; noise is not among them."""
    for step, chance in _WEAR:
        if random.random() < chance:
            samples = step(samples, random)
    return samples / (np.abs(samples).max() + 1e-6)


_WEAR = ((coloured, 0.8), (overloaded, 0.25), (reverberated, 0.6), (narrowed, 0.35), (coded, 0.4))
"""Each way to roughen a sound, with its chance."""


def noise(count: int, random: np.random.Generator) -> np.ndarray:
    """Invent a background (count,) of unit deviation: coloured noise, hum, clatter, or something like music."""
    kind = random.choice(["steady", "moving", "music", "clatter", "hum"], p=[0.25, 0.25, 0.3, 0.1, 0.1])
    if kind == "music":
        sound = _music(count, random)
    else:
        sound = signal.fftconvolve(random.standard_normal(count), _tilt(random), "same")
    if kind == "moving":
        sound *= 10 ** (random.uniform(2, 8) * slow_curve(count, random.uniform(0.1, 1.0), random) / 20)
    elif kind == "clatter":
        sound = _clatter(sound, random)
    elif kind == "hum":
        sound = 0.3 * sound / sound.std() + _hum(count, random)
    return (sound / (sound.std() + 1e-9)).astype(np.float32)


def _clatter(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Let a noise (n,) be heard in bursts that die away."""
    count = len(sound)
    pulses = (random.random(count) < random.uniform(1, 8) / RATE) * random.lognormal(0, 1, count)
    sound = sound * signal.fftconvolve(pulses, np.exp(-np.arange(3000) / random.uniform(100, 900)))[:count]
    return sound + 0.02 * random.standard_normal(count) * sound.std()


def _hum(count: int, random: np.random.Generator) -> np.ndarray:
    """Hum as mains do: (count,)."""
    phase = 2 * np.pi * random.choice([50.0, 60.0]) * np.arange(count) / RATE
    return sum((random.exponential(1) / part * np.sin(part * phase) for part in range(1, 12)), np.zeros(count))


def _tilt(random: np.random.Generator) -> np.ndarray:
    """Return an FIR filter that falls by 0 … 9 dB per octave, bent at random."""
    frequency = np.linspace(0, 1, 65)
    decibels = -random.uniform(-1, 9) * np.log2(np.maximum(frequency, 0.01) / 0.01)
    decibels += 3 * np.cumsum(random.standard_normal(65)) * 0.4
    return np.asarray(signal.firwin2(513, frequency, 10 ** ((decibels - decibels.max()) / 20)))


def _music(count: int, random: np.random.Generator) -> np.ndarray:
    """Play random chords, a bass and a beat: (count,)."""
    sound = np.zeros(count)
    beat = int(RATE * random.uniform(0.25, 0.7))
    root = random.uniform(80, 220)
    for start in range(0, count, beat):
        length = min(count - start, beat * int(random.integers(1, 4)))
        time = np.arange(length) / RATE
        envelope = np.exp(-time * random.uniform(0.5, 6)) * np.minimum(1, time / 0.01)
        for _ in range(int(random.integers(1, 4))):
            pitch = root * 2 ** (random.choice(_SCALE) / 12 + random.integers(0, 3))
            sound[start : start + length] += envelope * _tone(pitch, time, random)
        if random.random() < 0.5:
            struck = min(length, 3000)
            hit = random.standard_normal(struck) * np.exp(-np.arange(struck) / random.uniform(100, 800))
            sound[start : start + struck] += 2 * hit
    return sound


def _tone(pitch: float, time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Sound six harmonics of ``pitch`` in Hz at ``time`` (n,) in seconds."""
    parts = (part for part in range(1, 7) if pitch * part < 7500)
    tones = (np.sin(2 * np.pi * pitch * part * time) / part ** random.uniform(0.7, 1.8) for part in parts)
    return sum(tones, np.zeros(len(time)))
