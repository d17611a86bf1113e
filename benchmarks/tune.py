"""Tuning sonic-base: what a step takes at full size, counted; and what a tiny model learns from drawn people, measured.

    python benchmarks/tune.py --count         memory, operations and kernels of one step, without computing
    python benchmarks/tune.py --teach DIR     a tiny model learns from clips of sonic-preview (half an hour of one core)
    python benchmarks/tune.py --lips VIDEO    how much the mouth of a video moves, as clips are chosen by

``--teach`` draws the bundled portrait saying the bundled sounds, moved and scaled so that no two clips are alike, and
teaches a UNet of four million random numbers to denoise them. Its VAE is random too, but its latents have the deviation
of the published one's. Held out are whole clips. Told apart are a clip's own sound and the sounds of other clips: the
loss in the mouth's region at each, where chance would give no difference.

Measured after 200 of the 400 steps, on 62 s of video of which three clips were held out: the loss on those is 50 % of
what it was; the right sound is not told from wrong ones (−1.0 standard errors over 35 windows; the aim is 5).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.live_bytes import KernelCount, LiveBytes  # noqa: E402
from sonic_core.clip import open_clip  # noqa: E402
from sonic_core.learn.tune.examples import Example, Examples, split  # noqa: E402
from sonic_core.learn.tune.loss import conditioning_of, errors_of  # noqa: E402
from sonic_core.learn.tune.network import add_changes, conditioned, trainable_unet  # noqa: E402
from sonic_core.learn.tune.plan import TuningPlan  # noqa: E402
from sonic_core.learn.tune.together import Together  # noqa: E402
from sonic_core.learn.tune.training import Lesson, tune  # noqa: E402
from sonic_core.learn.tune.watching import FPS, lip_movement, watch  # noqa: E402
from sonic_core.models.base.config import BaseConfig  # noqa: E402
from sonic_core.weights.read import load_into  # noqa: E402

MOMENTS = 5
"""Copies of what changes that are kept in float32: itself, its gradient, two moments, its average."""


@dataclass(frozen=True)
class Step:
    """What one step takes, one window at a time."""

    gigabytes: float
    """Weights, what learns, and what is alive at the peak."""
    weights: float
    """GB of frozen weights."""
    alive: float
    """GB that are alive at the peak of a window, beside weights and what is kept of what learns."""
    changed: int
    """Numbers that learn."""
    kernels: int
    """Of one window; each operation that runs something counts once."""


def count_step(size: int, *, checkpointing: bool, plan: TuningPlan | None = None) -> Step:
    """Count, without computing, what a step takes of a card at full size in bf16.

    Args:
        size: Pixels of the picture's side.
        checkpointing: Keep nothing of a block's inside for the way back.
        plan: Its layers, rank and window count.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415

    plan = plan or TuningPlan()
    live, kernels = LiveBytes(), KernelCount()
    unet = trainable_unet(BaseConfig(), checkpointing=checkpointing)
    with FakeTensorMode():  # of a processor, which has fused attention as cards have; the meta device holds all scores
        _lay_on_processor(unet)
        changes = add_changes(unet, plan.layers, plan.rank, plan.scale, plan.seed)
        example = _example(BaseConfig(), size, plan.window)
        with live, kernels:
            _pass(unet, example)
    weights = sum(one.nbytes for one in unet.parameters())
    changed = sum(one.numel() for one in changes.parameters())
    total = weights + MOMENTS * 4 * changed + live.peak
    return Step(total / 1e9, weights / 1e9, live.peak / 1e9, changed, kernels.count)


def count_operations(size: int, *, checkpointing: bool, plan: TuningPlan | None = None) -> float:
    """Count, without computing, the operations of one window, forth and back, multiplications and additions apart."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    plan = plan or TuningPlan()
    with FlopCounterMode(display=False) as operations:  # which does not know a processor's attention
        _pass(_on_meta(plan, checkpointing=checkpointing), _example(BaseConfig(), size, plan.window, "meta"))
    return float(operations.get_total_flops())


def _lay_on_processor(unet: nn.Module) -> None:
    """Exchange a network's weights for ones in bf16 that hold nothing."""
    for module in unet.modules():
        for name, one in module._parameters.items():
            if one is not None:
                empty = torch.empty(one.shape, dtype=torch.bfloat16)
                module._parameters[name] = nn.Parameter(empty, requires_grad=False)


def _on_meta(plan: TuningPlan, *, checkpointing: bool) -> Any:  # noqa: ANN401 - diffusers' type
    unet = nn.Module.to(trainable_unet(BaseConfig(), checkpointing=checkpointing), device="meta", dtype=torch.bfloat16)
    add_changes(unet, plan.layers, plan.rank, plan.scale, plan.seed).to("meta")
    return unet


