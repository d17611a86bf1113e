"""Plans: what shapes a task, one frozen dataclass each, read from a file and from flags of the same names."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import textwrap
from collections.abc import Container, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import MediaError, SettingsError

Plan = TypeVar("Plan")
Limits = Mapping[str, tuple[float, float]]


def check_limits(plan: object, limits: Limits) -> None:
    """Raise where a plan's value is not between its limits.

    Args:
        plan: Has an attribute of every name.
        limits: The least and the most of each.

    Raises:
        SettingsError: One is not.
    """
    for name, (least, most) in limits.items():
        value = getattr(plan, name)
        if not least <= value <= most:
            raise SettingsError(f"{name} must be between {least:g} and {most:g}, got {value!r}.")


def read_plan(kind: type[Plan], path: Path | None, changed: Mapping[str, Any]) -> Plan:
    """Read a plan from a file and change some of it.

    Args:
        kind: A dataclass whose fields all have usual values.
        path: TOML or JSON, told by its ending: an object of fields of ``kind``; None: the usual values.
        changed: Values that overrule the file's.

    Raises:
        MediaError: The file cannot be read.
        SettingsError: It holds what is no plan, or a value that is not possible.
    """
    given = {} if path is None else _read(path)
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise SettingsError(f"{path} has {', '.join(unknown)}; there are {', '.join(known)}.")
    made = {**given, **changed}
    for name, value in made.items():
        usual = known[name].default
        fits = isinstance(value, (int, float)) if isinstance(usual, float) else type(value) is type(usual)
        if not fits or (isinstance(value, bool) and not isinstance(usual, bool)):
            raise SettingsError(f"{name} must be of the kind of {usual!r}, got {value!r}.")
        made[name] = type(usual)(value)
    return replace(kind(), **made)  # type: ignore[type-var]


def add_flags(parser: argparse.ArgumentParser, kind: type[Any], without: Container[str] = ()) -> None:
    """Give a command a flag for every value of a plan, and ``--plan`` for a file of them.

    Args:
        parser: The command's.
        kind: The plan; what its fields' docstrings say is what ``--help`` says.
        without: Fields that nobody chooses.
    """
    parser.add_argument("--plan", type=Path, metavar="FILE", help="a .toml or .json with any of the values below")
    said = words_of(kind)
    for one in fields(kind):
        if one.name in without:
            continue
        flag, kind_of_value = f"--{one.name.replace('_', '-')}", type(one.default)
        text = f"{said.get(one.name, '')} ({one.default})".strip().replace("%", "%%")
        if kind_of_value is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=text, default=None)
        else:
            parser.add_argument(flag, type=kind_of_value, metavar="X", help=text, default=None)


def plan_of(kind: type[Plan], options: argparse.Namespace) -> Plan:
    """Make the plan that flags of ``add_flags`` ask for.

    Raises:
        MediaError: Its file cannot be read.
        SettingsError: A value is not possible.
    """
    named = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    changed = {name: value for name in named if (value := getattr(options, name, None)) is not None}
    return read_plan(kind, options.plan, changed)


def words_of(kind: type[Any]) -> dict[str, str]:
    """Read what the docstrings of a class's fields say, by name, inherited ones too; one without is not there."""
    said: dict[str, str] = {}
    for one in reversed([one for one in kind.__mro__ if is_dataclass(one)]):
        said |= _own_words(one)
    return said


def _own_words(kind: type[Any]) -> dict[str, str]:
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    said, last = {}, ""
    for node in made.body if isinstance(made, ast.ClassDef) else ():
        if isinstance(node, ast.Expr) and last and isinstance(node.value, ast.Constant):
            said[last] = " ".join(str(node.value.value).split())
        last = node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""
    return said


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MediaError(f"Expected a plan at {path}, which cannot be read ({error}).") from error
    try:
        read = json.loads(text) if path.suffix == ".json" else _toml(text)
    except ValueError as error:
        raise SettingsError(
            f"{path} should hold a plan as TOML, or as .json as JSON, but does not: {error}."
        ) from error
    if not isinstance(read, dict):
        raise SettingsError(f"{path} should hold one object, got {type(read).__name__}.")
    return read


def _toml(text: str) -> dict[str, Any]:
    try:
        import tomllib  # noqa: PLC0415 - since Python 3.11
    except ModuleNotFoundError as error:
        raise SettingsError(
            "Plans in TOML want Python 3.11 or newer; write the plan as JSON, in a .json file."
        ) from error
    return tomllib.loads(text)
