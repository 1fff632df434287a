"""Roots and fixed points: F(y, args) = 0, and so dy = -(dF/dy)^-1 (dF/dargs) dargs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.tracer.array import TraceNamespace
from wengert.tracer.control import cond, while_loop
from wengert.tracer.implicit.linear import METHODS as LINEAR, chosen, solution
from wengert.tracer.implicit.outside import PREFIX, search as outside
from wengert.tracer.implicit.problems import (
    Problem,
    Unknown,
    along,
    largest,
    loose,
    moved,
    node,
    settled,
    smallest,
    staged,
)

__all__ = ["ADVICE", "Found", "fixed_point", "found_by", "implicit", "named", "newton", "root"]

#: For messages.
NAME = "the function"
ADVICE = "Start nearer, allow more steps (maxiter), ask for less (a larger tol), or choose another method."

#: What a solver gives: z, and whether it solves the equation.
Found = tuple[Any, Any]


def root(
    function: Callable[..., Any], y0: Any, *args: Any, method: str = "newton", tol: float = 1e-10, maxiter: int = 200,
    bracket: tuple[float, float] | None = None, linear: str | None = None,
) -> Any:
    """The y for which ``function(y, *args)`` is zero, from ``y0`` on.

    Parameters
    ----------
    function : callable
        Gives as many real numbers as y has, nested and shaped alike.  It may also read traced values from outside.
    y0 : array, number, or a nest of them
        Where the search begins; no derivative is taken in it.
    *args : arrays, numbers, nested
    method : {"newton", "bisect", "scipy:hybr", "scipy:lm", "scipy:krylov", ...}
        ``newton`` halves its step until the residual shrinks.  ``bisect`` halves ``bracket``, between whose ends each
        number of the function changes its sign, a function of the same number of y alone.  ``scipy:`` and a method of
        ``scipy.optimize.root``: a node that SciPy runs, and Newton's steps behind it.
    tol : float
        Of the last step of ``newton``, by the largest number of y; that step is still made, so that the error is about
        its square.
    maxiter : int
        How many steps are tried.
    bracket : (float, float), optional
    linear : {"dense", "cg", "bicgstab", "gmres"}, optional
        How linear systems are solved, in the search and for derivatives; see :func:`linear_solve`.

    Returns
    -------
    y
        Nested as ``y0``, of its floating-point dtypes.  NaN within a trace where no root was found.  Its derivatives
        of any order, in all that ``function`` reads, are those of the root: how it was found takes no part.

    Raises
    ------
    ConvergenceError
        If no root was found, outside a trace.

    Examples
    --------
    >>> import wengert as wg
    >>> round(float(wg.root(lambda y, a: y**3 + y - a, 1.0, 10.0)), 12)
    2.0
    >>> round(float(wg.grad(lambda a: wg.root(lambda y, a: y**3 + y - a, 1.0, a))(10.0)), 12)  # 1 / (3 y**2 + 1)
    0.076923076923
    """
    chosen(linear, 1)
    ours = newton(tol, maxiter, linear)
    theirs = continued(outside("root", method, tol, maxiter), ours)
    how = named(method, {"newton": ours, "bisect": bisect(bracket)}, "root", theirs)

    def run(xp: TraceNamespace, y0: Any, *given: Any) -> tuple[Any, Any]:
        def itself(unknown: Unknown, result: Any, z: Any) -> Any:
            return unknown.like(result, NAME)

        return implicit(xp, function, y0, given, "root", itself, how, linear)

    return staged("root", ADVICE, run, y0, *args)


def fixed_point(
    function: Callable[..., Any], y0: Any, *args: Any, method: str = "iterate", tol: float = 1e-12,
    maxiter: int = 10_000, linear: str | None = None,
) -> Any:
    """The y that ``function(y, *args)`` gives back, from ``y0`` on.

    Parameters
    ----------
    function : callable
        Gives y, nested and shaped as it takes it.
    method : {"iterate", "anderson", "newton"}
        ``iterate`` calls the function again and again, and needs it to be contracting; ``anderson`` mixes the last five
        results, which takes fewer steps.
    tol : float
        Of the last step, by the largest number of y.
    y0, *args, maxiter, linear
        As for :func:`root`, as are the result, its derivatives and its errors.
    """
    chosen(linear, 1)
    how = named(method, {"iterate": iterate(tol, maxiter), "anderson": anderson(tol, maxiter),
                         "newton": newton(tol, maxiter, linear)}, "fixed_point")  # fmt: skip

    def run(xp: TraceNamespace, y0: Any, *given: Any) -> tuple[Any, Any]:
        def rest(unknown: Unknown, result: Any, z: Any) -> Any:
            return unknown.like(result, NAME) - z

        return implicit(xp, function, y0, given, "fixed_point", rest, how, linear)

    return staged("fixed_point", ADVICE, run, y0, *args)


def named(method: str, methods: dict[str, Any], what: str, theirs: Any = None) -> Any:
    """A method by its name; ``theirs`` where it is SciPy's."""
    if theirs is not None and method.startswith(PREFIX):
        return theirs
    if method not in methods:
        message = f"The method of {what} is one of {', '.join(map(repr, methods))}, got {method!r}."
        raise ValueError(message)
    return methods[method]


