"""Measure what ``pip install -r requirements.txt`` adds to a ComfyUI: packages, megabytes, and who asks for each.

    PYTHON benchmarks/install.py COMFYUI/requirements.txt

PYTHON is that of an environment in which both are installed. What its packages say of each other tells which of them
ComfyUI has anyway; the rest is weighed as it lies on the disk. The last lines weigh ``--no-deps``, which takes what
``requirements.txt`` names and nothing that those packages bring along.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = Path(__file__).resolve().parent.parent / "requirements.txt"
MEGABYTE = 1e6


@dataclass(frozen=True)
class Package:
    """A package that is installed."""

    name: str
    version: str
    megabytes: float
    """As it lies on the disk, bytecode included."""
    wanted_by: str
    """The package that asks for it; empty where the requirements themselves do."""


def read_requirements(path: Path) -> list[Requirement]:
    """Read the lines of a requirements file."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def gather(asked: Iterable[Requirement]) -> dict[str, str]:
    """Follow requirements to everything that they bring along: name → who asks for it first, "" for the file itself.

    Raises:
        PackageNotFoundError: One that the file names is not installed.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(one, "") for one in asked]
    while waiting:
        one, by = waiting.pop(0)
        name = canonicalize_name(one.name)
        if (name, frozenset(one.extras)) in seen:
            continue
        seen.add((name, frozenset(one.extras)))
        try:
            further = list(_brought_by(distribution(name), one))
        except PackageNotFoundError:
            if not by:
                raise
            continue  # another build of it is there, or it is for another system
        found.setdefault(name, by)
        waiting += [(more, name) for more in further]
    return found


def _brought_by(package: Distribution, asked: Requirement) -> Iterator[Requirement]:
    """List what a package brings along here, with the extras that are asked for."""
    for line in package.requires or ():
        one = Requirement(line)
        extras = asked.extras or {""}
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            yield one


def weigh(name: str) -> float:
    """Add up what a package's files take, in megabytes."""
    paths = (Path(str(file.locate())) for file in distribution(name).files or ())
    return sum(path.stat().st_size for path in paths if path.is_file()) / MEGABYTE


def added(host: Iterable[Requirement], ours: Iterable[Requirement]) -> list[Package]:
    """List what comes on top of a host's packages, the heaviest first."""
    there = gather(host).keys()
    new = {name: by for name, by in gather(ours).items() if name not in there}
    packages = [Package(name, distribution(name).version, weigh(name), by) for name, by in new.items()]
    return sorted(packages, key=lambda one: -one.megabytes)


def brought(packages: Iterable[Package]) -> Mapping[str, float]:
    """Add up, in megabytes, what each named package brings along, itself included."""
    known = {one.name: one for one in packages}
    sums: dict[str, float] = {}
    for one in known.values():
        root = one
        while root.wanted_by in known:
            root = known[root.wanted_by]
        sums[root.name] = sums.get(root.name, 0.0) + one.megabytes
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("host", type=Path, help="the requirements.txt of a ComfyUI")
    packages = added(read_requirements(parser.parse_args().host), read_requirements(OURS))
    for one in packages:
        print(f"{one.megabytes:8.1f} MB  {one.name} {one.version}{f'  for {one.wanted_by}' if one.wanted_by else ''}")
    for name, megabytes in brought(packages).items():
        print(f"{name} and what it alone brings: {megabytes:.0f} MB")
    named = [one for one in packages if not one.wanted_by]
    print(f"in all: {sum(one.megabytes for one in packages):.0f} MB in {len(packages)} packages")
    print(f"with --no-deps: {sum(one.megabytes for one in named):.0f} MB in {len(named)} packages")


if __name__ == "__main__":
    main()