def _example(config: BaseConfig, size: int, frames: int, device: str = "cpu") -> Example:
    side, width = size // 8, config.audio2token["output_dim"]
    shape = frames, config.audio2token["context_tokens"], width
    latents = torch.empty(frames, 4, side, side, device=device)
    return Example(
        latents,
        latents,
        2.0,
        latents[0],
        torch.empty(width, device=device),
        torch.empty(shape, device=device, dtype=torch.float16),
        (16.0, 16.0),
        torch.empty(1, size, size, device=device),
        torch.empty(side, side, device=device),
    )


def _pass(unet: Any, example: Example) -> None:  # noqa: ANN401
    with conditioned(unet, conditioning_of(unet, example)):
        errors_of(unet, example).mean().backward()


def print_counts() -> None:
    """Print what a step takes, by size and by what learns."""
    for size in (384, 512, 768):
        for layers in ("audio", "audio+temporal", "all") if size == 512 else ("audio+temporal",):
            for checkpointing in (True, False) if size == 512 and layers == "audio+temporal" else (True,):
                plan = TuningPlan(layers=layers)
                step = count_step(size, checkpointing=checkpointing, plan=plan)
                operations = count_operations(size, checkpointing=checkpointing, plan=plan)
                print(
                    f"{size}², {layers}, {'with' if checkpointing else 'without'} checkpointing: "
                    f"{step.gigabytes:.1f} GB ({step.weights:.2f} weights, {step.alive:.1f} alive), "
                    f"{step.changed / 1e6:.1f} million numbers learn; a window: {operations / 1e12:.0f} TFLOP, "
                    f"{step.kernels} kernels",
                    flush=True,
                )


TEACHING = TuningPlan(
    size=64, expand_ratio=0.2, window=8, least_seconds=1.0, references=4, layers="all", rank=32, alpha=32.0,
    steps=400, batch=2, rate=3e-3, warmup=30, average=0.98, face_weight=4.0, held_out=0.2, judged=6, judge_every=100,
    checkpointing=False, save_every=20.0,
)  # fmt: skip
"""How the tiny model is taught."""
LEVELS = (3.0, 8.0)
"""Noise levels at which sounds are told apart: under them a mouth cannot be seen, and has to be heard."""


def teach(folder: Path, plan: TuningPlan) -> dict[str, Any]:
    """Teach the tiny model and measure what it learned.

    Args:
        folder: Where people, weights and the run are kept; what is there is gone on with.
        plan: How.
    """
    from benchmarks.tune_parts.drawn import prepared_people  # noqa: PLC0415
    from benchmarks.tune_parts.mouth import hearing_of  # noqa: PLC0415

    networks, prepared = prepared_people(folder, plan)
    unet = trainable_unet(networks.config, checkpointing=plan.checkpointing)
    load_into(unet, networks.files.unet)
    changes = add_changes(unet, plan.layers, plan.rank, plan.scale, plan.seed)
    learned, judging = split(prepared.paths, plan)
    examples = Examples(learned, plan, 0.002, 700.0)
    print(f"{prepared.seconds:.0f} s in {len(prepared.paths)} pieces", flush=True)
    output = folder / "taught.safetensors"
    tune(Lesson(plan, unet, changes, examples, judging, {}), output, folder / "run", Together())
    held_out = [
        (line["step"], line["held_out"])
        for line in map(json.loads, (folder / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines())
        if "held_out" in line
    ]
    for step, loss in held_out:
        print(f"step {step}: held out {loss:.4f}, {loss / held_out[0][1]:.0%} of the beginning")
    written = load_file(output)
    with torch.no_grad():
        for name, tensor in changes.tensors().items():
            tensor.copy_(written[f"unet.{name}"])
    after = hearing_of(unet, examples, judging, LEVELS)
    print(f"after: {after}, {after.evidence:.1f} standard errors")
    return {"fall": held_out[-1][1] / held_out[0][1], "evidence": after.evidence, "chance": after.chance}


def print_lips(video: Path) -> None:
    """Print how much the mouth of every piece of a video moves."""
    found = watch(open_clip(video), TuningPlan(least_seconds=1.0, window=8, size=64))
    for piece in found.pieces:
        print(f"from {piece.first / float(FPS):.1f} s, {piece.length} frames: {lip_movement(piece.points):.4f}")
    print(f"dropped: {found.dropped}; the sound is {found.offset * 1000:+.0f} ms late, sure: {found.sure}")


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", action="store_true", help="count a step of full size")
    parser.add_argument("--teach", type=Path, metavar="DIR", help="teach a tiny model there")
    parser.add_argument("--steps", type=int, default=TEACHING.steps, help="of the teaching (%(default)s)")
    parser.add_argument("--lips", type=Path, metavar="VIDEO", help="measure a video's mouth")
    options = parser.parse_args()
    if options.count:
        print_counts()
    if options.teach:
        torch.set_num_threads(1)
        teach(options.teach, replace(TEACHING, steps=options.steps))
    if options.lips:
        print_lips(options.lips)


if __name__ == "__main__":
    main()
