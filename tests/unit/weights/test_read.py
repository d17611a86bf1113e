from __future__ import annotations

import io
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sonic_core import CheckpointError
from sonic_core.weights import read
from sonic_core.weights.read import load_into, open_tensors

ROOT = Path(__file__).resolve().parents[3]
SUFFIXES = [".pth", ".safetensors"]


class Small(nn.Module):
    """Two layers, an integer buffer that is stored, and a buffer that transformers would keep out of files."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2, bias=False)
        self.register_buffer("steps", torch.arange(5))
        self.register_buffer("position_ids", torch.arange(7).expand((1, -1)), persistent=False)


def empty() -> Small:
    with torch.device("meta"):
        return Small().requires_grad_(False)


def drawn() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: tensor.clone() for name, tensor in Small().state_dict().items()}


def written(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_network_is_filled_and_lives_on_the_file(tmp_path, suffix):
    tensors = drawn()
    path = written(tmp_path / f"weights{suffix}", tensors)
    network = empty()
    load_into(network, path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, tensors[name])
    assert torch.equal(network.position_ids, torch.arange(7)[None])
    assert not any(parameter.requires_grad for parameter in network.parameters())
    if Path("/proc/self/maps").exists():
        assert path.name in Path("/proc/self/maps").read_text()
        del network, tensor
        assert path.name not in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
def test_floating_tensors_take_the_wanted_type_and_integers_stay(tmp_path, suffix, stored, monkeypatch):
    monkeypatch.setattr(read, "PORTION", 20)
    tensors = {name: t.to(stored) if t.is_floating_point() else t for name, t in drawn().items()}
    path = written(tmp_path / f"weights{suffix}", tensors)
    network = empty()
    load_into(network, path, dtype=torch.float16)
    assert network.first.weight.dtype == torch.float16
    assert network.steps.dtype == torch.int64
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, tensors[name].to(tensor.dtype))
    kept = empty()
    load_into(kept, path)
    assert kept.first.weight.dtype == stored
    if Path("/proc/self/maps").exists() and stored == torch.float32:
        del kept, network.steps, tensor
        assert path.name not in Path("/proc/self/maps").read_text(), "a converted network needs no file"


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "params", "module", "ema", "params_ema"])
def test_wrapped_tensors_are_unwrapped(tmp_path, wrapper):
    torch.save({wrapper: {"model": drawn()}, "epoch": 3}, tmp_path / "a.pth")
    network = empty()
    load_into(network, tmp_path / "a.pth")
    assert torch.equal(network.first.bias, drawn()["first.bias"])


def test_averaged_weights_count_only_where_they_are_alone(tmp_path):
    averaged = {name: tensor + 1 for name, tensor in drawn().items()}
    torch.save({"ema": averaged, "module": drawn()}, tmp_path / "a.pth")
    assert torch.equal(open_tensors(tmp_path / "a.pth")["first.bias"], drawn()["first.bias"])
    torch.save({"ema": averaged, "model_ema": drawn()}, tmp_path / "b.pth")
    with pytest.raises(CheckpointError, match="holds no tensors with names"):
        open_tensors(tmp_path / "b.pth")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "wrapping", ["module.", "unet.", "_orig_mod.", "model.diffusion_model.", "model.", "module._orig_mod.",
                 "_orig_mod.module.model.unet."]
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", ("absent.", "part.")])
def test_what_trainers_and_compilers_put_before_names_is_cut_off(tmp_path, suffix, wrapping, prefix):
    inner = prefix[-1] if prefix else ""
    path = written(tmp_path / f"a{suffix}", {f"{wrapping}{inner}{name}": tensor for name, tensor in drawn().items()})
    network = empty()
    load_into(network, path, prefix=prefix)
    assert all(torch.equal(tensor, drawn()[name]) for name, tensor in network.state_dict().items())


def test_blocks_that_were_compiled_one_by_one_are_known(tmp_path):
    names = {"first.weight": "first._orig_mod.weight", "first.bias": "first._orig_mod.bias"}
    network = empty()
    load_into(network, written(tmp_path / "a.pth", {names.get(name, name): one for name, one in drawn().items()}))
    assert torch.equal(network.first.weight, drawn()["first.weight"])


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({f"other.{name}": tensor for name, tensor in drawn().items()}, "is missing"),
        ({f"unet.{name}": tensor for name, tensor in drawn().items()} | {"vae.weight": torch.zeros(1)}, "is missing"),
        ({f"module.{name}": tensor for name, tensor in drawn().items()} | {"module.odd": torch.zeros(1)}, "holds odd"),
        ({f"model.{name}": tensor for name, tensor in drawn().items() if name != "first.bias"}, "is missing"),
        (
            {f"module.{name}": tensor for name, tensor in drawn().items()} | {"module.first.bias": torch.zeros(9)},
            r"first\.bias has the shape \(9,\)",
        ),
        ({**drawn(), "first._orig_mod.bias": torch.ones(4)}, "holds first._orig_mod.bias"),
    ],
)
def test_a_wrapping_excuses_no_misfit(tmp_path, tensors, sentence):
    with pytest.raises(CheckpointError, match=sentence):
        load_into(empty(), written(tmp_path / "a.pth", tensors))


def test_the_oldest_form_is_read(tmp_path):
    torch.save(drawn(), tmp_path / "a.pkl", _use_new_zipfile_serialization=False)
    network = empty()
    load_into(network, tmp_path / "a.pkl", dtype=torch.float16)
    assert torch.equal(network.first.bias, drawn()["first.bias"].half())


@pytest.mark.parametrize("prefix", ["module.", ("absent.", "module.")])
def test_a_prefix_is_cut_off_and_others_are_left_alone(tmp_path, prefix):
    tensors = {f"module.{name}": tensor for name, tensor in drawn().items()}
    extra = {"module.tea.0.weight": torch.zeros(2), "decoder.weight": torch.zeros(3)}
    path = written(tmp_path / "a.pth", {**tensors, **extra})
    with pytest.raises(CheckpointError, match=r"a\.pth is of another network: it holds tea\.0\.weight"):
        load_into(empty(), path, prefix=prefix)
    for ignore in (["module.tea."], ["tea."]):
        network = empty()
        load_into(network, path, prefix=prefix, ignore=ignore)
        assert torch.equal(network.second.weight, drawn()["second.weight"])


def test_a_prefix_that_does_not_occur_is_not_needed(tmp_path):
    network = empty()
    load_into(network, written(tmp_path / "a.safetensors", drawn()), prefix="module.")
    assert torch.equal(network.second.weight, drawn()["second.weight"])


def test_a_recipe_makes_tensors_of_others(tmp_path):
    tensors = drawn()
    stored = {"both": torch.cat([tensors["first.weight"], tensors["second.weight"].t().repeat(1, 2)[:, :3]])}
    stored |= {
        "bias": tensors["first.bias"],
        "turned": tensors["second.weight"].t().contiguous(),
        "unused": stored["both"] + 1,
    }
    path = written(tmp_path / "a.safetensors", stored)
    recipe = {
        "first.weight": lambda file: file["both"][:4],
        "first.bias": lambda file: file["bias"],
        "second.weight": lambda file: file["turned"].t(),
        "steps": lambda file: torch.arange(5),
    }
    for dtype in (None, torch.float64):
        network = empty()
        load_into(network, path, recipe=recipe, dtype=dtype)
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, tensors[name].to(tensor.dtype))
    with pytest.raises(CheckpointError, match=r"lost is missing"):
        load_into(empty(), path, recipe={**recipe, "first.bias": lambda file: file["lost"]})


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in drawn().items() if key != name}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        (without("first.bias"), r"first\.bias is missing"),
        ({**drawn(), "third": torch.zeros(1)}, "holds third, which is not expected"),
        (
            {**drawn(), "first.weight": torch.zeros(4, 5)},
            r"first\.weight has the shape \(4, 5\).* \(4, 3\) is expected",
        ),
    ],
)
def test_a_foreign_file_is_named_with_its_first_misfit(tmp_path, suffix, tensors, sentence):
    path = written(tmp_path / f"weights{suffix}", tensors)
    network = empty()
    with pytest.raises(CheckpointError, match=rf"weights{suffix} is of another network: .*{sentence}"):
        load_into(network, path)
    assert network.first.weight.is_meta, "nothing was filled"


def test_a_buffer_that_no_file_holds_is_not_left_empty(tmp_path):
    network = empty()
    with torch.device("meta"):
        network.register_buffer("table", torch.zeros(2), persistent=False)
    with pytest.raises(CheckpointError, match="leaves table of the network without a value"):
        load_into(network, written(tmp_path / "a.pth", drawn()))


def test_positions_of_old_files_are_not_strange(tmp_path):
    network = empty()
    load_into(network, written(tmp_path / "a.pth", {**drawn(), "position_ids": torch.arange(7)[None]}))
    assert torch.equal(network.position_ids, torch.arange(7)[None])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pkl"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_named(tmp_path, suffix, share):
    tensors = {f"layer{i}": torch.randn(100, 10) for i in range(10)}
    path = tmp_path / f"a{suffix}"
    if suffix == ".pkl":
        torch.save(tensors, path, _use_new_zipfile_serialization=False)
    else:
        written(path, tensors)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=rf"a{suffix} .*[Dd]ownload it again"):
        open_tensors(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
        (b"\xef\xbb\xbf<html>", "is a web page"),
        (b'{"error": "Repository not found"}', "is not a weight file"),
        (b"nothing like weights at all", "is not a weight file"),
        (b"\x80", "damaged"),
        (b"PK\x03\x04 but no archive", "damaged"),
        (b"\x40\0\0\0\0\0\0\0{" + b" " * 99, "damaged"),
    ],
)
def test_what_is_no_weight_file_is_told_so(tmp_path, content, sentence):
    path = tmp_path / "unet.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"unet\.pth .*{sentence}"):
        open_tensors(path)


def test_missing_files_and_folders_are_told_so(tmp_path):
    with pytest.raises(CheckpointError, match="no file is there"):
        open_tensors(tmp_path / "unet.pth")
    with pytest.raises(CheckpointError, match="cannot be opened"):
        open_tensors(tmp_path)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.zeros(1)], torch.zeros(3), {1: torch.zeros(1)}])
def test_a_pickle_without_named_tensors_is_no_network(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="holds no tensors with names"):
        open_tensors(tmp_path / "a.pth")


class Malicious:
    """A pickle of this makes a file when it is trusted."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"echo owned > {self.mark}",)


