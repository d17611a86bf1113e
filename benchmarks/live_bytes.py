"""Counting the bytes of tensors that are alive, and kernels, on any device, the memoryless ``meta`` included.

What an allocator adds (rounding, fragments, workspaces of convolutions and matrix products) is not seen.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class LiveBytes(TorchDispatchMode):
    """While entered, watches every tensor that an operation makes; ``peak`` is the most that was alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        self._seen: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        del types
        known = {storage(tensor) for tensor in tree_flatten((args, kwargs))[0] if isinstance(tensor, torch.Tensor)}
        made = func(*args, **(kwargs or {}))
        for tensor in tree_flatten(made)[0]:
            if isinstance(tensor, torch.Tensor) and (key := storage(tensor)) not in known and key not in self._seen:
                self._watch(key, tensor.untyped_storage())
        return made

    def _watch(self, key: int, new: torch.UntypedStorage) -> None:
        size = new.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        self._seen[key] = weakref.finalize(new, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self.now -= size
        self._seen.pop(key, None)


class KernelCount(TorchDispatchMode):
    """While entered, counts in ``count`` the operations that run something, rather than look at a tensor otherwise.

    Each counts once, though some are several kernels on a card (group norms) and some fuse with others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        del types
        made = func(*args, **(kwargs or {}))
        known = {storage(tensor) for tensor in tree_flatten((args, kwargs))[0] if isinstance(tensor, torch.Tensor)}
        new = {storage(tensor) for tensor in tree_flatten(made)[0] if isinstance(tensor, torch.Tensor)} - known
        if "empty" not in func.overloadpacket.__name__:
            self.count += bool(new) or func._schema.is_mutable
        return made


def storage(tensor: torch.Tensor) -> int:
    """Tell storages apart."""
    return tensor.untyped_storage()._cdata
