"""The flags that every command which animates has: the settings, and what a model is loaded with."""

from __future__ import annotations

import argparse
from typing import Any

from ..models.registry import AUTO, MODEL_NAMES
from ..settings import SETTINGS, Setting, Settings
from ..weights.search import SearchPath
from .console import add_format, add_weights, either, say
from .directing import add_direction, add_pose, direction_of

SIDES = 4
"""Numbers of a box: left, top, right, bottom."""


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Offer every setting, as the one table tells it, and what belongs to this program."""
    for one in SETTINGS.values():
        add_setting(parser, one)
    add_direction(parser)
    add_pose(parser)
    parser.add_argument("--model", default=AUTO, metavar="NAME", help=f"{either(MODEL_NAMES)} (%(default)s)")
    add_format(parser)
    add_weights(parser, "weights, a folder or a file of them,")
    parser.add_argument("--svd", metavar="PATH", help=argparse.SUPPRESS)
    parser.add_argument(
        "--device", default="auto", help="for sonic-base: cuda, cuda:1, xpu, mps or cpu; several share (%(default)s)"
    )
    parser.add_argument(
        "--acceleration", default="auto", metavar="LEVERS",
        help="for sonic-base on a card: auto, off, or levers such as compile=on,graphs=off (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--attention", default="auto", metavar="NAME", help="its kernel: auto, sdpa, cudnn, flash or sage (%(default)s)"
    )
    parser.add_argument("--precision", default="auto", help="for sonic-base: fp16, bf16 or fp32 (%(default)s)")
    parser.add_argument(
        "--lora", action="append", default=[], metavar="FILE[:X]",
        help="for sonic-base: changes of its UNet, X times as strong as they were learned; several add up",
    )  # fmt: skip


def add_setting(parser: argparse.ArgumentParser, one: Setting) -> None:
    """Offer a setting: a switch for what is on or off, else a value."""
    told = (one.words.otherwise if one.default is True else one.words.help).replace("%", "%%")
    if one.kind is bool:
        parser.add_argument(one.flag, dest=one.name, action=f"store_{not one.default}".lower(), help=told)
        return
    default = one.words.otherwise or f"{one.default if one.choices else format(float(one.default), 'g')}"
    limits = one.words.limits
    advised = f"; advised {limits.advised_least:g} to {limits.advised_most:g}" if limits else ""
    parser.add_argument(
        one.flag,
        type=_box if one.kind is tuple else one.kind,
        default=one.default,
        metavar="L,T,R,B" if one.kind is tuple else "NAME" if one.choices else "X",
        help=f"{told} Default: {default}{advised}.",
    )


def _box(text: str) -> tuple[float, ...]:
    try:
        box = tuple(float(side) for side in text.split(","))
    except ValueError:
        box = ()
    if len(box) != SIDES:
        raise argparse.ArgumentTypeError(f"expected four numbers left,top,right,bottom, got {text!r}")
    return box


def settings_of(options: argparse.Namespace) -> Settings:
    """Read the settings off the flags."""
    return Settings(**{name: getattr(options, name) for name in SETTINGS}, direction=direction_of(options))


def loading_of(options: argparse.Namespace) -> dict[str, Any]:
    """Read off the flags what ``load_model`` is told besides the name."""
    return {
        "weights": _searched(options),
        "device": options.device,
        "precision": options.precision,
        "acceleration": options.acceleration,
        "attention": options.attention,
        "loras": options.lora,
    }


def _searched(options: argparse.Namespace) -> SearchPath:
    """Tell where weights are looked for."""
    search = SearchPath.of(options.weights)
    if options.svd is None:
        return search
    say("warning: --svd goes with the next release; name the file or folder of Stable Video Diffusion with --weights.")
    return search.naming(options.svd)
