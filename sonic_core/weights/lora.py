"""Low-rank changes of a network (LoRA), merged into its weights while they are read.

A layer's weight W becomes W + scale · up · down, where ``down`` (rank, inputs) and ``up`` (outputs, rank) are small,
and scale is alpha / rank. A convolution's ``down`` has the kernel of the convolution, its ``up`` a kernel of one.
Merged, the network is as fast as before.

Several can be merged, each with a strength that multiplies its changes; one of strength 0 changes no bit.

Two families of names are read: ``<layer>.lora_A.weight`` and ``lora_B`` (peft, diffusers), also behind ``unet.`` and
``base_model.model.``; and ``lora_unet_<layer with underscores>.lora_down.weight``, ``lora_up`` and ``alpha`` (kohya).

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685, section 4.1.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ..errors import CheckpointError, SettingsError
from ..types import Progress, ignore_progress
from .read import STAGE, lend_in_portions, load_into, open_tensors

PREFIXES = ("base_model.model.", "unet.")
"""What layers' names may begin with, one after the other."""
FLAT = "lora_unet_"
"""What kohya's names begin with; behind it the layer's name has underscores for dots."""
ALPHA = "alpha"
"""Entry of a file's header: alpha of all layers that have none of their own."""
PEFT_HEADER = "lora_adapter_metadata"
"""Entry of a file's header in which diffusers keeps peft's settings, as JSON."""
_NAME = re.compile(
    r"(?P<layer>.+)\.(?:(?P<down>lora_A(?:\.default)?\.weight|lora_down\.weight)"
    r"|(?P<up>lora_B(?:\.default)?\.weight|lora_up\.weight)|alpha)"
)


@dataclass(frozen=True)
class Lora:
    """A file of low-rank changes, and how much of them counts.

    Raises:
        SettingsError: The strength is no number.
    """

    path: Path
    strength: float = 1.0
    """What the changes are multiplied by: 1 as they were learned, 0 not at all, below 0 the other way."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength):
            raise SettingsError(f"The strength of the LoRA {self.path} must be a number; got {self.strength}.")


LoraLike = str | os.PathLike[str] | tuple[str | os.PathLike[str], float] | Lora
"""How a LoRA can be named: its file, ``file:strength``, both as a pair, or a ``Lora``."""


@dataclass(frozen=True, eq=False)
class Change:
    """What a LoRA adds to one weight."""

    down: torch.Tensor
    """(rank, inputs), a convolution's with its kernel: (rank, inputs, …)."""
    up: torch.Tensor
    """(outputs, rank), a convolution's with a kernel of one."""
    scale: float

    def added(self, weight: torch.Tensor) -> torch.Tensor:
        """Return ``weight`` with the change, in float32; ``weight`` itself stays as it is."""
        up, down = self.up.flatten(1).float(), self.down.flatten(1).float()
        return torch.addmm(weight.float().flatten(1), up, down, alpha=self.scale).view(weight.shape)

    def fits(self, shape: torch.Size) -> bool:
        """Say whether a weight of ``shape`` can be changed by it; a kernel of one may be left out on either side."""
        if min(len(shape), self.down.ndim, self.up.ndim) < 2 or not len(self.down):
            return False
        inputs, wanted = (_short(size[1:]) for size in (self.down.shape, shape))
        return inputs == wanted and self.up.flatten(1).shape == (shape[0], len(self.down))


def as_lora(given: LoraLike) -> Lora:
    """Read how somebody names a LoRA.

    Args:
        given: A file; a text ``file:strength``, unless a file is called so; a pair of both; or a ``Lora``.

    Raises:
        SettingsError: The strength is no number.

    >>> as_lora("me.safetensors:0.8").strength
    0.8
    """
    if isinstance(given, Lora):
        return given
    if isinstance(given, tuple):
        return Lora(Path(given[0]), float(given[1]))
    file, colon, strength = os.fspath(given).rpartition(":")
    if not (colon and isinstance(given, str)) or Path(given).exists():
        return Lora(Path(given))
    try:
        times = float(strength)
    except ValueError:  # the colon of a drive's letter
        return Lora(Path(given))
    return Lora(Path(file), times)


def check_lora(lora: Lora) -> None:
    """Check that a file holds low-rank changes, whatever network they are for.

    Raises:
        CheckpointError: It is missing, damaged, or holds something else.
    """
    if not is_lora(lora.path):
        raise CheckpointError(
            f"{lora.path} holds no low-rank changes (LoRA), which are expected there; name a file that does."
        )


def read_header(path: Path) -> dict[str, str]:
    """Read the words that a .safetensors file carries beside its tensors; other files carry none.

    Raises:
        CheckpointError: The file is missing, damaged, or no weight file.
    """
    open_tensors(path)
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return dict(file.metadata() or {})
    except SafetensorError:
        return {}


def is_lora(path: Path) -> bool:
    """Say whether a weight file holds low-rank changes rather than a network.

    Raises:
        CheckpointError: The file is missing, damaged, or no weight file.
    """
    found = (_NAME.fullmatch(name) for name in open_tensors(path))
    return any(name is not None and name["down"] is not None for name in found)


