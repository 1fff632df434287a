"""Linear systems, by a matrix that is never formed or by one that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.ir.autodiff.subgraphs import linear_part, transposed
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.structure import LEAF
from wengert.ir.types import ArrayType
from wengert.tracer.array import TraceNamespace
from wengert.tracer.control import while_loop
from wengert.tracer.implicit.problems import Problem, Unknown, arranged, columns, settled, smallest, staged
from wengert.tracer.subprograms import Body, recorded

__all__ = ["METHODS", "chosen", "conjugate", "linear_solve", "solution"]

Product = Callable[[Any], Any]

#: Up to so many unknowns the matrix is formed, unless a method is named.
DENSE = 200


def linear_solve(
    matvec: Callable[..., Any], b: Any, *args: Any, method: str | None = None, tol: float = 1e-12,
    maxiter: int | None = None,
) -> Any:
    """The x for which ``matvec(x, *args)`` is ``b``.

    Parameters
    ----------
    matvec : callable
        Linear in x; x, ``b`` and the result are real, nested and shaped alike.  It may also read traced values
        from outside.
    b : array, number, or a nest of them
    *args : arrays, numbers, nested
    method : {"dense", "cg", "bicgstab", "gmres"}, optional
        ``cg`` is for symmetric positive definite systems.  By default ``dense``, which forms the matrix, for up to
        200 unknowns, and ``gmres`` beyond.
    tol : float
        The norm of what is left of ``b``, by the norm of ``b``; of no meaning for ``dense``.
    maxiter : int, optional
        How many products at most: by default ten times the unknowns.

    Returns
    -------
    x
        NaN within a trace where it was not found.  Its derivatives of any order, in ``b`` and in all else that
        ``matvec`` reads, are solutions of the same system or its transpose.

    Raises
    ------
    ConvergenceError
        If it was not found, outside a trace.
    DerivativeError
        If ``matvec`` is not linear.
    """
    def run(xp: TraceNamespace, b: Any, *given: Any) -> tuple[Any, Any]:
        return _solved(xp, matvec, b, given, (method, tol, maxiter))

    return staged("linear_solve", "Allow more products (maxiter), or choose another method.", run, b, *args)


def _solved(xp: TraceNamespace, matvec: Any, b: Any, args: Sequence[Any], how: Any) -> tuple[Any, Any]:
    unknown = Unknown(xp, b, "linear_solve")

    def flat(x: Any, *rest: Any) -> Any:
        return unknown.like(matvec(unknown.nested(x), *rest), "matvec")

    problem = Problem.of(xp, flat, [unknown.type], args, "linear_solve")
    parameters = [xp.wrap(v) for v in problem.parameters]
    constant = problem(np.zeros(unknown.type.shape, unknown.type.dtype), *parameters)  # of a matvec that is affine
    x = solution(xp, problem, unknown.start - constant, parameters, *how)
    return unknown.nested(x), x


def chosen(method: str | None, n: int) -> str:
    """The method by its name, or by the number of unknowns."""
    if method is not None and method not in METHODS:
        message = f"The method of a linear solve is one of {', '.join(map(repr, METHODS))}, got {method!r}."
        raise ValueError(message)
    return method or ("dense" if n <= DENSE else "gmres")


def solution(
    xp: TraceNamespace, problem: Problem, b: Any, parameters: Sequence[Any], method: str | None = None,
    tol: float = 1e-12, maxiter: int | None = None,
) -> Any:
    """The x, a vector, for which ``problem(x, *parameters)``, linear in x, is ``b``; NaN where it is not found."""
    given = [xp.lift(p) for p in parameters]
    right = xp.lift(b)
    linear = linear_part(problem.graph, (0,))
    if linear is None:
        message = "linear_solve: the matvec is not linear in its first argument; for other equations there is wg.root."
        raise DerivativeError(message, op="linear_solve")
    product = linear.evolve(inputs=(*linear.inputs[1:], linear.inputs[0]))
    c = len(given)
    back = transposed(product, (c,), (0,))
    run = METHODS[chosen(method, right.type.size)]
    limit = maxiter or 10 * right.type.size

    types = [v.type for v in (*given, right)]

    def solver(of: Graph) -> Body:
        image = Problem(of)

        def solve(*operands: Any) -> Any:
            return run(lambda x: image(*operands[:-1], x), operands[-1], right.type, tol, limit)

        return recorded(xp, solve, [(LEAF, [t]) for t in types], "the solver")

    bodies = [solver(product), solver(back)]
    implicit = list(dict.fromkeys(v for body in bodies for v in body.implicit))  # arrays of the solver's own
    graphs = [arranged(body, c, implicit) for body in bodies]
    product = product.evolve(inputs=(*product.inputs[:c], *(Value(v.type) for v in implicit), product.inputs[c]))
    (made,) = xp.builder.emit_all(
        OPS["linear_solve"], [*given, *implicit, right], graph=graphs[0], back=graphs[1], product=product,
        consts=c + len(implicit),
    )  # fmt: skip
    return xp.wrap(made)


# -- methods: (product, b, type of b, tol, limit) to x, NaN where it is not found --------------------------------------


def dense(product: Product, b: Any, type_: ArrayType, tol: float, limit: int) -> Any:
    """Gaussian elimination of the matrix."""
    if type_.size == 1:
        return b / product(np.ones(1, type_.dtype))
    return np.linalg.solve(columns(product, type_), b) if type_.size else b


def cg(product: Product, b: Any, type_: ArrayType, tol: float, limit: int) -> Any:
    """Conjugate gradients (Hestenes and Stiefel 1952)."""
    x, found = conjugate(product, b, tol, limit)
    return settled(found, x)


def conjugate(product: Product, b: Any, tol: float, limit: int) -> tuple[Any, Any]:
    """The same: how far it came, and whether that was far enough."""
    goal = tol**2 * (b @ b)

    def step(state: Any) -> Any:
        x, r, p, rr, k = state
        image = product(p)
        alpha = rr / (p @ image)
        r = r - alpha * image
        new = r @ r
        return x + alpha * p, r, r + (new / rr) * p, new, k + 1

    x, _, _, rr, _ = while_loop(lambda s: (s[3] > goal) & (s[4] < limit), step, (b * 0, b, b, b @ b, 0))
    return x, rr <= goal


def bicgstab(product: Product, b: Any, type_: ArrayType, tol: float, limit: int) -> Any:
    """Stabilized bi-conjugate gradients (van der Vorst 1992)."""
    goal = tol**2 * (b @ b)

    def step(state: Any) -> Any:
        x, r, p, v, rho, k = state
        v = product(p)
        alpha = rho / (b @ v)
        s = r - alpha * v
        t = product(s)
        size = t @ t
        omega = np.where(size > 0, (t @ s) / np.where(size > 0, size, 1), 0)
        r = s - omega * t
        new = b @ r
        beta = (new / rho) * (alpha / np.where(omega == 0, 1, omega))
        return x + alpha * p + omega * s, r, r + beta * (p - omega * v), v, new, k + 2

    start = (b * 0, b, b, b * 0, b @ b, 0)
    x, r, *_ = while_loop(lambda s: (s[1] @ s[1] > goal) & (s[5] < limit), step, start)
    return settled(r @ r <= goal, x)


def gmres(product: Product, b: Any, type_: ArrayType, tol: float, limit: int) -> Any:
    """Generalized minimal residuals (Saad and Schultz 1986), begun anew every 30 steps.

    The basis is made orthogonal twice; a basis vector that vanishes ends it (the others then hold the solution).
    """
    n, m = type_.size, min(type_.size, 30)
    goal, eps = tol * np.sqrt(b @ b), np.finfo(type_.dtype).eps
    rows = np.arange(m + 1)

    def grown(j: Any, basis: Any, images: Any) -> Any:
        v = np.sum(np.where((rows == j)[:, None], basis, 0), axis=0)
        w = image = product(v)
        for _ in range(2):
            w = w - np.transpose(basis) @ (basis @ w)
        size = np.sqrt(w @ w)
        there = size > 10 * eps * np.sqrt(image @ image)
        new = np.where(there, w / np.where(there, size, 1), 0)
        return np.where((rows == j + 1)[:, None], new, basis), np.where((rows[:m] == j)[:, None], image, images)

    def cycle(state: Any) -> Any:
        from wengert.tracer.control import fori_loop

        x, r, k = state
        size = np.sqrt(r @ r)
        basis = np.where((rows == 0)[:, None], r / size, np.zeros((m + 1, n), type_.dtype))
        images = np.zeros((m, n), type_.dtype)
        basis, images = fori_loop(0, m, lambda j, s: grown(j, *s), (basis, images))
        # min |r - images^T y|, in the basis: of columns that have vanished, y is 0
        y = smallest(basis @ np.transpose(images), basis @ r, 10 * eps)
        x = x + y @ basis[:m]
        return x, b - product(x), k + m + 1

    start = (b * 0, b, 0)
    x, r, _ = while_loop(lambda s: (np.sqrt(s[1] @ s[1]) > goal) & (s[2] < limit), cycle, start)
    return settled(np.sqrt(r @ r) <= goal, x)


METHODS: dict[str, Callable[..., Any]] = {"dense": dense, "cg": cg, "bicgstab": bicgstab, "gmres": gmres}
