"""Measure how fast, and in how much memory, the UNet's weights are loaded: ``python benchmarks/weights.py FOLDER``.

The folder holds ``Sonic/unet.pth`` of full size (``tests/parity/make_weights.py`` writes one with random weights). It
is converted first where that was not done. Each line is a process of its own, its file in the system's cache:

- seconds to fill the empty network, and until every page of it has been looked at once;
- the process's peak memory, all its libraries included, as a multiple of the network's size in its new type.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from sonic_core.weights.convert import convert_folder
from sonic_core.weights.read import load_into

CASES = (
    ("unet.pth", "float32"),
    ("unet.pth", "float16"),
    ("unet.safetensors", "float16"),
    ("unet.safetensors", "float32"),
)
PAGE = 4096


def touch(network: nn.Module) -> int:
    """Look at every page of a network."""
    return sum(int(tensor.flatten().view(torch.uint8)[::PAGE].sum()) for tensor in network.parameters())


def peak() -> int:
    """Tell the most memory this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def load(path: Path, dtype: torch.dtype) -> None:
    """Load the UNet and print the line."""
    network = empty_unet(BaseConfig())
    before, start = peak(), time.perf_counter()
    load_into(network, path, dtype=dtype)
    filled = time.perf_counter() - start
    touch(network)
    touched = time.perf_counter() - start
    size = sum(tensor.nbytes for tensor in network.parameters())
    print(
        f"{path.name:16} → {str(dtype).removeprefix('torch.'):7}  "
        f"filled in {filled:6.2f} s, looked at in {touched:6.2f} s, "
        f"peak {peak() / 1e9:5.2f} GB = {peak() / size:.2f} × {size / 1e9:.2f} GB ({before / 1e9:.2f} GB before)",
        flush=True,
    )


def convert(folder: Path) -> None:
    """Convert and print a line per file."""
    start = time.perf_counter()
    for one in convert_folder(folder):
        print(f"{one.source.name} → {one.result.name}: {one.tensors} tensors, {one.bytes / 1e9:.2f} GB", flush=True)
    print(f"converted in {time.perf_counter() - start:.1f} s, peak {peak() / 1e9:.2f} GB", flush=True)


def warm(path: Path) -> None:
    """Bring a file into the system's cache."""
    with path.open("rb", buffering=0) as file:
        while file.read(2**24):
            pass


def main() -> None:
    """Print the lines, each made by a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["convert", *(f"{name} {dtype}" for name, dtype in CASES)])
    options = parser.parse_args()
    if options.only is None:
        for case in ["convert", *(f"{name} {dtype}" for name, dtype in CASES)]:
            if case != "convert":
                warm(options.folder / "Sonic" / case.split()[0])
            subprocess.run([sys.executable, __file__, str(options.folder), "--only", case], check=True)
    elif options.only == "convert":
        convert(options.folder)
    else:
        name, dtype = options.only.split()
        load(options.folder / "Sonic" / name, getattr(torch, dtype))


if __name__ == "__main__":
    main()
