"""Write ``own_kit``: a conformance kit of our own making, computed by the plain reference in float64.

    python tests/parity/make_own_kit.py [FOLDER]

It has the published kits' form and other sizes: no level of the UNet is so small that a group norm turns roundings into
signs, windows overlap, and nothing has its default value. Numbers keep 18 bits, which is a relative error of 2e-6.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from sonic_core.models.base.config import BaseConfig  # noqa: E402
from tests.parity.kit import OWN_KIT  # noqa: E402
from tests.parity.plain import call_unet, plain_case, plain_middle, plain_unet  # noqa: E402

SIZES = {
    "unet": {"block_out_channels": [64, 64, 128, 128], "num_attention_heads": [1, 2, 4, 2], "cross_attention_dim": 48},
    "vae": {"layers_per_block": 1, "block_out_channels": [32, 32, 64, 32]},
    "clip": {"projection_dim": 48},
    "audio2token": {"output_dim": 48, "context_tokens": 12},
    "audio2bucket": {"clip_channels": 48},
}
CASE = {
    "name": "overlapping_windows",
    "image": [150, 138],
    "box": [41, 30, 57, 66],
    "image_size": 128,
    "samples": 9300,
    "steps": 3,
    "window": 4,
    "shift": 3,
    "overlap": 2,
    "dynamic_scale": 1.1,
    "appearance_guidance": 1.5,
    "audio_guidance": 4.0,
    "area": 1.25,
    "decode_chunk": 4,
}
STORED = {"frames": np.float16, "ref_img": np.float32, "clip_img": np.float32, "face_mask": np.float32}
KEPT_FRAMES = 1


def make_index() -> dict[str, Any]:
    """Take the tiny sizes, with some changes."""
    config = json.loads((HERE / "tiny.json").read_text(encoding="utf-8"))
    config = {name: {**sizes, **SIZES.get(name, {})} for name, sizes in config.items()}
    return {
        "salt": "own-kit",
        "config": config | {"scheduler": {"sigma_min": 0.002, "sigma_max": 700.0}},
        "cases": [CASE],
    }


def inputs(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """Paint a picture, play a sound and draw the noise: few distinct values, so that they pack well."""
    random = np.random.RandomState(7)
    height, width = case["image"]
    y, x = np.mgrid[:height, :width] // 23
    image = np.stack([(x * 31 + y * 3) % 256, (y * 17) % 256, (x + y) * 11 % 256], -1).astype(np.uint8)
    moments = np.arange(case["samples"]) / 16000
    wave = 0.4 * np.sin(2 * np.pi * 170 * moments) * np.sin(2 * np.pi * 3 * moments) + random.normal(
        0, 0.02, moments.shape
    )
    frames = case["samples"] // 640 // 2
    noise = random.standard_normal((1, frames, 4, case["image_size"] // 8, case["image_size"] // 8))
    return {
        "image": image,
        "waveform": (np.round(wave * 256) / 256).astype(np.float32),
        "initial_noise": (np.round(noise * 16) / 16).astype(np.float32),
    }


def unet_call(index: dict[str, Any]) -> dict[str, np.ndarray]:
    """Call the UNet once with three branches."""
    config = BaseConfig.of(index["config"])
    random, rows, frames, side = np.random.RandomState(8), 3, 2, 16
    width, tokens = config.unet["cross_attention_dim"], config.audio2token["context_tokens"]

    def drawn(*shape: int) -> np.ndarray:
        return (np.round(random.standard_normal(shape) * 8) / 8).astype(np.float32)

    y, x = np.mgrid[: 8 * side, : 8 * side]
    mask = ((x > 30) & (x < 101) & (y > 22) & (y < 90)).astype(np.float32)
    kit = {
        "sample": drawn(rows, frames, 8, side, side),
        "image_tokens": np.repeat(drawn(rows, 1, width), frames, 0),
        "audio_tokens": drawn(rows * frames, tokens, width),
        "mask": mask[None, None],
        "added_time_ids": np.tile(np.float32([12.5, 17, 14]), (rows, 1)),
        "timestep": np.float32(0.75),
    }
    unet, conditioning = plain_unet(config, index["salt"])
    expected = call_unet(
        unet,
        conditioning,
        sample=torch.from_numpy(kit["sample"]),
        image_tokens=torch.from_numpy(kit["image_tokens"]),
        audio_tokens=torch.from_numpy(kit["audio_tokens"]),
        mask=torch.from_numpy(kit["mask"]),
        ids=torch.from_numpy(kit["added_time_ids"]),
        timestep=float(kit["timestep"]),
    )
    return kit | {"expected": expected.numpy()}


def interpolation(index: dict[str, Any]) -> dict[str, np.ndarray]:
    """Draw the frame between two."""
    y, x = np.mgrid[:32, :32]
    first, second = (
        np.stack([np.sin((x + move) / 5), np.cos(y / 4), np.sin((x + y - move) / 7)])[None] / 2 + 0.5 for move in (0, 3)
    )
    first, second = ((np.round(frame * 64) / 64).astype(np.float32) for frame in (first, second))
    middle = plain_middle(index["salt"], *(torch.from_numpy(frame).double() for frame in (first, second)))
    return {"frame0": first, "frame1": second, "expected": middle.numpy()}


def crop_rows() -> np.ndarray:
    """Cut squares, worked out by hand: H, W, box, ratio, and the result."""
    return np.array(
        [
            (200, 300, 100, 50, 150, 100, 0.0, 100, 50, 150, 100),  # a square stays
            (200, 300, 100, 50, 150, 100, 0.2, 90, 40, 160, 110),  # 10 on every side
            (200, 300, 0, 0, 50, 50, 0.2, 0, 0, 60, 60),  # the picture ends
            (400, 400, 100, 100, 200, 220, 0.5, 50, 60, 250, 260),  # taller than wide, cut about its centre
        ],
        np.float64,
    )


def shortened(values: np.ndarray) -> np.ndarray:
    """Round to float32 with 18 bits after the leading one, which packs better."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 16) & np.uint32(0xFFFFFFE0)).view(np.float32)


def write(path: Path, arrays: dict[str, np.ndarray], exact: tuple[str, ...] = ()) -> None:
    """Write an .npz, packed, the same bytes every time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, whole in arrays.items():
            short = name not in STORED and name not in exact and np.issubdtype(whole.dtype, np.floating)
            values = shortened(whole) if short else np.asarray(whole, STORED.get(name, whole.dtype))
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_LZMA
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, values.copy())


def main() -> None:
    """Write the kit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=OWN_KIT)
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    index = make_index()
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    write(folder / "crop_boxes.npz", {"rows": crop_rows()}, ("rows",))
    write(folder / "unet_call.npz", unet_call(index))
    write(folder / "interpolation.npz", interpolation(index))
    given = inputs(CASE)
    made = plain_case(index, CASE, given)
    made["frames"] = made["frames"][:, :, :KEPT_FRAMES]
    write(
        folder / f"pipeline_{CASE['name']}.npz",
        given | made,
        ("waveform", "initial_noise", "image", "sigmas", "timesteps"),
    )
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size:8} {path.name}")


if __name__ == "__main__":
    main()
