"""Initial value problems, y' = f(t, y): derivatives of the steps that were taken, or of the trajectory itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert.ir.types import ArrayType, is_inexact
from wengert.tracer.array import TraceNamespace, find_arrays
from wengert.tracer.control import scan
from wengert.tracer.derivatives import vjp
from wengert.tracer.implicit.outside import Across
from wengert.tracer.implicit.problems import Problem, Unknown, along, moved, node, settled, staged
from wengert.tracer.implicit.roots import named
from wengert.tracer.implicit.steps import METHODS, Step
from wengert.tracer.location import refuse

__all__ = ["Trajectory", "solve_ivp"]

_TIME = ArrayType(np.dtype(np.float64))


class Trajectory(NamedTuple):
    """The times, and the state at each of them along the last axis."""

    t: Any
    y: Any


def solve_ivp(
    fun: Callable[..., Any], t_span: tuple[Any, Any], y0: Any, method: str = "RK45", t_eval: Any = None, *,
    args: Sequence[Any] = (), rtol: float = 1e-6, atol: float = 1e-9, steps: int = 100, max_steps: int = 10_000,
    adjoint: str = "discrete",
) -> Trajectory:
    """The solution of ``y' = fun(t, y, *args)`` that begins with ``y0``.

    Parameters
    ----------
    fun : callable
        Gives the derivative, nested and shaped as y, real.  It may also read traced values from outside.
    t_span : (float, float)
        From where to where, in either direction.
    y0 : array, number, or a nest of them
    method : {"RK45", "RK23", "ODE23s", "RK4", "scipy:LSODA", "scipy:Radau", "scipy:DOP853", ...}
        Dormand and Prince's, and Bogacki and Shampine's, choose their steps by the error, as does ``ODE23s``, Shampine
        and Reichelt's, which forms the Jacobian and is for stiff equations; ``RK4`` takes ``steps`` equal ones from
        each time to the next.  ``scipy:`` and a method of SciPy's: a node that SciPy runs, from each time to the next;
        with the continuous adjoint alone, to first order.
    t_eval : array, optional
        At which times to give y, in order; ``t_span`` itself by default.  A step ends at each of them.
    args : tuple
    rtol, atol : float
        The largest local error of a number of y, of a step: ``atol + rtol * abs(y)``.  They are smaller than SciPy's,
        as derivatives are less accurate than values.
    max_steps : int
        How many steps at most from each time to the next.
    adjoint : {"discrete", "continuous"}
        ``discrete`` differentiates the steps that were taken, their sizes held: the derivatives of the numbers that
        come out.  ``continuous`` solves for the derivative: the sensitivities along the trajectory in forward mode,
        and in reverse mode the adjoint equation backwards (Pontryagin; Chen et al. 2018), from y at each time, without
        memory of the steps; both as exact as their own steps, which the same tolerances choose.

    Returns
    -------
    Trajectory
        ``t``, and ``y`` nested as ``y0``, of shape ``(*y0.shape, t.size)``.  NaN within a trace where steps became too
        many.  Derivatives of any order in ``y0``, ``args``, all that ``fun`` reads, ``t_span`` and ``t_eval``; those
        of higher order are of the steps that solved for the first.

    Raises
    ------
    ConvergenceError
        If there were too many steps, outside a trace.
    """
    step = named(method, METHODS, "solve_ivp", lambda *_: Across(method, rtol, atol))(rtol, atol, steps, max_steps)
    named(adjoint, {"discrete": 0, "continuous": 0}, "differentiating solve_ivp")
    if isinstance(step, Across) and adjoint == "discrete":
        message = f"The steps of {method} are SciPy's own and have no derivative: choose adjoint='continuous'."
        raise ValueError(message)
    _check_times(t_span, t_eval)

    def run(xp: TraceNamespace, t_span: Any, y0: Any, t_eval: Any, *given: Any) -> tuple[Any, Any]:
        first, last = (_number(xp, t) for t in t_span)
        times = np.stack([first, last]) if t_eval is None else t_eval
        times = xp.wrap(xp.builder.cast(xp.lift(times), _TIME.dtype))
        unknown = Unknown(xp, y0, "solve_ivp", np.dtype(float))

        def flat(t: Any, z: Any, *rest: Any) -> Any:
            return unknown.like(fun(t, unknown.nested(z), *rest), "the function")

        slope = Problem.of(xp, flat, [_TIME, unknown.type], given, "solve_ivp")
        solved = _integrated if adjoint == "discrete" else _continuous
        rows = solved(xp, step, slope, first, times, unknown.start)
        return Trajectory(times, unknown.nested(rows, last=times.shape[0])), rows

    advice = "Steps became too many (max_steps), or too small to matter; method='ODE23s' is for stiff equations."
    return staged("solve_ivp", advice, run, tuple(t_span), y0, t_eval, *args)  # type: ignore[no-any-return]


def _number(xp: TraceNamespace, t: Any) -> Any:
    return xp.wrap(xp.builder.cast(xp.lift(t), _TIME.dtype))


def _check_times(t_span: Any, t_eval: Any) -> None:
    if len(t_span) != 2:
        message = f"t_span is a pair, the time at which y is y0 and the last time; got {len(t_span)} numbers."
        raise ValueError(message)
    if t_eval is None or find_arrays((t_eval, *t_span)):
        return
    times, (first, last) = np.asarray(t_eval), t_span
    inside = np.all((times >= min(first, last)) & (times <= max(first, last)))
    if times.ndim != 1 or not times.size or not inside or np.any(np.diff(times) * np.sign(last - first) < 0):
        message = f"t_eval is a vector of times from {first} to {last}, in that order; got {t_eval!r}."
        raise ValueError(message)


def _integrated(
    xp: TraceNamespace, step: Step, slope: Problem, first: Any, times: Any, z0: Any, parameters: Any = None
) -> Any:
    """The state at each time, a row each; NaN where it was not found."""
    p = [xp.wrap(v) for v in slope.parameters] if parameters is None else parameters
    f = lambda t, z: slope(t, z, *p)

    def onwards(carry: Any, goal: Any) -> Any:
        t, z, memory, found = carry
        z, memory, there = step.across(f, t, z, goal, memory)
        return (goal, z, memory, found & there), z

    (*_, found), rows = scan(onwards, (first, z0, step.begun(f, first, z0, times[-1]), np.True_), times)
    return settled(found, rows)


def _continuous(xp: TraceNamespace, step: Step, slope: Problem, first: Any, times: Any, z0: Any) -> Any:
    """The same as a node with its own derivatives."""
    count, n = len(slope.parameters), z0.shape[0]
    if any(v.type.dtype.kind == "c" for v in slope.parameters):
        raise refuse(
            "solve_ivp with adjoint='continuous' has complex arguments.",
            "Pass real and imaginary part, or take adjoint='discrete'.",
        )
    types = [v.type for v in slope.parameters]
    inner = [t for t in types if is_inexact(t.dtype)]

    def solver(first: Any, times: Any, z0: Any, *p: Any) -> tuple[Any, ...]:
        return (_integrated(z0.xp, step, slope, first, times, z0, p),)

    def jvp(first: Any, times: Any, z0: Any, *rest: Any) -> tuple[Any, ...]:
        """s' = f_y s + f_p dp, from s = dy0 - f dt0 on."""
        p, rows, (dfirst, dtimes, dz0), dp = rest[:count], rest[count], rest[count + 1 : count + 4], rest[count + 4 :]

        def both(t: Any, zs: Any, *given: Any) -> Any:
            p, dp = given[:count], given[count:]
            f = lambda z, *p: slope(t, z, *p)
            return np.concatenate([f(zs[:n], *p), moved(f, (zs[:n], *p), (zs[n:], *along(dp, p)))])

        wide = Problem.typed(z0.xp, both, [_TIME, ArrayType(_TIME.dtype, (2 * n,)), *types,
                                               *(ArrayType(t.dtype, t.shape) for t in inner)])  # fmt: skip
        start = np.concatenate([z0, dz0 - slope(first, z0, *p) * dfirst])
        found = _integrated(z0.xp, step, wide, first, times, start, (*p, *dp))
        _, slopes = scan(lambda _, at: (_, slope(*at, *p)), 0.0, (times, rows))
        return (found[:, n:] + slopes * dtimes[:, None],)

    def pull(first: Any, times: Any, z0: Any, *rest: Any) -> tuple[Any, ...]:
        """a' = -f_y^T a and q' = -f_p^T a, backwards; at each time a takes up the cotangent there."""
        p, rows, gs = rest[:count], rest[count], rest[count + 1]
        size = sum(t.size for t in inner)

        def three(t: Any, zaq: Any, *p: Any) -> Any:
            value, back = vjp(lambda z, *p: slope(t, z, *p), zaq[:n], *p)
            pulled = [np.reshape(g, (-1,)).astype(float) for g in back(-zaq[n : 2 * n]) if g is not None]
            return np.concatenate([value, *pulled])

        wide = Problem.typed(z0.xp, three, [_TIME, ArrayType(_TIME.dtype, (2 * n + size,)), *types])
        f = lambda t, zaq: wide(t, zaq, *p)

        def backwards(carry: Any, at: Any) -> Any:
            a, q, found = carry
            t, goal, z, g = at
            dt = g @ slope(t, z, *p)
            state = np.concatenate([z, a + g, q])
            state, _, there = step.across(f, t, state, goal, step.begun(f, t, state, goal))
            return (state[n : 2 * n], state[2 * n :], found & there), dt

        before = np.concatenate([np.reshape(first, (1,)), times[:-1]])
        none = (np.zeros(n), np.zeros(size), np.True_)
        (a, q, found), dtimes = scan(backwards, none, (times, before, rows, gs), reverse=True)
        parts, start = [], 0
        for t in inner:
            parts.append(settled(found, np.reshape(q[start : start + t.size], t.shape).astype(t.dtype)))
            start += t.size
        return (-(a @ slope(first, z0, *p)), dtimes, settled(found, a), *parts)

    operands = [xp.lift(first), xp.lift(times), xp.lift(z0), *slope.parameters]
    (rows,) = node(xp, operands, solver, jvp=jvp, vjp=pull)
    return rows
