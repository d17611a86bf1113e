"""Compile every kernel of the fused blocks for cards of three generations; none needs to be there.

python -m tests.unit.models.base.compile_kernels
"""

from __future__ import annotations

from typing import Any

from sonic_core.models.base.unet import kernels

CAPABILITIES = (75, 80, 90)
"""Turing, Ampere, Hopper."""
SCALARS = {**dict.fromkeys(("period", "count", "pixels", "stride", "channels"), "i32"), "epsilon": "fp32"}
FLOATS = ("means", "squares", "factor", "addend")
"""Parameters that point to float32 whatever the type of the maps."""
CONSTANTS = {
    "width": 320, "half": kernels.HALF, "add": True, "shared": True, "masked": True, "seen": True, "shifted": True,
    "run": kernels.MEASURED, "runs": 33, "each": 10, "joined": kernels.JOINED, "silu": True,
}  # fmt: skip
BLOCKS = {"_join": 16, "_measure": kernels.TILE[1], "_apply": kernels.TILE[1]}


def main() -> None:
    """Compile them, and print each with its target."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.runtime.jit import JITFunction

    for name, kernel in vars(kernels).items():
        if not isinstance(kernel, JITFunction):
            continue
        for number in ("fp16", "bf16", "fp32"):
            signature, constants = described(name, kernel.params, number)
            for capability in CAPABILITIES:
                target = GPUTarget("cuda", capability, 32)
                triton.compile(ASTSource(fn=kernel, signature=signature, constexprs=constants), target=target)
                print(name, number, capability, flush=True)  # noqa: T201 - a command


def described(name: str, parameters: Any, number: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Say of what type each parameter is, and what those are that are known before."""
    signature, constants = {}, {}
    for one in parameters:
        if one.is_constexpr:
            signature[one.name] = "constexpr"
            constants[one.name] = BLOCKS.get(name, kernels.ROW) if one.name == "block" else CONSTANTS[one.name]
        else:
            signature[one.name] = SCALARS.get(one.name) or f"*{'fp32' if one.name in FLOATS else number}"
    return signature, constants


if __name__ == "__main__":
    main()
