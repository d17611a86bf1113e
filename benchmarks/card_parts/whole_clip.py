"""Whole clips: seconds per second of video, until the first finished frame, and with memory as small cards have it."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sonic_core.clip import Clip
from sonic_core.devices import OwnKeeper
from sonic_core.models.base.model import BaseModel
from sonic_core.models.base.plan import BRANCHES, Plan
from sonic_core.settings import Settings
from sonic_core.types import Frames

from . import scene
from .bench import Bench, Peak, size_of
from .networks import drawn_model
from .unet_step import operations

STEPS = {"exact": 25, "fast": 10, "live": 6}
"""Denoising steps of three branches that a quality takes at most, to estimate its time with."""
DECODED_SECONDS = 0.2
"""Seconds that a frame is expected to take from latents to the file."""
CAPPED_STEPS = 2
"""Denoising steps of a clip that is made in little memory."""


@dataclass(eq=False)
class Noted:
    """A clip whose frames are kept while they are read, and the moment of the first."""

    clip: Clip
    kept: list[Frames] = field(default_factory=list)
    first: float = 0.0
    """``time.perf_counter()`` when the first frame was there."""

    def read(self) -> Iterator[Frames]:
        """Read the clip."""
        for chunk in self.clip.read():
            self.first = self.first or time.perf_counter()
            self.kept.append(chunk)
            yield chunk


def make_model(bench: Bench) -> BaseModel:
    """Make sonic-base with random weights, and a clip of one step that nobody looks at."""
    if "model" not in bench.held:
        bench.held["model"] = drawn_model(bench, OwnKeeper(bench.device))
        began = time.perf_counter()
        some = scene.settings(bench.clip_side, more=scene.small(bench) | {"inference_steps": 1})
        make_clip(bench, bench.held["model"], some, 0.3)
        bench.say(
            f"clip: the very first, of a third of a second and one step, took {time.perf_counter() - began:.1f} s"
        )
    return bench.held["model"]


def make_clip(bench: Bench, model: BaseModel, settings: Settings, seconds: float) -> dict[str, Any]:
    """Make a clip, write it, and time all of it."""
    picture, heard = scene.portrait(bench.clip_side), scene.sound(seconds)
    began = time.perf_counter()
    conditions = model.prepare(picture, heard, settings)
    prepared = time.perf_counter()
    noted = Noted(model.animate(conditions, settings))
    animated = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        replace(noted.clip, read=noted.read).export(Path(folder) / "clip.mp4")
        written = time.perf_counter()
        replace(noted.clip, read=lambda: iter(noted.kept)).export(Path(folder) / "again.mp4")
        encoded = time.perf_counter() - written
    frames = sum(map(len, noted.kept))
    return {
        "seconds_of_video": seconds, "frames": frames, "prepare": prepared - began, "animate": animated - prepared,
        "first_frame": noted.first - began, "read_and_encode": written - animated, "encode": encoded,
        "per_second": (written - began) / seconds, "numbers": all(bool(one.isfinite().all()) for one in noted.kept),
    }  # fmt: skip


def clip(bench: Bench, quality: str, seconds: float, *, stream: bool, student: bool) -> dict[str, Any]:
    """Time a clip of one quality.

    Args:
        bench: Where.
        quality: As in ``Settings``.
        seconds: Length of the clip.
        stream: Denoise it while it is read.
        student: For "live": with a few-step student and the tiny decoder.
    """
    settings = scene.settings(bench.clip_side, quality=quality, stream=stream, more=scene.small(bench))
    model = make_model(bench)
    bench.held["networks"].teach(student)
    peak = bench.peak()
    found = make_clip(bench, model, settings, seconds)
    title = quality + (" with a student" if student else "") + (", streamed" if stream else "")
    found |= {"title": title} | {"quality": quality, "stream": stream, "gigabytes": peak.stop() / 1e9}
    bench.say(
        f"clip {bench.clip_side}² {title}: {found['per_second']:.2f} s per second of "
        f"video ({1 / found['per_second']:.2f} × real time) over {seconds:g} s, first frame after "
        f"{found['first_frame']:.2f} s; portrait and sound {found['prepare']:.2f} s, denoising {found['animate']:.2f} "
        f"s, decoding with encoding {found['read_and_encode']:.2f} s, encoding alone {found['encode']:.2f} s"
    )
    return found


def clip_seconds(bench: Bench, quality: str, seconds: float) -> float:
    """Estimate what a clip takes."""
    calls = STEPS[quality] * max(1.0, seconds / 2)
    one = 0.0 if bench.rehearse else operations(bench, bench.clip_side, BRANCHES)
    return bench.expect(calls * one, 5 + DECODED_SECONDS * 25 * seconds)


class _Plans(logging.Handler):
    """Hears which plan the engine made."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Plan] = []

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.heard += [one for one in arguments if isinstance(one, Plan)]


