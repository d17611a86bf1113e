"""What trainers and compilers put before, or into, the names of a network's tensors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

WRAPPINGS = ("module.", "_orig_mod.", "unet.", "model.diffusion_model.", "model.")
"""What all names of a file may begin with, one behind another: from DDP, ``torch.compile``, trainers' own classes."""
COMPILED = "_orig_mod."
"""Stands inside names too, where ``torch.compile`` was given single blocks."""


def unwrappings(names: Iterable[str]) -> Iterator[dict[str, str]]:
    """List the ways in which a file's names can be read, from the outside inwards.

    Args:
        names: All names of the file.

    Yields:
        The file's names by what they are called without some of their wrappings; first as they are. A wrapping is
        taken off only where all names have it, or, inside of names, where no two become the same.

    >>> [list(way) for way in unwrappings(["module.unet.a.weight", "module.unet.b._orig_mod.bias"])]
    [['module.unet.a.weight', 'module.unet.b._orig_mod.bias'], ['module.unet.a.weight', 'module.unet.b.bias'], \
['unet.a.weight', 'unet.b.bias'], ['a.weight', 'b.bias']]
    """
    way = {name: name for name in names}
    yield way
    plain = {name.replace(COMPILED, ""): stored for name, stored in way.items()}
    if len(plain) == len(way) and plain.keys() != way.keys():
        yield (way := plain)
    while (start := _shared(way)) is not None:
        yield (way := {name.removeprefix(start): stored for name, stored in way.items()})


def fitting(names: Collection[str], wanted: Collection[str], beside: tuple[str, ...] = ()) -> dict[str, str]:
    """Take off as many wrappings as it takes for a file to have the names that are wanted.

    Args:
        names: All names of the file.
        wanted: Names that must be there; others may be there too.
        beside: Beginnings that may stand before ``wanted``, each as good as none.

    Returns:
        The file's names by what they are called; as they are where no way has those that are wanted.
    """
    ways = list(unwrappings(names))
    starts = ("", *beside)
    return next((way for way in ways if any(all(start + name in way for name in wanted) for start in starts)), ways[0])


def _shared(names: Collection[str]) -> str | None:
    return next((start for start in WRAPPINGS if names and all(name.startswith(start) for name in names)), None)
