"""Widgets made from the engine's settings, so that a default, a range and an advice live once."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Any, TypedDict

Widget = tuple[str | list[str], dict[str, Any]]

ADVANCED = {"advanced": True}
"""An option for an input that most people leave alone; the canvas folds it away where it knows the word."""


class Advice(TypedDict):
    """The values that are advised, and what lies beyond; the canvas shows it once a value leaves them."""

    least: float
    most: float
    below: str
    """Empty: no advice on this side."""
    above: str


def advice(least: float, most: float, below: str = "", above: str = "") -> dict[str, Advice]:
    """Describe an advised range to the canvas: an option for an input that is no setting of the engine's."""
    return {"advised": Advice(least=least, most=most, below=below, above=above)}


def widget(name: str, more: str = "", **options: object) -> Widget:
    """Describe the widget of the setting ``name``: kind, default, range and words come from the engine's table.

    Args:
        name: A field of ``Settings``; what sonic-base alone heeds is marked as advanced.
        more: What is to be said on the canvas only, behind what the setting does.
        options: What the host should know besides (``step``, ``control_after_generate``, …).
    """
    from ..sonic_core import SETTINGS

    one = SETTINGS[name]
    tip, limits = f"{one.words.help}{more}", one.words.limits
    folded = ADVANCED if one.diffusion else {}
    if one.choices:
        return list(one.choices), {"default": one.default, "tooltip": tip, **folded, **options}
    described: dict[str, Any] = {"default": one.kind(one.default), "tooltip": tip, **folded}
    if limits is not None:
        described |= {"min": one.kind(limits.least), "max": one.kind(limits.most)}
        described["tooltip"] += f" Advised: {limits.advised_least:g} to {limits.advised_most:g}"
        described |= advice(limits.advised_least, limits.advised_most, limits.below, limits.above)
        reasons = [f"below, {limits.below}"] * bool(limits.below) + [f"above, {limits.above}"] * bool(limits.above)
        described["tooltip"] += f" ({'; '.join(reasons)})."
    return {bool: "BOOLEAN", int: "INT"}.get(one.kind, "FLOAT"), {**described, **options}


def told(name: str, more: str = "") -> str:
    """Say what a setting does, for an input of another kind than the engine's."""
    from ..sonic_core import SETTINGS

    return f"{SETTINGS[name].words.help}{more}"
