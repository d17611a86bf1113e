"""Widgets made from the engine's settings, so that a default, a range and an advice live once."""

# ruff: noqa: PLC0415
from __future__ import annotations

from dataclasses import fields
from typing import Any, TypedDict

Widget = tuple[str | list[str], dict[str, Any]]


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


def widget(name: str, tip: str, **options: object) -> Widget:
    """Describe the widget of the setting ``name``: its kind, default and range come from the engine.

    Args:
        name: A field of ``Settings``.
        tip: What the setting does; the advised range is appended.
        options: What the host should know besides (``step``, ``control_after_generate``, …).
    """
    from ..sonic_core.settings import QUALITIES, RANGES, Settings

    default = {field.name: field.default for field in fields(Settings)}[name]
    if name == "quality":
        return list(QUALITIES), {"default": default, "tooltip": tip, **options}
    if isinstance(default, bool):
        return "BOOLEAN", {"default": default, "tooltip": tip, **options}
    whole = isinstance(default, int)
    kind = int if whole else float
    described: dict[str, Any] = {"default": kind(default), "tooltip": tip}  # type: ignore[arg-type]
    if name in RANGES:
        limits = RANGES[name]
        described |= {"min": kind(limits.least), "max": kind(limits.most)}
        described["tooltip"] += f" Advised: {limits.advised_least:g} to {limits.advised_most:g}"
        described |= advice(limits.advised_least, limits.advised_most, limits.below, limits.above)
        reasons = [f"below, {limits.below}"] * bool(limits.below) + [f"above, {limits.above}"] * bool(limits.above)
        described["tooltip"] += f" ({'; '.join(reasons)})."
    return "INT" if whole else "FLOAT", {**described, **options}
