"""Entrances in Python: for each plan a function is written that looks, runs and nests without a loop or a look-up.

A run of a backend may offer more than the protocol asks for, as ``straight``: a :class:`Straight`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from attrs import define, frozen

from wengert.backends import protocol
from wengert.backends.assembled import assembled
from wengert.backends.quiet import QUIET, quiet
from wengert.ir.types import ArrayType

__all__ = ["ARRAY", "AS_ARRAY", "AS_ITEM", "AS_SCALAR", "COMPLEX", "DROPPED", "FLOAT", "INT", "IS_FALSE", "IS_TRUE",
           "SCALAR", "Links", "Straight", "entrance"]  # fmt: skip

#: What an input may be given as.
FLOAT, INT, COMPLEX, SCALAR, ARRAY = 1, 2, 4, 8, 16
#: What becomes of an output: a Python number, a NumPy scalar, an array, nothing; or it is a guard.
AS_ITEM, AS_SCALAR, AS_ARRAY, DROPPED, IS_FALSE, IS_TRUE = range(6)


@frozen(eq=False)
class Straight:
    """What a run does without its wrapping: ``call(*inputs)`` gives the outputs, those without axes as scalars.

    ``plain`` says that it takes and gives Python's numbers, ``loud`` that NumPy would tell of errors in it.  Where
    there is ``instead``, one more output comes last; if that is NaN, or an error comes (an index may be made of a NaN),
    ``instead(inputs)`` has the answer.
    """

    call: Callable[..., Sequence[Any]]
    plain: bool
    loud: bool = True
    instead: Callable[[Any], Sequence[Any]] | None = None

    def run(self, types: Sequence[ArrayType]) -> protocol.Run:
        """What follows the protocol, for outputs of these types."""
        call, plain, instead = self.call, self.plain, self.instead
        scalars = [not t.shape for t in types]

        def run(inputs: Any) -> tuple[Any, ...]:
            given = [x.item() for x in inputs] if plain else inputs
            if instead is None:
                made = call(*given)
            else:
                made = ()
                try:
                    *made, check = call(*given)
                except Exception:  # noqa: BLE001 (if it was no NaN's, it comes again)
                    check = math.nan
                if check != check:
                    return tuple(instead(inputs))
            return tuple([np.array(x) if scalar else x for x, scalar in zip(made, scalars, strict=True)])

        found: Any = quiet(run) if self.loud else run
        found.straight = self
        return found  # type: ignore[no-any-return]


@define(eq=False)
class Links:
    """What an entrance asks where a call is another one, and what looks at each call whether there is a better one."""

    plan: Any
    later: Callable[[Links], None] | None
    otherwise: Any = None

    def other(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the next entrance says."""
        return NotImplemented if self.otherwise is None else self.otherwise(*args, **kwargs)


