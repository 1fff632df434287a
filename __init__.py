"""Plain NumPy as a graph: saved, read, differentiated, run by any backend.

>>> import numpy as np, wengert as wg
>>> f = wg.trace(lambda a, b: (a + b) * (b + 1))
>>> f(2, 1)
6
>>> [float(d) for d in wg.grad(f, argnums=(0, 1))(2, 1)]
[2.0, 5.0]
"""

from __future__ import annotations

from typing import Any

from wengert.backends.program import Program
from wengert.backends.protocol import available as available_backends, current as default_backend, using as backend
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
from wengert.tracer.structured import curl, divergence, hessian_diagonal, jacobian_blocks, jacobian_diagonal, laplacian
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


def load(path: Any) -> Program:
    """Read a graph that :meth:`Program.save` wrote; GraphFileError if it is not one."""
    from wengert.ir.wire import load as read

    return Program(read(path))


def parse(text: str) -> Program:
    """Read the text of a graph (:meth:`Program.text`); TextError, with the line, if it is not one."""
    from wengert.ir.text import parse as read

    return Program(read(text))


def source(program: Any, backend: str = "python", *, mode: str = "value", argnums: Any = None) -> str:
    """The text of a generated program; see :func:`wengert.backends.program.source`."""
    from wengert.backends.program import source as generate

    return generate(program, backend, mode=mode, argnums=argnums)


def explain(f: Any) -> Any:
    """``explain(f)(*args)``: every value and derivative on the graph; see :mod:`wengert.tools.explain`."""
    from wengert.tools.explain import explain as explained

    return explained(f)


def cost(f: Any, argnums: Any = None) -> Any:
    """``cost(f)(*args)``: operations, bytes and peak memory of value and both modes; see :mod:`wengert.tools.cost`."""
    from wengert.tools.cost import cost as counted

    return counted(f, argnums)


def threads(count: int | None = None) -> int:
    """How many threads share a long loop of a program in C; see :func:`wengert.backends.source.c.threads.threads`."""
    from wengert.backends.source.c import threads as of_c

    return of_c.threads(count)


def check(f: Any, backends: Any = None, *, limit: int | None = None) -> Any:
    """``check(f)(*args)``: a report on every derivative before it is used; see :mod:`wengert.tools.derivatives`."""
    from wengert.tools import derivatives

    return derivatives.check(f, backends, limit=derivatives.LIMIT if limit is None else limit)
