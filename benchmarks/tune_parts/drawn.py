"""People that sonic-preview draws, and a tiny sonic-base that sees them as the published one would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import sonic_core as sonic
from sonic_core.devices import OwnKeeper
from sonic_core.learn.tune.caching import Prepared, Workshop, prepare
from sonic_core.learn.tune.plan import TuningPlan
from sonic_core.media.audio import read_audio
from sonic_core.models.base.config import LATENT_SCALE
from sonic_core.models.base.files import find_base
from sonic_core.models.base.loading import Networks
from sonic_core.models.base.vae import reference_latents
from sonic_core.types import Audio
from tests.parity.make_weights import SVD_FOLDER, write_set

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SPEEDS = (0.82, 0.94, 1.06, 1.2)
"""How fast each sound is said, pitch included."""


def draw_people(folder: Path, speeds: Sequence[float] = SPEEDS, size: int = 192) -> list[Path]:
    """Draw the bundled portrait saying every bundled sound at several speeds; those that are there stay.

    Args:
        folder: Where the videos go.
        speeds: Of the sounds.
        size: Pixels of the picture's side.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model, made = sonic.load_model("sonic-preview"), []
    for sound in (ASSETS / "speech.wav", *sorted((ASSETS / "sounds").glob("*.wav"))):
        audio = read_audio(sound)
        for number, speed in enumerate(speeds):
            path = folder / f"{sound.stem}-{speed:g}.mp4"
            made.append(path)
            if not path.is_file():
                faster = Audio(audio.samples, round(audio.rate * speed))
                model.generate(
                    faster, ASSETS / "portrait.png", min_resolution=size, expand_ratio=0.3, seed=number
                ).export(path)
    return made


def write_tiny_base(folder: Path) -> None:
    """Write a tiny, random sonic-base whose VAE's latents have the mean and deviation of the published one's."""
    if folder.is_dir():
        return
    write_set(folder, tiny=True, single_file=False)
    path = folder / SVD_FOLDER / "vae" / "diffusion_pytorch_model.fp16.safetensors"
    with torch.no_grad():
        networks = Networks(find_base([folder]), torch.float32)
        image = sonic.read_image(ASSETS / "portrait.png")
        pieces = image.unfold(1, 64, 32).unfold(2, 64, 32).flatten(1, 2).movedim(1, 0)[::7][:24]
        seen = torch.stack([reference_latents(networks.vae, piece) for piece in pieces]).movedim(1, 0).flatten(1)
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    times = 1 / LATENT_SCALE / seen.std(1)
    count = len(times)
    tensors["quant_conv.weight"][:count] *= times[:, None, None, None]
    tensors["quant_conv.bias"][:count] = -seen.mean(1) * times
    del networks
    save_file(tensors, path, {"format": "pt"})


def prepared_people(folder: Path, plan: TuningPlan, speeds: Sequence[float] = SPEEDS) -> tuple[Networks, Prepared]:
    """Draw the people and the tiny base, and prepare the one for the other."""
    write_tiny_base(folder / "set")
    networks = Networks(find_base([folder / "set"]), torch.float32)
    workshop = Workshop(plan, networks, OwnKeeper(torch.device("cpu")))
    return networks, prepare(draw_people(folder / "videos", speeds), folder / "data", workshop)


def deviation_of(latents: Sequence[torch.Tensor]) -> float:
    """Return the deviation of latents inside the diffusion process."""
    return float(np.std(np.concatenate([(one.float() * LATENT_SCALE).flatten().numpy() for one in latents])))
