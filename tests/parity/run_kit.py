"""Run the engine over a conformance kit and print one relative L2 error per stage and case.

    python tests/parity/run_kit.py FOLDER [--json] [--check] [--chained] [--double]

The engine runs as in published mode, in float32 on the CPU, with all economies on; ``run_kit`` also takes another
device and type, and the errors then tell how far these are from float32 on the CPU. Each stage is given the kit's own
input, so that an error is where it is printed. With --chained each case is also run from the picture and the sound to
the frames without looking at the kit in between. With --double the UNet computes in float64: what it prints is how far
the kit itself is from exact arithmetic.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[2] / "tests" / "parity")]

from kit import KitNetworks, draw_interpolator, draw_networks, read_index, relative_error  # noqa: E402

from sonic_core.devices import OwnKeeper  # noqa: E402
from sonic_core.faces.crop import MASK_AREA, crop_box, face_mask, working_size  # noqa: E402
from sonic_core.media.pixels import resize_lanczos  # noqa: E402
from sonic_core.models.base.audio_features import log_mel  # noqa: E402
from sonic_core.models.base.conditions import count_frames, encode_audio, encode_image, unconditional_tokens  # noqa: E402
from sonic_core.models.base.config import LATENT_SCALE  # noqa: E402
from sonic_core.models.base.denoise import Predict, Predicted, Task, denoise, timestep  # noqa: E402
from sonic_core.models.base.guidance import ClipConditioning, Guidance, guided_predictions  # noqa: E402
from sonic_core.models.base.image_features import clip_pixels  # noqa: E402
from sonic_core.models.base.sampling import Sampling  # noqa: E402
from sonic_core.models.base.schedules import karras_sigmas  # noqa: E402
from sonic_core.models.base.unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken  # noqa: E402
from sonic_core.models.base.vae import ChunkLayout, decode_chunk, decoded, signed  # noqa: E402
from sonic_core.models.base.windows import Schedule  # noqa: E402
from sonic_core.types import Audio, ignore_progress  # noqa: E402

CPU = torch.device("cpu")
LIMIT = 1e-4


def run_kit(
    folder: Path,
    *,
    chained: bool = False,
    double: bool = False,
    keep: dict[str, torch.Tensor] | None = None,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float32,
) -> dict[str, dict[str, float]]:
    """Run everything that a kit folder holds: errors per stage, by case.

    Args:
        folder: The kit.
        chained: Also run each case all the way by itself.
        double: Let the UNet compute in float64.
        keep: Takes the denoised latents.
        device: Where networks run.
        dtype: Type of those networks that the engine gives its own.
    """
    keep = {} if keep is None else keep
    index = read_index(folder)
    networks = draw_networks(index).to(device, dtype)
    if double:
        networks.unet.double()
        networks.dtype = torch.float64
    errors: dict[str, dict[str, float]] = {}
    if (folder / "crop_boxes.npz").is_file():
        errors["crop_boxes"] = {"boxes": crop_box_error(np.load(folder / "crop_boxes.npz")["rows"])}
    if (folder / "unet_call.npz").is_file():
        errors["unet_call"] = {"output": unet_error(networks, np.load(folder / "unet_call.npz"))}
    if (folder / "interpolation.npz").is_file():
        kit = np.load(folder / "interpolation.npz")
        with torch.inference_mode():
            network = draw_interpolator(index["salt"]).to(device)
            middle = network(tensor(kit["frame0"]).to(device), tensor(kit["frame1"]).to(device))
        errors["interpolation"] = {"middle": relative_error(middle.cpu(), kit["expected"])}
    for case in index.get("cases", []):
        path = folder / f"pipeline_{case['name']}.npz"
        errors[path.stem] = case_errors(networks, case, np.load(path), chained=chained, keep=keep)
    return errors


def tensor(values: np.ndarray) -> torch.Tensor:
    """Make a float32 tensor."""
    return torch.from_numpy(np.asarray(values)).float()


def crop_box_error(rows: np.ndarray) -> float:
    """Count the pixels by which crop boxes differ: 0 when all are equal."""
    return float(sum(np.abs(np.array(crop_box(tuple(r[:2]), tuple(r[2:6]), r[6])) - r[7:]).sum() for r in rows))


def unet_error(networks: KitNetworks, kit: Any) -> float:
    """Compare one call of the UNet with three branches."""
    device, dtype = place(networks), networks.dtype
    sample = tensor(kit["sample"]).to(device, dtype)
    rows, frames = sample.shape[:2]
    pictures, sounds = (tensor(kit[name]).unflatten(0, (rows, frames)) for name in ("image_tokens", "audio_tokens"))
    branches = [
        Branch(ImageToken(picture[0, 0].to(device, dtype)), AudioTokens(sound, device, dtype, cache=True).window())
        for picture, sound in zip(pictures, sounds, strict=True)
    ]
    levels = len(networks.config.unet["block_out_channels"])
    mask = FaceMask(tensor(kit["mask"])[0, :1].to(device, dtype), (sample.shape[3], sample.shape[4]), levels)
    networks.unet.attention_context.batch = BatchConditioning(branches, mask)
    networks.unet.attention_context.piece = 100  # several pieces, also at this size
    with torch.inference_mode():
        out = networks.unet(
            sample, tensor(kit["timestep"]).to(device), sample.new_zeros(rows, 1, 1),
            tensor(kit["added_time_ids"]).to(device, dtype), return_dict=False,
        )[0]  # fmt: skip
    return relative_error(out.cpu(), kit["expected"])


def place(networks: KitNetworks) -> torch.device:
    """Tell where the networks are."""
    return next(networks.unet.parameters()).device


def case_errors(
    networks: KitNetworks, case: dict[str, Any], kit: Any, *, chained: bool, keep: dict[str, torch.Tensor]
) -> dict[str, float]:
    """Compare every stage of one case."""
    errors: dict[str, float] = {}
    image, mask = portrait_of(case, kit["image"])
    errors["ref_img"] = relative_error(signed(image)[None], kit["ref_img"])
    errors["clip_img"] = relative_error(clip_pixels(image), kit["clip_img"])
    errors["face_mask"] = relative_error(mask.expand(3, -1, -1)[None], kit["face_mask"])
    keeper = OwnKeeper(place(networks))
    embedding, latents = encode_image(networks, keeper, image)
    errors["image_embeds"] = relative_error(embedding[None], kit["image_embeds"])
    errors["ref_latents"] = relative_error(latents[None], kit["ref_latents"])
    waveform = tensor(kit["waveform"])
    mel = log_mel(waveform[:480_000])
    head = kit["mel_features_head"]
    errors["mel_features_head"] = relative_error(mel[0, :, : head.shape[-1]], head.reshape(mel.shape[1], -1))
    frames, positions = count_frames(len(waveform), published=True)
    errors["audio_len"] = abs(positions // 2 - int(kit["audio_len"]))
    heard = encode_audio(
        networks, keeper, Audio(waveform[None], 16000), embedding, published=True, progress=ignore_progress
    )
    tokens, buckets = heard.tokens, heard.buckets
    unconditional = unconditional_tokens(networks, keeper)
    errors["audio_tokens"] = relative_error(tokens, kit["audio_tokens"])
    errors["uncond_audio_tokens"] = relative_error(unconditional[0], kit["uncond_audio_tokens"])
    errors["motion_buckets"] = relative_error(buckets.view(frames, 1, 2, 1), kit["motion_buckets"])
    sigmas = karras_sigmas(case["steps"], *(networks.config.scheduler[name] for name in ("sigma_min", "sigma_max")))
    errors["sigmas"] = relative_error(sigmas, kit["sigmas"])
    errors["timesteps"] = relative_error(torch.tensor([timestep(float(s)) for s in sigmas[:-1]]), kit["timesteps"])
    made = (mask, embedding, latents, tokens, unconditional, buckets)
    given = (mask, *given_of(kit))
    denoised = keep[f"pipeline_{case['name']}"] = denoised_case(networks, case, kit, given)
    errors["latents"] = relative_error(denoised[None], kit["latents"])
    errors["frames"] = frames_error(networks, case, tensor(kit["latents"])[0], kit["frames"])
    if chained:
        denoised = denoised_case(networks, case, kit, made)
        errors["latents_chained"] = relative_error(denoised[None], kit["latents"])
        errors["frames_chained"] = frames_error(networks, case, denoised, kit["frames"])
    return errors


def portrait_of(case: dict[str, Any], image: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring a case's picture and face mask to working size: (3, h, w) and (1, h, w)."""
    picture = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    left, top, width, height = case["box"]
    size = working_size((picture.shape[1], picture.shape[2]), case["image_size"])
    box = (left, top, left + width, top + height)
    mask = face_mask((picture.shape[1], picture.shape[2]), box, case.get("area", MASK_AREA))
    return resize_lanczos(picture, size), resize_lanczos(mask, size)


