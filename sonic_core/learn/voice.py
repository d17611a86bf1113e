"""``python -m sonic_core learn voice ACTIVITY EMBEDDING``: two published networks become the package's weights.

ACTIVITY is ``silero_vad/data/silero_vad.jit`` of the package silero-vad 6.2.3 (the .safetensors beside it holds an
older network), EMBEDDING ``resemblyzer/pretrained.pt`` of the package resemblyzer 0.1.4.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from ..errors import CheckpointError, SonicError
from ..speech.voice import activity, embedding
from ..weights.torchscript import load_computing

ACTIVITY_NOTES = {
    "source": "Silero VAD 6.2.3, https://github.com/snakers4/silero-vad, copyright 2020-present Silero Team",
    "license": "MIT",
    "changes": "rounded to half precision, layers renamed",
}
EMBEDDING_NOTES = {
    "source": "Resemblyzer 0.1.4, https://github.com/resemble-ai/Resemblyzer, copyright Resemble AI",
    "license": "Apache-2.0",
    "changes": "from PyTorch to safetensors in half precision, without what only training needs",
}
_ACTIVITY_LAYERS = {
    "stft.forward_basis_buffer": "basis.weight",
    **{f"encoder.{number}.reparam_conv": f"layers.{number}" for number in range(4)},
    "decoder.rnn": "memory",
    "decoder.decoder.2": "head",
}
Tensors = Mapping[str, torch.Tensor]


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert both; the status is 0, or 2 with one sentence on what is missing."""
    parser = argparse.ArgumentParser(prog="python -m sonic_core learn voice", description=__doc__)
    parser.add_argument("activity", type=Path, metavar="ACTIVITY", help="silero_vad.jit")
    parser.add_argument("embedding", type=Path, metavar="EMBEDDING", help="pretrained.pt")
    options = parser.parse_args(arguments)
    try:
        convert_activity(options.activity, activity.WEIGHTS)
        convert_embedding(options.embedding, embedding.WEIGHTS)
    except SonicError as error:
        sys.stderr.write(f"sonic: {error}\n")
        return 2
    return 0


def convert_activity(source: Path, target: Path) -> None:
    """Write the weights of the network that tells where speech is.

    Raises:
        CheckpointError: They are missing, or another network's.
    """
    renamed = {}
    for name, value in load_computing(source).state_dict().items():
        for old, new in _ACTIVITY_LAYERS.items():
            if name.startswith(f"_model.{old}"):
                renamed[name.replace(f"_model.{old}", new).replace("_ih", "_ih_l0").replace("_hh", "_hh_l0")] = value
    if "head.weight" in renamed:
        renamed["head.weight"] = renamed["head.weight"].flatten(1)  # of a convolution over one moment
    _write(activity.ActivityNetwork(), renamed, target, ACTIVITY_NOTES)


def convert_embedding(source: Path, target: Path) -> None:
    """Write the weights of the network that tells whose a voice is.

    Raises:
        CheckpointError: They are missing, or another network's.
    """
    found = _read(source)
    kept = {name: value for name, value in found.items() if not name.startswith("similarity")}
    _write(embedding.VoiceNetwork(), kept, target, EMBEDDING_NOTES)


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        reason = f"{error}".partition("\n")[0]
        raise CheckpointError(
            f"Expected a network's weights at {path}, got none that can be read ({reason})."
        ) from error


def _write(network: nn.Module, tensors: Tensors, target: Path, notes: dict[str, str]) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"Expected the weights of {type(network).__name__}, got another network's.") from error
    save_file({name: one.half().contiguous() for name, one in network.state_dict().items()}, target, metadata=notes)
    target.chmod(0o644)
