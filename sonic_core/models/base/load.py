"""Finds sonic-base's files and sets it up on a hardware."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ...devices import Hardware, OwnKeeper, choose_devices, choose_dtype
from ...errors import SonicWarning
from ...weights.lora import Lora, check_lora
from ...weights.search import Weights
from .files import find_base
from .model import BaseModel

SLOW = (
    "sonic-base runs on the processor here, where a second of video takes many minutes, or hours; "
    "sonic-preview takes about half a second."
)


def load(weights: Weights, hardware: Hardware, loras: Sequence[Lora] = ()) -> BaseModel:
    """Make the model; each of its files is read when it is first needed.

    Raises:
        CheckpointError: Files are missing; the message lists all of them. Or what is named as a LoRA is none.
        SettingsError: There is no such device, precision, lever or kernel.

    Warns:
        SonicWarning: It would run on the processor.
    """
    for lora in loras:
        check_lora(lora)
    keeper, others = hardware.keeper, list(hardware.others)
    if keeper is None:
        keeper, *others = map(OwnKeeper, choose_devices(hardware.device))
    model = BaseModel(
        find_base(weights),
        keeper,
        choose_dtype(keeper.device, hardware.precision),
        others,
        acceleration=hardware.acceleration,
        attention=hardware.attention,
        loras=loras,
    )
    if keeper.device.type == "cpu":
        warnings.warn(SLOW, SonicWarning, stacklevel=4)  # whoever called load_model
    return model
