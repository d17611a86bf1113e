"""Weight files as tensors, and tensors into networks, with nothing in memory twice.

A file is mapped, not read: a tensor costs memory once it is looked at. Pickles are opened for tensors only; one that
holds anything else is refused before any of it runs.
"""

from __future__ import annotations

import math
import pickle
import re
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from ..errors import CheckpointError
from ..memory import memory_errors
from ..types import Progress, ignore_progress
from .catalog import BASE_PARTS
from .naming import fitting

Tensors = Mapping[str, torch.Tensor]
"""A file's tensors by name; mapped where the format allows it."""
Recipe = Mapping[str, Callable[[Tensors], torch.Tensor]]
"""Per tensor of a network: how to make it out of a file's tensors."""

PORTION = 256 * 2**20
"""Bytes of a mapped file that are looked at before it is opened anew, which lets the pages seen so far go."""
STAGE = "read"
"""The name under which progress is reported."""
AGAIN = "download it again"
_WRAPPERS = ("state_dict", "model", "params", "module")
_AVERAGES = ("ema", "model_ema", "ema_model", "params_ema", "ema_state_dict", "state_dict_ema")
"""Wrappers of averaged weights, which count where nothing else is wrapped, and only one of them."""
_LONGEST_HEADER = 100 * 10**6
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")
_POSITIONS = "position_ids"
_DAMAGE = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    struct.error,
    OSError,
)
"""What torch raises over a damaged file, as its versions and formats have it."""
_mapped: dict[int, StorageWeakRef] = {}
"""Memory of the tensors that networks were filled with as a file holds them, by its place."""


