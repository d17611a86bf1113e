"""What one call of sonic-base's UNet takes: seconds, memory, share of the machine's peak rate, form by form.

    python benchmarks/unet.py                      a small UNet on this processor, at 256 and 512 pixels
    python benchmarks/unet.py --count              the full size's maps, counted without computing, and what is planned
    python benchmarks/unet.py --device cuda        the full size in fp16 with random weights on a graphics card

The forms: "plain" is the stock UNet with picture and sound tokens repeated for every pixel, as a straightforward port
does it; "attention" replaces only the cross-attention; "lean" is what the engine runs. Every figure comes from a
process of its own. Memory is what comes on top of the weights: of the process (resident, at its peak) or of the card.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.live_bytes import KernelCount, LiveBytes  # noqa: E402
from sonic_core.models.base.config import BaseConfig  # noqa: E402
from sonic_core.models.base.networks import empty_unet, empty_vae  # noqa: E402
from sonic_core.models.base.plan import BRANCHES, HOST_PIECE, MOST_PIECE, Workload, make_plan  # noqa: E402
from sonic_core.models.base.unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken  # noqa: E402
from sonic_core.models.base.unet.calls import call_unet  # noqa: E402
from sonic_core.models.base.unet.lean import make_lean  # noqa: E402
from sonic_core.models.base.unet.residual import WHOLE  # noqa: E402

FORMS = ("plain", "attention", "lean")
SMALL = {"block_out_channels": [64, 128, 256, 256], "num_attention_heads": [1, 2, 4, 4]}
TOKENS, WIDTH = 32, 1024
PEAK_SIDE = 8192


class RepeatingAttention(nn.Module):
    """The cross-attention of a straightforward port: every pixel gets tokens of its own."""

    def __init__(self, processor: Any, frames: int) -> None:  # noqa: ANN401
        super().__init__()
        self.to_k_ip, self.to_v_ip = processor.to_k_ip, processor.to_v_ip
        self.temporal, self.context, self.frames = processor.temporal, processor.context, frames

    def forward(self, attn: Any, hidden_states: torch.Tensor, *_unused: Any, **_other: Any) -> torch.Tensor:  # noqa: ANN401
        """Attend to image and audio."""
        batch = self.context.current()
        each = len(hidden_states) // len(batch.branches)
        tokens = [
            branch.audio.clip_tokens.on_device(branch.audio.frames).expand(self.frames, -1, -1)
            for branch in batch.branches
        ]
        if self.temporal:
            tokens = [audio.mean(0, keepdim=True).repeat(each, 1, 1) for audio in tokens]
        zeros = torch.zeros_like(next(branch.image for branch in batch.branches if branch.image).embedding)
        images = [branch.image.embedding if branch.image else zeros for branch in batch.branches]
        image = torch.stack(images)[:, None].repeat_interleave(each, 0)
        audio = torch.cat(tokens)
        queries = attn.to_q(hidden_states)
        image_part = _attend(queries, attn.to_k(image), attn.to_v(image), attn.heads)
        audio_part = _attend(queries, self.to_k_ip[0](audio), self.to_v_ip[0](audio), attn.heads)
        if not self.temporal:
            audio_part = audio_part * batch.mask(audio_part.shape[1])
        return attn.to_out[0](image_part + audio_part)


def _attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int) -> torch.Tensor:
    q, k, v = (tensor.unflatten(-1, (heads, -1)).transpose(1, 2) for tensor in (queries, keys, values))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def build(form: str, config: BaseConfig, frames: int, device: torch.device, dtype: torch.dtype) -> Any:  # noqa: ANN401
    """Make a UNet with random weights."""
    unet = empty_unet(config, lean=form == "lean")
    if form == "plain":
        for name, module in unet.named_modules():
            if name.endswith(".attn2"):
                processor = module._modules.pop("processor")
                module.add_module("processor", RepeatingAttention(processor, frames))
    nn.Module.to(unet, device="meta", dtype=dtype)
    unet.to_empty(device=device)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.normal_(0, 0.02)
    return unet


def conditioning_of(
    frames: int, side: int, device: torch.device, dtype: torch.dtype, *, cache: bool
) -> BatchConditioning:
    """Make a random conditioning of the three branches."""
    image = ImageToken(torch.randn(WIDTH, device=device, dtype=dtype))
    tokens = torch.randn(frames, TOKENS, WIDTH, dtype=dtype)
    audio = AudioTokens(tokens, device, dtype, cache=cache).window(torch.arange(frames))
    unconditional = AudioTokens(torch.randn(1, TOKENS, WIDTH, dtype=dtype), device, dtype, cache=cache).window()
    mask = torch.zeros(1, 8 * side, 8 * side, device=device, dtype=dtype)
    mask[:, 2 * side : 6 * side, 2 * side : 6 * side] = 1
    return BatchConditioning(
        [Branch(image, audio), Branch(image, unconditional), Branch(None, unconditional)],
        FaceMask(mask, (side, side), 4),
    )


def call(unet: Any, conditioning: BatchConditioning, inputs: torch.Tensor) -> None:  # noqa: ANN401
    """Run the three branches together."""
    moment, ids = torch.tensor(1.6, device=inputs.device), torch.full((BRANCHES, 3), 16.0, device=inputs.device)
    with torch.inference_mode():
        unet.attention_context.batch = conditioning
        unet(inputs, moment, inputs.new_zeros(BRANCHES, 1, 1), ids, return_dict=False)


def measure(form: str, size: int, device: torch.device, *, piece: int, calls: int) -> dict[str, float]:
    """Time one form in this process."""
    small = device.type == "cpu"
    dtype, frames, side = (torch.float32, 5, size // 8) if small else (torch.float16, 25, size // 8)
    config = BaseConfig.of({"unet": {**BaseConfig().unet, **SMALL}}) if small else BaseConfig()
    unet = build(form, config, frames, device, dtype)
    unet.attention_context.piece = piece
    conditioning = conditioning_of(frames, side, device, dtype, cache=form == "lean")
    inputs = torch.randn(BRANCHES, frames, 8, side, side, device=device, dtype=dtype)
    watch = _Memory(device)
    seconds, cpu = [], []
    for _ in range(calls):
        began, spent = time.perf_counter(), time.process_time()
        call(unet, conditioning, inputs)
        if not small:
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - spent)
    return {"seconds": min(seconds), "cpu_seconds": min(cpu), "gigabytes": watch.most() / 1e9}


class _Memory:
    """What a device, or this process, takes more than at the beginning, at its peak."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.base = torch.cuda.memory_allocated(device)
        else:
            self.base, self.peak, self.ended = _resident(), 0, threading.Event()
            self.thread = threading.Thread(target=self._look, daemon=True)
            self.thread.start()

    def _look(self) -> None:
        while not self.ended.wait(0.005):
            self.peak = max(self.peak, _resident())

    def most(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) - self.base
        self.ended.set()
        self.thread.join()
        return self.peak - self.base


