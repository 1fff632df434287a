"""Minima: where the gradient vanishes, and differentiated by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.program import is_leaf
from wengert.ir.structure import flatten
from wengert.ir.types import ArrayType
from wengert.tracer.array import TraceNamespace
from wengert.tracer.control import cond, while_loop
from wengert.tracer.derivatives import grad, value_and_grad
from wengert.tracer.implicit.linear import chosen, conjugate
from wengert.tracer.implicit.outside import search as outside
from wengert.tracer.implicit.problems import Problem, Unknown, columns, largest, loose, moved, staged
from wengert.tracer.implicit.roots import ADVICE, Found, found_by, named
from wengert.tracer.location import refuse

__all__ = ["least_squares", "minimize"]


def minimize(
    function: Callable[..., Any], x0: Any, *args: Any, method: str = "bfgs", tol: float = 1e-10, maxiter: int = 1000,
    linear: str | None = None,
) -> Any:
    """The x at which ``function(x, *args)`` has a local minimum, from ``x0`` on.

    Parameters
    ----------
    function : callable
        Gives one real number.  It may also read traced values from outside.
    x0 : array, number, or a nest of them
        Where the search begins; no derivative is taken in it.
    *args : arrays, numbers, nested
    method : {"bfgs", "newton", "scipy:L-BFGS-B", "scipy:Nelder-Mead", ...}
        ``newton`` forms the Hessian, and walks along its eigenvectors downhill.  ``scipy:`` and a method of
        ``scipy.optimize.minimize`` that needs no Hessian: a node that SciPy runs.  Newton's steps are behind each.
    tol : float
        Of the step that would follow, by the largest number of x.
    maxiter : int
        How many points are tried.
    linear : {"dense", "cg", "bicgstab", "gmres"}, optional
        How derivatives solve with the Hessian, which is symmetric; see :func:`linear_solve`.

    Returns
    -------
    x
        Nested as ``x0``.  NaN within a trace where no minimum was found.  Its derivatives of any order are those of the
        point where the gradient vanishes, which the Hessian there must be regular for.

    Raises
    ------
    ConvergenceError
        If no minimum was found, outside a trace.
    """
    chosen(linear, 1)
    theirs = outside("minimize", method, tol, maxiter)
    how = named(method, {"bfgs": bfgs(tol, maxiter), "newton": newton(tol, maxiter)}, "minimize", theirs)

    def run(xp: TraceNamespace, x0: Any, *given: Any) -> tuple[Any, Any]:
        return _least(xp, function, x0, given, "minimize", _number, how, linear)

    return staged("minimize", ADVICE, run, x0, *args)


def least_squares(
    function: Callable[..., Any], x0: Any, *args: Any, method: str = "lm", tol: float = 1e-10, maxiter: int = 1000,
    linear: str | None = None,
) -> Any:
    """The x at which half the sum of squares of ``function(x, *args)`` has a local minimum, from ``x0`` on.

    Parameters
    ----------
    function : callable
        Gives residuals: real arrays, nested.
    method : {"lm", "bfgs", "newton", "scipy:trf", "scipy:dogbox", "scipy:lm"}
        ``lm``, Levenberg and Marquardt's, forms the Jacobian, as SciPy's do.  Derivatives are those of the minimum,
        with the curvature of the residuals, also where the search does without.
    x0, *args, tol, maxiter, linear
        As for :func:`minimize`, as are the result, its derivatives and its errors.
    """
    chosen(linear, 1)
    methods = {"lm": None, "bfgs": bfgs(tol, maxiter), "newton": newton(tol, maxiter)}
    how = named(method, methods, "least_squares", ())

    def half(unknown: Unknown, result: Any) -> Any:
        r = _residuals(unknown, result)
        return np.sum(r * r) / 2

    def run(xp: TraceNamespace, x0: Any, *given: Any) -> tuple[Any, Any]:
        search = how
        if not search:
            unknown = Unknown(xp, x0, "least_squares")
            flat = lambda z, *rest: _residuals(unknown, function(unknown.nested(z), *rest))
            problem = Problem.of(xp, flat, [unknown.type], given, "least_squares")
            theirs = outside("least_squares", method, tol, maxiter, problem)
            search = marquardt(problem, tol, maxiter) if method == "lm" else theirs
        return _least(xp, function, x0, given, "least_squares", half, search, linear)

    return staged("least_squares", ADVICE, run, x0, *args)


def _residuals(unknown: Unknown, result: Any) -> Any:
    leaves: list[Any] = []
    flatten(result, is_leaf, leaves)
    if not leaves or any(np.iscomplexobj(leaf) for leaf in leaves):
        raise refuse("the function that least_squares is given returns no real numbers.", "Return real residuals.")
    return unknown.flat(leaves)


def _number(unknown: Unknown, result: Any) -> Any:
    if np.shape(result) != () or getattr(result, "dtype", np.dtype(float)).kind not in "fiu":
        raise refuse(
            f"the function that minimize is given returns an array of shape {np.shape(result)}, not one real number.",
            "Sum its elements, or use wg.least_squares.",
        )
    return result * np.ones((), unknown.type.dtype)


def _least(
    xp: TraceNamespace, function: Callable[..., Any], x0: Any, args: Sequence[Any], what: str,
    number: Callable[[Unknown, Any], Any], search: Any, linear: str | None,
) -> tuple[Any, Any]:
    unknown = Unknown(xp, x0, what)

    def flat(z: Any, *rest: Any) -> Any:
        return number(unknown, function(unknown.nested(z), *rest))

    problem = Problem.of(xp, flat, [unknown.type], args, what)
    types = [v.type for v in problem.parameters]
    slope = Problem.typed(xp, grad(lambda z, *p: problem(z, *p)), [unknown.type, *types])
    return found_by(xp, unknown, problem, slope, polished(search, slope), linear)


# -- searches: (problem, z0, parameters) to z and whether it is found --------------------------------------------------


def polished(search: Any, slope: Problem) -> Any:
    """A search with Newton's steps behind it, by conjugate gradients: what a method takes for the minimum, from a
    curvature that it has guessed, may be far from where the gradient vanishes, of which derivatives are taken."""

    def last(problem: Problem, z0: Any, p: Sequence[Any]) -> Found:
        z, found = search(problem, z0, p)

        def direction(z: Any, g: Any) -> Any:
            turn = lambda v: moved(lambda z: slope(z, *p), (z,), (v,))
            return conjugate(turn, -g, 1e-10, 10 * z.size)[0]

        def step(state: Any) -> Any:
            z, g, d, k, _ = state
            there = slope(z + d, *p)
            better = there @ there < g @ g
            z, g = np.where(better, z + d, z), np.where(better, there, g)
            return z, g, cond(better, lambda z, g, d: direction(z, g), lambda z, g, d: d, z, g, d), k + 1, better

        g = slope(z, *p)
        start = (z, g, direction(z, g), 0, found)
        z, g, d, *_ = while_loop(lambda s: s[4] & (s[3] < 20) & (largest(s[1]) > 0), step, start)
        size = np.maximum(largest(z), largest(z0))
        near = (largest(g) == 0) | (largest(d) <= loose(z) * size) | _in_rounding(problem(z, *p), g @ d)
        return z, found & near

    return last


def _descends(value: Any, g: Any, d: Any, t: Any, new: Any, slope: Any) -> Any:
    """Whether a step of ``t d`` gains enough (Armijo 1966), or, where that is rounding alone, has not gone too far
    (Hager and Zhang 2005)."""
    level = new <= value + 10 * np.finfo(g.dtype).eps * np.abs(value)
    return (new <= value + 1e-4 * t * (g @ d)) | (level & (slope @ d <= -0.8 * (g @ d)))


def _searching(
    tol: float, maxiter: int, begin: Callable[..., Any], direction: Callable[..., Any], update: Callable[..., Any]
) -> Any:
    """Steps along a line, longer until the slope along it is less, and shorter until the value is: between the two by
    halves (weak Wolfe conditions; Lewis and Overton 2013).  Where that fails, what the method has kept is forgotten.

    ``begin(z)`` gives what the method keeps, ``direction(problem, z, p, g, kept)`` a way down, and
    ``update(kept, step, change, first)`` what is kept after a step that has changed the gradient.
    """
    def search(problem: Problem, z0: Any, p: Sequence[Any]) -> Found:
        both = value_and_grad(problem.__call__)

        def begun(z: Any, g: Any) -> Any:
            kept = begin(z)
            d = direction(problem, z, p, g, kept)
            return d, np.minimum(1.0, np.maximum(1, largest(z)) / np.maximum(largest(d), 1e-300)), kept

        def step(state: Any) -> Any:
            z, f, g, d, (t, low, high), kept, last, k, steps = state
            new = z + t * d
            value, slope = both(new, *p)
            gains = _descends(f, g, d, t, value, slope) & np.isfinite(value)
            steep = slope @ d < 0.9 * (g @ d)

            def onwards(_: Any) -> Any:
                after = update(kept, new - z, slope - g, steps == 0)
                towards = direction(problem, new, p, slope, after)
                length = (t * 0 + 1, t * 0, t * 0 + np.inf)
                return new, value, slope, towards, length, after, largest(new - z), steps + 1

            def elsewhere(_: Any) -> Any:
                below, above = np.where(gains, t, low), np.where(gains, high, t)
                middle = (below + np.minimum(above, np.finfo(z.dtype).max)) / 2
                between = np.where(np.isfinite(above), middle, 2 * below)
                lost = ~gains & (between < 1e-9) & (steps > 0)
                return cond(lost, anew, lambda _: (z, f, g, d, (between, below, above), kept, last, steps), 0.0)

            def anew(_: Any) -> Any:
                towards, length, fresh = begun(z, g)
                return z, f, g, towards, (length, t * 0, t * 0 + np.inf), fresh, last * 0 + np.inf, steps * 0

            *after, steps = cond(gains & ~steep, onwards, elsewhere, 0.0)
            return (*after, k + 1, steps)

        def near(z: Any, g: Any, d: Any, last: Any) -> Any:
            """Whether steps are small, the last one and the one that would follow."""
            size = np.maximum(largest(z), largest(z0))
            return (largest(g) == 0) | ((largest(d) <= tol * size) & (last <= tol**0.5 * size))

        def goes_on(state: Any) -> Any:
            z, _, g, d, (t, low, _), _, last, k, _ = state
            return ~near(z, g, d, last) & np.any(z + (t - low) * d != z) & (k < maxiter)

        f0, g0 = both(z0, *p)
        d0, length, kept = begun(z0, g0)
        start = (z0, f0, g0, d0, (length, 0.0, np.inf), kept, np.inf, 0, 0)
        z, f, g, d, _, _, last, k, _ = while_loop(goes_on, step, start)
        return z, near(z, g, d, last) | (_in_rounding(f, g @ d) & (k < maxiter))

    return search


def _in_rounding(f: Any, gain: Any) -> Any:
    """Whether what there is to gain is lost in the rounding of the value."""
    return np.abs(gain) <= 1e3 * np.finfo(f.dtype).eps * np.abs(f)


def bfgs(tol: float, maxiter: int) -> Any:
    """Broyden, Fletcher, Goldfarb and Shanno's, which keeps the inverse of a Hessian that it guesses."""

    def begin(z: Any) -> Any:
        return np.eye(z.size, dtype=z.dtype) + 0 * z

    def update(inverse: Any, s: Any, y: Any, first: Any) -> Any:
        curvature = s @ y
        there = curvature > np.finfo(s.dtype).eps * np.sqrt((s @ s) * (y @ y))
        rho = np.where(there, 1 / np.where(there, curvature, 1), 0)
        inverse = np.where(first & there, curvature / np.where(there, y @ y, 1), 1) * inverse
        image = inverse @ y
        crossed = s[:, None] * image[None, :]
        return inverse + (rho * rho * (y @ image) + rho) * s[:, None] * s[None, :] - rho * (crossed + crossed.T)

    return _searching(tol, maxiter, begin, lambda problem, z, p, g, inverse: -(inverse @ g), update)


