"""A stand-in for a package that diffusers wants to see installed and that nothing here uses."""

from __future__ import annotations

import sys
from importlib import metadata, util
from pathlib import Path

NAME = "requests"
"""Fetches from the network, where a measuring machine has none."""


def stand_in(folder: Path) -> bool:
    """Put an empty package of that name into a folder and the folder on the path, where the true one is missing.

    Returns:
        Whether it was missing.
    """
    if util.find_spec(NAME) is not None:
        return False
    told = folder / f"{NAME}-0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 0\n", encoding="utf-8")
    (folder / f"{NAME}.py").write_text('"""Empty: see benchmarks/card_parts/absent.py."""\n', encoding="utf-8")
    sys.path.append(str(folder))
    metadata.version(NAME)  # raises here, if at all, where the reason is plain
    return True
