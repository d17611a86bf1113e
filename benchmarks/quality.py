"""What sonic-base's qualities cost and lose, counted and measured without a graphics card.

    python benchmarks/quality.py            branch-steps and operations a second of video, windows until the first frame
    python benchmarks/quality.py --loss     and how far each is from exact, with the random weights of our own kit

Operations are those of the full-size networks at 512², counted without computing. The loss is the distance of the
denoised latents from those of exact on the same noise, ‖a − b‖ / ‖b‖. Random weights are no picture: the figures tell
that a quality is near or far in the arithmetic, not how it looks.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core.models.base.config import MODEL_FPS, BaseConfig  # noqa: E402
from sonic_core.models.base.denoise import Course, PassingFrames, Predicted, WholeClip, walk  # noqa: E402
from sonic_core.models.base.sampling import Sampling, choose_sampling  # noqa: E402
from sonic_core.models.base.vae import ChunkLayout, decoded  # noqa: E402
from sonic_core.models.base.windows import Line, Ring, Schedule  # noqa: E402
from sonic_core.settings import Settings  # noqa: E402

WINDOW = 25
BRANCH, SHALLOW = 31.7, 11.4
"""TFLOP of one branch of a window-step at 512², whole and shallow (benchmarks/unet.py --count)."""
DECODED, TINY = 3.04, 0.18
"""TFLOP of a frame at 512² in the decoder and in the tiny decoder."""
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("exact, 25 steps", {}),
    ("exact, deepcache 2", {"deepcache": 2}),
    ("exact, deepcache 3", {"deepcache": 3}),
    ("fast", {"quality": "fast"}),
    ("live, no student", {"quality": "live"}),
)


class FourSteps:
    """A student as distillation commonly makes them."""

    steps, distilled, sigmas = 4, True, ()


def samplings() -> list[tuple[str, Sampling]]:
    """List what is compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = BaseConfig().scheduler
        plain = Settings()
        listed = [(name, choose_sampling(replace(plain, **options), scheduler)) for name, options in CASES]
        return [*listed, ("live, 4-step student", choose_sampling(Settings(quality="live"), scheduler, FourSteps()))]


def decoded_share(frames: int = 125) -> float:
    """Count the frames that are decoded for each that is shown."""
    given = []

    def decode(latents: torch.Tensor) -> torch.Tensor:
        given.append(len(latents))
        return latents[:, :3]

    for _ in decoded(torch.zeros(frames, 4, 1, 1), frames, ChunkLayout(), decode):
        pass
    return sum(given) / frames


def first_frame(sampling: Sampling, shift: int) -> tuple[int, float]:
    """Count the window-steps until a stream's first frame is final, and the seconds of sound that it looks ahead."""
    noise = (torch.zeros(4, 1, 1) for _ in range(10**6))
    course = Course(PassingFrames(noise), Line(2000, Schedule(WINDOW, 0, shift)), sampling.sigmas, wavefront=True)
    frames = walk(course, lambda tasks: [Predicted(task.samples) for task in tasks], lambda *_: None)
    next(frames)
    store: Any = course.store
    return course.done, store.drawn / MODEL_FPS


def print_costs() -> None:
    """Print what each quality computes."""
    share = decoded_share()
    print(f"frames decoded for each shown: {share:.2f}")
    print("| quality | branch-steps | shallow | UNet, TFLOP a second | decoder | of exact | first frame: shift 7 | 3 |")
    print("|---|---|---|---|---|---|---|---|")
    exact = None
    for name, sampling in samplings():
        whole, shallow = sampling.branch_steps()
        unet = (whole * BRANCH + shallow * SHALLOW) * MODEL_FPS / WINDOW
        exact = exact or unet
        pixels = MODEL_FPS * (TINY if sampling.tiny else DECODED * share)
        first = [first_frame(sampling, shift) for shift in (7, 3)]
        told = " | ".join(f"{windows} window-steps, {ahead:.1f} s ahead" for windows, ahead in first)
        print(f"| {name} | {whole} | {shallow} | {unet:.0f} | {pixels:.0f} | {unet / exact:.0%} | {told} |")


def print_losses() -> None:
    """Print how far each quality, and a line in place of the ring, is from exact on our own kit."""
    from tests.parity.kit import OWN_KIT, draw_networks, read_index  # noqa: PLC0415
    from tests.parity.run_kit import case_predictor, given_of, portrait_of, tensor  # noqa: PLC0415

    index = read_index(OWN_KIT)
    case = index["cases"][0] | {"overlap": 0}
    kit, networks = np.load(OWN_KIT / f"pipeline_{case['name']}.npz"), draw_networks(index)
    noise, reference = tensor(kit["initial_noise"])[0], tensor(kit["ref_latents"])[0] * 0.18215
    schedule = Schedule(case["window"], 0, case["shift"])
    known = portrait_of(case, kit["image"])[1], *given_of(kit)

    def run(sampling: Sampling, windows: type) -> torch.Tensor:
        predict = case_predictor(networks, case, known, sampling)
        start = noise * float(sampling.sigmas[0]) + reference
        course = Course(WholeClip(start), windows(len(noise), schedule), sampling.sigmas)
        return torch.stack(list(walk(course, predict, lambda *_: None)))

    listed = samplings()
    exact = run(listed[0][1], Ring)
    print("| quality | distance from exact |")
    print("|---|---|")
    for name, sampling in listed[1:]:
        print(f"| {name} | {float((run(sampling, Ring) - exact).norm() / exact.norm()):.3f} |", flush=True)
    aligned = replace(listed[3][1], guidance_interval=1, settled=None)
    print(f"| ten aligned steps, all branches | {float((run(aligned, Ring) - exact).norm() / exact.norm()):.3f} |")
    print(f"| exact on a line (stream) | {float((run(listed[0][1], Line) - exact).norm() / exact.norm()):.3f} |")


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", action="store_true", help="measure losses too, some minutes")
    options = parser.parse_args()
    print_costs()
    if options.loss:
        print_losses()


if __name__ == "__main__":
    main()
