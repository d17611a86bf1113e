"""The process that measures: one part after the other, as far as time goes."""

from __future__ import annotations

import os
import warnings
from argparse import Namespace
from functools import partial

import torch

from . import correctness, decoding, kernels, levers, machine, moves, unet_step, whole_clip
from .absent import stand_in
from .bench import Bench, NotHereError, Part
from .record import Record

LOST = 3
"""Exit status of a process whose card answers no more."""
PATIENCE = 300.0
"""Seconds that a part of the rehearsal may take: it shares its processor with whoever else is there."""
ROOM = 3.0
"""Seconds that are left over before the limit."""


def run(options: Namespace) -> int:
    """Measure all parts that the record does not have yet; the exit status is 0 when nothing is left to do."""
    warnings.simplefilter("ignore")
    record = Record.read(options.record)
    bench = Bench(torch.device(options.device), options.rehearse, record, options.began, options.limit)
    if stand_in(options.record.parent / f"absent-{os.getpid()}"):
        bench.say("machine: requests is missing, which diffusers asks for; an empty stand-in takes its place")
    if bench.card and not torch.cuda.is_available():
        why = f"torch sees no {bench.device} here; rehearse with --rehearse"
        bench.say(f"start: FAILED: {why}")
        record.write("error", "start", why=why)
        return 0
    for part in all_parts(bench):
        if record.over(part.key) or (options.parts and not part.key.startswith(tuple(options.parts))):
            continue
        if not measure(bench, part):
            return LOST
    return 0


def measure(bench: Bench, part: Part) -> bool:
    """Measure one part, or write down why not.

    Returns:
        Whether the card still answers.
    """
    estimate = part.seconds(bench)
    if estimate + ROOM > bench.left():
        skip(bench, part, f"no time: about {estimate:.0f} s wanted, {max(0.0, bench.left()):.0f} s left")
        return True
    bench.record.write(
        "begin", part.key, at=bench.since(), most=PATIENCE if bench.rehearse else max(part.most, 3 * estimate)
    )
    began = bench.since()
    try:
        result = part.run(bench)
    except NotHereError as reason:
        skip(bench, part, str(reason))
        return True
    except Exception as error:  # noqa: BLE001 - the others shall go on
        why = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"
        bench.record.write("error", part.key, why=why)
        bench.say(f"{part.key}: FAILED: {why}")
        return recovered(bench)
    bench.record.write("done", part.key, result=result | {"took": bench.since() - began})
    return True


def skip(bench: Bench, part: Part, why: str) -> None:
    """Write down why a part was not measured."""
    bench.record.write("skipped", part.key, why=why)
    bench.say(f"{part.key}: skipped: {why}")


def recovered(bench: Bench) -> bool:
    """Clean up after a failure, and say whether the card still answers."""
    try:
        bench.drop()
        bench.synchronize()
        torch.zeros(8, device=bench.device).add_(1).cpu()
    except RuntimeError:
        return False
    return True


def all_parts(bench: Bench) -> list[Part]:
    """List all parts, the most telling first, and what may take a process with it late."""
    low, middle, high = bench.sides
    video, twice = (0.3, 0.3) if bench.rehearse else (2.0, 4.0)
    later = () if bench.rehearse else (middle, high)  # one size is rehearsal enough, and a card full or nearly so
    cards = (6, 24) if bench.rehearse else (6, 8, 12, 24)
    return [
        Part("machine", machine.machine, lambda _: 5),
        form(low, "lean"),
        lever(low, "fused"),
        Part("kernels", kernels.kernels, lambda _: 8),
        clip("exact", video),
        clip("fast", twice),
        clip("live", twice, student=True),
        clip("live", twice, stream=True, student=True),
        clip("live", twice),
        clip("fast", twice, stream=True),
        *(kit(precision) for precision in ("fp32", "fp16", "bf16")),
        *(lever(low, name) for name in levers.cheap()),
        *(part for side in later for part in (form(side, "lean"), lever(side, "fused"))),
        Part(f"decoder {low}", partial(decoding.decoder, side=low), lambda b: b.expect(60e12, 4)),
        Part(f"tiny decoder {low}", partial(decoding.tiny_decoder, side=low), lambda _: 3),
        Part(f"interpolator {low}", partial(decoding.between, side=low), lambda _: 3),
        *(Part(f"memory {most}", partial(whole_clip.capped, gigabytes=most), capped_seconds) for most in cards),
        Part("moves", moves.moves, lambda _: 10),
        Part("transfers", moves.transfers, lambda _: 3),
        form(low, "attention"),
        form(low, "plain"),
        *(lever(low, name) for name in levers.dear()),
        *(
            Part(f"decoder {side}", partial(decoding.decoder, side=side), lambda b: b.expect(240e12, 4))
            for side in later[1:]
        ),
        *(lever(side, name) for side in later for name in levers.cheap()),
        *(form(side, name) for side in later for name in ("attention", "plain")),
        *(lever(side, name) for side in later for name in levers.dear()),
    ]


def form(side: int, name: str) -> Part:
    """Make the part of one form of the UNet."""
    run_form = partial(unet_step.form, side=side, name=name)
    return Part(f"step {side} {name}", run_form, partial(unet_step.form_seconds, side=side))


def lever(side: int, name: str) -> Part:
    """Make the part of one lever."""
    run_lever = partial(levers.lever, side=side, name=name)
    return Part(f"step {side} {name}", run_lever, partial(levers.lever_seconds, side=side, name=name), levers.MOST)


def clip(quality: str, seconds: float, *, stream: bool = False, student: bool = False) -> Part:
    """Make the part of one clip."""
    run_clip = partial(whole_clip.clip, quality=quality, seconds=seconds, stream=stream, student=student)
    key = f"clip {quality}{' student' if student else ''}{' streamed' if stream else ''}"
    return Part(key, run_clip, partial(whole_clip.clip_seconds, quality=quality, seconds=seconds))


def kit(precision: str) -> Part:
    """Make the part of one number type."""
    return Part(f"kit {precision}", partial(correctness.kit, precision=precision), lambda _: 12)


def capped_seconds(bench: Bench) -> float:
    """Estimate what a clip in little memory takes."""
    return whole_clip.clip_seconds(bench, "live", 2.0)
