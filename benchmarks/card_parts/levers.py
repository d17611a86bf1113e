"""What may make the UNet faster, each on its own and all together."""

from __future__ import annotations

from typing import Any

from .bench import Bench, NotHereError
from .unet_step import form_seconds

CHEAP = ("batched", "fused", "channels_last", "cudnn", "flash", "sage", "graphs")
DEAR = ("compile", "autotune", "all")
MOST = 240.0


def lever_seconds(bench: Bench, side: int, name: str) -> float:
    """Estimate."""
    return form_seconds(bench, side) + (90 if name in DEAR and bench.card else 0)


def lever(bench: Bench, side: int, name: str) -> dict[str, Any]:
    """Measure one lever."""
    del bench, side
    raise NotHereError(f"{name} is not there yet")
