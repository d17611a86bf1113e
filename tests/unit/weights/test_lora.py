"""LoRAs: the two families of names, what fits, and that merging is what the two small layers would have added."""

from __future__ import annotations

import gc
import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from sonic_core.errors import CheckpointError, SettingsError
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from sonic_core.models.base.unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken
from sonic_core.models.base.unet.calls import call_unet
from sonic_core.weights import read
from sonic_core.weights.lora import Lora, as_lora, is_lora, load_with_loras, read_lora
from sonic_core.weights.read import load_into, open_tensors
from tests.parity.make_weights import TINY

FIRST = "down_blocks.0.attentions.0.transformer_blocks.0"
LAYERS = {
    "linear": f"{FIRST}.attn1.to_q",
    "1×1 convolution": "up_blocks.0.resnets.0.spatial_res_block.conv_shortcut",
    "3×3 convolution": "down_blocks.0.resnets.0.spatial_res_block.conv1",
    "convolution with a stride": "down_blocks.0.downsamplers.0.conv",
    "convolution over time": "down_blocks.1.resnets.0.temporal_res_block.conv2",
    "audio keys": f"{FIRST}.attn2.processor.to_k_ip.0",
    "audio values over time": "mid_block.attentions.0.temporal_transformer_blocks.0.attn2.processor.to_v_ip.0",
}
RANK = 3


@pytest.fixture(scope="module")
def unet_path(tiny_set) -> Path:
    return tiny_set / "Sonic" / "unet.pth"


def empty():
    return empty_unet(BaseConfig.read(TINY), lean=False)


@pytest.fixture
def base(unet_path):
    unet = empty()
    load_into(unet, unet_path)
    return unet


@pytest.fixture(scope="module")
def shapes():
    return {name: tensor.shape for name, tensor in empty().state_dict().items()}


def changes(shapes, *layers: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Draw a LoRA: down and up of each layer, a convolution's with its kernel."""
    chance = torch.Generator().manual_seed(5)
    drawn = {}
    for layer in layers:
        shape = shapes[f"{layer}.weight"]
        down = torch.randn(RANK, *shape[1:], generator=chance) * shape[1:].numel() ** -0.5
        drawn[layer] = down, torch.randn(shape[0], RANK, *[1] * len(shape[2:]), generator=chance)
    return drawn


def peft(drawn, prefix: str = "") -> dict[str, torch.Tensor]:
    tensors = {}
    for layer, (down, up) in drawn.items():
        tensors |= {f"{prefix}{layer}.lora_A.weight": down, f"{prefix}{layer}.lora_B.weight": up}
    return tensors


def kohya(drawn, alpha: float | None = None) -> dict[str, torch.Tensor]:
    tensors = {}
    for layer, (down, up) in drawn.items():
        flat = "lora_unet_" + layer.replace(".", "_")
        tensors |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
        if alpha is not None:
            tensors[f"{flat}.alpha"] = torch.tensor(alpha)
    return tensors


def written(path: Path, tensors, **header: str) -> Path:
    save_file(tensors, path, header or None)
    return path


def predicted(unet) -> torch.Tensor:
    """Call the UNet on something, in float64, so that only the weights' rounding remains."""
    unet.double()
    chance = torch.Generator().manual_seed(1)
    inputs, said, seen = (torch.randn(size, generator=chance).double() for size in ((1, 3, 8, 8, 8), (3, 4, 32), (32,)))
    tokens = AudioTokens(said, torch.device("cpu"), torch.float64, cache=False)
    batch = BatchConditioning(
        [Branch(ImageToken(seen), tokens.window())], FaceMask(torch.ones(1, 64, 64).double(), (8, 8), 4)
    )
    return call_unet(unet, inputs, torch.tensor([0.3]), torch.tensor([[12.0, 30.0, 30.0]]), batch)


def add_change(module, inputs, output, *, down, up, scale):
    """What a LoRA adds while it is not merged: scale · up(down(x))."""
    (x,) = inputs
    if down.ndim == 2:
        return output + scale * functional.linear(functional.linear(x, down), up)
    convolve = {4: functional.conv2d, 5: functional.conv3d}[down.ndim]
    small = convolve(x, down, None, module.stride, module.padding)
    return output + scale * convolve(small, up)


@pytest.mark.parametrize("kind", LAYERS)
def test_merging_is_what_the_small_layers_would_add(tmp_path, base, shapes, unet_path, kind):
    layer = LAYERS[kind]
    drawn = changes(shapes, layer)
    merged = empty()
    path = written(tmp_path / "lora.safetensors", kohya(drawn, alpha=1.5))
    load_with_loras(merged, unet_path, [Lora(path)], dtype=torch.float32)
    before, (down, up) = predicted(base), (tensor.double() for tensor in drawn[layer])
    hook = partial(add_change, down=down, up=up, scale=1.5 / RANK)
    handle = base.get_submodule(layer).register_forward_hook(hook)
    expected = predicted(base)
    handle.remove()
    assert float((expected - before).abs().max()) > 1e-3, "the layer matters"
    assert torch.allclose(predicted(merged), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "unet.", "base_model.model.", "base_model.model.unet."])
