"""Odd files, made of the bundled portrait, speech and video."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from sonic_core.media.video import VideoInfo, probe_video, read_video

ASSETS = Path(__file__).parents[2] / "assets"
TICKS = 12800
SIDE = 96


@cache
def portrait(side=256):
    """The portrait, (side, side, 3) uint8."""
    return np.asarray(Image.open(ASSETS / "portrait.png").convert("RGB").resize((side, side), Image.Resampling.BOX))


@cache
def video_frames(count=12, side=SIDE):
    """Frames of the video, (side, side, 3) uint8."""
    frames = []
    with av.open(str(ASSETS / "video.mp4")) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24", width=side, height=side))
            if len(frames) == count:
                break
    return frames


def numbered(count, side=64):
    """Pictures that carry their number as a brightness, in steps of 8."""
    return [np.full((side, side, 3), 8 * number % 256, np.uint8) for number in range(count)]


def write_film(
    path,
    frames,
    *,
    codec="libx264",
    layout="yuv420p",
    times=None,
    rate=25,
    given="rgb24",
    prepare=None,
    tags=None,
    **options,
):
    """Encode frames (h, w, channels), or FFmpeg's own.

    Args:
        path: What to write; its ending tells the container.
        frames: The frames.
        codec: FFmpeg's encoder.
        layout: Its pixel format.
        times: Seconds at which they are shown; None for one after the other.
        rate: What the container is told.
        given: The format of frames that are arrays.
        prepare: Called with the stream before the first frame.
        tags: The stream's texts.
        options: The encoder's options.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"crf": "4"} | options)
        made = [
            frame if isinstance(frame, av.VideoFrame) else av.VideoFrame.from_ndarray(frame, given) for frame in frames
        ]
        stream.width, stream.height, stream.pix_fmt = made[0].width, made[0].height, layout
        if times is not None:
            stream.codec_context.time_base = Fraction(1, TICKS)
        stream.metadata.update(tags or {})
        if prepare is not None:
            prepare(stream)
        for number, frame in enumerate(made):
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path) -> tuple[VideoInfo, torch.Tensor]:
    """Read a film: what it holds, and its frames (n, 3, h, w)."""
    info = probe_video(path)
    return info, torch.cat(list(read_video(path, info=info)))


def numbers(frames):
    """Read the numbers of ``numbered`` pictures."""
    return (frames.mean((1, 2, 3)) * 255 / 8).round().int().tolist()


def write_sound(path, parts, *, codec="pcm_s16le", layout="mono", rate=16000, tracks=None, gaps=()):
    """Encode sounds (n,) or (channels, n), one after the other.

    Args:
        path: What to write.
        parts: The sounds, float in [-1, 1].
        codec: FFmpeg's encoder.
        layout: FFmpeg's name of the channels.
        rate: Samples per second.
        tracks: Marks of the tracks, each with the parts as given; None for one.
        gaps: Seconds before each part that nothing is written of.
    """
    with av.open(str(path), "w") as container:
        streams = []
        for disposition, sounds in tracks or [(None, parts)]:
            stream = container.add_stream(codec, rate=rate)
            stream.layout = layout
            if disposition is not None:
                stream.disposition = disposition
            streams.append((stream, sounds))
        container.start_encoding()
        for stream, sounds in streams:
            place = 0
            for number, part in enumerate(sounds):
                samples = np.atleast_2d(part)
                place += round((gaps[number] if gaps else 0) * rate)
                for begin in range(0, samples.shape[1], 1024):
                    block = np.ascontiguousarray(samples[:, begin : begin + 1024], np.float32)
                    frame = av.AudioFrame.from_ndarray(block.T.reshape(1, -1), "flt", layout)
                    frame.sample_rate, frame.pts, frame.time_base = rate, place, Fraction(1, rate)
                    container.mux(stream.encode(frame))
                    place += block.shape[1]
            container.mux(stream.encode(None))
    return path


@cache
def speech(seconds=1.0, rate=16000):
    """The beginning of the speech, (n,) float32."""
    from sonic_core.media.audio import read_audio
    from sonic_core.media.mixing import mono, resample

    sound = resample(mono(read_audio(ASSETS / "speech.wav", 0.5, seconds)), rate)
    return sound.samples[0].numpy()


def png_bytes(pixels, **saved):
    """Make a PNG of (h, w, 3 or 4)."""
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, "PNG", **saved)
    return file.getvalue()


def chunk(name, body, damage=0):
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ damage)


def with_chunk(png, *chunks):
    """Put chunks behind a PNG's header."""
    return png[:33] + b"".join(chunks) + png[33:]


def pq(light):
    """Code light, white being 1, as PQ does. Source: SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.maximum(light * 203 / 10000, 0) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hlg(light):
    """Code light, white being 1, as HLG does: white is three quarters. Source: ITU-R BT.2100-2, table 5."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.maximum(light, 0) * (np.exp((0.75 - c) / a) + b) / 12
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def linear(pixels):
    """Turn sRGB in 8 bits to light."""
    values = pixels / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


TO_2020 = np.array([[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]])
"""Linear BT.709 to linear BT.2020. Source: ITU-R BT.2087-0."""


def with_colours_of_another_item(avif, codes):
    """Put the colours of what is not the picture before its own, as files with a gain map have them."""
    content = bytearray(avif)
    added = struct.pack(">I8sHHHB", 19, b"colrnclx", *codes, 9, 0)
    for kind in (b"meta", b"iprp", b"ipco"):
        place = content.index(kind) - 4
        content[place : place + 4] = (int.from_bytes(content[place : place + 4], "big") + len(added)).to_bytes(4, "big")
    place = content.index(b"ipma") + 8
    items, place = int.from_bytes(content[place : place + 4], "big"), place + 4
    for _ in range(items):  # every property is one further behind
        count, place = content[place + 2], place + 3
        content[place : place + count] = bytes(one + 1 for one in content[place : place + count])
        place += count
    place = content.index(b"iloc") + 8
    assert content[place : place + 2] == b"\x44\0"  # offsets and lengths of four bytes, no base
    items, place = int.from_bytes(content[place + 2 : place + 4], "big"), place + 4
    for _ in range(items):
        parts, place = int.from_bytes(content[place + 4 : place + 6], "big"), place + 6
        for _ in range(parts):
            moved = int.from_bytes(content[place : place + 4], "big") + len(added)
            content[place : place + 4], place = moved.to_bytes(4, "big"), place + 8
    place = content.index(b"ipco") + 4
    return bytes(content[:place] + added + content[place:])
