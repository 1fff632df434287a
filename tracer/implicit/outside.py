"""SciPy's solvers as searches: one node that SciPy runs, and calls the function's graph from.

The node is a primitive (:mod:`wengert.ir.ops.external`) whose first operand is the graph, in the bytes of a file.  So
it is in files and on every backend what it is here, and a process that loads it needs SciPy alone.  Where SciPy ends,
the last steps are ours (:func:`wengert.tracer.implicit.roots.newton`), so that derivatives are of an exact solution.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends.program import Program
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph
from wengert.ir.ops import OPS
from wengert.ir.ops.external import register
from wengert.ir.structure import LEAF
from wengert.ir.types import SHORT_NAMES
from wengert.ir.wire import from_bytes, to_bytes
from wengert.tracer.implicit.problems import Problem
from wengert.tracer.subprograms import recorded

__all__ = ["PREFIX", "Across", "search"]

#: What stands before the name of a method of SciPy's.
PREFIX = "scipy:"


def search(kind: str, method: str, tol: float, maxiter: int, residuals: Problem | None = None) -> Any:
    """A search by ``scipy.optimize``'s function ``kind``; of ``residuals``, if they are another function."""
    name = method.removeprefix(PREFIX)

    def run(problem: Problem, z0: Any, parameters: Sequence[Any]) -> tuple[Any, Any]:
        graph = (residuals or problem).graph
        return _emitted(kind, graph, name, np.array([tol, maxiter]), z0, z0, *parameters)

    return run


def _emitted(kind: str, graph: Graph, name: str, limits: Any, like: Any, *operands: Any) -> tuple[Any, Any]:
    """The node: a vector like another one, and whether it is what was looked for."""
    xp = like.xp
    given = [_letters(to_bytes(graph)), _letters(name.encode()), limits, *operands]
    results = ((SHORT_NAMES[like.dtype], like.shape), ("bool", ()))
    made = xp.builder.emit_all(OPS["external"], list(map(xp.lift, given)), name=f"wengert.{kind}", results=results)
    z, found = map(xp.wrap, made)
    return z, found


@frozen
class Across:
    """A method of ``scipy.integrate.solve_ivp``, begun anew at each time (see :mod:`wengert.tracer.implicit.steps`)."""

    method: str
    rtol: float
    atol: float

    def begun(self, f: Any, t: Any, z: Any, goal: Any) -> Any:
        return 0.0

    def across(self, f: Any, t: Any, z: Any, goal: Any, memory: Any) -> tuple[Any, Any, Any]:
        xp, name = z.xp, self.method.removeprefix(PREFIX)
        types = [xp.lift(x).type for x in (t, z)]
        body = recorded(xp, lambda t, z: f(t, z), [(LEAF, [type_]) for type_ in types], "the function")
        limits = np.array([self.rtol, self.atol])
        z, found = _emitted("solve_ivp", body.graph, name, limits, z, t, goal, z, *map(xp.wrap, body.implicit))
        return z, memory, found


def _letters(data: bytes) -> Any:
    return np.frombuffer(data, np.uint8).copy()


@functools.lru_cache(maxsize=64)
def _graph(data: bytes) -> Graph:
    return from_bytes(data)


@functools.lru_cache(maxsize=64)
def _program(data: bytes) -> Program:
    return Program(_graph(data))


def _scipy(module: str) -> Any:
    try:
        return importlib.import_module(f"scipy.{module}")
    except ImportError as error:
        message = f"The method is one of SciPy's, which cannot be imported here ({error}). Install scipy."
        raise BackendError(message) from error


def _solver(kind: str, prepare: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """SciPy's function: of the graph's bytes, the method, (tol, maxiter), the start and the parameters."""

    def solve(data: Any, method: Any, limits: Any, z0: Any, *parameters: Any) -> tuple[Any, Any]:
        function = getattr(_scipy("optimize"), kind)
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


def _across(data: Any, method: Any, limits: Any, t: Any, goal: Any, z: Any, *parameters: Any) -> tuple[Any, Any]:
    """scipy.integrate.solve_ivp, of the graph's bytes, the method, (rtol, atol), from a time to another."""
    if t == goal:
        return z, np.True_
    name, (rtol, atol) = method.tobytes().decode(), limits.tolist()
    program, given = _program(data.tobytes()), [np.asarray(p) for p in parameters]
    slope = lambda t, z: program.run([np.asarray(t), np.asarray(z), *given], "numpy")[0]
    more = {}
    if name in ("Radau", "BDF", "LSODA"):
        run, basis = program.forward((1,), "numpy"), np.eye(z.size)
        more["jac"] = lambda t, z: run([np.asarray(t), np.asarray(z), *given], [basis])[1][0].T
    found = _scipy("integrate").solve_ivp(slope, (float(t), float(goal)), z, name, rtol=rtol, atol=atol, **more)
    return found.y[:, -1], np.bool_(found.success)


register("wengert.solve_ivp", _across)
for _kind, _prepare in {"root": _root, "minimize": _minimize, "least_squares": _least_squares}.items():
    register(f"wengert.{_kind}", _solver(_kind, _prepare))
