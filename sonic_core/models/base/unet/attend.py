"""Attention with several heads, by whichever kernel there is: torch's own, or one that diffusers knows of.

Torch's fused kernels never hold the scores of all queries against all keys. Where none takes the heads as they are,
they are filled up with zeros, which changes no score; where that does not help, queries are answered in slices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch.nn import functional

from ....memory import is_out_of_memory

FUSED = ("cuda", "cpu", "meta")
"""Kinds of devices on which attention never holds its scores."""
MOST_SCORES = 1 << 27
"""Scores that are held at once elsewhere: 256 MB in half precision."""
MOST_HEADS = (1 << 16) - 1
"""Heads, or rows, that a kernel on a graphics card takes at once: the most blocks along its grid's second side."""
USUAL_WIDTH = 128
"""Channels of a head up to which every fused kernel takes multiples of eight."""
WIDTHS = (64, 128, 256)
"""Channels of a head that kernels with few sizes take."""
LEAST_KEYS = 256
"""Keys below which no other kernel than torch's is worth asking."""
HALVES = (torch.float16, torch.bfloat16)
"""Number types that other kernels than torch's take."""
BACK_ENDS = {"flash": "flash", "sage": "sage", "cudnn": "_native_cudnn"}
"""Kernels that can be asked for, and diffusers' names for them."""


class KernelRefusalError(RuntimeError):
    """A kernel other than torch's does not take what it is given, or does not run."""


def attend(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int, back_end: str | None = None
) -> torch.Tensor:
    """Attend with several heads: softmax(q kᵀ / √d) v per head.

    Args:
        queries: (n, a, width).
        keys: (n, b, width).
        values: (n, b, width).
        heads: Number of heads; each has ``width / heads`` channels.
        back_end: A kernel of ``BACK_ENDS`` for long rows, or None for torch's own.

    Returns:
        (n, a, width), newly made.

    Raises:
        KernelRefusalError: The other kernel raises.

    Source: Vaswani et al., "Attention Is All You Need", arXiv 1706.03762, equation 1.
    """
    apart = [tensor.unflatten(-1, (heads, -1)) for tensor in (queries, keys, values)]
    if back_end is not None and keys.shape[1] >= LEAST_KEYS and queries.dtype in HALVES:
        return _dispatched(*apart, back_end=back_end).flatten(2)
    q, k, v = (tensor.transpose(1, 2) for tensor in apart)
    if heads <= MOST_HEADS:
        return _answers(q, k, v).transpose(1, 2).flatten(2)
    parts = [_answers(*some) for some in zip(*(one.split(MOST_HEADS, 1) for one in (q, k, v)), strict=True)]
    return torch.cat([part.transpose(1, 2) for part in parts], 2).flatten(2)


def _dispatched(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, back_end: str) -> torch.Tensor:
    """Attend with heads apart, (n, a, heads, d), by one of diffusers' kernels."""
    try:
        from diffusers.models.attention_dispatch import dispatch_attention_fn  # noqa: PLC0415 - since diffusers 0.35

        return dispatch_attention_fn(q, k, v, backend=BACK_ENDS[back_end])  # type: ignore[arg-type] - the name will do
    except Exception as error:  # kernels of other houses refuse with whatever they like
        if is_out_of_memory(error):
            raise
        raise KernelRefusalError(str(error) or type(error).__name__) from error


def _answers(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attend with heads apart: (n, heads, a, d) to (n, heads, a, d)."""
    width = q.shape[-1]
    wide = kernel_width(q.device, q.dtype, width)
    if wide:
        if wide == width:
            return functional.scaled_dot_product_attention(q, k, v)
        q, k, v = (functional.pad(one, (0, wide - width)) for one in (q, k, v))
        return functional.scaled_dot_product_attention(q, k, v, scale=width**-0.5)[..., :width]
    slices = score_slices(q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2])
    parts = [functional.scaled_dot_product_attention(part, k, v) for part in q.chunk(slices, dim=2)]
    return parts[0] if slices == 1 else torch.cat(parts, 2)


def score_slices(scores: int) -> int:
    """Tell in how many slices queries are answered where the scores are held.

    Args:
        scores: Scores of all queries against all keys.

    >>> score_slices(1 << 20), score_slices(1 << 29)
    (1, 4)
    """
    return max(1, -(-scores // MOST_SCORES))


def kernel_width(device: torch.device, dtype: torch.dtype, width: int) -> int:
    """Tell with how many channels a head of ``width`` is given to a fused kernel; 0 where none takes it."""
    if device.type not in FUSED:
        return 0
    if device.type != "cuda" or (width % 8 == 0 and width <= USUAL_WIDTH):
        return width
    return _asked_width(device, dtype, width)


@cache
def _asked_width(device: torch.device, dtype: torch.dtype, width: int) -> int:
    return taken_width(width, lambda wide: _takes(device, dtype, wide))


def taken_width(width: int, takes: Callable[[int], bool]) -> int:
    """Find the least width that a kernel takes: as it is, the next multiple of eight, or one of ``WIDTHS``; else 0.

    >>> taken_width(40, lambda wide: wide in (64, 128)), taken_width(512, lambda wide: wide <= 256)
    (64, 0)
    """
    tried = (width, -(-width // 8) * 8, *(wide for wide in WIDTHS if wide > width))
    return next((wide for wide in tried if takes(wide)), 0)


def _takes(device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Ask torch whether one of its fused kernels takes heads of ``width`` channels."""
    backends = torch.backends.cuda
    one = torch.empty(1, 1, 64, width, device=device, dtype=dtype)
    try:
        known = backends.SDPAParams(one, one, one, None, 0.0, False, False)
    except TypeError:  # torch 2.4 knows no groups of queries
        known = backends.SDPAParams(one, one, one, None, 0.0, False)  # type: ignore[call-arg]
    return backends.can_use_flash_attention(known) or backends.can_use_efficient_attention(known)
