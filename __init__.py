"""Plain NumPy as a graph: saved, read, differentiated, run by any backend.

>>> import numpy as np, wengert as wg
>>> f = wg.trace(lambda a, b: (a + b) * (b + 1))
>>> f(2, 1)
6
>>> [float(d) for d in wg.grad(f, argnums=(0, 1))(2, 1)]
[2.0, 5.0]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wengert.backends.program import Program, load, parse, source
    from wengert.backends.protocol import available as available_backends, current as default_backend, using as backend
    from wengert.backends.source.c.machine.threads import threads
    from wengert.ir.errors import (
        BackendError,
        ConvergenceError,
        DerivativeError,
        GraphFileError,
        GraphTypeError,
        GuardError,
        SizeError,
        TextError,
        TraceError,
        VerifyError,
        WengertError,
    )
    from wengert.ir.graph import Graph
    from wengert.tools.cost import cost
    from wengert.tools.derivatives import check
    from wengert.tools.explain import explain
    from wengert.tracer.batching import vmap
    from wengert.tracer.control import cond, fori_loop, map_ as map, scan, switch, while_loop
    from wengert.tracer.custom import checkpoint, custom, primitive
    from wengert.tracer.decorator import trace
    from wengert.tracer.derivatives import grad, jvp, linearize, stop_gradient, value_and_grad, vjp
    from wengert.tracer.gradients import clip_gradient, inspect_gradient, scale_gradient, straight_through
    from wengert.tracer.implicit.linear import linear_solve
    from wengert.tracer.implicit.minima import least_squares, minimize
    from wengert.tracer.implicit.odes import solve_ivp
    from wengert.tracer.implicit.roots import fixed_point, root
    from wengert.tracer.matrices import hessian, jacobian
    from wengert.tracer.prefixes import associative_scan
    from wengert.tracer.products import fisher_product, gauss_newton_product, hvp
    from wengert.tracer.random import key
    from wengert.tracer.rerolling import reroll
    from wengert.tracer.series import jet, taylor
    from wengert.tracer.sparse_matrices import sparsity
    from wengert.tracer.sparse_programs import sparse_hessian, sparse_jacobian
    from wengert.tracer.stabilizing import stabilize
    from wengert.tracer.structured import (
        curl,
        divergence,
        hessian_diagonal,
        jacobian_blocks,
        jacobian_diagonal,
        laplacian,
    )
    from wengert.tracer.symbolic import spec

__version__ = "0.1.0"

__all__ = [
    "BackendError", "ConvergenceError", "DerivativeError", "Graph", "GraphFileError", "GraphTypeError", "GuardError",
    "Program", "SizeError", "TextError", "TraceError", "VerifyError", "WengertError", "associative_scan",
    "available_backends", "backend", "check", "checkpoint", "clip_gradient", "cond", "cost", "curl", "custom",
    "default_backend", "divergence", "explain", "fisher_product", "fixed_point", "fori_loop", "gauss_newton_product",
    "grad", "hessian", "hessian_diagonal", "hvp", "inspect_gradient", "jacobian", "jacobian_blocks",
    "jacobian_diagonal", "jet", "jvp", "key", "laplacian", "least_squares", "linear_solve", "linearize", "load",
    "map", "minimize", "parse", "primitive", "reroll", "root", "scale_gradient", "scan", "solve_ivp", "source",
    "sparse_hessian", "sparse_jacobian", "sparsity", "spec", "stabilize", "stop_gradient", "straight_through",
    "switch", "taylor", "threads", "trace", "value_and_grad", "vjp", "vmap", "while_loop",
]  # fmt: skip

#: Where each name lives: it is imported from there when it is first asked for, and called there as after the ``=``.
_HOMES = {
    "backends.program": "Program load parse source",
    "backends.protocol": "available_backends=available backend=using default_backend=current",
    "backends.source.c.machine.threads": "threads",
    "ir.errors": "BackendError ConvergenceError DerivativeError GraphFileError GraphTypeError GuardError SizeError "
                 "TextError TraceError VerifyError WengertError",
    "ir.graph": "Graph",
    "tools.cost": "cost",
    "tools.derivatives": "check",
    "tools.explain": "explain",
    "tracer.batching": "vmap",
    "tracer.control": "cond fori_loop map=map_ scan switch while_loop",
    "tracer.custom": "checkpoint custom primitive",
    "tracer.decorator": "trace",
    "tracer.derivatives": "grad jvp linearize stop_gradient value_and_grad vjp",
    "tracer.gradients": "clip_gradient inspect_gradient scale_gradient straight_through",
    "tracer.implicit.linear": "linear_solve",
    "tracer.implicit.minima": "least_squares minimize",
    "tracer.implicit.odes": "solve_ivp",
    "tracer.implicit.roots": "fixed_point root",
    "tracer.matrices": "hessian jacobian",
    "tracer.prefixes": "associative_scan",
    "tracer.products": "fisher_product gauss_newton_product hvp",
    "tracer.random": "key",
    "tracer.rerolling": "reroll",
    "tracer.series": "jet taylor",
    "tracer.sparse_matrices": "sparsity",
    "tracer.sparse_programs": "sparse_hessian sparse_jacobian",
    "tracer.stabilizing": "stabilize",
    "tracer.structured": "curl divergence hessian_diagonal jacobian_blocks jacobian_diagonal laplacian",
    "tracer.symbolic": "spec",
}  # fmt: skip

_LAYERS = ("backends", "ir", "tools", "tracer")


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        for each in names.split():
            public, _, original = each.partition("=")
            if public == name:
                found = globals()[name] = getattr(import_module(f"wengert.{home}"), original or name)
                return found
    if name in _LAYERS:
        return import_module(f"wengert.{name}")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LAYERS})
