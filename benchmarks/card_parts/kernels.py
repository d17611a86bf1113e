"""The dearest kernels of a window-step, with the levers that are on by themselves."""

from __future__ import annotations

from typing import Any

from torch.profiler import ProfilerActivity, profile

from sonic_core.models.base.plan import BRANCHES
from sonic_core.models.base.unet.acceleration import accelerate, choose_acceleration

from .bench import Bench
from .unet_step import make_step, make_unet

LISTED = 10
"""Kernels that are listed."""


def kernels(bench: Bench) -> dict[str, Any]:
    """List what takes most of one step of three rows, with its share of the device's time."""
    unet, step = make_unet(bench), make_step(bench, bench.sides[0], BRANCHES)
    accelerate(unet, choose_acceleration("auto", bench.device))
    step(unet)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if bench.card else [])]
    with profile(activities=activities) as watched:
        step(unet)
        bench.synchronize()
    name = "self_device_time_total" if bench.card else "self_cpu_time_total"
    wanted = "CUDA" if bench.card else "CPU"  # else a kernel counts for whoever started it too
    events: list[Any] = [
        event for event in watched.key_averages() if event.device_type.name == wanted and getattr(event, name) > 0
    ]
    whole = sum(getattr(event, name) for event in events)
    dearest = sorted(events, key=lambda event: getattr(event, name), reverse=True)[:LISTED]
    listed = [
        {"name": event.key[:120], "calls": event.count, "share": getattr(event, name) / whole} for event in dearest
    ]
    bench.say(f"kernels: {whole / 1e6:.3f} s of the {'card' if bench.card else 'processor'} in {len(events)} kinds")
    for one in listed:
        bench.say(f"kernels: {one['share']:6.1%} {one['calls']:5} × {one['name'][:90]}")
    return {"seconds": whole / 1e6, "dearest": listed}
