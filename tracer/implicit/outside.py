"""SciPy's solvers as searches: one node that SciPy runs, and calls the function's graph from.

The node is a primitive (:mod:`wengert.ir.ops.external`) whose first operand is the graph, in the bytes of a file.  So it
is in files and on every backend what it is here, and a process that loads it needs SciPy alone.  Where SciPy ends, the
last steps are ours (:func:`wengert.tracer.implicit.roots.newton`), so that derivatives are of an exact solution.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.program import Program
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph
from wengert.ir.ops import OPS
from wengert.ir.ops.external import register
from wengert.ir.types import SHORT_NAMES
from wengert.ir.wire import from_bytes, to_bytes
from wengert.tracer.implicit.problems import Problem

__all__ = ["PREFIX", "search"]

#: What stands before the name of a method of SciPy's.
PREFIX = "scipy:"


def search(kind: str, method: str, tol: float, maxiter: int, residuals: Problem | None = None) -> Any:
    """A search by ``scipy.optimize``'s function ``kind``; of ``residuals``, if they are another function."""
    name = method.removeprefix(PREFIX)

    def run(problem: Problem, z0: Any, parameters: Sequence[Any]) -> tuple[Any, Any]:
        graph = (residuals or problem).graph
        operands = [_letters(to_bytes(graph)), _letters(name.encode()),
                    np.array([tol, maxiter]), z0, *parameters]  # fmt: skip
        results = ((SHORT_NAMES[z0.dtype], z0.shape), ("bool", ()))
        made = z0.xp.builder.emit_all(
            OPS["external"], [z0.xp.lift(x) for x in operands], name=f"wengert.{kind}", results=results)
        z, found = map(z0.xp.wrap, made)
        return z, found

    return run


def _letters(data: bytes) -> Any:
    return np.frombuffer(data, np.uint8).copy()


@functools.lru_cache(maxsize=64)
def _graph(data: bytes) -> Graph:
    return from_bytes(data)


@functools.lru_cache(maxsize=64)
def _program(data: bytes) -> Program:
    return Program(_graph(data))


def _solver(kind: str, prepare: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """SciPy's function: of the graph's bytes, the method, (tol, maxiter), the start and the parameters."""

    def solve(data: Any, method: Any, limits: Any, z0: Any, *parameters: Any) -> tuple[Any, Any]:
        try:
            function = getattr(importlib.import_module("scipy.optimize"), kind)
        except ImportError as error:
            message = f"The method is one of SciPy's, which cannot be imported here ({error}). Install scipy."
            raise BackendError(message) from error
        program, name = _program(data.tobytes()), method.tobytes().decode()
        given = [np.asarray(p) for p in parameters]
        value = lambda z: program.run([np.asarray(z, z0.dtype), *given], "numpy")[0]
        found = function(value, np.array(z0), method=name, **prepare(program, z0, given, name, *limits.tolist()))
        return np.asarray(found.x, z0.dtype), np.bool_(found.success)

    return solve


def _jacobian(program: Program, z0: Any, given: Sequence[Any]) -> Callable[[Any], Any]:
    """By forward mode, all columns at once."""
    run, basis = program.forward((0,), "numpy"), np.eye(z0.size, dtype=z0.dtype)
    return lambda z: run([np.asarray(z, z0.dtype), *given], [basis])[1][0].T


def _root(program: Program, z0: Any, given: Any, name: str, tol: float, maxiter: float) -> dict[str, Any]:
    jacobian = {"jac": _jacobian(program, z0, given)} if name in ("hybr", "lm") else {}
    return {"tol": tol, **jacobian}


def _minimize(program: Program, z0: Any, given: Any, name: str, tol: float, maxiter: float) -> dict[str, Any]:
    reverse = program.reverse((0,), "numpy")

    def gradient(z: Any) -> Any:
        return reverse([np.asarray(z, z0.dtype), *given], [np.ones(1, z0.dtype)])[1][0][0]

    slope = {} if name.lower() in ("nelder-mead", "powell", "cobyla", "cobyqa") else {"jac": gradient}
    return {"tol": tol, "options": {"maxiter": int(maxiter)}, **slope}


def _least_squares(program: Program, z0: Any, given: Any, name: str, tol: float, maxiter: float) -> dict[str, Any]:
    tol = max(tol, 4 * np.finfo(z0.dtype).eps)
    return {"jac": _jacobian(program, z0, given), "xtol": tol, "ftol": tol, "gtol": tol, "max_nfev": int(maxiter)}


for _kind, _prepare in {"root": _root, "minimize": _minimize, "least_squares": _least_squares}.items():
    register(f"wengert.{_kind}", _solver(_kind, _prepare))