def given_of(kit: Any) -> tuple[torch.Tensor, ...]:
    """Take what a kit knows of a case before denoising, but for the face mask."""
    tokens = tensor(kit["audio_tokens"])
    return (
        tensor(kit["image_embeds"])[0], tensor(kit["ref_latents"])[0], tokens,
        tensor(kit["uncond_audio_tokens"])[None], tensor(kit["motion_buckets"]).view(len(tokens), 2),
    )  # fmt: skip


def case_predictor(
    networks: KitNetworks, case: dict[str, Any], known: tuple[torch.Tensor, ...], sampling: Sampling
) -> Predict:
    """Make what predicts for one case, of its mask and of what is known of it."""
    mask, embedding, latents, tokens, unconditional, buckets = known
    device, dtype = place(networks), networks.dtype
    size, levels = (latents.shape[1], latents.shape[2]), len(networks.config.unet["block_out_channels"])
    conditioning = ClipConditioning(
        ImageToken(embedding.to(device, dtype)),
        latents.to(device, dtype),
        AudioTokens(tokens, device, dtype, cache=True),
        AudioTokens(unconditional, device, dtype, cache=True),
        buckets * case.get("dynamic_scale", 1.0),
        FaceMask(mask.to(device, dtype), size, levels),
    )
    guidance = Guidance(case.get("appearance_guidance", 2.0), case.get("audio_guidance", 7.5))
    networks.unet.attention_context.piece = 1 << 12

    def predict(tasks: Sequence[Task]) -> list[Predicted]:
        return guided_predictions(networks.unet, conditioning, guidance, sampling, tasks, at_once=4)

    return predict


