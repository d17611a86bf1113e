"""The engine as its imports draw it: ``python -m tests.house`` prints rooms, arrows up, and a circle if there is one.

Every import counts, at the top of a file, inside a function, or for types only.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "sonic_core"
DEBTS = ROOT / "tests" / "magic_numbers.json"
"""Numbers without a name, by file."""
FLOORS = (
    ("errors", "types"),
    (
        "settings",
        "media",
        "weights",
        "devices",
        "memory",
        "moving",
        "easing",
        "curves",
        "rates",
        "keyframes",
        "direction",
    ),
    ("clip", "speech"),
    ("faces",),
    ("sync",),
    ("post",),
    ("models",),
    ("cast", "outputs", "preparing", "voicing"),
    ("pipeline",),
    ("learn", "evaluate", "batch"),
    ("cli", "__main__", "__init__"),
)
"""Rooms, floor by floor: each imports its own floor or a lower one."""


def modules() -> dict[str, Path]:
    """List the engine's modules by their dotted name below ``sonic_core``; a package's is that of its folder."""
    named = {}
    for path in sorted(CORE.rglob("*.py")):
        parts = path.relative_to(CORE).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return named


def room(module: str) -> str:
    """Return the room that a module is in."""
    return module.split(".", maxsplit=1)[0]


def floor(name: str) -> int:
    """Return the number of the floor that a room is on, the lowest being 0."""
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


@cache
def arrows() -> dict[str, frozenset[str]]:
    """Tell for every module which modules of the engine it imports."""
    named = modules()
    return {module: frozenset(_imported(module, path, named)) for module, path in named.items()}


def _imported(module: str, path: Path, named: dict[str, Path]) -> set[str]:
    package = [part for part in module.split(".") if part != "__init__"]
    package = package if path.name == "__init__.py" else package[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) + 1 - node.level], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for alias in node.names:
                inner, outer = ".".join([*base, alias.name]), ".".join(base) or "__init__"
                found.add(inner if inner in named else outer)
    return found & set(named) - {module}


def circle(graph: dict[str, frozenset[str]]) -> list[str]:
    """Find nodes that lead from one to the next and back to the first; none where there is no such circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def rooms() -> dict[str, frozenset[str]]:
    """Tell for every room which rooms it imports."""
    graph: dict[str, set[str]] = {}
    for module, others in arrows().items():
        graph.setdefault(room(module), set()).update(room(other) for other in others)
    return {name: frozenset(others - {name}) for name, others in graph.items()}


def arrows_up() -> list[tuple[str, str]]:
    """List the imports (from, to) that lead to a higher floor."""
    pairs = ((module, other) for module, others in arrows().items() for other in others)
    return sorted(pair for pair in pairs if floor(room(pair[1])) > floor(room(pair[0])))


def lines() -> Counter[str]:
    """Count the lines of every folder, and of every file beside them."""
    counted: Counter[str] = Counter()
    for path in CORE.rglob("*.py"):
        below = path.relative_to(CORE)
        counted[str(below.parent if len(below.parts) > 1 else below)] += len(path.read_text("utf-8").splitlines())
    return counted


def unnamed_numbers() -> dict[str, int]:
    """Count by file the numbers without a name that something is compared with (ruff's PLR2004)."""
    asked = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "PLR2004", "--output-format", "json"]
    found = subprocess.run([*asked, "sonic_core", "nodes"], capture_output=True, text=True, check=False, cwd=ROOT)
    counted = Counter(Path(one["filename"]).relative_to(ROOT).as_posix() for one in json.loads(found.stdout))
    return dict(sorted(counted.items()))


def main() -> None:
    """Print the plan; with ``--debts``, write down where numbers have no names, unless there are more than before."""
    if sys.argv[1:] == ["--debts"]:
        before, now = sum(json.loads(DEBTS.read_text(encoding="utf-8")).values()), unnamed_numbers()
        if sum(now.values()) > before:
            sys.exit(f"There were {before} unnamed numbers, and now there are {sum(now.values())}: name the new ones.")
        DEBTS.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        return
    counted = lines()
    whole = sum(counted.values())
    for name, count in counted.most_common():
        sys.stdout.write(f"{name:24} {count:6} lines {count / whole:6.1%}\n")
    sys.stdout.write(f"arrows up: {arrows_up() or 'none'}\n")
    sys.stdout.write(f"a circle of modules: {circle(arrows()) or 'none'}\n")
    sys.stdout.write(f"a circle of rooms: {circle(rooms()) or 'none'}\n")


if __name__ == "__main__":
    main()
