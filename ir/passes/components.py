"""Small axes behind a long one, taken apart: each element of a lane becomes a value of its own, of all lanes.

What moves, adds up or multiplies elements within a lane is then a choice of names, a few sums and products: nothing is
copied, nothing is repeated along short axes (which arrays are slow at), and all is a loop over the lanes.  What is no
such node (a call, a loop, what moves elements from lane to lane) is as it was.  The same operations on the same numbers
are done, but for the order in which a sum adds its few terms.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from wengert.ir import kinds
from wengert.ir.batching import sources
from wengert.ir.build import Namespace
from wengert.ir.graph import Constant, Graph, Node, Renamed, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code
from wengert.ir.sharing import Sharing, number
from wengert.ir.types import ArrayType

__all__ = ["components", "taken_apart"]

#: Elements of a lane that are taken apart, of one value.
MOST = 40
#: Nodes at which there is a gain, for each value that has to be put together again.
JOINED = 2
#: Elements of a constant that is computed at once.
KNOWN = 256
#: Products of a lane with what is the same in all, up to which a matrix product is none.
PRODUCTS = 12

Parts: TypeAlias = tuple[Value, ...]


def components(graph: Graph, *, lanes: int, gains: int, parts: int, mean: int) -> Graph:
    """The graph with small axes taken apart, if it has enough of them behind one of so many lanes; else itself.

    There is to be a gain at so many nodes; so many parts may come about, and so many for each node on average.
    """
    n = _lanes(graph, lanes, gains, parts, mean)
    if n is None:
        return graph
    apart = _Apart(graph, n)
    made = apart.graph()
    return made if JOINED * apart.joined <= sum(_mixes(node, n) for node in graph.nodes) else graph


def _lanes(graph: Graph, fewest: int, gains: int, parts: int, mean: int) -> int | None:
    """The size of the long axis; None where taking apart would be no gain, or too much of it."""
    shapes = [v.type.shape for node in graph.nodes for v in node.results if v.type.ndim > 1]
    count = Counter(shape[0] for shape in shapes if shape[0] >= fewest)
    if not count:
        return None
    n = count.most_common(1)[0][0]
    here = [node for node in graph.nodes if node.results[0].type.ndim > 1 and _small(node.results[0].type, n)]
    gained = sum(_mixes(node, n) for node in here)
    others = sum(not isinstance(node.op, kinds.Movement) for node in here)
    total = sum(node.results[0].type.size // n for node in here)
    return n if gained >= gains and 8 * gained >= others and total <= min(parts, mean * len(here)) else None


def taken_apart(graph: Graph, n: int) -> Graph:
    """The graph with the elements of each of n lanes as values, wherever there are few."""
    return _Apart(graph, n).graph()


def _mixes(node: Node, n: int) -> bool:
    """Whether a node does what arrays are slow at: repeats or joins elements of lanes, or multiplies lane by lane."""
    if node.results[0].type.ndim < 2 or not _small(node.results[0].type, n):
        return False
    lanes = [v.type.shape[:1] == (n,) for v in node.operands]
    return all(lanes) and (node.op.name in ("broadcast_to", "concatenate") or isinstance(node.op, kinds.Contraction))


def _small(type_: ArrayType, n: int) -> bool:
    return type_.shape[:1] == (n,) and 0 < type_.size <= n * MOST


class _Apart:
    """One pass; a value is there as a whole, in parts (one per element of a lane, in C order), or as both."""

    def __init__(self, graph: Graph, n: int) -> None:
        self.given, self.n = graph, n
        self.b = Sharing(graph.name)
        self.xp = Namespace(self.b)
        self.whole: dict[Value, Value] = Renamed(self.b.adopt)
        self.parts: dict[Value, Parts] = {}
        #: How many values were made whole again within the program.
        self.joined = 0

    def graph(self) -> Graph:
        self.b.inputs.extend(self.given.inputs)
        for v in self.given.inputs:
            self.whole[v] = v
        for node in self.given.nodes:
            self.b.location = node.location
            found = self.apart(node) if len(node.results) == 1 and _small(node.result.type, self.n) else None
            if found is not None:
                self.parts[node.result] = found
            elif (known := self.known(node)) is not None:
                self.whole[node.result] = known
            elif node.op.name == "sum" and not node.result.type.shape and self.is_apart(node.operands[0], node.result):
                total = self.total(self.parts[node.operands[0]])
                self.whole[node.result] = self.b.emit(node.op, (total,), axes=(0,))
            else:
                apart = (v for v in node.operands if v in self.parts and v not in self.whole)
                self.joined += sum(v.type.ndim > 1 for v in apart)
                operands = [self.of(v) for v in node.operands]
                self.whole.update(zip(node.results, self.b.emit_all(node.op, operands, **node.params), strict=True))
        for guard in self.given.guards:
            self.b.guard(self.of(guard.value), guard.expected, guard.location)
        made = self.b.graph([self.of(v) for v in self.given.outputs])
        return dead_code(self.given.evolve(nodes=made.nodes, outputs=made.outputs, guards=made.guards))

    # -- whole and parts -------------------------------------------------------------------------------

    def is_apart(self, value: Value, like: Value) -> bool:
        """Whether a value of the dtype of another is there in parts alone."""
        return value in self.parts and value not in self.whole and value.type.dtype == like.type.dtype

    def of(self, value: Value) -> Value:
        """A value as a whole."""
        if value in self.parts and value not in self.whole:
            parts, shape = self.parts[value], value.type.shape
            if len(shape) == 1:
                self.whole[value] = parts[0]
            else:
                columns = [self.xp.reshape(self.xp.wrap(p), (self.n, 1)) for p in parts]
                joined = self.xp.concatenate(columns, axis=1)
                self.whole[value] = self.xp.lift(self.xp.reshape(joined, shape))
        return self.whole[value]

    def of_lanes(self, value: Value) -> Parts:
        """The elements of a lane, each in all lanes."""
        if value not in self.parts:
            self.parts[value] = tuple(self.split(value))
        return self.parts[value]

    def split(self, value: Value) -> list[Value]:
        xp, x, shape = self.xp, self.xp.wrap(self.of(value)), value.type.shape
        if shape == (self.n,):
            return [x.value]
        if (known := number(x.value, self.b.made)) is not None:
            return [xp.lift(xp.full((self.n,), known, x.dtype))] * (value.type.size // self.n)
        flat = xp.reshape(x, (self.n, value.type.size // self.n))
        return [xp.lift(flat[:, k]) for k in range(flat.shape[1])]

    def of_one(self, value: Value) -> list[Value]:
        """The elements of what is the same in every lane, repeated."""
        full = lambda x: self.xp.lift(self.xp.broadcast_to(x, (self.n,)))
        whole = self.of(value)
        if (known := number(whole, self.b.made)) is not None:
            return [full(self.xp.wrap(self.b.constant(known.astype(value.type.dtype)[()])))] * value.type.size
        if isinstance(whole, Constant):
            return [full(self.xp.wrap(self.b.constant(x))) for x in whole.array.ravel()]
        flat = self.xp.reshape(self.xp.wrap(whole), (value.type.size,))
        return [full(flat[k]) for k in range(value.type.size)]

    # -- nodes ------------------------------------------------------------------------------------------

    def known(self, node: Node) -> Value | None:
        """The few numbers that come of constants, as the zeros and ones of unit vectors do."""
        op, type_ = node.op, node.results[0].type
        given = [v if isinstance(v, Constant) else self.whole.get(v) for v in node.operands]
        arrays = [v.array for v in given if isinstance(v, Constant)]
        if not arrays or len(arrays) < len(given) or type_.size > KNOWN or type_.weak:
            return None
        if isinstance(op, kinds.Movement):
            flat = np.concatenate([*(x.ravel() for x in arrays), np.zeros(1, type_.dtype)])
            return self.b.constant(flat[sources(node, [x.shape for x in arrays])].astype(type_.dtype))
        if op.name in ("equal", "where"):
            return self.b.constant(np.asarray(op.function(*arrays), type_.dtype))  # type: ignore[attr-defined]
        return None

    def apart(self, node: Node) -> Parts | None:
        """The parts of a node's result; None where it cannot be taken apart."""
        op = node.op
        if isinstance(op, kinds.Elementwise):
            each = zip(*(self.of_lanes(v) for v in node.operands), strict=True)
            return tuple(self.b.emit(op, x, **node.params) for x in each)
        if isinstance(op, kinds.Movement):
            return self.movement(node)
        if isinstance(op, kinds.Reduction):
            return self.reduction(node)
        return self.contraction(node) if isinstance(op, kinds.Contraction) else None

    def movement(self, node: Node) -> Parts | None:
        params = self.of_a_lane(node)
        if params is None:
            return None
        shapes = [(1, *s[1:]) if s[:1] == (self.n,) else s for s in (v.type.shape for v in node.operands)]
        out = Value(ArrayType(node.result.type.dtype, (1, *node.result.type.shape[1:])))
        in_lanes = [v.type.shape[:1] == (self.n,) for v in node.operands]
        each = (self.of_lanes(v) if has else self.of_one(v) for v, has in zip(node.operands, in_lanes, strict=True))
        flat = list(itertools.chain.from_iterable(each))
        places = sources(Node(node.op, (), params, (out,)), shapes).ravel()
        zero = self.xp.lift(self.xp.full((self.n,), 0, out.type.dtype))
        return tuple(flat[k] if k < len(flat) else zero for k in places)

    def of_a_lane(self, node: Node) -> dict[str, Any] | None:
        """The parameters of the same movement in one lane; None where it is from lane to lane."""
        p, n, shape = node.params, self.n, node.result.type.shape
        inner = [v.type for v in node.operands]
        if node.op.name != "broadcast_to" and not all(_small(t, n) for t in inner):
            return None
        one = (1, *shape[1:])
        if node.op.name == "broadcast_to":
            (t,) = inner
            fits = _small(t, n) if t.ndim == len(shape) and t.shape[0] == n else t.size <= MOST
            return {"shape": one} if fits and (t.ndim == len(shape) or t.shape[:1] != (n,)) else None
        if node.op.name == "transpose":
            return p if p["axes"][0] == 0 else None
        if node.op.name == "concatenate":
            return p if p["axis"] > 0 else None
        if node.op.name in ("slice", "place"):
            first = (p["start"][0], p["step"][0]) == (0, 1)
            return {**p, ("size" if node.op.name == "slice" else "shape"): one} if first else None
        return {"shape": one} if node.op.name == "reshape" else None

    def reduction(self, node: Node) -> Parts | None:
        (x,), axes = node.operands, node.params["axes"]
        if node.op.name != "sum" or 0 in axes or not _small(x.type, self.n) or x.type.dtype != node.result.type.dtype:
            return None
        places = np.arange(x.type.size // self.n).reshape(1, *x.type.shape[1:])
        rows = np.moveaxis(places, axes, range(-len(axes), 0)).reshape(-1, math.prod(x.type.shape[a] for a in axes))
        parts = self.of_lanes(x)
        return tuple(self.total([parts[k] for k in row]) for row in rows)

    def total(self, terms: Sequence[Value]) -> Value:
        whole = terms[0]
        for term in terms[1:]:
            whole = self.b.emit(OPS["add"], (whole, term))
        return whole

    def contraction(self, node: Node) -> Parts | None:
        x, y, out = kinds.Contraction.split(node.params["subscripts"])
        lane = out[:1]
        sizes: dict[str, int] = {}
        for term, v in zip((x, y), node.operands, strict=True):
            sizes.update(zip(term, v.type.shape, strict=True))
            if lane in term and (term[0] != lane or not _small(v.type, self.n)):
                return None
        summed = [c for c in dict.fromkeys(x + y) if c not in out]
        both = lane in x and lane in y
        if node.result.type.dtype.kind != "f" or not lane or any(sizes[c] == 0 for c in summed) or (
            math.prod(n for c, n in sizes.items() if c != lane) > (4 * MOST if both else PRODUCTS)):
            return None
        times = OPS["scale" if node.op.scaled else "multiply"]  # type: ignore[attr-defined]
        parts = [self.of_lanes(v) if lane in t else self.of_one(v) for t, v in zip((x, y), node.operands, strict=True)]

        def at(k: int, env: dict[str, int]) -> Value:
            place = 0
            for c in (x, y)[k]:
                place = place if c == lane else place * sizes[c] + env[c]
            return parts[k][place]

        found = []
        for outer in itertools.product(*(range(sizes[c]) for c in out[1:])):
            terms = []
            for inner in itertools.product(*(range(sizes[c]) for c in summed)):
                env = dict(zip((*out[1:], *summed), (*outer, *inner), strict=True))
                terms.append(self.b.emit(times, (at(0, env), at(1, env))))
            found.append(self.total(terms))
        return tuple(found)
