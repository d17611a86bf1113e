"""Several processes that share the windows of every step, one per card: started by torchrun or accelerate launch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

import torch
from torch import distributed


class Together:
    """The processes of a run; alone unless the environment says otherwise (``WORLD_SIZE``, ``RANK``, ``LOCAL_RANK``).

    Whoever is alone and whoever shares learn from the same windows; only the order of sums differs.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        """Meet the others, if there are any.

        Args:
            device: Where this process learns; cards meet by NCCL, processors by Gloo.
        """
        self.device = device
        self.count, self.number = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if self.count > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device is not None and device.type == "cuda" else "gloo")

    @property
    def first(self) -> bool:
        """Whether this process writes and judges."""
        return self.number == 0

    def share(self, count: int) -> range:
        """Tell which of ``count`` windows this process learns from."""
        return range(self.number, count, self.count)

    def add_up(self, parameters: Iterable[torch.Tensor], loss: float) -> float:
        """Add up everybody's gradients, and the loss, which is returned."""
        if self.count == 1:
            return loss
        gradients = []
        for one in parameters:
            one.grad = torch.zeros_like(one) if one.grad is None else one.grad
            gradients.append(one.grad)
        flat = torch.cat([*(one.flatten() for one in gradients), gradients[0].new_tensor([loss])])
        distributed.all_reduce(flat)
        for one, part in zip(gradients, flat[:-1].split([one.numel() for one in gradients]), strict=True):
            one.copy_(part.view_as(one))
        return float(flat[-1])

    def heed_first(self, asked: bool) -> bool:
        """Tell everybody what the first process asks for."""
        if self.count == 1:
            return asked
        said = torch.tensor([float(asked and self.first)], device=self.device)
        distributed.all_reduce(said)
        return bool(said)

    def wait(self) -> None:
        """Wait until everybody has come here."""
        if self.count > 1:
            distributed.barrier()

    def part(self) -> None:
        """Part from the others."""
        if self.count > 1:
            with suppress(RuntimeError):
                distributed.destroy_process_group()


def local_device(name: str) -> str:
    """Tell which device is this process's own, where several share a machine and none is named."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if local is not None and name == "auto" and torch.cuda.is_available() else name
