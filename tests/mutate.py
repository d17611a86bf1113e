"""Change one sign, bound or check of the engine at a time, and see whether a test notices.

    python -m tests.mutate media/wav.py post/smooth.py [--mutants 40] [--seed 1] [--tests T ...] [--list]

Each change is made in a copy of the project, where those tests are run that import the changed module, those of its
name alone where there are such; where none does, those that import what imports it; ``--tests`` names others, files,
folders or single tests. A change is caught when they fail or take far longer than without it. Prints a line for each
that is not, and the share that is. Some change nothing that anybody could see: these are told by reading.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests import house

ROOT = house.ROOT
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
"""What stands in place of an operator."""
BOUNDING = {"min", "max", "minimum", "maximum", "clip", "clamp"}
"""Calls of which a number is a bound."""
SMALL = 10
PATIENCE = 4.0
"""Times as long as without a change, plus half a minute, after which tests hang."""
NO_TESTS = 5
"""What pytest exits with where it finds nothing."""
MOST_FILES = 2
"""Test files that are run for a module."""


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    path: Path
    line: int
    change: str
    source: str


def changes_of(tree: ast.Module) -> list[tuple[int, ast.AST]]:
    """List every change that is made to a module: the number of a node, and what it becomes."""
    return [(number, changed) for number, node in enumerate(ast.walk(tree)) for changed in _changes(node)]


def mutant(path: Path, number: int, changed: ast.AST) -> Mutant:
    """Make a change."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    node = next(one for place, one in enumerate(ast.walk(tree)) if place == number)
    was = ast.unparse(node)
    node.__class__ = changed.__class__
    for name, value in ast.iter_fields(changed):
        setattr(node, name, value)
    now = ast.unparse(ast.fix_missing_locations(tree)) and ast.unparse(node)
    change = f"{' '.join(was.split())[:70]}  ->  {' '.join(now.split())[:70]}"
    return Mutant(path, getattr(node, "lineno", 0), change, ast.unparse(tree))


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Make a node in other ways: another operator, sign or number, or no check."""
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                operators = [*node.ops[:place], SWAPPED[type(operator)](), *node.ops[place + 1 :]]
                yield ast.Compare(node.left, operators, node.comparators)  # type: ignore[arg-type]
            yield from (ast.Compare(node.left, node.ops, others) for others in _moved(node.comparators))
        case ast.BinOp() if type(node.op) in SWAPPED and not (_is_text(node.left) or _is_text(node.right)):
            yield ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right)  # type: ignore[arg-type]
        case ast.BoolOp():
            yield ast.BoolOp(SWAPPED[type(node.op)](), node.values)  # type: ignore[arg-type]
        case _:
            yield from _other_changes(node)


def _other_changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.UnaryOp(op=ast.USub()):
            yield ast.UnaryOp(ast.UAdd(), node.operand)
        case ast.UnaryOp(op=ast.Not()):
            yield ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), node.operand))
        case ast.Call() if ast.unparse(node.func).rpartition(".")[2] in BOUNDING:
            yield from (ast.Call(node.func, others, node.keywords) for others in _moved(node.args))
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() as value) if name.isupper():
            yield from (ast.Assign(node.targets, one) for (one,) in _moved([value]))
        case ast.If(body=[*_, ast.Raise()]):
            yield ast.If(ast.Constant(False), node.body, node.orelse)
        case ast.Expr(value=ast.Call()) if "check" in ast.unparse(node.value.func).rpartition(".")[2]:
            yield ast.Expr(ast.Constant(None))


def _moved(nodes: list[ast.expr]) -> Iterator[list[ast.expr]]:
    """Move each number among some nodes: a small whole one by 1, others by a half."""
    for place, node in enumerate(nodes):
        if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
            value = node.value
            moved = value + 1 if isinstance(value, int) and value < SMALL else value * 3 / 2
            other = ast.Constant(int(moved) if isinstance(value, int) else moved or 0.1)
            yield [*nodes[:place], other, *nodes[place + 1 :]]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))


def tests_of(path: Path) -> list[Path]:
    """List the tests that import a module, if some are of its name those alone; else those of what imports it."""
    module = ".".join(path.relative_to(house.CORE).with_suffix("").parts)
    named = {module} if _importing({module}) else {one for one, others in house.arrows().items() if module in others}
    room, found = path.relative_to(house.CORE).parts[0], _importing(named)
    own = [test for test in found if test.stem == f"test_{path.stem}"]
    return own or sorted(found, key=lambda one: (room not in one.parts, one.stat().st_size))[:MOST_FILES]


def _importing(modules: set[str]) -> list[Path]:
    wanted = {f"sonic_core.{module}" for module in modules}
    return [path for path, names in _imports().items() if names & wanted]


@cache
def _imports() -> dict[Path, set[str]]:
    """Tell what every test imports."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
        found[path] = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                found[path] |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


