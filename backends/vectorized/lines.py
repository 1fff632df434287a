"""Straight lines: a graph as one Python function, a statement for each node, made once and run at every call.

Nothing is looked up when it runs: ufuncs, views and literals are where they are used.  An array that nothing reads
again is let go, or written to: by the ufunc that read it last, or by a later one of its type.  Inputs, constants and
what may be a view of another array are never written to; what a call hands out belongs to its caller alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.assembled import assembled
from wengert.backends.liveness import Liveness, Row, sources
from wengert.backends.vectorized import arrays, nodes
from wengert.backends.vectorized.blocks import gathered, write
from wengert.backends.vectorized.checks import Check, tells
from wengert.backends.vectorized.evaluate import bare_operands, lower
from wengert.backends.vectorized.nodes import FOLDS, VIEWS, axes_of, is_number, makes, same, shares
from wengert.backends.vectorized.places import LARGE, Axes, Places, arranged, nbytes, transposed
from wengert.backends.vectorized.stacks import matmul
from wengert.ir import kinds
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS

__all__ = ["Lines"]

#: Lines of so many elements are long for ``einsum``.
WIDE = 256
#: Operators that do for two NumPy scalars what the ufunc does, at a tenth of its price.
_OPERATORS = {"+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!="}


def finished(x: Any) -> Any:
    """An array of ours, C-contiguous."""
    return x if x.flags.c_contiguous else x.copy()


class Lines:
    """The statements of a graph.

    ``own`` says that each output with axes must be an array of its own; else they may be views of inputs or of each
    other.  ``derived`` are the outputs of which the signs of zeros do not matter: derivatives.  ``scope`` are the
    objects that the text names.
    """

    def __init__(self, graph: Graph, *, own: bool, derived: Sequence[int] = ()) -> None:
        self.graph, self.own = graph, own
        self.scope: dict[str, Any] = {"array": np.array, "zeros": np.zeros, "largest": np.maximum.reduce}
        self.scope.update(concatenate=np.concatenate, finished=finished, nan=math.nan)
        self.lines: list[str] = []
        self.names: dict[Value, str] = {}
        self.numbers: dict[Value, str] = {}  # of inputs and constants without axes, as NumPy scalars
        self.arguments = [self._argument(i, v) for i, v in enumerate(graph.inputs)]
        self.given = frozenset(self.arguments)
        self.source = sources(graph)
        outputs = graph.guarded_outputs
        exact = [v for i, v in enumerate(outputs) if i not in derived]
        self.tested = {outputs[i]: "" for i in derived}  # what is NaN where they are, if that is known early
        self.rows, self.blocks = gathered(self._needed(), outputs, exact) if own else (self._needed(), {})
        self.live = live = Liveness(self.rows, outputs, shares, makes)
        self.root, self.last, self.fresh = live.root, live.last, live.fresh
        self.places = Places(live, self.rows, keeps=own)
        self.views: dict[Value, list[str]] = {}  # the names of the views of each root
        self.makers = {v: node for node, _ in self.rows for v in node.results}
        inside = {at for start, block in self.blocks.items() for at in range(start, start + len(block.rows))}
        self.parts = {v: at for v, at in live.parts(self.rows, outputs, exact).items() if at not in inside}
        read = Counter(v for _, reads in self.rows for v in reads)
        self.sums = {reads[0]: at for at, (node, reads) in enumerate(self.rows) if nodes.subscripts(node)
                     and at not in inside and read[reads[0]] == 1 and live.last[live.root[reads[0]]] == at}  # fmt: skip
        self.left: dict[Value, tuple[Value, Value]] = {}  # products that are left to their sums
        self._prepare()
        at = 0
        while at < len(self.rows):
            if at in self.blocks:
                at = write(self, at, self.blocks[at])
                continue
            self._statement(at, *self.rows[at])
            self.release(at, *self.rows[at])
            at += 1
        self._let_go()

    def _prepare(self) -> None:
        """What is to be done before statements are written."""

    # -- what is needed, and until when ---------------------------------------------------------------------------

    def _argument(self, i: int, value: Value) -> str:
        self.names.setdefault(value, f"x{i}")
        return f"x{i}"

    def _needed(self) -> list[Row]:
        needed, rows = set(self.graph.guarded_outputs), list[Row]()
        for node in reversed(self.graph.nodes):
            if not needed.isdisjoint(node.results):
                reads = bare_operands(node, self.source)
                needed.update(reads)
                rows.append((node, reads))
        return rows[::-1]

    # -- statements -----------------------------------------------------------------------------------------------

    def bind(self, prefix: str, thing: Any) -> str:
        name = f"{prefix}{len(self.scope)}"
        self.scope[name] = thing
        return name

    def name(self, v: Value) -> str:
        """The name of a value where an array is read."""
        if v not in self.names:
            assert isinstance(v, Constant)
            self.names[v] = self.bind("c", v.array)
        return self.names[v]

    def number(self, v: Value, *, literal: bool = True) -> str:
        """The name of a value without axes, or the literal, where a NumPy scalar is read beside another."""
        if isinstance(v, Constant):
            number = v.array[()]
            if literal and number.dtype == np.float64 and math.isfinite(number):
                return f"({number.item()!r})"
            if v not in self.numbers:
                self.numbers[v] = self.bind("c", number)
            return self.numbers[v]
        if self.names[v] in self.given:
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
        if same(node):
            self.names[out] = self.name(reads[0])
            return
        if node.op.name == "broadcast_to" and isinstance(reads[0], Constant):
            self.names[out] = self.bind("c", np.broadcast_to(reads[0].array, out.type.shape))
            return
        if self._adds_part(at, node, reads):
            return
        if out in self.parts and self.parts[out] > at:  # added where it is read
            return
        if node.op.name == "place":
            self._place(out, node, reads[0])
            return
        for v, axes in self.places.follow(node, reads):
            self.reordered(v, axes)
        if isinstance(node.op, kinds.Contraction) and self._product(out, node):
            return
        if self._left_to_sum(at, node, reads):
            return
        text, takes = self.expression(node, reads)
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

    def expression(self, node: Node, reads: Sequence[Value]) -> tuple[str, bool]:
        """A node's text, and whether it takes an array to write to, where the text has OUT."""
        op, out = node.op, node.result.type
        if isinstance(op, kinds.Elementwise):
            if not out.shape and (text := self._scalar(op, reads, out.dtype)) is not None:
                return text, False
            if isinstance(op.function, np.ufunc):
                operands = ", ".join(map(self.name, reads))
                slot = "OUT" if op.function not in (np.maximum, np.minimum) else "OUT="  # they want it by name
                return f"{self.ufunc(op.function)}({operands}{slot})", bool(out.shape)
            if op.symbol == "?:" and reads[0].type.shape == out.shape and is_number(reads[1], 1) and (
                is_number(reads[2], 0)):  # 1 where it holds, and 0; np.where takes five times as long
                return f"{self.ufunc(np.add)}({self.name(reads[0])}, {self.name(reads[2])}OUT)", bool(out.shape)
        if reads and reads[0] in self.left:
            operands = ", ".join(map(self.name, self.left[reads[0]]))
            return f"{self.ufunc(np.einsum)}('{nodes.subscripts(node)}', {operands}OUT=)", bool(out.shape)
        name = None if not reads else self.name(reads[0])
        if op.name == "reshape":
            return f"{name}.reshape({node.params['shape']})", False
        if op.name == "transpose":
            return f"{name}{transposed(node.params['axes'])}", False
        if op.name == "concatenate":
            return f"concatenate(({''.join(f'{self.name(v)}, ' for v in reads)}), {node.params['axis']}OUT)", True
        if op.name == "slice":
            key = arrays.key(node.params["start"], node.params["size"], node.params["step"])
            return f"{name}[{self.bind('k', key)}]", False
        if (axes := axes_of(node)) is not None:
            fold = self.bind("f", FOLDS[op.fold].reduce)  # type: ignore[attr-defined]
            whole = None if len(axes) == len(reads[0].type.shape) else axes if len(axes) > 1 else axes[0]
            return f"{fold}({name}, {whole}{', NoneOUT' if out.shape else ''})", bool(out.shape)
        return self._call(node, reads), False

    def reordered(self, v: Value, axes: Axes) -> None:
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
            f"{self.ufunc(np.multiply if outer else matmul(shape, others))}({left}, {right}")
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
        while node is not None and node.op.name in VIEWS:
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

    def _left_to_sum(self, at: int, node: Node, reads: Sequence[Value]) -> bool:
        """A product that is only summed is left to the sum, which takes no array for it, nor another pass.

        Where the sum goes along the lines in memory, it stays in pairs as NumPy has it.
        """
        out = node.result
        order, f = self.places.order.get(out) or range(len(out.type.shape)), self.sums.get(out, 0)
        if f == 0 or node.op not in (OPS["square"], OPS["multiply"]) or any(v.type != out.type for v in reads):
            return False
        short = order[-1] in self.rows[f][0].params["axes"] or out.type.shape[order[-1]] < WIDE
        if short or nbytes(out) < LARGE or any(at < k <= f for k in self.parts.values()):  # which write to an operand
            return False
        self.left[out] = (reads[0], reads[-1])
        for v in reads:
            self.last[self.root[v]] = max(f, self.last[self.root[v]])
        return True

    def ufunc(self, function: Any) -> str:
        name = f"np_{function.__name__}"
        self.scope[name] = function
        return name

    def _call(self, node: Node, reads: Sequence[Value]) -> str:
        return f"{self.bind('s', lower(node))}({', '.join(map(self.name, reads))})"

    # -- memory ---------------------------------------------------------------------------------------------------

    def release(self, at: int, node: Node, reads: Sequence[Value]) -> None:
        """Arrays that are dead now wait for one of their type; names of their views go at once."""
        more = [self.makers[v].operands[0] for v in reads if self.parts.get(v) == at]
        more += [x for v in reads for x in self.left.get(v, ())]
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
        name, add = self.names[whole], self.ufunc(np.add)
        self.lines.append(f"part = {name}[{self.bind('k', key)}]")
        self.lines.append(f"{add}(part, {self.name(place.operands[0])}, part)")
        self.lines.append("del part")
        self.names[node.result] = name
        self.places.ordered(node.result, self.places.order.get(whole))
        self.last[whole] = -1
        return True

    def _place(self, out: Value, node: Node, x: Value) -> None:
        self.names[out] = name = f"v{len(self.names)}"
        key = arrays.key(node.params["start"], x.type.shape, node.params["step"])
        self.lines.append(f"{name} = zeros({node.params['shape']}, {self.bind('d', out.type.dtype)})")
        self.lines.append(f"{name}[{self.bind('k', key)}] = {self.name(x)}")

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
            results = ((f"r{i}", self.graph.guarded_outputs[i]) for i in check.outputs)
            found = [self.tested.get(v) or tells(name, v) for name, v in results]
            texts.append(" + ".join(["0.0", *held, *found]) + ", ")
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
