"""The tables of docs/performance.md, from what was measured."""

from __future__ import annotations

from typing import Any


def markdown(found: dict[str, Any]) -> str:
    """Write all tables for which there are figures."""
    parts = found["parts"]
    tables = [_machine(parts.get("machine", {})), _steps(parts), _clips(parts), _decoders(parts), _memory(parts)]
    tables += [_kernels(parts.get("kernels", {})), _missing(found)]
    return "\n\n".join(table for table in tables if table) + "\n"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Lay out one table; nothing without rows."""
    if not rows:
        return ""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _machine(told: dict[str, Any]) -> str:
    if not told:
        return ""
    rates = ", ".join(f"{n.removeprefix('rate_')} {r / 1e12:.3g}" for n, r in told.items() if n.startswith("rate_"))
    versions = ", ".join(f"{name} {told[name]}" for name in ("driver", "torch", "cuda", "cudnn") if name in told)
    return f"{told['name']}, {told['gigabytes']:.0f} GB; {versions}. TFLOP/s in large matrix products: {rates}."


def _steps(parts: dict[str, Any]) -> str:
    rows = []
    for key, one in parts.items():
        if key.startswith("step "):
            rows += [_step(one), *([_step(one["one_row"] | {"form": one["form"]})] if "one_row" in one else [])]
    heads = [
        "pixels",
        "form",
        "rows",
        "a window-step",
        "share of the matrix rate",
        "memory beside the weights",
        "differs",
    ]
    return table(heads, sorted(rows, key=lambda row: int(row[0].rstrip("²"))))


def _step(one: dict[str, Any]) -> list[str]:
    differs = f"{one['difference']:.0e}" if "difference" in one else ""
    figures = [f"{one['seconds']:.3f} s", f"{one['share']:.0%}", f"{one['gigabytes']:.2f} GB", differs]
    return [f"{one['pixels']}²", one["form"], str(one["rows"]), *figures]


def _clips(parts: dict[str, Any]) -> str:
    rows = [
        [
            one["title"], f"{one['seconds_of_video']:g} s",
            f"{one['per_second']:.2f} s", f"{one['first_frame']:.2f} s", f"{one['animate']:.2f} s",
            f"{one['read_and_encode']:.2f} s", f"{one['encode']:.2f} s", f"{one['gigabytes']:.2f} GB",
        ]
        for key, one in parts.items()
        if key.startswith("clip ")
    ]  # fmt: skip
    heads = ["quality", "video", "a second of video", "first frame", "denoising", "decoding with encoding"]
    return table([*heads, "encoding alone", "memory"], rows)


def _decoders(parts: dict[str, Any]) -> str:
    rows = []
    for key, one in parts.items():
        name = key.rsplit(" ", 1)[0]
        figures = {
            kind: one[kind] for kind in ("float16", "float16 fused", "float32") if isinstance(one.get(kind), dict)
        }
        if name == "decoder":
            rows += [_decoder(f"decoder, {kind}", one["pixels"], figure) for kind, figure in figures.items()]
        elif name in {"tiny decoder", "interpolator"}:
            rows.append(_decoder(name, one["pixels"], one))
    return table(["network", "pixels", "a frame", "memory beside the weights"], rows)


def _decoder(name: str, pixels: int, one: dict[str, Any]) -> list[str]:
    return [name, f"{pixels}²", f"{one['seconds']:.4f} s", f"{one['gigabytes']:.2f} GB"]


def _memory(parts: dict[str, Any]) -> str:
    rows = [
        [
            f"{one['limit']:g} GB", f"{one['rows']}", f"{one['piece']:,}", f"{one['chunk']}",
            f"{one['planned']:.2f} GB", f"{one['denoise']:.2f} GB", f"{one['planned_decoder']:.2f} GB",
            f"{one['decode']:.2f} GB",
        ]
        for key, one in parts.items()
        if key.startswith("memory ")
    ]  # fmt: skip
    heads = ["memory", "rows at once", "piece", "frames decoded", "UNet planned", "UNet measured"]
    return table([*heads, "decoder planned", "decoder measured"], rows)


def _kernels(one: dict[str, Any]) -> str:
    rows = [[f"{k['share']:.1%}", str(k["calls"]), f"`{k['name'][:80]}`"] for k in one.get("dearest", [])]
    return table(["share", "calls", "kernel"], rows)


def _missing(found: dict[str, Any]) -> str:
    rows = [[part, "failed: " + why] for part, why in found["errors"].items()]
    rows += [[part, why] for part, why in found["skipped"].items()]
    return table(["not measured", "why"], rows)