@pytest.mark.parametrize("form", ["zip", "oldest", "plain", "protocol 5"])
def test_a_pickle_that_wants_to_run_code_is_refused_and_nothing_ran(tmp_path, form):
    mark, path = tmp_path / "mark", tmp_path / "unet.pth"
    content = {**drawn(), "extra": Malicious(mark)}
    if form in ("zip", "oldest"):
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    else:
        path.write_bytes(pickle.dumps(Malicious(mark), protocol=2 if form == "plain" else 5))
    with pytest.raises(CheckpointError, match=r"unet\.pth contains .*tensors.*; it was not opened") as caught:
        load_into(empty(), path)
    assert str(caught.value).endswith("Download it again from huggingface.co/LeonJoe13/Sonic.")
    assert form == "protocol 5" or re.search(r"code \((posix|nt)\.system\)", str(caught.value))
    assert not mark.exists()
    pickle.load(io.BytesIO(pickle.dumps(Malicious(mark))))  # noqa: S301 - shows that the mark is one
    assert mark.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_script_is_refused(tmp_path):
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="contains code"):
        open_tensors(tmp_path / "a.pth")


PEAK = """
import resource, sys, torch
from pathlib import Path
from torch import nn
from sonic_core.weights import read
with torch.device("meta"):
    network = nn.ModuleList([nn.Linear(1024, 1024, bias=False) for _ in range(64)])
read.PORTION = 2**24
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read.load_into(network, Path(sys.argv[1]), dtype=getattr(torch, sys.argv[2]))
total = sum(float(parameter.sum()) for parameter in network.parameters())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(peak * 1024 / sum(parameter.nbytes for parameter in network.parameters()))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads memory as Linux counts it")
@pytest.mark.parametrize(("suffix", "dtype"), [(".pth", "float16"), (".safetensors", "float32")])
def test_nothing_is_in_memory_twice(tmp_path, suffix, dtype):
    path = written(tmp_path / f"a{suffix}", {f"{i}.weight": torch.full((1024, 1024), float(i)) for i in range(64)})
    peak = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), dtype], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    path.unlink()  # pytest keeps its folders for a while
    assert float(peak) <= 1.3
