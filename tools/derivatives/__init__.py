"""``check(f)(*args)``: which derivatives there are, and whether they are right, before anything depends on them.

Three ways to one number, none of which knows the others: forward mode, reverse mode, and differences of the values of
the untraced function.  Where they disagree, the same is asked of each op alone, which names the op and the line.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve

from wengert.backends import protocol
from wengert.backends.program import Program, check_guards
from wengert.ir.errors import WengertError
from wengert.ir.graph import Location, Value
from wengert.ir.passes import inline_calls
from wengert.ir.types import is_inexact
from wengert.tools.derivatives import flow
from wengert.tools.derivatives.blame import Blame, Culprit, Kink
from wengert.tools.derivatives.comparison import Entry, Lack, Line, Problem, compare, lines, narrowest
from wengert.tools.derivatives.plain import Untraced, same
from wengert.tools.derivatives.report import Disagreement, Refusal, Report, ValueCheck
from wengert.tools.explain.names import result_paths
from wengert.tracer.array import Array
from wengert.tracer.callee import Callee
from wengert.tracer.location import is_ours, refuse

__all__ = ["LIMIT", "Report", "check"]

#: How many entries of the arguments, and of the results, are looked at one by one.
LIMIT = 32
#: The most numbers in a program for which the reference, one scalar at a time, is asked unless named.
SLOW = 100_000


def check(f: Any, backends: Sequence[str] | None = None, *, limit: int = LIMIT) -> Callable[..., Report]:
    """Check the derivatives of a function at a point.

    Parameters
    ----------
    f : callable, Program or Graph
    backends : sequence of str, optional
        Those whose derivatives are compared, by default the one in force.  Values are compared on every backend that
        works here.
    limit : int
        How many entries of the arguments, and of the results, are looked at one by one; the others are compared along
        one direction through all.

    Returns
    -------
    callable
        Takes the arguments of ``f``, in which a Python int is a real number wherever ``f`` accepts one, and returns a
        :class:`Report`: true where all is well, data to ask, and sentences to print.

    Raises
    ------
    TypeError
        If ``f`` is not callable, or is called with arguments that it does not take.
    BackendError
        If a backend that was named cannot run here.

    Examples
    --------
    >>> import numpy as np
    >>> report = check(lambda x: np.sum(np.abs(x)))(np.array([3.0, 0.0]))
    >>> report.ok, [entry.cause for entry in report.undecided]
    (True, ['at a kink'])
    """
    callee = Callee(f, None)
    if limit < 1:
        message = f"limit is how many entries are looked at one by one: at least 1, got {limit}."
        raise ValueError(message)
    names = (backends,) if isinstance(backends, str) else None if backends is None else tuple(backends)
    for name in names or ():
        protocol.get(name)

    def checked(*args: Any, **kwargs: Any) -> Report:
        chosen = names or (callee.backend or protocol.current(),)
        try:
            bound = callee.call(args, kwargs).bound
            if any(isinstance(leaf, Array) for leaf in bound.leaves):
                what, fix = "check compares numbers, and was given a traced array.", "Call it outside the trace."
                raise refuse(what, fix)
            target = callee.target.fitting(bound.leaves) if isinstance(callee.target, Program) else callee.target
            plain = Untraced(target, bound)
        except WengertError as error:
            return Report(callee.name, refusal=_refusal(error))
        try:
            program = plain.traced()
            inputs = program.inputs(plain.leaves)
            check_guards(program.graph, program.run(inputs, "numpy"))
        except WengertError as error:
            return Report(callee.name, refusal=_refusal(error))
        except plain.own_errors:
            raise
        except Exception as error:  # noqa: BLE001 (the untraced function runs: what fails is its tracing)
            return Report(callee.name, refusal=_refusal(error))
        return _report(callee.name, plain, program, inputs, chosen, limit)

    return checked


def _refusal(error: Exception) -> Refusal:
    return Refusal(type(error).__name__, str(error), getattr(error, "location", None) or _raised_at(error))


def _raised_at(error: Exception) -> Location | None:
    """The innermost line outside wengert and NumPy."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "?")
        if not is_ours(module) and module.partition(".")[0] != "numpy" and not module.startswith(__name__):
            code = frame.f_code
            found = Location(module, getattr(code, "co_qualname", code.co_name), line)
    return found