class _SafeTensors(Mapping[str, torch.Tensor]):
    """The tensors of a .safetensors file, each mapped when it is asked for."""

    def __init__(self, path: Path) -> None:
        self._file = safe_open(str(path), framework="pt", device="cpu")
        self._names = dict.fromkeys(self._file.keys())

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Watched(Mapping[str, torch.Tensor]):
    """A file's tensors, and the places of the memory that was given out."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self.given: dict[int, StorageWeakRef] = {}
        """As long as there is a reference, no other memory takes the same place."""

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor = self._tensors[name]
        given = StorageWeakRef(tensor.untyped_storage())
        self.given[given.cdata] = given
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def open_tensors(path: Path) -> Tensors:
    """Open a weight file without reading its tensors.

    The kind is told by the content, not by the name: safetensors, or what ``torch.save`` writes. Only the latter's
    oldest form (before torch 1.6) has to be read whole. Tensors may lie in {"state_dict": …}, {"model": …},
    {"params": …} or {"module": …}, or in an average of these like {"ema": …} where there is nothing else.

    Args:
        path: The file. It stays open, and on Windows cannot be replaced, for as long as one of its tensors lives.

    Raises:
        CheckpointError: The file is missing, cut short, no weight file, or a pickle that holds more than tensors.
        OutOfMemoryError: The file may be whole, and there is no room for it.
    """
    path = Path(path)
    kind = _recognise(path)
    try:
        with memory_errors(), warnings.catch_warnings():
            if kind == "safetensors":
                return _SafeTensors(path)
            warnings.simplefilter("ignore", UserWarning)  # what is strange about the file is said below
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "zip")
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, str(error))) from error
    except (SafetensorError, *_DAMAGE) as error:
        if "TorchScript" in str(error):
            raise CheckpointError(_refusal(path, "GLOBAL TorchScript")) from error
        raise CheckpointError(f"{path} is damaged or cut short; {AGAIN}.") from error
    return _named_tensors(content, path)


@contextmanager
def bundled(path: Path) -> Iterator[Any]:
    """Open a ``.safetensors`` file that belongs to the package; what the block raises of it is the file's fault.

    Raises:
        CheckpointError: It is missing or damaged, or holds something else.
        OutOfMemoryError: There is no room for it.
    """
    try:
        with memory_errors(), safe_open(str(path), framework="pt", device="cpu") as file:
            yield file
    except (SafetensorError, *_DAMAGE) as error:
        reason = f"{error}".partition("\n")[0]
        raise CheckpointError(
            f"{path}, which belongs to this package, is missing or damaged ({reason}); install the package again."
        ) from error


@torch.inference_mode(False)
def load_into(
    network: nn.Module,
    path: Path,
    *,
    dtype: torch.dtype | None = None,
    recipe: Recipe | None = None,
    prefix: str | Sequence[str] = "",
    ignore: Sequence[str] = (),
    progress: Progress = ignore_progress,
) -> None:
    """Fill a network that was built on the meta device with a file's tensors, strictly: names and shapes equal.

    A tensor that has the wanted type already is not copied: the network lives on the mapped file. The others are
    converted one by one. So the peak is the network in its new type, plus ``PORTION``. They are ordinary tensors also
    where the caller infers: those made in ``torch.inference_mode`` cannot be moved outside of it, by other threads.

    Args:
        network: Its parameters and buffers are replaced. Buffers called ``position_ids``, which transformers keeps
            out of files, become 0 … n − 1.
        path: A file that ``open_tensors`` reads.
        dtype: Type of the floating tensors; None keeps the file's. Integers stay as they are.
        recipe: How to make the network's tensors where the file has other names; it sees the whole file.
        prefix: What the file's names begin with, cut off, or several such: the first one that occurs counts. Names
            without it belong to something else. Where none occurs, names count as they are. What trainers and
            compilers put before all names (``naming.WRAPPINGS``) is cut off first where names then fit.
        ignore: Beginnings of names, with or without the prefix, of tensors that may be there and are not used.
        progress: Called with ("read", tensors converted, tensors in all); what it raises leaves the network as it was.

    Raises:
        CheckpointError: The file cannot be read, or does not fit; the first tensor that does not is named.
    """
    path = Path(path)
    wanted = network.state_dict()
    tensors = _Watched(open_tensors(path))
    ways = _ways(tensors, wanted, prefix, ignore) if recipe is None else recipe
    ways = {name: way for name, way in ways.items() if name in wanted or not name.endswith(_POSITIONS)}
    _check_names(wanted, ways, path)
    filled: dict[str, torch.Tensor] = {}
    other: dict[str, int] = {}
    for name, expected in wanted.items():
        tensor = _make(ways[name], name, tensors, path)
        if tensor.shape != expected.shape:
            raise CheckpointError(
                f"{path} is of another network: {name} has the shape {tuple(tensor.shape)} in it, "
                f"where {tuple(expected.shape)} is expected."
            )
        if dtype in (None, tensor.dtype) or not tensor.is_floating_point():
            filled[name] = tensor
        else:
            other[name] = tensor.nbytes
    if _recognise(path) != "pickle":
        _remember_mapped(tensors, filled)
    tensor = tensors = None
    for done, (name, lent) in enumerate(lend_in_portions(path, other)):
        progress(STAGE, done, len(other))
        filled[name] = ways[name](lent).to(dtype)
    network.load_state_dict(filled, strict=True, assign=True)
    _number_positions(network)
    _check_filled(network, path)


def is_mapped(tensor: torch.Tensor) -> bool:
    """Say whether a tensor lies in a mapped file, so that its memory is the file's."""
    return tensor.device.type == "cpu" and tensor.untyped_storage()._cdata in _mapped


def lend_in_portions(path: Path, sizes: Mapping[str, int]) -> Iterator[tuple[str, Tensors]]:
    """Go through names, lending the file's tensors for each; pages looked at leave memory every ``PORTION`` bytes.

    Keep none of the lent tensors: what is kept holds its pages.

    Args:
        path: A file that ``open_tensors`` reads.
        sizes: Bytes that are going to be looked at per name.
    """
    room = PORTION if _recognise(path) != "pickle" else math.inf
    tensors, seen = None, 0
    for name, size in sizes.items():
        if tensors is None or seen + size > room:
            tensors, seen = open_tensors(path), 0
        seen += size
        yield name, tensors


def _remember_mapped(tensors: _Watched, filled: Tensors) -> None:
    for place in [place for place, storage in _mapped.items() if storage.expired()]:
        del _mapped[place]
    for tensor in filled.values():
        place = tensor.untyped_storage()._cdata
        if place in tensors.given:
            _mapped[place] = tensors.given[place]