def _resident() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@cache
def meta_unet(*, lean: bool) -> Any:  # noqa: ANN401
    """Build the full-size UNet in fp16, without memory; whoever counts sets its pieces anew."""
    return nn.Module.to(empty_unet(BaseConfig(), lean=lean), device="meta", dtype=torch.float16)


def count_with(
    watching: Any,  # noqa: ANN401
    size: int,
    rows: int,
    piece: int,
    *,
    convolution_piece: int = WHOLE,
    form: str = "lean",
    shallow: bool = False,
) -> Any:  # noqa: ANN401
    """Let ``watching`` watch one call of the full-size UNet in fp16 that computes nothing, and give it back."""
    meta, dtype, side, frames = torch.device("meta"), torch.float16, size // 8, 25
    unet = meta_unet(lean=form == "lean")
    unet.attention_context.piece, unet.attention_context.convolution_piece = piece, convolution_piece
    picture = ImageToken(torch.empty(WIDTH, device=meta, dtype=dtype))
    sound = AudioTokens(torch.empty(frames, TOKENS, WIDTH, device=meta, dtype=dtype), meta, dtype, cache=False).window()
    mask = FaceMask(torch.empty(1, size, size, device=meta, dtype=dtype), (side, side), 4)
    inputs = torch.empty(rows, frames, 8, side, side, device=meta, dtype=dtype)
    ids, moments = torch.empty(rows, 3, device=meta), torch.empty(rows, device=meta)
    batch = BatchConditioning([Branch(picture, sound)] * rows, mask)
    width = unet.config.block_out_channels[1]
    deep = torch.empty(rows * frames, width, side, side, device=meta, dtype=dtype) if shallow else None
    with torch.inference_mode(), watching:
        call_unet(unet, inputs, moments, ids, batch, deep=deep)
    return watching


def count_alive(size: int, rows: int, piece: int, convolution_piece: int = WHOLE) -> float:
    """Count the bytes that are alive at the peak of one call."""
    return float(count_with(LiveBytes(), size, rows, piece, convolution_piece=convolution_piece).peak)


