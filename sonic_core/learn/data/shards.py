"""Shards in the layout of webdataset: plain tar files, in which what belongs together has one name and lies together.

Source: the webdataset format (Aizman, Maltby and Breuel, High Performance I/O for Large Scale Deep Learning, 2019).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from ...media.files import file_errors, written_beside
from .notes import CLIPS

SHARDS = "shards"
"""The folder of the shards."""
PARTS = (".mp4", ".wav", ".json")
"""What there is of each clip, in this order."""
_MEGABYTE = 1_000_000


def write_shards(folder: Path, keys: Sequence[str], megabytes: int) -> list[Path]:
    """Pack clips into numbered shards; one that is there already and holds the same clips stays.

    Args:
        folder: The set's.
        keys: Names of the clips, in order.
        megabytes: Size of a shard at most, if one clip fits; 0 removes all shards.

    Returns:
        The shards.

    Raises:
        MediaError: One cannot be written.
    """
    place = folder / SHARDS
    packed: list[list[str]] = []
    room = 0.0
    for key in keys if megabytes else ():
        size = sum((folder / CLIPS / f"{key}{part}").stat().st_size for part in PARTS)
        if not packed or room < size:
            packed.append([])
            room = megabytes * _MEGABYTE
        packed[-1].append(key)
        room -= size
    shards = [place / f"{number:06d}.tar" for number in range(len(packed))]
    if shards:
        place.mkdir(exist_ok=True)
    for shard, inside in zip(shards, packed, strict=True):
        if shard_keys(shard) != inside:
            _pack(shard, folder / CLIPS, inside)
    for old in place.glob("*.tar"):
        if old not in shards:
            old.unlink()
    return shards


def shard_keys(shard: Path) -> list[str] | None:
    """List the clips in a shard; None where there is none, or a damaged one."""
    try:
        with tarfile.open(shard) as file:
            names = file.getnames()
    except (OSError, tarfile.TarError):
        return None
    keys = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return keys if names == [f"{key}{part}" for key in keys for part in PARTS] else None


def _pack(shard: Path, clips: Path, keys: Sequence[str]) -> None:
    """Write a shard; nothing of this machine is told in it, so the same clips give the same bytes."""
    with (
        written_beside(shard) as part,
        file_errors(shard),
        tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as file,
    ):
        for key in keys:
            for suffix in PARTS:
                content = (clips / f"{key}{suffix}").read_bytes()
                told = tarfile.TarInfo(f"{key}{suffix}")
                told.size = len(content)
                file.addfile(told, io.BytesIO(content))
