"""The machine: card, memory, libraries, and the rate of large matrix products, which all shares are shares of."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib import metadata
from typing import Any

import torch

from .bench import Bench

PRODUCT_SIDE = 8192
"""Rows and columns of the matrices whose products are timed on a card; 512 in the rehearsal."""
PRODUCTS = 10
"""Products that are timed together."""


def machine(bench: Bench) -> dict[str, Any]:
    """Tell what is measured, and measure its rate."""
    told: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffusers": metadata.version("diffusers"),
        "transformers": metadata.version("transformers"),
        "threads": torch.get_num_threads(),
        "compiler": next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "none"),
    }
    if bench.card:
        told |= _card(bench)
    else:
        told |= {"name": platform.processor() or platform.machine(), "gigabytes": 0.0}
    rates = {name: _rate(bench, dtype) for name, dtype in _types(bench).items()}
    told |= {f"rate_{name}": rate for name, rate in rates.items()}
    told["rate"] = rates[str(bench.dtype).removeprefix("torch.")]
    bench.say(f"machine: {told['name']}, {told['gigabytes']:.1f} GB; {_versions(told)}")
    shown = ", ".join(f"{name} {rate / 1e12:.3g}" for name, rate in rates.items())
    bench.say(f"machine: TFLOP/s in products of {_side(bench)}² matrices of random numbers: {shown}")
    return told


def _card(bench: Bench) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(bench.device)
    cudnn: Any = torch.backends.cudnn
    return {
        "name": properties.name,
        "gigabytes": properties.total_memory / 1e9,
        "free_gigabytes": torch.cuda.mem_get_info(bench.device)[0] / 1e9,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda or torch.version.hip,
        "cudnn": cudnn.version(),
        "driver": _driver(),
    }


def _driver() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown"
    asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout.strip().split("\n")[0] or "unknown"


def _versions(told: dict[str, Any]) -> str:
    names = ("driver", "python", "torch", "cuda", "cudnn", "diffusers", "transformers", "compiler")
    return ", ".join(f"{name} {told[name]}" for name in names if name in told)


def _types(bench: Bench) -> dict[str, torch.dtype]:
    if not bench.card:
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}
    return {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def _side(bench: Bench) -> int:
    return 512 if bench.rehearse else PRODUCT_SIDE


def _rate(bench: Bench, dtype: torch.dtype) -> float:
    """Measure operations a second."""
    side = _side(bench)
    a, b = (torch.randn(side, side, device=bench.device, dtype=dtype) for _ in range(2))

    def work() -> None:
        for _ in range(PRODUCTS):
            torch.mm(a, b)

    return PRODUCTS * 2 * side**3 / bench.seconds(work)