def count_operations(size: int, rows: int, *, shallow: bool = False) -> float:
    """Count the operations of one call, multiplications and additions apart; a shallow one computes one level only."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    return float(count_with(FlopCounterMode(display=False), size, rows, WHOLE, shallow=shallow).get_total_flops())


def count_decoder(size: int, frames: int) -> float:
    """Count, without computing, the bytes alive at the full-size decoder's peak in fp16 on a card."""
    vae: Any = nn.Module.to(empty_vae(BaseConfig()), device="meta", dtype=torch.float16)
    make_lean(vae)
    live = LiveBytes()
    with torch.inference_mode(), live:
        vae.decode(torch.empty(frames, 4, size // 8, size // 8, device="meta", dtype=torch.float16), num_frames=frames)
    return float(live.peak)


def print_counts() -> None:
    """Print the full size's maps, kernels, and the plans for cards of several sizes."""
    weights = sum(
        p.nbytes for p in nn.Module.to(empty_unet(BaseConfig()), device="meta", dtype=torch.float16).parameters()
    )
    print(f"weights in fp16: {weights / 1e9:.2f} GB")
    for form in FORMS[1:]:
        kernels = count_with(KernelCount(), 512, BRANCHES, WHOLE, form=form).count
        print(f"512², {form}: {kernels} kernels for {BRANCHES} branches")
    for size in (512, 768, 1024):
        job = Workload(BaseConfig(), (size // 8, size // 8), 188, 25, 0, torch.float16)
        print(
            f"{size}²: {count_operations(size, 1) / 1e12:.1f} TFLOP a branch, "
            f"{count_operations(size, 1, shallow=True) / 1e12:.1f} when shallow"
        )
        for rows, piece, cut in (
            (BRANCHES, BRANCHES * job.window * (size // 8) ** 2, WHOLE),
            (BRANCHES, MOST_PIECE, WHOLE),
            (1, MOST_PIECE, WHOLE),
            (1, MOST_PIECE // 4, MOST_PIECE),
        ):
            alive = count_alive(size, rows, piece, cut)
            kernels = count_with(KernelCount(), size, rows, piece, convolution_piece=cut).count
            convolved = "whole" if cut >= WHOLE else f"in pieces of {cut}"
            print(
                f"{size}²: {rows} branches, pieces of {piece}, convolved {convolved}: {alive / 1e9:.2f} GB alive "
                f"(planned with {job.unet_bytes(rows, piece, cut) / 1e9:.2f}), {kernels} kernels",
                flush=True,
            )
        for frames in (1, 2, 4, 8):
            alive, planned = count_decoder(size, frames) / 1e9, job.decoder_bytes(frames) / 1e9
            print(f"{size}²: {frames} frames decoded: {alive:.2f} GB alive (planned with {planned:.2f})")
        for gigabytes in (6, 8, 12, 24):
            plan = make_plan(job, torch.device("cuda"), gigabytes * 10**9, weights, 64 * 10**6 * 2)
            total = max(weights + plan.working, plan.decoding) / 1e9
            print(f"{size}² in {gigabytes} GB: {plan}; {total:.2f} GB in all")


def print_forms(device: str, sizes: list[int]) -> None:
    """Print every form's figures, each from a process of its own."""
    on_card = device != "cpu"
    peak = _matrix_rate(torch.device(device)) if on_card else 0.0
    if on_card:
        print(f"{torch.cuda.get_device_name()}: {peak / 1e12:.0f} TFLOP/s in {PEAK_SIDE}³ matrix products, fp16")
    for size in sizes:
        operations = count_operations(size, BRANCHES) if on_card else 0.0
        for form in FORMS:
            options = ["--one", form, str(size), "--device", device]
            done = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{size}² {form}: {done.stderr.strip().splitlines()[-1]}")
                continue
            made = json.loads(done.stdout.splitlines()[-1])
            line = f"{size}² {form:9} {made['seconds']:8.2f} s a call, {made['gigabytes']:.2f} GB beside the weights"
            if on_card:
                line += f", {operations / made['seconds'] / peak:.0%} of the matrix rate"
            else:
                line += f", {made['cpu_seconds']:.2f} s of processor time"
            print(line, flush=True)


def _matrix_rate(device: torch.device) -> float:
    """Measure the card's rate in large matrix products: operations a second."""
    a = torch.randn(PEAK_SIDE, PEAK_SIDE, device=device, dtype=torch.float16)
    for _ in range(3):
        torch.mm(a, a)
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(10):
        torch.mm(a, a)
    torch.cuda.synchronize(device)
    return 10 * 2 * PEAK_SIDE**3 / (time.perf_counter() - began)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sizes", type=int, nargs="+", default=[], help="pixels of a side")
    parser.add_argument("--count", action="store_true", help="count the full size instead of measuring")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        form, size = options.one[0], int(options.one[1])
        device = torch.device(options.device)
        host = device.type == "cpu"
        piece = HOST_PIECE if host else MOST_PIECE  # as the engine plans it
        print(json.dumps(measure(form, size, device, piece=piece, calls=3)))
    elif options.count:
        print_counts()
    else:
        print_forms(options.device, options.sizes or ([256, 512] if options.device == "cpu" else [512, 1024]))


if __name__ == "__main__":
    main()
