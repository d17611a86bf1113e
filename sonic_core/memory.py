"""Memory: that it ran out, in the words of every library and said in one sentence; and what is left over returned."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

from .errors import OutOfMemoryError, SonicError

_NO_MEMORY = re.compile(
    r"outofmemory|outof(device|host)memory|(ur|ze|pi)(result)?erroroutofresources"
    r"|can'?tallocatememory|cannotallocatememory|notenoughmemory|invalidbuffersize:?\d"
    r"|statusallocfailed|unabletofindanengine|couldnotcreatea(primitive|memory)"
)
"""How the many libraries say it, in small letters without spaces and underscores; oneDNN only names what failed."""
_CUDA_OUT_OF_MEMORY = 2
"""``cudaErrorMemoryAllocation``, as ``torch.AcceleratorError`` tells it."""
_SHORT = ("insufficient memory", "cannot allocate memory", "bad_alloc")
"""What OpenCV, FFmpeg and the system say; torch and what is below it have ``_NO_MEMORY``."""


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn every library's word for too little memory into one sentence.

    Raises:
        OutOfMemoryError: The block had not enough memory.
    """
    try:
        yield
    except SonicError:
        raise
    except Exception as error:
        if is_out_of_memory(error) or any(words in f"{error}".lower() for words in _SHORT):
            reason = f"{error}".strip().partition("\n")[0] or "no more could be had"
            raise OutOfMemoryError(
                f"There is not enough memory ({reason}); choose a smaller size or a shorter duration, or end other "
                "programs."
            ) from error
        raise


@contextmanager
def unused_returned() -> Iterator[None]:
    """Return to the system, when the block is left, what was freed in it.

    The C library of Linux keeps a heap for every few threads, and of each returns only what is at its end: eight
    threads that made a video each left 220 MiB of free memory behind, and every further eight a little more. Elsewhere
    nothing is done. It takes 2 ms, and 3 to 90 while eight threads are at work.

    Source: malloc_trim(3).
    """
    try:
        yield
    finally:
        if (trim := _trimmer()) is not None:
            trim(0)


@cache
def _trimmer() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether ``error``, or what it was raised from, means that a device or the machine has no memory left.

    Libraries below torch have words of their own for it: cuBLAS and cuDNN, ROCm's, Intel's Level Zero, Apple's Metal.
    """
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        if _tells_of_no_memory(cause):
            return True
        seen.append(cause)
        cause = cause.__cause__
    return False


def _tells_of_no_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    if not isinstance(error, RuntimeError):
        return False
    if getattr(error, "error_code", None) == _CUDA_OUT_OF_MEMORY:
        return True
    return _NO_MEMORY.search(re.sub(r"[\s_]", "", str(error).lower())) is not None