class _Writer:
    def __init__(self, plan: Any, straight: Straight | None) -> None:
        self.plan, self.straight, self.count = plan, straight, 0
        self.plain = straight is not None and straight.plain
        self.scope: dict[str, Any] = {"array": np.array, "ndarray": np.ndarray, "number": _number, "fits": _fits}
        self.lines: list[str] = []
        self.leaves: list[str] = []

    def bind(self, thing: Any) -> str:
        self.scope[name := f"t{len(self.scope)}"] = thing
        return name

    def unless(self, condition: str) -> None:
        """Another entrance's call."""
        self.lines.append(f"if {condition}: return links.other(args, kwargs)")

    def names(self, n: int) -> list[str]:
        self.count += n
        return [f"a{i}" for i in range(self.count - n, self.count)]

    def unpacked(self, source: str, nests: Sequence[Any]) -> None:
        if names := self.names(len(nests)):
            self.lines.append(f"{', '.join(names)}, = {source}")
        for name, nest in zip(names, nests, strict=True):
            if nest is None:
                self.leaves.append(name)
            elif nest[0] is None:
                self.unless(f"{name} is not {self.bind(nest[1])}")
            else:
                cls, parts = nest[:2]
                self.unless(f"type({name}) is not {self.bind(cls)} or len({name}) != {len(parts)}")
                if cls is dict:
                    self.unless(f"tuple({name}) != {self.bind(nest[2])}")
                    name += ".values()"
                self.unpacked(name, parts)

    def surroundings(self) -> None:
        plan = self.plan
        if plan.trace is not None:
            self.unless(f"{self.bind(plan.trace.get)}() is not None")
        if plan.backend is not None:
            self.unless(f"{self.bind(protocol.current)}() != {plan.backend!r}")

    def gathered(self) -> None:
        """The leaves that are not among the arguments."""
        plan = self.plan
        if plan.rest:
            names = self.names(len(plan.rest))
            self.lines.append(f"{', '.join(names)}, = {self.bind(plan.rest)}")
            self.leaves += names
        if plan.around is None:
            return
        names, look = self.names(len(plan.inputs) - len(self.leaves)), f"more = {self.bind(plan.around)}()"
        if plan.same is not None:  # nothing comes from outside, but may be another
            look = f"more = () if {self.bind(_is_same)}({self.bind(plan.same)}) else {look[7:]}"
        self.lines.append(look)
        self.unless("more is None")
        if names:
            self.lines.append(f"{', '.join(names)}, = more")
            self.leaves += names

    def converted(self) -> None:
        for x, type_, takes in zip(self.leaves, self.plan.inputs, self.plan.takes, strict=True):
            dtype = self.bind(type_.dtype)
            if type_.shape:
                self.unless(
                    f"(type({x}) is not ndarray or {x}.dtype is not {dtype} or {x}.shape != {type_.shape} or "
                    f"not {x}.flags.carray) and not fits({x}, {dtype}, {type_.shape})"
                )
            else:
                usual = "float" if takes & FLOAT and type_.dtype == np.float64 else self.bind(type_.dtype.type)
                begin, made = f"{x} = ", "array"
                if self.plain:  # of Python's numbers: NumPy's would tell of errors
                    begin = f"if type({x}) is not float: {x} = " if usual == "float" else (
                        f"{x} = {x}.item() if type({x}) is {usual} else ")
                    made = "None"
                self.lines.append(f"{begin}number({x}, {dtype}, {takes}, {made})")
                self.unless(f"{x} is None")

    def run(self, run: Callable[..., Any]) -> list[str]:
        """The names of the outputs; the lines that compute them."""
        straight, quiet = self.straight, None
        names = [f"y{i}" for i in range(len(self.plan.outputs))]
        given, got = ", ".join(self.leaves), ", ".join(names)
        if straight is None:
            lines = [f"{got}, = {self.bind(run)}([{given}])"]
        elif straight.instead is None:
            lines = [f"{got}, = {self.bind(straight.call)}({given})"]
        else:
            arrays = ", ".join(f"array({x})" for x in self.leaves) if self.plain else given
            lines = [f"try: {', '.join([*names, 'check'])}, = {self.bind(straight.call)}({given})",
                     f"except Exception: check = {self.bind(math.nan)}",
                     f"if check != check: {got}, = {self.bind(straight.instead)}([{arrays}])"]  # fmt: skip
        if straight is not None and straight.loud:
            quiet = QUIET
        if not names:
            lines = [line.replace(", = ", "", 1) for line in lines]
        if any(hand > DROPPED for hand in self.plan.hands):  # it may be another branch
            lines = ["try:", *(f"    {line}" for line in lines),
                     "except (IndexError, ValueError): return links.other(args, kwargs)"]  # fmt: skip
        if quiet is not None:
            enter, leave, state = map(self.bind, quiet)
            lines = [f"token = {enter}({state})", "try:", *(f"    {line}" for line in lines),
                     "finally:", f"    {leave}(token)"]  # fmt: skip
        self.lines += lines
        return names

    def handed(self, name: str, hand: int, type_: ArrayType) -> str:
        """An output as it is handed out."""
        if hand == AS_ARRAY:
            return name
        if not self.plain:
            return f"{name}.item()" if hand == AS_ITEM else f"{name}[()]"
        if hand == AS_SCALAR:
            return f"{self.bind(type_.dtype.type)}({name})"
        assert self.straight is not None
        return f"{type(type_.dtype.type().item()).__name__}({name})" if self.straight.loud else name

    def function(self, run: Callable[..., Any]) -> Callable[..., Any]:
        plan = self.plan
        self.unless(f"kwargs or len(args) != {len(plan.arguments)}")
        self.surroundings()
        self.unpacked("args", plan.arguments)
        self.gathered()
        self.converted()
        results = []
        for name, hand, type_ in zip(self.run(run), plan.hands, plan.outputs, strict=True):
            if hand in (IS_FALSE, IS_TRUE):
                self.unless(name if hand == IS_FALSE else f"not {name}")
            elif hand != DROPPED:
                results.append(self.handed(name, hand, type_))
        flat = iter(results)
        text = self.nested(plan.results, flat)
        self.lines.append(f"return {text if plan.finish is None else f'{self.bind(plan.finish)}({text})'}")
        return assembled("entrance", ["*args", "**kwargs"], self.lines, self.scope)

    def nested(self, nest: Any, flat: Iterator[str]) -> str:
        """The text of results."""
        if nest is None:
            return next(flat)
        cls, parts = nest[:2]
        if cls is None:
            return self.bind(parts)
        inner = [self.nested(part, flat) for part in parts]
        if cls is dict:
            return f"{{{', '.join(f'{self.bind(k)}: {x}' for k, x in zip(nest[2], inner, strict=True))}}}"
        return f"({''.join(f'{x}, ' for x in inner)})" if cls is tuple else f"[{', '.join(inner)}]"


def entrance(plan: Any, run: Callable[..., Any], later: Callable[[Links], None] | None) -> Callable[..., Any]:
    """The entrance of a plan: ``run(inputs)`` gives the outputs, as they are in the plan."""
    writer = _Writer(plan, getattr(run, "straight", None))
    writer.scope["links"] = links = Links(plan, later)
    if later is not None:
        writer.lines.append("if links.later is not None: links.later(links)")
    made = writer.function(run)
    made.links = links  # type: ignore[attr-defined]
    return made


def _number(x: Any, dtype: np.dtype[Any], takes: int, array: Any) -> Any:
    """A number, where it is as expected; None where it is not."""
    kind = type(x)
    if kind is np.ndarray:
        fits = takes & ARRAY and x.shape == () and x.dtype == dtype
    else:
        fits = (
            (kind is float and takes & FLOAT) or (kind is dtype.type and takes & SCALAR)
            or (kind is int and takes & INT) or (kind is complex and takes & COMPLEX)
        )  # fmt: skip
    if not fits:
        return None
    try:
        made = np.array(x, dtype)
    except OverflowError:
        return None
    return made if array is not None else made.item()


def _fits(x: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bool:
    """Whether an array is as programs want it; it may be read-only."""
    if type(x) is not np.ndarray or x.shape != shape or x.dtype != dtype:
        return False
    return x.flags.c_contiguous and x.flags.aligned


def _is_same(entries: Sequence[tuple[Any, Any, Any]]) -> bool:
    try:
        for holder, key, value in entries:
            if (holder.cell_contents if key is None else holder[key]) is not value:
                return False
    except (KeyError, ValueError):  # an empty cell
        return False
    return True
