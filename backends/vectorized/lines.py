"""Straight lines: a graph as one Python function, a statement for each node, made once and run at every call.

Nothing is looked up when it runs: ufuncs, views and literals are where they are used.  An array that nothing reads
again is let go, or written to: by the ufunc that read it last, or by a later one of its type.  Inputs, constants and
what may be a view of another array are never written to; what a call hands out belongs to its caller alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends.assembled import assembled
from wengert.backends.liveness import Liveness, sources
from wengert.backends.vectorized import arrays
from wengert.backends.vectorized.evaluate import bare_operands, lower
from wengert.backends.vectorized.places import Axes, Places, arranged, transposed
from wengert.ir import kinds
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS

__all__ = ["Check", "Lines"]

#: Operators that do for two NumPy scalars what the ufunc does, at a tenth of its price.
_OPERATORS = {"+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!="}
#: Movements that give a view of their operand, or, for reshape, a copy.
_VIEWS = {"reshape", "transpose", "broadcast_to", "slice"}


def finished(x: Any) -> Any:
    """An array of ours, C-contiguous."""
    return x if x.flags.c_contiguous else x.copy()


def _axes(node: Node) -> tuple[int, ...] | None:
    """The axes of a plain sum or largest or smallest element, which a ufunc folds; None for another fold."""
    op = node.op
    if not isinstance(op, kinds.Reduction) or op.fold not in _FOLDS or not node.params["axes"]:
        return None
    whole = op.fold != "+" or node.result.type.dtype.kind in "fc"  # a sum of small integers is one of large ones
    return node.params["axes"] if whole else None


_FOLDS = {"+": np.add, "max": np.maximum, "min": np.minimum}


@frozen
class Check:
    """The outputs in which there is to be no NaN, and whether the last guard is to hold, which is ours then."""

    outputs: Sequence[int]
    guard: bool


class Lines:
    """The statements of a graph.

    ``own`` says that each output with axes must be an array of its own; else they may be views of inputs or of each
    other.  ``derived`` are the outputs of which the signs of zeros do not matter: derivatives.  ``scope`` are the
    objects that the text names.
    """

    def __init__(self, graph: Graph, *, own: bool, derived: Sequence[int] = ()) -> None:
        self.graph, self.own = graph, own
        self.scope: dict[str, Any] = {"array": np.array, "finished": finished, "zeros": np.zeros, "nan": math.nan,
                                      "concatenate": np.concatenate}  # fmt: skip
        self.lines: list[str] = []
        self.names: dict[Value, str] = {}
        self.numbers: dict[Value, str] = {}  # of inputs and constants without axes, as NumPy scalars
        self.arguments = [self._argument(i, v) for i, v in enumerate(graph.inputs)]
        self.source = sources(graph)
        self.rows = self._needed()
        self.live = live = Liveness(self.rows, graph.guarded_outputs, _shares, _makes)
        self.root, self.last, self.fresh = live.root, live.last, live.fresh
        self.places = Places(live, self.rows, keeps=own)
        self.views: dict[Value, list[str]] = {}  # the names of the views of each root
        self.makers = {v: node for node, _ in self.rows for v in node.results}
        outputs = graph.guarded_outputs
        self.parts = live.parts(self.rows, outputs, [v for i, v in enumerate(outputs) if i not in derived])
        self._prepare()
        for at, (node, reads) in enumerate(self.rows):
            self._statement(at, node, reads)
            self._release(at, node, reads)
        self._let_go()

    def _prepare(self) -> None:
        """What is to be done before statements are written."""

    # -- what is needed, and until when ---------------------------------------------------------------------------

    def _argument(self, i: int, value: Value) -> str:
        self.names.setdefault(value, f"x{i}")
        return f"x{i}"

    def _needed(self) -> list[tuple[Node, tuple[Value, ...]]]:
        needed, rows = set(self.graph.guarded_outputs), []
        for node in reversed(self.graph.nodes):
            if not needed.isdisjoint(node.results):
                reads = bare_operands(node, self.source)
                needed.update(reads)
                rows.append((node, reads))
        return rows[::-1]

    # -- statements -----------------------------------------------------------------------------------------------

    def _bind(self, prefix: str, thing: Any) -> str:
        name = f"{prefix}{len(self.scope)}"
        self.scope[name] = thing
        return name

    def name(self, v: Value) -> str:
        """The name of a value where an array is read."""
        if v not in self.names:
            assert isinstance(v, Constant)
            self.names[v] = self._bind("c", v.array)
        return self.names[v]

    def number(self, v: Value, *, literal: bool = True) -> str:
        """The name of a value without axes, or the literal, where a NumPy scalar is read beside another."""
        if isinstance(v, Constant):
            number = v.array[()]
            if literal and number.dtype == np.float64 and math.isfinite(number):
                return f"({number.item()!r})"
            if v not in self.numbers:
                self.numbers[v] = self._bind("c", number)
            return self.numbers[v]
        if self.names[v] in self.arguments:
            if v not in self.numbers:
                self.numbers[v] = f"n{self.names[v]}"
                self.lines.append(f"{self.numbers[v]} = {self.names[v]}[()]")
            return self.numbers[v]
        return self.names[v]

    def _statement(self, at: int, node: Node, reads: Sequence[Value]) -> None:
        if len(node.results) != 1:
            for v in node.results:
                self.names[v] = f"v{len(self.names)}"
            targets = "".join(f"{self.names[v]}, " for v in node.results)
            self.lines.append(f"{targets}= {self._call(node, reads)}")
            return
        out = node.results[0]
        if _same(node):
            self.names[out] = self.name(reads[0])
            return
        if node.op.name == "broadcast_to" and isinstance(reads[0], Constant):
            self.names[out] = self._bind("c", np.broadcast_to(reads[0].array, out.type.shape))
            return
        if self._adds_part(at, node, reads):
            return
        if out in self.parts and self.parts[out] > at:  # added where it is read
            return
        if node.op.name == "place":
            self._place(out, node, reads[0])
            return
        for v, axes in self.places.follow(node, reads):
            self._reordered(v, axes)
        if isinstance(node.op, kinds.Contraction) and self._product(out, node):
            return
        text, takes = self._expression(node, reads)
        host = self._host(out, reads, at) if takes else None
        if host is not None:
            self.names[out] = host
            text = text.replace("OUT=", f", out={host}").replace("OUT", f", {host}")
        else:
            self.names[out] = f"v{len(self.names)}"
            text = text.replace("OUT=", "").replace("OUT", "")
        if self.root[out] is out:
            self.lines.append(f"{self.names[out]} = {text}")
        else:
            self._view(node, reads[0], f"{self.names[out]} = {text}")

    def _host(self, out: Value, reads: Sequence[Value] = (), at: int = -1, *, surely: bool = False) -> str | None:
        """The name of an array to which a result may be written."""
        return self.places.over(at, out, reads, self.names) or self.places.elsewhere(out, surely=surely)

    def _view(self, node: Node, of: Value, line: str) -> None:
        self.lines.append(line)
        self.views.setdefault(self.root[of], []).append(self.names[node.result])

    def _expression(self, node: Node, reads: Sequence[Value]) -> tuple[str, bool]:
        """A node's text, and whether it takes an array to write to, where the text has OUT."""
        op, out = node.op, node.result.type
        if isinstance(op, kinds.Elementwise):
            if not out.shape and (text := self._scalar(op, reads, out.dtype)) is not None:
                return text, False
            if isinstance(op.function, np.ufunc):
                operands = ", ".join(map(self.name, reads))
                slot = "OUT" if op.function not in (np.maximum, np.minimum) else "OUT="  # they want it by name
                return f"{self._ufunc(op.function)}({operands}{slot})", bool(out.shape)
        name = None if not reads else self.name(reads[0])
        if op.name == "reshape":
            return f"{name}.reshape({node.params['shape']})", False
        if op.name == "transpose":
            return f"{name}{transposed(node.params['axes'])}", False
        if op.name == "concatenate":
            return f"concatenate(({''.join(f'{self.name(v)}, ' for v in reads)}), {node.params['axis']}OUT)", True
        if op.name == "slice":
            key = arrays.key(node.params["start"], node.params["size"], node.params["step"])
            return f"{name}[{self._bind('k', key)}]", False
        if (axes := _axes(node)) is not None:
            fold = self._bind("f", _FOLDS[op.fold].reduce)  # type: ignore[attr-defined]
            whole = None if len(axes) == len(reads[0].type.shape) else axes if len(axes) > 1 else axes[0]
            return f"{fold}({name}, {whole}{', NoneOUT' if out.shape else ''})", bool(out.shape)
        return self._call(node, reads), False

    def _reordered(self, v: Value, axes: Axes) -> None:
        """An operand copied, once, into another order."""
        back = tuple(axes.index(a) for a in range(len(axes)))
        name = f"o{len(self.places.order)}"
        self.lines.append(f"{name} = {self.name(v)}.transpose({axes}).copy().transpose({back})")
        self.names[v] = name
        self.places.ordered(v, axes)

    def _product(self, out: Value, node: Node) -> bool:
        """Write down a product of matrices, or of stacks of them; False for any other."""
        x, y = node.operands
        if node.op.scaled or out.type.dtype.kind not in "fc" or any(map(self._repeats, node.operands)):  # type: ignore[attr-defined]
            return False
        plan, order = self.places.product(out, node)
        if plan.swap:
            x, y = y, x
        left, shape = arranged(self.name(x), x.type.shape, plan.x_axes, plan.x_shape)
        right, others = arranged(self.name(y), y.type.shape, plan.y_axes, plan.y_shape)
        least, most = sorted((len(shape), len(others)))
        if least == 0 or (most > 2 and least != most):
            return False
        self.places.ordered(out, order)
        outer = least > 1 and shape[-1] == 1  # which is no work for BLAS; and dot costs less than matmul
        if outer and others == (1, *y.type.shape):  # NumPy broadcasts by itself
            right = self.name(y)
        call = f"{left}.dot({right}" if most <= 2 and not outer else (
            f"{self._ufunc(np.multiply if outer else np.matmul)}({left}, {right}")
        host = self._host(out, surely=True)
        self.names[out] = name = host or f"v{len(self.names)}"
        if host is not None:
            turn = "" if order is None else f".transpose({order})"
            made = (*shape[:-1], *(others[-1:] if len(others) > 1 else ()))
            now = "" if plan.out_shape is None else f".reshape({made})"
            self.lines.append(f"{call}, {name}{turn}{now})")
        else:
            now = "" if plan.out_shape is None else f".reshape({plan.out_shape})"
            turn = "" if plan.out_axes is None else f".transpose({plan.out_axes})"
            self.lines.append(f"{name} = {call}){now}{turn}")
        return True

    def _repeats(self, v: Value) -> bool:
        """Whether an array has repeated elements, or its last axis is not one run of memory as BLAS wants it."""
        node = self.makers.get(v)
        while node is not None and node.op.name in _VIEWS:
            if node.op.name in ("broadcast_to", "slice"):
                return True
            node = self.makers.get(node.operands[0])
        return False

    def _scalar(self, op: kinds.Elementwise, reads: Sequence[Value], dtype: np.dtype[Any]) -> str | None:
        """An operator between NumPy scalars, where that is the same."""
        if op.symbol == "?:" and not isinstance(reads[0], Constant):
            c, x, y = (self.number(v, literal=False) for v in reads)
            return f"{x} if {c} else {y}"
        if any(v.type.dtype.kind != "f" for v in reads) or all(isinstance(v, Constant) for v in reads):
            return None
        if op.symbol in _OPERATORS:
            return f" {op.symbol} ".join(map(self.number, reads))
        return f"-{self.number(reads[0])}" if op.symbol == "neg" else None

    def _ufunc(self, function: Any) -> str:
        name = f"np_{function.__name__}"
        self.scope[name] = function
        return name

    def _call(self, node: Node, reads: Sequence[Value]) -> str:
        return f"{self._bind('s', lower(node))}({', '.join(map(self.name, reads))})"

    # -- memory ---------------------------------------------------------------------------------------------------

    def _release(self, at: int, node: Node, reads: Sequence[Value]) -> None:
        """Arrays that are dead now wait for one of their type; names of their views go at once."""
        more = [self.makers[v].operands[0] for v in reads if self.parts.get(v) == at]
        for root in dict.fromkeys(self.root[v] for v in (*reads, *more, *node.results)):
            if self.last[root] == at or self.last[root] == -1:
                gone = self.views.pop(root, [])
                if self.last[root] == at and root in self.makers and root in self.names and root.type.shape:
                    if root in self.fresh:
                        self.places.dies(root, self.names[root], len(self.lines))
                    else:
                        gone.append(self.names[root])
                if gone:
                    self.lines.append(f"del {', '.join(gone)}")

    def _let_go(self) -> None:
        """Let go, where they died, of the arrays that no later one took."""
        gone: dict[int, list[str]] = {}
        for waiting in self.places.free.values():
            for name, at in waiting:
                gone.setdefault(at, []).append(name)
        made: list[str] = []
        for i, line in enumerate([*self.lines, ""]):
            made += [f"del {', '.join(dict.fromkeys(gone[i]))}"] if i in gone else []
            made += [line] if line else []
        self.lines = made

    # -- parts added in place -------------------------------------------------------------------------------------

    def _adds_part(self, at: int, node: Node, reads: Sequence[Value]) -> bool:
        """x + place(y) as an addition to a part of x."""
        part = next((v for v in reads if self.parts.get(v) == at), None)
        if part is None:
            return False
        (whole,) = (v for v in reads if v is not part)
        place = self.makers[part]
        key = arrays.key(place.params["start"], place.operands[0].type.shape, place.params["step"])
        name, add = self.names[whole], self._ufunc(np.add)
        self.lines.append(f"part = {name}[{self._bind('k', key)}]")
        self.lines.append(f"{add}(part, {self.name(place.operands[0])}, part)")
        self.lines.append("del part")
        self.names[node.result] = name
        self.places.ordered(node.result, self.places.order.get(whole))
        self.last[whole] = -1
        return True

    def _place(self, out: Value, node: Node, x: Value) -> None:
        self.names[out] = name = f"v{len(self.names)}"
        key = arrays.key(node.params["start"], x.type.shape, node.params["step"])
        self.lines.append(f"{name} = zeros({node.params['shape']}, {self._bind('d', out.type.dtype)})")
        self.lines.append(f"{name}[{self._bind('k', key)}] = {self.name(x)}")

    # -- results --------------------------------------------------------------------------------------------------

    def results(self) -> list[str]:
        """The text of each output; those without axes are scalars."""
        if not self.own:
            return [self.name(v) for v in self.graph.guarded_outputs]
        outputs = self.graph.guarded_outputs
        return [self._owned(v, own) for v, own in zip(outputs, self.live.own(outputs), strict=True)]

    def function(
        self, name: str, saved: int | None = None, check: Check | None = None
    ) -> Callable[..., tuple[Any, ...]]:
        """The function of the lines; the outputs from ``saved`` on are handed out together, as one tuple.

        Last comes, with ``check``, a number that is NaN where it fails.
        """
        texts = [f"{text}, " for text in self.results()]
        if check is not None:
            for i in check.outputs:
                self.lines.append(f"r{i} = {texts[i][:-2]}")
                texts[i] = f"r{i}, "
            held = [f"(0.0 if {texts.pop()[:-2]} else nan)"] if check.guard else []
            outputs = self.graph.guarded_outputs
            texts.append(" + ".join(["0.0", *held, *(_check(f"r{i}", outputs[i]) for i in check.outputs)]) + ", ")
        if saved is not None:
            texts[saved:] = [f"({''.join(texts[saved:])}), "]
        if kept := self.places.held:
            self.scope["borrow"], self.scope["give"] = self.places.workspace()
            names = "".join(f"w{i}, " for i in range(len(kept)))
            self.lines = ["work = borrow()", f"{names}= work", *self.lines, f"made = ({''.join(texts)})", "give(work)"]
            return assembled(name, self.arguments, [*self.lines, "return made"], self.scope)
        return assembled(name, self.arguments, [*self.lines, f"return ({''.join(texts)})"], self.scope)

    def _owned(self, v: Value, own: object) -> str:
        if not v.type.shape:
            return self.number(v, literal=False)
        name = self.name(v)
        return f"finished({name})" if own and not self.places.is_kept(name) else f"array({name}, order='C')"


#: Up to here a dot product is cheaper than a sum, and is not given to threads.
SHORT = 8192


def _check(name: str, v: Value) -> str:
    """What is NaN where an element of a C-contiguous array is: a sum of squares, of many elements the sum."""
    if v.type.size > SHORT:
        return f"{name}.sum()"
    return f"{name}.dot({name})" if len(v.type.shape) == 1 else f"{name}.ravel().dot({name}.ravel())"


def _shares(node: Node) -> bool:
    """Whether the result is a view of the operand, or that operand."""
    return node.op.name in _VIEWS or _same(node)


def _same(node: Node) -> bool:
    """Whether a node gives what it is given: a cast to the same dtype."""
    return node.op.name == "cast" and node.operands[0].type.dtype == node.result.type.dtype


def _makes(node: Node) -> bool:
    """Whether the results are new arrays for certain."""
    op = node.op
    if isinstance(op, kinds.Elementwise):
        return isinstance(op.function, np.ufunc) or op.function is np.where or op.symbol == "cast" or (
            op is OPS["scale"])
    if isinstance(op, kinds.Reduction):
        return bool(node.params["axes"])
    return isinstance(op, kinds.Contraction | kinds.Indexing | kinds.Movement)