def implicit(
    xp: TraceNamespace, function: Callable[..., Any], y0: Any, args: Sequence[Any], what: str,
    residual: Callable[[Unknown, Any, Any], Any], search: Any, linear: str | None,
) -> tuple[Any, Any]:
    """The unknown z for which ``residual(unknown, result, z)`` of the function's result is zero."""
    unknown = Unknown(xp, y0, what)

    def flat(z: Any, *rest: Any) -> Any:
        return residual(unknown, function(unknown.nested(z), *rest), z)

    problem = Problem.of(xp, flat, [unknown.type], args, what)
    return found_by(xp, unknown, problem, problem, search, linear)


def found_by(
    xp: TraceNamespace, unknown: Unknown, problem: Problem, equation: Problem, search: Any, linear: str | None
) -> tuple[Any, Any]:
    """The unknown for which ``equation`` is zero, as ``search(problem, z0, parameters)`` finds it."""
    count = len(problem.parameters)

    def solver(z0: Any, *parameters: Any) -> tuple[Any, ...]:
        z, found = search(problem, z0, parameters)
        return (settled(found, z),)

    def jvp(*given: Any) -> tuple[Any, ...]:
        parameters, z, tangents = given[1 : 1 + count], given[1 + count], given[3 + count :]
        return (_moved(equation, z, parameters, tangents, linear),)

    (z,) = node(xp, [xp.lift(unknown.start), *problem.parameters], solver, jvp=jvp)
    return unknown.nested(z), z


def _moved(equation: Problem, z: Any, parameters: Sequence[Any], tangents: Sequence[Any], linear: str | None) -> Any:
    """-(dF/dz)^-1 (dF/dp) dp."""
    if not tangents:
        return z * 0
    change = moved(lambda *p: equation(z, *p), parameters, along(tangents, parameters))
    xp = z.xp

    def flat(v: Any, z: Any, *parameters: Any) -> Any:
        return moved(lambda z: equation(z, *parameters), (z,), (v,))

    given = (z, *parameters)
    system = Problem.of(xp, flat, [xp.lift(z).type], given, "the solver")
    return solution(xp, system, -change, given, linear)


# -- searches: (problem, z0, parameters) to z and whether it is found --------------------------------------------------


def continued(first: Any, then: Any) -> Any:
    """A search from where another one ends."""
    def search(problem: Problem, z0: Any, parameters: Sequence[Any]) -> Found:
        z, found = first(problem, z0, parameters)
        z, there = then(problem, z, parameters)
        return z, found & there

    return search