def denoised_case(
    networks: KitNetworks, case: dict[str, Any], kit: Any, known: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Denoise one case from the kit's noise: (frames, 4, h, w)."""
    sigmas = karras_sigmas(case["steps"], *(networks.config.scheduler[name] for name in ("sigma_min", "sigma_max")))
    predict = case_predictor(networks, case, known, Sampling(sigmas))
    start = known[2] * LATENT_SCALE + tensor(kit["initial_noise"])[0] * float(sigmas[0])
    schedule = Schedule(case["window"], case.get("overlap", 0), case["shift"])
    return denoise(start, sigmas, schedule, predict, lambda *_: None, at_once=2)


def frames_error(networks: KitNetworks, case: dict[str, Any], latents: torch.Tensor, expected: np.ndarray) -> float:
    """Decode and compare as many frames as the kit keeps: (1, 3, frames, h, w)."""
    layout = ChunkLayout(case.get("decode_chunk", 8), fade=0)
    chunks = decoded(latents, len(latents), layout, lambda part: decode_chunk(networks.vae, part))
    frames = torch.cat(list(chunks))[: expected.shape[2]].transpose(0, 1)[None]
    return relative_error(frames.to(torch.from_numpy(expected).dtype), expected)  # kits keep frames in float16


def main() -> int:
    """Print the errors; exit status 1 with --check when one is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object {case: {stage: error}}")
    parser.add_argument("--chained", action="store_true", help="also run each case all the way by itself")
    parser.add_argument("--double", action="store_true", help="let the UNet compute in float64")
    parser.add_argument("--check", action="store_true", help=f"exit status 1 when an error is above {LIMIT:g}")
    options = parser.parse_args()
    errors = run_kit(options.folder, chained=options.chained, double=options.double)
    if options.json:
        print(json.dumps(errors, indent=1))
    else:
        for case, stages in errors.items():
            for stage, error in stages.items():
                print(f"{case:32} {stage:22} {error:.2e}")
    fine = all(
        error == 0 if case == "crop_boxes" or stage == "audio_len" else error <= LIMIT
        for case, stages in errors.items()
        for stage, error in stages.items()
    )
    return 1 if options.check and not fine else 0


if __name__ == "__main__":
    raise SystemExit(main())
