"""What the project says to people, read from its sources: templates with numbered places for what differs.

python -m tests.sentences             lists what has no Chinese words yet
python -m tests.sentences --debts     writes how many that are, module by module
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = ROOT / "locales/zh/main.json"
DEBTS = ROOT / "tests/sentences.json"
"""How many errors of a module a Chinese canvas says in English: what only programs can do wrong."""
UNSEEN = {"learn", "cli", "batch"}
"""Rooms of the engine of which nothing reaches a canvas."""
ERRORS = {
    "SonicError",
    "SettingsError",
    "InputError",
    "FaceNotFoundError",
    "CheckpointError",
    "MediaError",
    "OutOfMemoryError",
}
PLACE = re.compile(r"\{\w+(?::[^{}]*)?\}")
"""A place to fill in a text that ``str.format`` takes."""


def chinese() -> dict[str, str]:
    """Read the sentences that a Chinese canvas knows, by the English ones."""
    return json.loads(WORDS.read_text(encoding="utf-8"))["sonic"]["sentences"]


def sources() -> list[Path]:
    """List the modules whose sentences may reach a canvas."""
    found = [path for room in ("nodes", "sonic_core") for path in sorted((ROOT / room).rglob("*.py"))]
    return [path for path in found if path.relative_to(ROOT).parts[1] not in UNSEEN]


def template(node: ast.AST) -> str | None:
    """Write a text of a program as a template: "{1}" for what is filled in first, and so on; None for other nodes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        numbers = iter(range(1, 100))
        return PLACE.sub(lambda _: f"{{{next(numbers)}}}", node.value)
    if not isinstance(node, ast.JoinedStr):
        return None
    numbers = iter(range(1, 100))
    parts = (part.value if isinstance(part, ast.Constant) else f"{{{next(numbers)}}}" for part in node.values)
    return "".join(map(str, parts))


def written() -> set[str]:
    """List every text of the sources as a template."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sources())
    return {text for tree in trees for node in ast.walk(tree) if (text := template(node))}


def raised() -> Iterator[tuple[str, str, bool]]:
    """List errors and warnings: the module, the template, and whether it is a warning."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            warns = name == "warn" and any("SonicWarning" in ast.unparse(one) for one in node.args)
            text = template(node.args[0]) if warns or name in ERRORS else None
            if text:
                yield path.relative_to(ROOT).as_posix(), text, warns


def debts() -> dict[str, int]:
    """Count, by module, the errors that have no Chinese words."""
    known = chinese()
    owed = Counter(module for module, text, warns in raised() if not warns and text not in known)
    return dict(sorted(owed.items()))


def main() -> None:
    """List the sentences, or write the numbers."""
    if "--debts" in sys.argv:
        DEBTS.write_text(f"{json.dumps(debts(), indent=1)}\n", encoding="utf-8")
        return
    known = chinese()
    for module, text, _ in raised():
        if text not in known:
            sys.stdout.write(f"{module}: {text}\n")


if __name__ == "__main__":
    main()