def newton(tol: float, maxiter: int, linear: str | None) -> Any:
    """Newton's method, with half the step wherever the residual does not shrink."""

    def search(problem: Problem, z0: Any, parameters: Sequence[Any]) -> Found:
        def direction(z: Any, r: Any) -> Any:
            slope = lambda v: moved(lambda z: problem(z, *parameters), (z,), (v,))
            return LINEAR[chosen(linear, z.size)](slope, -r, z.xp.lift(z).type, 1e-8, 10 * z.size)

        def step(state: Any) -> Any:
            z, r, d, t, k = state
            new = z + t * d
            there = problem(new, *parameters)
            shrinks = np.sqrt(there @ there) <= (1 - 1e-4 * t) * np.sqrt(r @ r)
            z, r, d, t = cond(
                shrinks, lambda z, r, d, new, there, t: (new, there, direction(new, there), t * 0 + 1),
                lambda z, r, d, new, there, t: (z, r, d, t / 2), z, r, d, new, there, t,
            )  # fmt: skip
            return z, r, d, t, k + 1

        def goes_on(state: Any) -> Any:
            z, _, d, t, k = state
            size = np.maximum(largest(z), largest(z0))
            return ~(t * largest(d) <= tol * size + 1e-300) & (k < maxiter)

        r0 = problem(z0, *parameters)
        z, r, d, t, _ = while_loop(goes_on, step, (z0, r0, direction(z0, r0), 1.0, 0))
        whole = (t == 1) & (largest(d) <= tol * np.maximum(largest(z), largest(z0)) + 1e-300)
        # where the residual is rounding alone it shrinks no more, and the step that is left is small
        return z + d, whole | (largest(d) <= loose(z) * largest(z) + 1e-14)

    return search


def bisect(bracket: Any) -> Any:
    """A change of sign, halved until no number lies between."""

    def search(problem: Problem, z0: Any, parameters: Sequence[Any]) -> Found:
        if bracket is None:
            message = "root by method='bisect' takes bracket=(low, high), got None."
            raise ValueError(message)
        low, high = (z0 * 0 + end for end in bracket)
        left = problem(low, *parameters)
        found = np.all(left * problem(high, *parameters) <= 0)

        def step(state: Any) -> Any:
            low, high, k = state
            middle = low + (high - low) / 2
            same = np.sign(problem(middle, *parameters)) == np.sign(left)
            return np.where(same, middle, low), np.where(same, high, middle), k + 1

        def goes_on(state: Any) -> Any:
            low, high, k = state
            middle = low + (high - low) / 2
            return np.any((low != middle) & (middle != high)) & (k < 2000)

        low, high, _ = while_loop(goes_on, step, (low, high, 0))
        return np.where(left == 0, z0 * 0 + bracket[0], high), found

    return search


def iterate(tol: float, maxiter: int) -> Any:
    """The function, again and again."""

    def search(problem: Problem, z0: Any, parameters: Sequence[Any]) -> Found:
        def step(state: Any) -> Any:
            z, d, k = state
            new = z + d
            return new, problem(new, *parameters), k + 1

        def near(z: Any, d: Any) -> Any:
            return largest(d) <= tol * largest(z) + 1e-300

        start = (z0, problem(z0, *parameters), 0)
        z, d, _ = while_loop(lambda s: ~near(s[0], s[1]) & (s[2] < maxiter), step, start)
        return z + d, near(z, d)

    return search


def anderson(tol: float, maxiter: int, depth: int = 5) -> Any:
    """Mixing of the last steps so that what they leave is smallest (Anderson 1965; Walker and Ni 2011)."""

    def search(problem: Problem, z0: Any, parameters: Sequence[Any]) -> Found:
        n = z0.size
        rows = np.arange(depth)

        def step(state: Any) -> Any:
            z, d, zs, ds, k = state
            weights = smallest(np.transpose(ds), d, 1e-10)
            new = z + d - weights @ (zs + ds)
            there = problem(new, *parameters)
            here = (rows == k % depth)[:, None]
            return new, there, np.where(here, new - z, zs), np.where(here, there - d, ds), k + 1

        def near(z: Any, d: Any) -> Any:
            return largest(d) <= tol * largest(z) + 1e-300

        none = np.zeros((depth, n), z0.dtype)
        start = (z0, problem(z0, *parameters), none, none, 0)
        z, d, *_ = while_loop(lambda s: ~near(s[0], s[1]) & (s[4] < maxiter), step, start)
        return z + d, near(z, d)

    return search