def read_lora(path: Path, shapes: Mapping[str, torch.Size]) -> dict[str, Change]:
    """Read a LoRA and check it against the network that it is for.

    Args:
        path: The file.
        shapes: Shape of each of the network's tensors, by its name.

    Returns:
        The change of each weight, by the weight's name; the tensors are mapped.

    Raises:
        CheckpointError: The file cannot be read, or changes what the network does not have; the first is named.
    """
    tensors, header = open_tensors(path), read_header(path)
    layers = [name.removesuffix(".weight") for name in shapes if name.endswith(".weight")]
    flat = {FLAT + layer.replace(".", "_"): layer for layer in layers}
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name in tensors:
        found = _NAME.fullmatch(name)
        if found is None:
            raise CheckpointError(
                f"{path} is no LoRA that is understood: it holds {name}, not only down, up and alpha."
            )
        layer = flat.get(found["layer"], _bare(found["layer"]))
        if f"{layer}.weight" not in shapes:
            raise CheckpointError(f"{path} is of another network: it changes {layer}, which is not in this one.")
        part = "down" if found["down"] else "up" if found["up"] else ALPHA
        parts.setdefault(layer, {})[part] = tensors[name]
    alpha = _alpha_of_all(header, path)
    return {
        f"{layer}.weight": _change(layer, of, alpha, shapes[f"{layer}.weight"], path) for layer, of in parts.items()
    }


def load_with_loras(
    network: nn.Module,
    path: Path,
    loras: Sequence[Lora],
    *,
    dtype: torch.dtype,
    prefix: str | Sequence[str] = "",
    progress: Progress = ignore_progress,
) -> None:
    """Fill a network that was built on the meta device with a file's tensors, changed by LoRAs.

    The sums are made in float32 from what the file holds, and rounded once. Tensors go one by one, so the peak is
    ``load_into``'s. The file's tensors, which others may share, stay as they are.

    Args:
        network: Its parameters and buffers are replaced.
        path: The network's weights, as ``load_into`` reads them.
        loras: The changes, which add up; those of strength 0 are only checked.
        dtype: Type of the floating tensors.
        prefix: What the names in ``path`` begin with, as for ``load_into``.
        progress: Called with ("read", tensors done, tensors in all), once for the file and, where something
            changes, once for the changes.

    Raises:
        CheckpointError: A file cannot be read, or does not fit; the first tensor that does not is named.
    """
    with torch.inference_mode(mode=False), torch.no_grad():  # a network made in that mode cannot be moved outside it
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        changes = _added_up(loras, shapes)
        load_into(network, path, dtype=dtype, prefix=prefix, progress=progress)
        if not changes:
            return
        stored = _stored(changes, open_tensors(path))
        sizes = {name: 4 * network.get_parameter(of).numel() for name, of in stored.items()}  # at most: float32
        for done, (name, lent) in enumerate(lend_in_portions(path, sizes)):
            progress(STAGE, done, len(sizes))
            owner, _, last = stored[name].rpartition(".")
            merged = lent[name]
            for change in changes[stored[name]]:
                merged = change.added(merged)
            setattr(network.get_submodule(owner), last, nn.Parameter(merged.to(dtype), requires_grad=False))


def _added_up(loras: Sequence[Lora], shapes: Mapping[str, torch.Size]) -> dict[str, list[Change]]:
    """Read what some LoRAs change: per weight, one change after the other."""
    changes: dict[str, list[Change]] = {}
    for lora in loras:
        read = read_lora(lora.path, shapes)
        for name, change in read.items() if lora.strength else ():
            changes.setdefault(name, []).append(replace(change, scale=change.scale * lora.strength))
    return changes


def _short(sides: Sequence[int]) -> tuple[int, ...]:
    """Leave out a kernel's last sides of one."""
    kept = len(sides)
    while kept > 1 and sides[kept - 1] == 1:
        kept -= 1
    return tuple(sides[:kept])


def _bare(layer: str) -> str:
    for prefix in PREFIXES:
        layer = layer.removeprefix(prefix)
    return layer


def _change(
    layer: str, parts: Mapping[str, torch.Tensor], alpha: float | None, shape: torch.Size, path: Path
) -> Change:
    lacking = [part for part in ("down", "up") if part not in parts]
    if lacking:
        raise CheckpointError(f"{path} is incomplete: for {layer} it holds no {lacking[0]}; download or make it again.")
    change = Change(parts["down"], parts["up"], 1.0)
    if not change.fits(shape):
        raise CheckpointError(
            f"{path} is of another network: it changes {layer} by {tuple(change.up.shape)} times "
            f"{tuple(change.down.shape)}, which does not fit a weight of the shape {tuple(shape)}."
        )
    own = parts.get(ALPHA)
    if own is not None and own.numel() != 1:
        raise CheckpointError(f"{path} is damaged: alpha of {layer} should be one number, got {tuple(own.shape)}.")
    alpha = alpha if own is None else float(own)
    return change if alpha is None else replace(change, scale=alpha / len(change.down))


def _alpha_of_all(header: Mapping[str, str], path: Path) -> float | None:
    """Read the alpha that a header gives for all layers; None: each layer's scale is 1 unless it has an alpha."""
    try:
        if ALPHA in header:
            return float(header[ALPHA])
        settings = json.loads(header.get(PEFT_HEADER, "{}"))
        plain = {name.rpartition(".")[2]: value for name, value in settings.items()}
        special = [name for name in ("use_rslora", "use_dora", "alpha_pattern", "rank_pattern") if plain.get(name)]
        alpha = plain.get("lora_alpha")
        alpha = None if alpha is None else float(alpha)
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} has a header whose alpha cannot be read ({error}); expected a number."
        ) from error
    if special:
        raise CheckpointError(f"{path} was made with {special[0]}, which is not understood; make it without.")
    return alpha


def _stored(names: Iterable[str], tensors: Iterable[str]) -> dict[str, str]:
    """Tell what a file calls some tensors, which it may keep behind a common prefix: from its name to the network's."""
    known = list(tensors)
    return {min((one for one in known if one == name or one.endswith(f".{name}")), key=len): name for name in names}
