"""Loops taken apart: a step does what depends on the one before; all else is done for all steps at once.

What a step computes of its entries alone is computed before the loop, and what nothing carries on is computed after it,
of what the steps have left: a call of NumPy for all steps in place of one for each.  Numbers that a loop only adds up
are a sum, of products of matrices one product.  A derived loop is mostly such work: slopes are of values that are
there, and what weights are given is the sum over steps of what steps have left.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence

from wengert.backends.vectorized import number_loops
from wengert.backends.vectorized.loops import has_length
from wengert.ir import kinds
from wengert.ir.batching import RULES, Lanes
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, simplify
from wengert.ir.passes.rewriting import rewritten

__all__ = ["distributed"]

#: Elements of a step, and of all steps together, up to which it pays: a call is dear beside them, and they stay in the
#: cache.  What a sum of products is made of may be larger, in a step.
EACH, MOST = 512, 1 << 18
#: Steps from which on it pays.
STEPS = 8
#: What it costs to leave a value of a step, beside an element of a function, in units of an element of a sum.
SAVE, FUNCTION = 100, 8
_KINDS = (kinds.Elementwise, kinds.Movement, kinds.Reduction, kinds.Cumulative, kinds.Contraction)
_FIXED, _BEFORE, _STEP, _AFTER = range(4)


def distributed(graph: Graph) -> Graph:
    """The graph with its loops taken apart, but those of plain numbers."""
    if not any(map(has_length, graph.nodes)):
        return graph

    def expand(b: Builder, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if not has_length(node) or number_loops.forward(node, node.params["graph"], keeps=False) is not None:
            return None
        inner = distributed(node.params["graph"])
        node = Node(node.op, operands, {**node.params, "graph": inner}, node.results, node.location)
        found = _Loop(node) if node.params["length"] >= STEPS else None
        return b.keep(node, operands) if found is None or not found.pays else found.written(b)

    return simplify(rewritten(graph, expand))


def accumulated(graph: Graph, carried: Sequence[Value]) -> dict[int, Value]:
    """The carried values to which a step adds, and does nothing else with them: by position, what is added."""
    readers = Counter(graph.used_values())
    makers = {v: node for node in graph.nodes for v in node.results}
    found = {}
    for i, v in enumerate(carried):
        node = makers.get(graph.outputs[i])
        if node is None or node.op is not OPS["add"] or v not in node.operands or v.type.dtype.kind not in "fc":
            continue
        if readers[v] == readers[node.result] == 1:
            found[i] = node.operands[node.operands[0] is v]
    return found


def _price(node: Node) -> int:
    op, size = node.op, node.results[0].type.size
    if isinstance(op, kinds.Elementwise):
        return size if op.symbol else FUNCTION * size
    return 0 if isinstance(op, kinds.Movement) and op.name != "concatenate" else sum(v.type.size for v in node.operands)


class _Loop:
    """A loop, and when each value of a step is computed."""

    def __init__(self, node: Node) -> None:
        params = node.params
        self.node, self.n, self.graph = node, params["length"], dead_code(params["graph"])
        self.c, self.m, ins, outs = params["consts"], params["carries"], self.graph.inputs, self.graph.outputs
        c, m = self.c, self.m
        self.makers = {v: each for each in self.graph.nodes for v in each.results}
        self.carried = ins[c : c + m]
        self.still = {i for i, v in enumerate(self.carried) if outs[i] is v}
        varies = self.varies = {*ins[c + m :], *(v for i, v in enumerate(self.carried) if i not in self.still)}
        for each in self.graph.nodes:
            if not varies.isdisjoint(each.operands):
                varies.update(each.results)
        readers = Counter(self.graph.used_values())
        added = {i: v for i, v in accumulated(self.graph, self.carried).items() if v in varies}
        #: Products that nobody else reads: only of what they are products of is there one for each step.
        self.products = {v for v in added.values() if v in self.makers and readers[v] == 1 and
                         isinstance(self.makers[v].op, kinds.Contraction)}  # fmt: skip
        self.products = {v for v in self.products if self._moves(self.makers[v])}
        self.sums = {i: v for i, v in added.items() if v in self.products or self._few(v)}
        self.state = [i for i in range(m) if i not in self.still and i not in self.sums]
        self.when: dict[Value, int] = dict.fromkeys(ins[c + m:], _BEFORE)
        self.when |= {self.carried[i]: _STEP for i in (*self.state, *self.sums)}
        self.dear: set[Value] = set()  # rather saved than computed again
        self._sorted()

    def at(self, v: Value) -> int:
        """When a value is computed."""
        return self.when.get(v, _FIXED)

    def _few(self, v: Value) -> bool:
        return v.type.size <= EACH and self.n * v.type.size <= MOST and not v.type.weak

    def _moves(self, node: Node) -> bool:
        """Whether a node may be computed for all steps at once."""
        if node.results[0] in self.products:
            return all(self.n * v.type.size <= MOST and not v.type.weak for v in node.operands if v in self.varies)
        some = [v for v in (*node.operands, *node.results) if v in self.varies]
        return isinstance(node.op, _KINDS) and all(map(self._few, some))

    def _sorted(self) -> None:
        stays = {self.graph.outputs[i] for i in self.state}
        ends = {self.graph.outputs[i] for i in self.sums}
        for node in self.graph.nodes:
            when = max((self.at(v) for v in node.operands), default=_FIXED)
            if when == _BEFORE and not self._moves(node):
                when = _STEP
            if when == _STEP and not self._moves(node) and node.results[0] not in ends:
                stays.update(node.results)
            self.when.update(dict.fromkeys(node.results, when))
        for node in reversed(self.graph.nodes):
            if self.at(node.results[0]) == _STEP:
                if stays.isdisjoint(node.results):
                    self.when.update(dict.fromkeys(node.results, _AFTER))
                else:
                    stays.update(node.operands)
        self.pays = any(self.at(node.results[0]) != _STEP for node in self.graph.nodes)

    # -- what steps leave -----------------------------------------------------------------------------------------

    def _left(self) -> None:
        """Which values of steps are ``saved``, and which are computed ``again``, for what comes after the loop."""
        outs, skipped = self.graph.outputs, {self.graph.outputs[i] for i in self.sums} | self.products
        self.later = [node for node in self.graph.nodes
                      if self.at(node.results[0]) == _AFTER and skipped.isdisjoint(node.results)]  # fmt: skip
        reads = [*self.sums.values(), *outs[self.m :], *(v for node in self.later for v in node.operands),
                 *(x for v in self.products for x in self.makers[v].operands)]  # fmt: skip
        wanted = dict.fromkeys(v for v in reads if self.at(v) == _STEP)
        self.saved = {self._next(v): None for v in wanted if v not in self.makers}
        price = {v: 0 if self._next(v) in self.saved else SAVE for v in (self.carried[i] for i in self.state)}
        pending = [v for v in wanted if v not in self.makers]
        for node in self.graph.nodes:
            if self.at(node.results[0]) != _STEP:
                continue
            cost = _price(node) + sum(price.get(x, 0) for x in node.operands) if self._moves(node) else MOST
            for v in node.results:
                dear = cost >= SAVE + v.type.size
                if dear and v in wanted:
                    self.saved[v] = None
                price[v] = 0 if v in wanted or v in self.saved else min(cost, SAVE + v.type.size)
                if dear and price[v]:
                    self.dear.add(v)
                if v in wanted and v not in self.saved:
                    pending.append(v)
        self.again = set[Value]()
        while pending:
            v = pending.pop()
            if self.at(v) != _STEP or v in self.saved or v in self.again:
                continue
            if v in self.dear:
                self.saved[v] = None
                continue
            self.again.add(v)
            if v in self.makers:
                pending += self.makers[v].operands
            else:
                self.saved[self._next(v)] = None
        self.saved = {v: None for v in self.saved if self.at(v) == _STEP}

    def _next(self, v: Value) -> Value:
        return self.graph.outputs[self.carried.index(v)]

    # -- the graph around it --------------------------------------------------------------------------------------

    def written(self, b: Builder) -> Sequence[Value]:
        """The results of the loop, from a builder."""
        self._left()
        c, m, n, node, outs = self.c, self.m, self.n, self.node, self.graph.outputs
        lanes = self.lanes = Lanes(Namespace(b), n)
        self.env = env = dict(zip(self.graph.inputs, node.operands, strict=True))
        for each in self.graph.nodes:
            if self.at(each.results[0]) in (_FIXED, _BEFORE) and self.products.isdisjoint(each.results):
                self._emit(each)
        made = self._steps(b)
        env.update(zip(self.saved, made[len(self.state) :], strict=True))
        env.update((self.carried[i], self._before(b, i)) for i in self.state if self.carried[i] in self.again)
        for each in self.graph.nodes:
            if each.results[0] in self.again:
                self._emit(each)
        for each in self.later:
            self._emit(each)
        carry = dict(zip(self.state, made, strict=False))
        carry |= {i: node.operands[c + i] for i in self.still}
        carry |= {i: b.emit(OPS["add"], (node.operands[c + i], self._total(b, v))) for i, v in self.sums.items()}
        rows = [lanes.along(self._value(v), has=self.at(v) != _FIXED) for v in outs[m:]]
        return [*(carry[i] for i in range(m)), *rows]

    def _value(self, v: Value) -> Value:
        return self.lanes.xp.builder.adopt(v) if isinstance(v, Constant) else self.env[v]

    def _emit(self, node: Node) -> None:
        """A node without lanes, or with them."""
        b = self.lanes.xp.builder
        b.location = node.location
        operands = tuple(map(self._value, node.operands))
        flags = tuple(self.at(v) != _FIXED for v in node.operands)
        if any(flags):
            copy = Node(node.op, operands, node.params, node.results, node.location)
            results = RULES[type(node.op)](self.lanes, copy, flags)
        else:
            results = b.again(node, operands)
        self.env.update(zip(node.results, results, strict=True))

    def _steps(self, b: Builder) -> Sequence[Value]:
        """The loop of what is left to each step."""
        nodes = [each for each in self.graph.nodes if self.at(each.results[0]) == _STEP]
        ends = [self.graph.outputs[i] for i in self.state]
        if not nodes and not ends:
            return ()
        read = dict.fromkeys((*(v for each in nodes for v in each.operands), *ends))
        read = dict.fromkeys(v for v in read if not isinstance(v, Constant))
        consts = [v for v in read if self.at(v) == _FIXED]
        xs = [v for v in read if self.at(v) == _BEFORE]
        carried = [self.carried[i] for i in self.state]
        inputs = (*consts, *carried, *xs)
        inner = Graph(inputs, tuple(nodes), (*ends, *self.saved), name=self.graph.name)
        b.location = self.node.location
        params = {**self.node.params, "graph": inner, "consts": len(consts), "carries": len(carried)}
        return b.emit_all(self.node.op, [self.env[v] for v in inputs], **params)

    def _before(self, b: Builder, i: int) -> Value:
        """What was carried into each step."""
        v = self.carried[i]
        rows, first = self._value(self._next(v)), self.node.operands[self.c + i]
        first = b.emit(OPS["reshape"], (first,), shape=(1, *v.type.shape))
        back = self.node.params["reverse"]
        start, ones = (int(back), *(0,) * v.type.ndim), (1,) * (v.type.ndim + 1)
        rows = self.lanes.along(rows, has=self.at(self._next(v)) != _FIXED)
        rows = b.emit(OPS["slice"], (rows,), start=start, size=(self.n - 1, *v.type.shape), step=ones)
        return b.emit(OPS["concatenate"], (rows, first) if back else (first, rows), axis=0)

    def _total(self, b: Builder, v: Value) -> Value:
        """The sum of a value over all steps, one after the other."""
        b.location = self.node.location
        if v in self.products:
            return self._product(b, self.makers[v])
        x = self.lanes.along(self._value(v), has=self.at(v) != _FIXED)
        if v.type.shape:
            return b.emit(OPS["sum"], (x,), axes=(0,))
        back = self.node.params["reverse"]
        last = b.emit(OPS["cumsum"], (x,), axis=0, reverse=back)
        last = b.emit(OPS["slice"], (last,), start=(0 if back else self.n - 1,), size=(1,), step=(1,))
        return b.emit(OPS["reshape"], (last,), shape=())

    def _product(self, b: Builder, node: Node) -> Value:
        """The sum of a product of two values over all steps: one product, whose letter of the steps is summed over."""
        first, second, out = kinds.Contraction.split(node.params["subscripts"])
        x, y = map(self._value, node.operands)
        has = [self.at(v) != _FIXED for v in node.operands]
        letter = next(c for c in string.ascii_letters if c not in first + second)
        if all(has):
            return b.emit(node.op, (x, y), subscripts=f"{letter}{first},{letter}{second}->{out}")
        x, y = (b.emit(OPS["sum"], (v,), axes=(0,)) if flag else v for v, flag in zip((x, y), has, strict=True))
        return b.emit(node.op, (x, y), **node.params)