def test_both_families_of_names_mean_the_same(tmp_path, shapes, prefix):
    drawn = changes(shapes, *LAYERS.values())
    path = written(tmp_path / "peft.safetensors", peft(drawn, prefix))
    other = written(tmp_path / "kohya.safetensors", kohya(drawn))
    found, expected = read_lora(path, shapes), read_lora(other, shapes)
    assert set(found) == set(expected) == {f"{layer}.weight" for layer in LAYERS.values()}
    for name, change in found.items():
        weight = torch.zeros(shapes[name])
        assert torch.equal(change.added(weight), expected[name].added(weight))
        assert change.scale == 1.0


def test_names_of_a_wrapped_adapter_are_read(tmp_path, shapes):
    tensors = peft(changes(shapes, LAYERS["linear"]))
    wrapped = {name.replace(".weight", ".default.weight"): tensor for name, tensor in tensors.items()}
    assert set(read_lora(written(tmp_path / "a.safetensors", wrapped), shapes)) == {f"{LAYERS['linear']}.weight"}


@pytest.mark.parametrize(
    ("header", "scale"),
    [
        ({"alpha": "6"}, 2.0),
        ({"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 1.5, "unet.r": RANK})}, 0.5),
        ({"steps": "4"}, 1.0),
    ],
)
def test_the_scale_is_alpha_by_rank(tmp_path, shapes, header, scale):
    drawn = changes(shapes, LAYERS["linear"])
    (change,) = read_lora(written(tmp_path / "a.safetensors", peft(drawn), **header), shapes).values()
    assert change.scale == scale
    (own,) = read_lora(written(tmp_path / "b.safetensors", kohya(drawn, 12.0), **header), shapes).values()
    assert own.scale == 4.0


def test_sums_are_rounded_once_and_nothing_else_changes(tmp_path, base, shapes, unet_path, monkeypatch):
    monkeypatch.setattr(read, "PORTION", 2_000_000)
    drawn = changes(shapes, *LAYERS.values())
    path = written(tmp_path / "a.safetensors", {name: tensor.half() for name, tensor in peft(drawn).items()})
    half, plain, reports = empty(), empty(), []
    load_with_loras(
        half, unet_path, [Lora(path)], dtype=torch.bfloat16, progress=lambda *report: reports.append(report)
    )
    load_into(plain, unet_path, dtype=torch.bfloat16)
    assert reports[-1] == ("read", len(LAYERS) - 1, len(LAYERS))
    stored, rounded = base.state_dict(), plain.state_dict()
    expected = dict(rounded)
    changed = read_lora(path, shapes)
    for name, change in changed.items():
        down, up = change.down.float().flatten(1), change.up.float().flatten(1)
        exact = (stored[name].flatten(1) + up @ down).view(shapes[name])
        expected[name] = exact.bfloat16()
        twice = (rounded[name].float() + exact - stored[name]).bfloat16()
        assert not torch.equal(expected[name], twice), "rounding twice can be told"
    for name, tensor in half.state_dict().items():
        assert float((tensor != expected[name]).float().mean()) < 0.001, name  # the sums' order may turn a tie
    assert not any(parameter.requires_grad for parameter in half.parameters())


def test_only_what_is_changed_leaves_the_mapped_file(tmp_path, shapes, unet_path):
    path = written(tmp_path / "a.safetensors", peft(changes(shapes, LAYERS["linear"])))
    own = tmp_path / "mapped.pth"
    own.write_bytes(unet_path.read_bytes())
    stored = open_tensors(unet_path)
    merged = empty()
    load_with_loras(merged, own, [Lora(path)], dtype=torch.float32)
    changed = {name for name, tensor in merged.state_dict().items() if not torch.equal(tensor, stored[name])}
    assert changed == {f"{LAYERS['linear']}.weight"}
    assert own.read_bytes() == unet_path.read_bytes()
    if Path("/proc/self/maps").exists():
        assert own.name in Path("/proc/self/maps").read_text()
        half = empty()
        load_with_loras(half, own, [Lora(path)], dtype=torch.float16)
        del merged
        gc.collect()  # lean blocks hold themselves
        assert own.name not in Path("/proc/self/maps").read_text()


def test_a_base_behind_a_prefix_is_merged_too(tmp_path, shapes, unet_path):
    drawn = changes(shapes, LAYERS["audio keys"])
    lora = written(tmp_path / "a.safetensors", peft(drawn))
    expected, behind = empty(), empty()
    load_with_loras(expected, unet_path, [Lora(lora)], dtype=torch.float32)
    tensors = {f"module.{name}": tensor.clone() for name, tensor in open_tensors(unet_path).items()}
    path = written(tmp_path / "unet.safetensors", tensors)
    load_with_loras(behind, path, [Lora(lora)], dtype=torch.float32, prefix="module.")
    wanted = expected.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in behind.state_dict().items())


def test_a_merged_unet_can_be_used_inside_and_outside_of_inference_mode(tmp_path, shapes, unet_path):
    path = written(tmp_path / "a.safetensors", peft(changes(shapes, LAYERS["linear"])))
    unet = empty()
    with torch.inference_mode():
        load_with_loras(unet, unet_path, [Lora(path)], dtype=torch.float32)
    assert not any(parameter.is_inference() for parameter in unet.parameters())


def test_what_does_not_fit_is_named(tmp_path, shapes):
    layer = LAYERS["3×3 convolution"]
    ((down, up),) = changes(shapes, layer).values()
    good = {f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}
    bad = [
        ({"no.such.layer.lora_A.weight": down}, r"it changes no\.such\.layer, which is not in"),
        ({"lora_te_text_model.lora_down.weight": down}, r"it changes lora_te_text_model, which is not in"),
        ({"conv_norm_out.lora_A.weight": down, "conv_norm_out.lora_B.weight": up}, r"it changes conv_norm_out by"),
        ({f"{layer}.lora_A.weight": down[:, :, :2]}, r"it changes \S+conv1 by \(32, 3, 1, 1\) times \(3, 32, 2, 3\)"),
        ({f"{layer}.lora_A.weight": down[:2]}, r"does not fit a weight of the shape \(32, 32, 3, 3\)"),
        ({f"{layer}.lora_B.weight": up[:5]}, r"it changes \S+conv1 by"),
        ({f"{layer}.lora_A.weight": down[:0]}, r"it changes \S+conv1 by"),
        ({f"{layer}.lora_magnitude_vector": up[:, 0]}, r"it holds \S+conv1\.lora_magnitude_vector"),
        ({f"{layer}.alpha": torch.ones(2)}, r"alpha of \S+conv1 should be one number"),
    ]
    for number, (tensors, message) in enumerate(bad):
        kept = {
            name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in {**good, **tensors}.items()
        }
        path = written(tmp_path / f"{number}.safetensors", kept)
        with pytest.raises(CheckpointError, match=message):
            read_lora(path, shapes)
    del good[f"{layer}.lora_B.weight"]
    with pytest.raises(CheckpointError, match=r"for \S+conv1 it holds no up"):
        read_lora(written(tmp_path / "half.safetensors", good), shapes)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"alpha": "much"}, "alpha cannot be read"),
        ({"lora_adapter_metadata": "[]"}, "alpha cannot be read"),
        ({"lora_adapter_metadata": json.dumps({"use_dora": True})}, "made with use_dora"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(tmp_path, shapes, header, message):
    path = written(tmp_path / "a.safetensors", peft(changes(shapes, LAYERS["linear"])), **header)
    with pytest.raises(CheckpointError, match=message):
        read_lora(path, shapes)


def test_a_lora_is_told_from_a_network(tmp_path, shapes, unet_path):
    drawn = changes(shapes, LAYERS["linear"])
    assert is_lora(written(tmp_path / "a.safetensors", peft(drawn)))
    assert is_lora(written(tmp_path / "b.safetensors", kohya(drawn)))
    assert not is_lora(unet_path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_strength_zero_is_the_base_to_the_bit(tmp_path, shapes, unet_path, dtype):
    path = written(tmp_path / "a.safetensors", peft(changes(shapes, *LAYERS.values())))
    plain, none, all_of_it = empty(), empty(), empty()
    load_into(plain, unet_path, dtype=dtype)
    load_with_loras(none, unet_path, [Lora(path, 0.0), Lora(path, 0.0)], dtype=dtype)
    load_with_loras(all_of_it, unet_path, [Lora(path)], dtype=dtype)
    base, given = plain.state_dict(), none.state_dict()
    assert all(torch.equal(tensor, base[name]) for name, tensor in given.items())
    assert any(not torch.equal(tensor, base[name]) for name, tensor in all_of_it.state_dict().items())


def test_several_add_up_each_with_its_strength(tmp_path, base, shapes, unet_path):
    layer = LAYERS["audio keys"]
    both, alone = changes(shapes, LAYERS["linear"], layer), changes(shapes, layer)
    first = written(tmp_path / "a.safetensors", peft(both))
    second = written(tmp_path / "b.safetensors", kohya(alone, alpha=1.5))
    merged = empty()
    load_with_loras(merged, unet_path, [Lora(first, 0.5), Lora(second, -2.0)], dtype=torch.float32)
    (down, up), (other_down, other_up) = both[layer], alone[layer]
    assert not torch.equal(down, other_down)
    expected = base.get_submodule(layer).weight + 0.5 * up @ down - 2 * 1.5 / RANK * other_up @ other_down
    assert torch.allclose(merged.get_submodule(layer).weight, expected, atol=1e-6)
    down, up = both[LAYERS["linear"]]
    expected = base.get_submodule(LAYERS["linear"]).weight + 0.5 * up @ down
    assert torch.allclose(merged.get_submodule(LAYERS["linear"]).weight, expected, atol=1e-6)


def test_a_lora_is_named_by_file_and_strength(tmp_path):
    assert as_lora("a.safetensors") == as_lora(Path("a.safetensors")) == Lora(Path("a.safetensors"), 1.0)
    assert as_lora("a.safetensors:0.8") == as_lora(("a.safetensors", 0.8)) == Lora(Path("a.safetensors"), 0.8)
    assert as_lora("C:a.safetensors") == Lora(Path("C:a.safetensors"))
    assert as_lora("b/a:-1") == Lora(Path("b/a"), -1.0)
    odd = tmp_path / "take:2"
    odd.touch()
    assert as_lora(str(odd)) == Lora(odd)
    assert as_lora(f"{odd}:3") == Lora(odd, 3.0)
    with pytest.raises(SettingsError, match=r"strength of the LoRA a must be a number; got nan"):
        as_lora("a:nan")