def newton(tol: float, maxiter: int) -> Any:
    """Newton's, with the magnitudes of the Hessian's eigenvalues, so that every direction is downhill."""

    def direction(problem: Problem, z: Any, p: Sequence[Any], g: Any, kept: Any) -> Any:
        slope = grad(lambda z: problem(z, *p))
        type_ = ArrayType(z.dtype, z.shape)
        values, vectors = np.linalg.eigh(columns(lambda v: moved(slope, (z,), (v,)), type_))
        sizes = np.abs(values)
        return -(vectors @ ((g @ vectors) / np.maximum(sizes, 1e-10 * np.max(sizes, initial=0.0) + 1e-300)))

    return _searching(tol, maxiter, lambda z: 0.0, direction, lambda kept, s, y, first: kept)


def marquardt(residuals: Problem, tol: float, maxiter: int) -> Any:
    """Levenberg and Marquardt's: Gauss and Newton's step, shorter and steeper as long as it fails."""

    def search(problem: Problem, z0: Any, p: Sequence[Any]) -> Found:
        type_ = ArrayType(z0.dtype, z0.shape)

        def around(z: Any) -> Any:
            r = residuals(z, *p)
            jacobian = columns(lambda v: moved(lambda z: residuals(z, *p), (z,), (v,)), type_)
            return r @ r / 2, r @ jacobian, jacobian.T @ jacobian

        def down(g: Any, h: Any, scale: Any, mu: Any) -> Any:
            return -np.linalg.solve(h + np.diag(mu * scale), g)

        def step(state: Any) -> Any:
            z, f, g, h, scale, mu, d, k = state
            new = z + d
            r = residuals(new, *p)
            value = r @ r / 2
            level = value <= f * (1 + 10 * np.finfo(z.dtype).eps)
            taken = level & ((value < f) | (largest(d) <= 1e-6 * largest(z)))
            z, f, g, h = cond(taken, lambda new: (new, *around(new)), lambda _: (z, f, g, h), new)
            scale, mu = np.maximum(scale, np.diagonal(h)), np.where(taken, mu / 5, mu * 4)
            return z, f, g, h, scale, mu, down(g, h, scale, mu), k + 1

        f0, g0, h0 = around(z0)
        scale0 = np.maximum(np.diagonal(h0), 1e-12 * np.max(np.diagonal(h0), initial=0.0) + 1e-300)

        def near(z: Any, g: Any, d: Any, mu: Any) -> Any:
            small = (1 + mu) * largest(d) <= tol * np.maximum(largest(z), largest(z0))
            return (largest(g) == 0) | (small & (largest(g) <= 1e-3 * largest(g0)))

        def goes_on(state: Any) -> Any:
            z, _, g, _, _, mu, d, k = state
            return ~near(z, g, d, mu) & (mu < 1e16) & (k < maxiter)

        start = (z0, f0, g0, h0, scale0, 1e-3, down(g0, h0, scale0, 1e-3), 0)
        z, f, g, h, scale, mu, d, k = while_loop(goes_on, step, start)
        return z, near(z, g, d, mu) | (_in_rounding(f, g @ (g / scale)) & (k < maxiter))

    return search