class SmallKeeper(OwnKeeper):
    """A keeper that tells the plan of so little memory, where none can be taken away."""

    def __init__(self, device: torch.device, most: int) -> None:
        super().__init__(device)
        self.most = most

    def free(self) -> int:
        """Tell of so much at most."""
        return min(self.most, super().free())


@contextmanager
def ballast(device: torch.device, most: int) -> Iterator[int]:
    """Fill a card up until it is like one of ``most`` bytes; yields the bytes that are taken.

    What the driver and this process have of it already counts as it would there. So whoever asks the driver for free
    memory hears the truth, and what does not fit does not fit.
    """
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(device)
    used = total - free
    taken = max(0, free - max(0, most - used))
    weight = torch.empty(taken, dtype=torch.uint8, device=device)
    try:
        yield taken
    finally:
        del weight
        torch.cuda.empty_cache()


def capped(bench: Bench, gigabytes: float) -> dict[str, Any]:
    """Make a clip of few steps with little memory; the rehearsal only plans with it."""
    bench.drop()
    plans, most = _Plans(), int(gigabytes * 1e9)
    logger = logging.getLogger("sonic")
    before = logger.level
    logger.addHandler(plans)
    logger.setLevel(logging.INFO)
    try:
        if bench.card:
            found = _filled_up(bench, most)
        else:
            found = _clip_peaks(bench, drawn_model(bench, SmallKeeper(bench.device, int(gigabytes * 1e6))))
    finally:
        logger.removeHandler(plans)
        logger.setLevel(before)
        bench.drop()
    plan, last = plans.heard[0], plans.heard[-1]
    found |= {"limit": gigabytes, "planned": plan.working / 1e9, "planned_decoder": plan.decoding / 1e9}
    found |= {"rows": last.rows, "piece": last.piece, "chunk": last.chunk}
    bench.say(
        f"memory {gigabytes:g} GB{'' if bench.card else ' (pretended: a thousandth)'}: {plan.rows} rows in pieces of "
        f"{plan.piece}, {plan.chunk} frames decoded; denoising took {found['denoise']:.2f} GB beside "
        f"{found['weights']:.2f} GB of weights (planned {found['planned']:.2f}), decoding {found['decode']:.2f} GB "
        f"(planned {found['planned_decoder']:.2f}); {found['animate']:.1f} s and {found['read']:.1f} s"
    )
    return found


def _filled_up(bench: Bench, most: int) -> dict[str, Any]:
    """Make the clip on a card that is full but for so much; networks wait in main memory."""
    model = drawn_model(bench, OwnKeeper(bench.device))
    for network in _all(bench):
        network.to("cpu")
    with ballast(bench.device, most) as filled:
        return _clip_peaks(bench, model, filled)


def _clip_peaks(bench: Bench, model: BaseModel, filled: int = 0) -> dict[str, Any]:
    """Make a clip and return what it took beside the weights that were there, in gigabytes and seconds."""
    settings = scene.settings(bench.clip_side, more=scene.small(bench) | {"inference_steps": CAPPED_STEPS})
    conditions = model.prepare(scene.portrait(bench.clip_side), scene.sound(0.3 if bench.rehearse else 2.0), settings)
    peak, began = bench.peak(), time.perf_counter()
    clip = model.animate(conditions, settings)
    denoise, animate = _beside(bench, peak, filled), time.perf_counter() - began
    peak, began = bench.peak(), time.perf_counter()
    frames = sum(len(chunk) for chunk in clip.read())
    decode, read = _beside(bench, peak, filled), time.perf_counter() - began
    return {
        "frames": frames, "animate": animate, "read": read, "weights": size_of(model.networks.unet) / 1e9,
        "denoise": denoise / 1e9, "decode": decode / 1e9,
    }  # fmt: skip


def _beside(bench: Bench, peak: Peak, filled: int) -> int:
    """Count what was taken beside the weights that are on the card now; whoever had to leave did so before the peak."""
    most = peak.stop()
    if not bench.card:
        return most
    there = [one for one in _all(bench) if next(one.parameters()).device == bench.device]
    return most + peak.base - filled - size_of(*there)


def _all(bench: Bench) -> list[nn.Module]:
    """List the networks that travel, as a whole each."""
    networks = bench.held["networks"]
    return [networks.unet, networks.vae, networks.clip, networks.audio_networks, bench.held["interpolator"]]
