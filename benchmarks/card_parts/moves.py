"""Networks that come and go as a host lets them, and how fast bytes travel."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sonic_core.models.base.files import find_base
from sonic_core.models.base.model import BaseModel
from tests.parity.make_weights import write_set

from . import scene
from .bench import Bench

TRANSFERRED = 1 << 28
"""Bytes of a transfer that is timed; 16 MB in the rehearsal."""


class HostLikeKeeper:
    """Brings one network at a time, by copying, as a host with little memory does (the engine's ``Keeper``)."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.present: nn.Module | None = None
        self.moved = 0

    def bring(self, network: nn.Module, working: int = 0) -> None:
        """Send the last network away and copy this one to the device."""
        del working
        if self.present is network:
            return
        if self.present is not None:
            _copy(self.present, torch.device("cpu"))
        _copy(network, self.device)
        self.present, self.moved = network, self.moved + 1

    def free(self) -> int:
        """Tell of as much as a large card has."""
        return 24 * 10**9

    def make_room(self) -> None:
        """Have nothing in reserve."""


def _copy(network: nn.Module, device: torch.device) -> None:
    """Move a network so that every parameter is a new tensor, also where it is on the device already."""
    network._apply(lambda tensor: tensor.to(device, copy=True))


def moves(bench: Bench) -> dict[str, Any]:
    """Make a tiny clip from files as a host does: loaded and denoised while inferring, read by another thread."""
    with tempfile.TemporaryDirectory() as folder:
        write_set(Path(folder), tiny=True, single_file=False)
        keeper, frames = HostLikeKeeper(bench.device), []
        settings = scene.settings(128, more={"inference_steps": 2, "window": 4, "window_shift": 3})
        with torch.inference_mode():
            model = BaseModel(find_base([folder]), keeper, bench.dtype)
            conditions = model.prepare(scene.portrait(128), scene.sound(0.6), settings)
            clip = model.animate(conditions, settings)
        failed: list[BaseException] = []

        def read() -> None:
            try:
                frames.extend(clip.frames())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                failed.append(error)

        began = time.perf_counter()
        reader = threading.Thread(target=read)
        reader.start()
        reader.join()
        if failed:
            raise failed[0]
        clip.export(Path(folder) / "clip.mp4")
    fine = all(bool(frame.isfinite().all()) for frame in frames)
    bench.say(
        f"moves: {keeper.moved} of a network, filled while inferring and read in another thread; {len(frames)} frames"
        f"{'' if fine else ', NOT ALL OF NUMBERS'} in {time.perf_counter() - began:.1f} s"
    )
    return {"moves": keeper.moved, "frames": len(frames), "numbers": fine}


def transfers(bench: Bench) -> dict[str, Any]:
    """Measure the bytes a second to and from the device, from ordinary and from pinned memory."""
    size = TRANSFERRED >> 4 if bench.rehearse else TRANSFERRED
    there = torch.empty(size, dtype=torch.uint8, device=bench.device)
    found = {}
    for pinned in (False, True) if bench.card else (False,):
        here = torch.zeros(size, dtype=torch.uint8)
        here = here.pin_memory() if pinned else here
        name = "pinned" if pinned else "pageable"
        found[f"{name}_in"] = size / bench.seconds(lambda here=here: there.copy_(here, non_blocking=True)) / 1e9
        found[f"{name}_out"] = size / bench.seconds(lambda here=here: here.copy_(there)) / 1e9
    told = ", ".join(f"{name.replace('_', ' ')} {rate:.1f}" for name, rate in found.items())
    bench.say(f"transfers: GB/s, {told}{'' if bench.card else '; pinned memory needs a card'}")
    return found
