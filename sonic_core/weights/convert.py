"""The published pickles as .safetensors: half as large, opened at once, and without any code inside.

Tensors go through one by one, so memory stays flat whatever the size of the file. The original is never touched.

Source: the file format of safetensors: eight bytes with the header's length, a JSON header, the tensors' bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError, MediaError
from ..media.files import file_errors, written_beside
from ..types import Progress, ignore_progress
from .catalog import size_in_words
from .naming import fitting
from .read import lend_in_portions, open_tensors
from .search import NESTED

ALIGNMENT = 64
"""Bytes to whose multiple the tensors' part of the file begins: a line of cache."""
UNUSED = "block_tea."
_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class Converted:
    """A file that was converted."""

    source: Path
    result: Path
    tensors: int
    bytes: int
    """Size of the result."""


@dataclass(frozen=True)
class _Published:
    """A pickle that can be converted."""

    names: tuple[str, ...]
    """Where it lies below a folder with weights."""
    signs: tuple[str, ...]
    """Tensors by which it is known."""
    dtype: torch.dtype = torch.float32
    """Type that the floating tensors get where none is asked for."""
    whole: bool = False
    """Whether they keep the type they have, whatever is asked for."""


_PUBLISHED = (
    _Published(
        ("unet.pth",),
        ("conv_in.weight", "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.0.weight"),
        torch.float16,
    ),
    # small, and used in float32
    _Published(("audio2token.pth",), ("proj1.weight", "proj3.weight", "norm.weight")),
    _Published(("audio2bucket.pth",), ("proj1.weight", "proj3.weight")),
    # small, and its result is a flow in pixels, for which half precision is too coarse
    _Published(("RIFE/flownet.pkl", "flownet.pkl"), ("block0.conv0.0.0.weight", "block2.conv0.0.0.weight"), whole=True),
)


@dataclass(frozen=True)
class _Tensor:
    """What becomes of one tensor."""

    name: str
    stored: str
    """Its name in the source."""
    dtype: torch.dtype
    shape: tuple[int, ...]
    read: int
    """Bytes in the source."""
    written: int
    """Bytes in the result."""


def convert_folder(
    folder: Path, dtype: torch.dtype | None = None, progress: Progress = ignore_progress
) -> list[Converted]:
    """Write a ``.safetensors`` beside each published pickle in a folder with weights.

    A result that is there already, complete and newer than its pickle, is left as it is. A result appears under its
    name when it is finished; whatever stops the work before leaves nothing behind.

    Args:
        folder: Searched, with the folders that the two published layouts keep inside it.
        dtype: Type of the floating tensors; None writes the UNet's in float16 and those of the audio's small networks
            in float32, in which they are used. The interpolator's keep theirs.
        progress: Called with the file's name and how many of its tensors are done.

    Returns:
        What was converted now; empty when everything was converted before.

    Raises:
        CheckpointError: Nothing to convert is there, or a file under a published name is damaged or something else.
        MediaError: A result cannot be written, or too little space is free.
    """
    folder = Path(folder)
    found = list(_sources(folder))
    if not found:
        looked = ", ".join(published.names[0] for published in _PUBLISHED)
        raise CheckpointError(f"{folder} holds nothing to convert; looked for {looked}, also below sonic and Sonic.")
    results = (_convert(source, published, dtype, progress) for source, published in found)
    return [converted for converted in results if converted is not None]


def _sources(folder: Path) -> Iterator[tuple[Path, _Published]]:
    """Find the published pickles; one file is found once, also where case does not count in names."""
    seen = set()
    for nested in NESTED:
        for published in _PUBLISHED:
            for name in published.names:
                path = folder / nested / name
                if not path.is_file():
                    continue
                status = path.stat()
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    yield path, published


def _convert(source: Path, published: _Published, dtype: torch.dtype | None, progress: Progress) -> Converted | None:
    result = source.with_suffix(".safetensors")
    plan = _plan(source, published, dtype or published.dtype)
    header = _header(plan)
    size = len(header) + sum(tensor.written for tensor in plan)
    if _is_done(source, result, header, size):
        return None
    _check_space(source, result, size)
    with written_beside(result) as part:
        with file_errors(result):
            file = part.open("wb", buffering=0)
        with file:
            _write(file, header, result)
            for done, data in enumerate(_converted(source, plan)):
                progress(f"converting {source.name}", done, len(plan))
                _write(file, data, result)
            with file_errors(result):
                os.fsync(file.fileno())
        progress(f"converting {source.name}", len(plan), len(plan))
    return Converted(source, result, len(plan), size)


def _plan(source: Path, published: _Published, dtype: torch.dtype) -> list[_Tensor]:
    """Decide what the result holds, in which order: wide types first, so that each tensor is aligned to its own."""
    plan = []
    tensors = open_tensors(source)
    for name, stored in fitting(tensors.keys(), published.signs).items():
        tensor = tensors[stored]
        if name.startswith(UNUSED):
            continue
        kept = published.whole or not tensor.is_floating_point()
        new = tensor.dtype if kept else dtype
        if new not in _TYPES:
            raise CheckpointError(f"{source} holds {stored} of type {new}, which cannot be converted.")
        written = tensor.numel() * new.itemsize
        plan.append(_Tensor(name, stored, new, tuple(tensor.shape), tensor.nbytes, written))
    for sign in published.signs:
        if sign not in {tensor.name for tensor in plan}:
            raise CheckpointError(f"{source} is not the published {source.name}: {sign} is missing in it.")
    return sorted(plan, key=lambda tensor: -tensor.dtype.itemsize)


def _header(plan: list[_Tensor]) -> bytes:
    """Write the length and the JSON that the file begins with."""
    table: dict[str, Mapping[str, Any]] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in plan:
        start, end = end, end + tensor.written
        table[tensor.name] = {"dtype": _TYPES[tensor.dtype], "shape": tensor.shape, "data_offsets": (start, end)}
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _is_done(source: Path, result: Path, header: bytes, size: int) -> bool:
    try:
        with result.open("rb") as file:
            there = result.stat()
            return (
                there.st_mtime >= source.stat().st_mtime and there.st_size == size and file.read(len(header)) == header
            )
    except OSError:
        return False


def _check_space(source: Path, result: Path, size: int) -> None:
    free = shutil.disk_usage(result.parent).free
    if free < size:
        raise MediaError(
            f"Converting {source} needs {size_in_words(size)} in {result.parent}, "
            f"where {size_in_words(free)} are free; make room there."
        )


def _converted(source: Path, plan: list[_Tensor]) -> Iterator[memoryview]:
    """Give the bytes of each tensor in its new type."""
    tensors = {tensor.stored: tensor for tensor in plan}
    for stored, lent in lend_in_portions(source, {name: tensor.read for name, tensor in tensors.items()}):
        yield lent[stored].to(tensors[stored].dtype).reshape(-1).view(torch.uint8).numpy().data


def _write(file: FileIO, data: bytes | memoryview, result: Path) -> None:
    rest = memoryview(data)
    with file_errors(result):
        while rest:
            rest = rest[file.write(rest) :]