class Bench:
    """A copy of the project in which tests are run."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, self.root / name)

    def passes(self, names: list[str], patience: float | None = None) -> bool:
        """Say whether tests pass in time."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *names]
        told = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(command, cwd=self.root, env=told, capture_output=True, timeout=patience, check=False)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode == NO_TESTS:
            raise SystemExit(f"no tests in {', '.join(names)}")
        return done.returncode == 0

    def catches(self, mutant: Mutant, names: list[str], patience: float) -> bool:
        """Say whether tests notice a change."""
        place = self.root / mutant.path.relative_to(ROOT)
        place.write_text(mutant.source, encoding="utf-8")
        try:
            return not self.passes(names, patience)
        finally:
            shutil.copyfile(mutant.path, place)


def drawn(rooms: list[str], count: int, seed: str) -> list[Mutant]:
    """Draw changes of some files and folders of the engine, in their order."""
    paths = sorted({path for room in rooms for path in _modules(house.CORE / room)})
    every = [
        (path, number, changed)
        for path in paths
        for number, changed in changes_of(ast.parse(path.read_text(encoding="utf-8")))
    ]
    chosen = random.Random(seed).sample(range(len(every)), min(count, len(every)))  # noqa: S311
    return [mutant(*every[number]) for number in sorted(chosen)]


def _modules(place: Path) -> list[Path]:
    if not place.exists():
        raise SystemExit(f"expected a file or folder below {house.CORE}, got {place}")
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def say(text: str) -> None:
    """Tell on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Change and look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="+", metavar="ROOM", help="a file or folder below sonic_core")
    parser.add_argument("--mutants", type=int, default=40)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--tests", nargs="+", metavar="T", help="run these, for every change")
    parser.add_argument("--list", action="store_true", help="only say what would be changed, and which tests are run")
    options = parser.parse_args()
    mutants, caught = drawn(options.rooms, options.mutants, options.seed), 0
    tests = {
        path: options.tests or [test.relative_to(ROOT).as_posix() for test in tests_of(path)]
        for path in dict.fromkeys(one.path for one in mutants)
    }
    if options.list:
        for one in mutants:
            say(f"{one.path.relative_to(ROOT)}:{one.line}  {one.change}  ({' '.join(tests[one.path])})")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        bench, usual = Bench(Path(folder)), dict[tuple[str, ...], float]()
        for one in mutants:
            names = tests[one.path]
            if (key := tuple(names)) not in usual:
                began = time.monotonic()
                if not bench.passes(names):
                    raise SystemExit(f"the tests of {one.path.relative_to(ROOT)} fail without a change")
                usual[key] = time.monotonic() - began
            if bench.catches(one, names, 30 + PATIENCE * usual[key]):
                caught += 1
            else:
                say(f"not caught: {one.path.relative_to(ROOT)}:{one.line}  {one.change}")
    say(f"{caught} of {len(mutants)} caught ({caught / max(1, len(mutants)):.0%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