def _recognise(path: Path) -> str:
    """Tell "safetensors", "zip" and "pickle" by the first bytes."""
    start, size = _start(path)
    _check_content(start, path)
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if start.startswith(b"\x80"):
        return "pickle"
    header = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{" or header > _LONGEST_HEADER:
        raise CheckpointError(f"{path} is not a weight file (neither safetensors nor PyTorch), or damaged; {AGAIN}.")
    if header > size - 8:
        raise CheckpointError(f"{path} is cut short; {AGAIN}.")
    return "safetensors"


def _start(path: Path) -> tuple[bytes, int]:
    """Read a file's first bytes and its size."""
    try:
        with path.open("rb") as file:
            return file.read(512), file.seek(0, 2)
    except FileNotFoundError as error:
        raise CheckpointError(f"Expected weights at {path}, but no file is there; check the name.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"Expected weights at {path}, which cannot be opened ({reason}).") from error


def _check_content(start: bytes, path: Path) -> None:
    """Refuse what downloads leave under a weight file's name."""
    if not start:
        raise CheckpointError(f"{path} is empty; {AGAIN}.")
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} is a Git LFS pointer, not the weights it points to; {AGAIN}, or `git lfs pull`.")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        raise CheckpointError(f"{path} is a web page saved under this name, not weights; {AGAIN} from its file link.")


def _refusal(path: Path, message: str) -> str:
    """Say why a pickle was not opened."""
    strange = re.search(r"GLOBAL (\S+)", message)
    if strange is not None or re.search(r"class|reduce|global|function", message):
        name = f" ({strange[1].rstrip('.')})" if strange else ""
        what = f"contains code{name}, not only tensors"
    else:
        what = "contains something else than tensors, or is damaged"
    return f"{path} {what}; it was not opened. Download it again from {_publisher(path)}."


def _publisher(path: Path) -> str:
    named = (part.source for part in BASE_PARTS for file in part.files if Path(file.at).name == path.name)
    return next(named, "its publisher")


def _named_tensors(content: object, path: Path) -> dict[str, torch.Tensor]:
    while isinstance(content, Mapping):
        inner = [content[name] for name in _WRAPPERS if isinstance(content.get(name), Mapping)]
        averages = [content[name] for name in _AVERAGES if isinstance(content.get(name), Mapping)]
        if not inner and len(averages) != 1:
            break
        content = (inner or averages)[0]
    items = content.items() if isinstance(content, Mapping) else ()
    found = {name: value for name, value in items if isinstance(name, str) and isinstance(value, torch.Tensor)}
    if not found:
        raise CheckpointError(f"{path} holds no tensors with names, so it is not a network's weights.")
    return found


def _ways(tensors: Tensors, wanted: Tensors, prefix: str | Sequence[str], ignore: Sequence[str]) -> Recipe:
    """Make the recipe of a file that has the network's own names after a prefix."""
    prefixes = (prefix,) if isinstance(prefix, str) else tuple(prefix)
    names = fitting(tensors.keys(), wanted.keys(), prefixes)
    cut = next((start for start in prefixes if any(name.startswith(start) for name in names)), "")
    unused = tuple(ignore)
    return {
        name[len(cut) :]: itemgetter(stored)
        for name, stored in names.items()
        if name.startswith(cut) and not name.startswith(unused) and not name[len(cut) :].startswith(unused)
    }


def _check_names(wanted: Tensors, ways: Recipe, path: Path) -> None:
    missing = next((name for name in wanted if name not in ways), None)
    if missing is not None:
        raise CheckpointError(f"{path} is of another network: {missing} is missing in it.")
    strange = next((name for name in ways if name not in wanted), None)
    if strange is not None:
        raise CheckpointError(f"{path} is of another network: it holds {strange}, which is not expected.")


def _make(way: Callable[[Tensors], torch.Tensor], name: str, tensors: Tensors, path: Path) -> torch.Tensor:
    try:
        return way(tensors)
    except KeyError as error:
        raise CheckpointError(f"{path} is of another network: {error.args[0]} is missing in it.") from error
    except (SafetensorError, RuntimeError, IndexError) as error:
        raise CheckpointError(f"{path} is damaged or of another network: {name} cannot be read from it.") from error


def _number_positions(network: nn.Module) -> None:
    """Make the buffers that count 0 … n − 1 and are kept out of files by transformers."""
    for module in network.modules():
        buffer: torch.Tensor | None = dict(module.named_buffers(recurse=False)).get(_POSITIONS)
        if buffer is not None and buffer.is_meta:
            setattr(module, _POSITIONS, torch.arange(buffer.shape[-1], device="cpu").expand(buffer.shape).clone())


def _check_filled(network: nn.Module, path: Path) -> None:
    for named in (network.named_parameters(), network.named_buffers()):
        for name, tensor in named:
            if tensor.is_meta:
                raise CheckpointError(f"{path} leaves {name} of the network without a value.")
