"""The rows of the benchmark: what is computed, on what, and by hand in NumPy."""

from __future__ import annotations

from wengert.tools.bench.rows import learning, loops, matrices, mixture, small
from wengert.tools.bench.rows.row import Row, rows_of

__all__ = ["ROWS", "Row", "chosen"]

_ORDER = (
    "product rosenbrock10 rosenbrock1000 hvp1000 xor logistic mlp128 mlp1 gmm10 gmm64 lstm bundle lotka elementwise "
    "rosenbrock1000000 jacobian hessian"
)
_EVERY = {row.name: row for module in (small, learning, mixture, loops, matrices) for row in module.ROWS}

ROWS: tuple[Row, ...] = tuple(_EVERY[name] for name in _ORDER.split())


def chosen(names: str | None) -> list[Row]:
    """The rows of these names, which commas separate, or that begin so; None for all."""
    return rows_of(ROWS, names)
