"""Write what the pages list of settings and formats, as the engine's tables say it: ``python -m tests.tables``.

The tables are the source; a test holds the pages to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sonic_core.media.formats import FORMATS, describe_formats, describe_quality
from sonic_core.settings import SETTINGS, Setting

ROOT = Path(__file__).resolve().parent.parent
DASH = "–"  # between two numbers


def setting_row(one: Setting) -> str:
    """Write a setting's row of README's table."""
    limits, words = one.words.limits, one.words
    advised = f"{limits.advised_least:g}{DASH}{limits.advised_most:g}" if limits else ""
    told = " ".join(filter(None, (words.help, words.more)))
    return f"| `{one.name}` | `{one.flag}` | {default(one)} | {advised} | {told} |".replace("|  |", "| |")


def default(one: Setting) -> str:
    """Write a setting's default."""
    if one.kind is bool:
        return "on" if one.default else "off"
    if one.default is None or one.choices:
        return one.words.otherwise or one.default
    return f"{float(one.default):g}"


def with_settings(page: str) -> str:
    """Write README's table of parameters anew."""
    rows = "\n".join(setting_row(one) for one in SETTINGS.values())
    head, table = "| SDK, nodes | command line | default | advised | what it does |", r"\n\|[-|]+\|\n"
    return re.sub(rf"({re.escape(head)}{table})(\|.*\n)+", lambda found: f"{found[1]}{rows}\n", page)


def row(name: str, told: str) -> Callable[[str], str]:
    """Make what writes the last cell of the row of ``name`` anew."""
    return lambda page: re.sub(
        rf"(?m)^(\| {re.escape(name)} \|(?:.*\|)?) [^|\n]* \|$", lambda m: f"{m[1]} {told} |", page
    )


def with_formats(mark: str = "`") -> Callable[[str], str]:
    """Make what writes the rows of ``format`` and ``crf`` anew, their names between two of ``mark``."""
    formats = describe_formats()
    for name in FORMATS:
        formats = formats.replace(f"{name}: ", f"`{name}`: ")
    told = {"format": formats, "crf": f"Quality, lower is better and larger: {describe_quality()}"}
    writers = [row(f"{mark}{name}{mark}", text) for name, text in told.items()]
    return lambda page: writers[1](writers[0](page))


def pages() -> dict[Path, Callable[[str], str]]:
    """Tell for each page what writes its tables anew."""
    return {
        ROOT / "README.md": with_settings,
        ROOT / "docs/sdk.md": with_formats(),
        ROOT / "web/docs/VideoCombine.md": with_formats(mark=""),
    }


def main() -> None:
    """Write the pages."""
    for path, written in pages().items():
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
