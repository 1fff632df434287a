"""Every op, by name: one record each, one file per chapter.  Collected here, never registered by import."""

from __future__ import annotations

from types import ModuleType

from wengert.ir.kinds import Op
from wengert.ir.ops import (
    arithmetic,
    comparison,
    contractions,
    control,
    entire,
    exponential,
    external,
    factorizations,
    fft,
    indexing,
    library,
    linalg,
    matrix_functions,
    movement,
    parts,
    random,
    reductions,
    special,
    special_functions,
    special_functions_bessel,
    special_functions_entropy,
    special_functions_gamma,
    special_functions_integrals,
    trigonometric,
)

__all__ = ["BY_FUNCTION", "CHAPTERS", "OPS"]

CHAPTERS: dict[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        arithmetic, exponential, trigonometric, parts, entire, comparison, special, reductions,
        movement, contractions, indexing, library, linalg, factorizations, matrix_functions, fft, control, external,
        random, special_functions, special_functions_gamma, special_functions_bessel, special_functions_entropy,
        special_functions_integrals,
    )
}  # fmt: skip


def _collect() -> dict[str, Op]:
    ops: dict[str, Op] = {}
    for chapter in CHAPTERS.values():
        for op in vars(chapter).values():
            if isinstance(op, Op):
                if op.name in ops:
                    message = f"Two ops are called {op.name!r}; names are unique."
                    raise ValueError(message)
                ops[op.name] = op
    return ops


#: Name to record: what a file's op names are looked up in, and nowhere else.
OPS: dict[str, Op] = _collect()
#: NumPy function to record: what the tracer dispatches on.
BY_FUNCTION: dict[object, Op] = {op.function: op for op in OPS.values() if op.function is not None}
