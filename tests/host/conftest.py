"""One running host for all tests of this folder, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.harness import ROOT, Comfy, Shelf, checkouts, needed_python, started
from tests.parity.make_weights import write_set

HOSTS = checkouts()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="package", params=HOSTS or [None], ids=lambda path: path.name if path else "no host")
def comfy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    checkout, python = request.param, needed_python(request.param)
    with started(checkout, python, tmp_path_factory.mktemp(checkout.name)) as host:
        yield host


@pytest.fixture
def prompt() -> dict[str, Any]:
    """The bundled prompt, one second long and small."""
    made = json.loads((ROOT / "assets/prompts/fast_digital_human.json").read_text(encoding="utf-8"))
    made["6"]["inputs"] |= {"duration": 1.0, "min_resolution": 256}
    return made


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of tiny networks, under the published names."""
    folder = tmp_path_factory.mktemp("tiny")
    write_set(folder, tiny=True, single_file=True)
    return folder


@pytest.fixture
def shelf(comfy: Comfy, tiny_set: Path) -> Iterator[Shelf]:
    made = Shelf(tiny_set, comfy.home / "models/sonic", comfy.home / "elsewhere/stable")
    yield made
    made.clear()


@pytest.fixture
def diffusing() -> dict[str, Any]:
    """The bundled prompt for sonic-base: one second, small, in one step."""
    made = json.loads((ROOT / "assets/prompts/high_quality_digital_human.json").read_text(encoding="utf-8"))
    made["6"]["inputs"] |= {"duration": 1.0, "min_resolution": 128}
    made["7"]["inputs"] |= {"inference_steps": 1, "window": 14, "fps": 12.5}
    return made


@pytest.fixture(scope="session")
def workflow() -> dict[str, Any]:
    return json.loads((ROOT / "workflows/Fast digital human.json").read_text(encoding="utf-8"))