def _report(
    name: str, plain: Untraced, program: Program, inputs: list[Any], backends: tuple[str, ...], limit: int
) -> Report:
    graph = program.graph
    flat = inline_calls(graph)
    known = flow.everything(flat, inputs)
    paths = program.names()
    active = tuple(i for i, v in enumerate(flat.inputs) if is_inexact(v.type.dtype))
    ends = [(k, v.type, None) for k, v in enumerate(flat.outputs) if is_inexact(v.type.dtype)]
    moving = [flat.inputs[i] for i in active]
    arguments = [
        flow.Argument(path, str(v.type.dtype), v.type.shape, not (why := flow.reason(flat, v)), why)
        for path, v in zip(paths, flat.inputs, strict=True)
    ]
    report: dict[str, Any] = {
        "arguments": (*arguments, *plain.statics()),
        "stops": tuple(flow.stops(flat, moving)),
        "branches": tuple(flow.branches(flat, known)),
        "values": tuple(_values(plain, program, inputs, backends)),
    }
    if not active:
        return Report(name, nothing="none of its arguments is a real or complex number.", **report)
    if not ends:
        return Report(name, nothing="none of its results is a real or complex number.", **report)
    rng = np.random.default_rng(0)
    sized = [(i, flat.inputs[i].type, inputs[i]) for i in active if flat.inputs[i].type.size]
    columns, rows = lines(sized, limit, rng), lines([e for e in ends if e[1].size], limit, rng)
    problem = Problem(program, inputs, active, plain.results, *plain.points(inputs))
    report |= _compared(problem, Blame(flat, known), backends, columns, rows, plain.noisy)
    lacking = {k.argument: k for k in report["lacks"]}
    report["arguments"] = tuple(
        evolve(a, differentiable=False, reason=f"{k.op or 'an op'}{flow.where(k.location)} has no derivative in it.")
        if (k := lacking.get(a.path)) else a
        for a in report["arguments"]
    )
    refused = {(k.op, k.location): flow.Stop(k.op, k.location, "refused") for k in report["lacks"] if k.op is not None}
    return Report(name, **{**report, "stops": (*report["stops"], *refused.values())})


def _compared(
    problem: Problem, blame: Blame, backends: tuple[str, ...], columns: list[Line], rows: list[Line], noisy: bool
) -> dict[str, Any]:
    """The derivatives on each backend, and whose fault what is wrong is."""
    flat = blame.flat
    arguments = dict(enumerate(problem.program.names()))
    results = result_paths(problem.program.graph)
    lacks: list[Lack] = []
    every: list[Disagreement] = []
    firsts: dict[tuple[int, int], Entry] = {}
    culprits: dict[Any, Culprit] = {}
    kinks: dict[Any, Kink] = {}
    for backend in backends:
        entries, missing = compare(problem, backend, columns, rows)
        lacks += missing
        blamed: dict[int, tuple[list[Culprit], list[Kink]]] = {}
        for entry in entries:
            cause = "in noise, as the function gives other values when it is called again" if noisy else ""
            if not cause and entry.verdict != "agrees":
                start = entry.column.place
                if start not in blamed:
                    blamed[start] = blame.between([flat.inputs[start]], backend)
                    culprits.update(((c.op, c.location, c.operand), c) for c in blamed[start][0])
                    kinks.update(((k.op, k.location), k) for k in blamed[start][1])
                cause = _excuse(entry, *blamed[start], flow.stops(flat, [flat.inputs[start]]))
            first = firsts.setdefault((id(entry.column), id(entry.row)), entry)
            elsewhere = entry.apart(first)
            every.append(Disagreement.of(entry, backend, arguments, results, cause=cause, elsewhere=elsewhere))
    ordered = sorted(every, key=lambda d: -d.amount)
    decided = [d for d in ordered if d.verdict != "undecided"]
    return {
        "lacks": tuple(lacks), "entries": len(decided), "worst": decided[0] if decided else None,
        "wrong": tuple(d for d in ordered if d.verdict == "wrong"),
        "undecided": tuple(d for d in ordered if d.verdict == "undecided"),
        "culprits": tuple(culprits.values()), "kinks": tuple(kinks.values()),
    }  # fmt: skip


def _excuse(entry: Entry, culprits: list[Culprit], kinks: list[Kink], stops: list[flow.Stop]) -> str:
    """Why an entry on which the ways disagree may be right all the same; empty where it may not."""
    if entry.verdict != "wrong" or culprits:
        return ""
    if entry.split and all(map(math.isfinite, entry.claimed.values())):
        return ""  # the two modes are the same sum, at a kink too
    for stop in stops:
        if stop.kind == "stop_gradient":
            return f"behind stop_gradient{flow.where(stop.location)}, which differences do not know"
    if not kinks:
        return ""
    return f"by convention, as {kinks[0]}" if kinks[0].by_convention else f"at a kink, where {kinks[0]}"


def _values(plain: Untraced, program: Program, inputs: list[Any], named: tuple[str, ...]) -> list[ValueCheck]:
    """Every backend that works here against the untraced program."""
    expected = plain.results(list(inputs))
    paths = result_paths(program.graph)
    size = sum(v.type.size for node in program.graph.nodes for v in node.results)
    found = []
    for name, reason in protocol.available().items():
        if name in protocol.CHOOSING:
            continue
        if reason is None and name == "reference" and size > SLOW and name not in named:
            reason = f"it takes one number at a time, and the program has {size}."
        if plain.noisy:
            reason = "the function gives other values when it is called again."
        if reason is not None:
            found.append(ValueCheck(name, 0.0, False, missing=reason))
            continue
        try:
            values = program.run(inputs, name)
        except Exception as error:  # noqa: BLE001 (what a backend cannot run is said, not raised)
            found.append(ValueCheck(name, 0.0, False, missing=str(error)))
            continue
        found.append(same(name, values, expected, paths, narrowest(program.graph)))
    return found
