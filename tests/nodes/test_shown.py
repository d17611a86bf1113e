"""Pictures that nodes show: small enough for a node, and each of them one file."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from tests.nodes.conftest import FolderPaths


@pytest.fixture
def temporary(folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "home", tmp_path)
    return tmp_path / "temp"


def test_a_picture_that_is_shown_again_is_the_same_file(host: ModuleType, temporary: Path) -> None:
    picture = torch.rand(3, 40, 60)
    first, again = host.shown(picture), host.shown(picture.clone())
    other = host.shown(picture.flip(2))
    assert first == again != other
    assert {path.name for path in temporary.iterdir()} == {first["filename"], other["filename"]}
    (temporary / first["filename"]).unlink()
    assert (temporary / host.shown(picture)["filename"]).is_file(), "somebody emptied the folder"


def test_two_shapes_of_the_same_bytes_are_two_pictures(host: ModuleType, temporary: Path) -> None:
    assert host.shown(torch.zeros(3, 20, 30)) != host.shown(torch.zeros(3, 30, 20))


@pytest.mark.parametrize(
    ("size", "seen"),
    [((3000, 2000), (1024, 683)), ((900, 3600), (256, 1024)), ((1024, 4), (1024, 4)), ((5000, 1), (1024, 1))],
)
def test_a_large_picture_is_shown_small(
    host: ModuleType, temporary: Path, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    ramp = torch.linspace(0, 1, size[0])[None, :, None].expand(3, -1, size[1])
    with Image.open(temporary / host.shown(ramp)["filename"]) as picture:
        assert picture.size == seen[::-1]
        column = [picture.getpixel((0, row)) for row in (0, seen[0] // 2, seen[0] - 1)]
    assert [round(red / 255, 1) for red, _, _ in column] == [0.0, 0.5, 1.0]


def test_a_small_picture_is_shown_as_it_is(host: ModuleType, temporary: Path) -> None:
    picture = (torch.rand(3, 50, 70) * 255).round() / 255
    with Image.open(temporary / host.shown(picture)["filename"]) as read:
        pixels = torch.from_numpy(np.array(read)).permute(2, 0, 1)
    assert torch.equal(pixels, (picture * 255).round().byte())
