"""TorchScript files: networks that are published as code, and may do nothing but compute.

Loading such a file runs what is written in it. The language knows tensors and little else, but some of its words read
and write files; a file that holds one of them is refused before anything of it is loaded.
"""

from __future__ import annotations

import ast
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from ..errors import CheckpointError

REACHING = frozenset({"save", "from_file", "save_to_file", "load"})
"""Words of the language that reach files: those of its operators that take a file's name, and likely new ones."""
COMPUTING = frozenset({"prim", "aten"})
"""Families of operators that compute; others, such as those of several machines or of added libraries, need not."""
_LARGEST = 16 << 20  # bytes of code in a file; a detector's is a hundredth of that
_NESTED = RecursionError, SyntaxError, ValueError


def load_computing(path: str | Path) -> torch.jit.ScriptModule:
    """Load a TorchScript file that only computes.

    Args:
        path: The file.

    Raises:
        CheckpointError: It cannot be read, or its code does other things than compute.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = next(_suspicious(archive), None)
        if found is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # the file exists in this form only
                return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, EOFError, OSError, zipfile.BadZipFile, *_NESTED) as error:
        raise CheckpointError(f"{path} is not a TorchScript file; download it again.") from error
    raise CheckpointError(
        f"{path} holds code that does more than compute ({found}), so it was not loaded; download it again from where "
        "the weights are published."
    )


def _suspicious(archive: zipfile.ZipFile) -> Iterator[str]:
    """List what in the archive's code may reach beyond tensors."""
    code = [entry for entry in archive.infolist() if entry.filename.endswith(".py")]
    if not code:
        raise zipfile.BadZipFile("no code")
    if sum(entry.file_size for entry in code) > _LARGEST:
        yield "more code than a network needs"
        return
    for entry in code:
        for node in ast.walk(ast.parse(archive.read(entry))):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and "__torch__" not in ast.unparse(node):
                yield ast.unparse(node)
            if isinstance(node, ast.Attribute):
                yield from _reaching(node, ast.unparse(node.value), node.attr)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) > 1:
                name = node.args[1]
                yield from _reaching(node, ast.unparse(node.args[0]), str(getattr(name, "value", "")))


def _reaching(node: ast.expr, owner: str, name: str) -> Iterator[str]:
    """Tell whether ``owner.name`` reaches beyond tensors; a network's own ``self.save`` is a list."""
    reaches = name in REACHING and owner != "self"
    foreign = owner in {"ops", "torch.ops"} and name not in COMPUTING
    if reaches or foreign or (owner == "torch" and name == "classes"):
        yield ast.unparse(node)
