"""Watching what a network would run on a graphics card, without one: fake tensors compute nothing."""

from __future__ import annotations

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CONVOLUTIONS = {"convolution", "conv1d", "conv2d", "conv3d"}
MOVES = {"_to_copy", "to", "copy_"}


class Watch(TorchDispatchMode):
    """While entered, counts kernels by name, the convolutions' dimensions and the bytes between host and card."""

    def __init__(self):
        super().__init__()
        self.kernels, self.dimensions, self.moved, self.mixed = Counter(), Counter(), Counter(), []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if func.namespace == "aten" and name != "scaled_dot_product_attention":  # that is one kernel, whichever
            with self:
                made = func.decompose(*args, **(kwargs or {}))
            if made is not NotImplemented:
                return made
        made = func(*args, **(kwargs or {}))
        given, given_back = (
            [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)] for tree in ((args, kwargs), made)
        )
        if name in CONVOLUTIONS:
            self.dimensions[given[0].dim() - 2] += 1
        if name in MOVES and len({one.device.type for one in (*given, *given_back)}) > 1:
            source, target = given[-1], given_back[0]
            way = "up" if source.device.type == "cpu" else "down"
            self.moved[way] += min(source.nbytes, target.nbytes) if way == "up" else source.nbytes  # converted before
        if runs(func, given, given_back):
            self.kernels[name] += 1
            numbers = {one.dtype for one in given if one.is_floating_point() and one.dim()}
            if len(numbers) > 1 and name not in MOVES:
                self.mixed.append(name)
        return made

    @property
    def count(self):
        """Kernels in all."""
        return self.kernels.total()


def runs(func, given, given_back):
    """Say whether an operation runs a kernel on a card, rather than looking at what is there or taking memory."""
    if all(one.device.type == "cpu" for one in (*given, *given_back)) or "empty" in func.overloadpacket.__name__:
        return False
    known = {one.untyped_storage()._cdata for one in given}
    return func._schema.is_mutable or any(one.untyped_storage()._cdata not in known for one in given_back)
