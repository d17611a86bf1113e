"""Networks that are published as code compute, or are not loaded."""

from __future__ import annotations

import warnings
import zipfile

import pytest
import torch

from sonic_core.errors import CheckpointError
from sonic_core.weights.torchscript import COMPUTING, REACHING, load_computing


class Doubling(torch.nn.Module):
    """Computes; like some published detectors it has a list called ``save``."""

    def __init__(self):
        super().__init__()
        self.save = [4, 6]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(torch.nn.functional.interpolate(x, scale_factor=2.0)) * len(self.save)


class Writing(torch.nn.Module):
    """Writes a file while it computes."""

    def forward(self, x: torch.Tensor, name: str) -> torch.Tensor:
        torch.ops.aten.save(x, name)
        return x


class Reading(torch.nn.Module):
    """Reads a file."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("/etc/hostname", size=1, dtype=torch.uint8)


def scripted(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(module).save(str(path))
    return path


def test_a_network_that_computes_is_loaded(tmp_path):
    network = load_computing(scripted(Doubling(), tmp_path / "network.pt"))
    assert network(torch.zeros(1, 1, 2, 2)).shape == (1, 1, 4, 4)


@pytest.mark.parametrize("module", [Writing(), Reading()], ids=["writes", "reads"])
def test_code_that_reaches_files_is_refused_before_any_of_it_is_loaded(module, tmp_path, monkeypatch):
    path = scripted(module, tmp_path / "network.pt")
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(CheckpointError, match="does more than compute"):
        load_computing(path)


@pytest.mark.parametrize(
    "line",
    ["_0 = x.save('a')", "f = x.from_file", "ops.c10d.barrier(x)", "torch.classes.profiler.Record()", "import os"],
)
def test_no_way_of_writing_it_gets_past(line, tmp_path):
    with zipfile.ZipFile(tmp_path / "network.pt", "w") as archive:
        archive.writestr("network/code/__torch__.py", f"def forward(self, x: Tensor):\n  {line}\n  return x\n")
    with pytest.raises(CheckpointError, match="does more than compute"):
        load_computing(tmp_path / "network.pt")


def test_an_archive_without_code_and_a_file_that_is_no_archive_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "empty.pt", "w") as archive:
        archive.writestr("network/data.pkl", b"")
    (tmp_path / "text.pt").write_bytes(b"not a network")
    for name in ("empty.pt", "text.pt"):
        with pytest.raises(CheckpointError, match="not a TorchScript"):
            load_computing(tmp_path / name)


def test_every_operator_that_takes_a_files_name_is_known():
    schemas = [str(schema) for schema in torch._C._jit_get_all_schemas()]
    files = {tuple(one.split("(")[0].split(".")[0].split("::")) for one in schemas if "str filename" in one}
    assert files
    assert all(word in REACHING for family, word in files if family in COMPUTING)
