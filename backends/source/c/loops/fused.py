"""Elementwise loops: what is stored, and what is summed on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping

from wengert.backends.source.c.loops.blocked import Blocks
from wengert.backends.source.c.loops.nests import VECTOR, Nest, run_body
from wengert.backends.source.c.loops.trusting import KEEPING
from wengert.backends.source.c.planning.bodies import Body
from wengert.backends.source.c.planning.plan import Plan, Unit
from wengert.backends.source.c.planning.splits import Box, boxes, roots, summed
from wengert.backends.source.c.planning.views import View
from wengert.backends.source.c.planning.work import cost_of
from wengert.backends.source.c.scalars.helpers import BLOCK, SHORT
from wengert.backends.source.c.scalars.spelling import local, part
from wengert.backends.source.c.scalars.statements import PARALLEL, Kernel, cheap
from wengert.ir.graph import Node

__all__ = ["elementwise"]

#: Elements from which on a second version of a loop is worth its text.
LONG = 512
#: Elements from which on terms of a sum go through a buffer.
MANY = 8
#: In how many parts.
CHUNKS = 64
#: Of the work, in simple statements, that there is for each strong-zero product, so much that these matter.
MUCH = 8


def elementwise(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """A fused group, box by box."""
    totals: dict[Node, list[str]] = {node: [] for node in unit.sums}
    for box in boxes(plan, unit):
        loop = _Loop(kernel, plan, unit, box)
        loop.declare()
        if not kernel.careful and loop.trust_pays():
            loop.run_trusting()
        else:
            loop.run()
        for node, view in loop.summed.items():
            totals[node].append(loop.parts[view])
    for node, parts in totals.items():
        kernel.line(f"{kernel.write(node.result)}[0] = {' + '.join(parts)};")


class _Trees:
    """Sums in the making: a buffer of terms for each, or lanes that terms are added to, and the sums of these in a
    tree."""

    def __init__(self, kernel: Kernel, views: list[View], size: int, *, several: bool, lanes: bool = False) -> None:
        self.kernel, self.several, self.lanes, self.size = kernel, several, lanes, size
        self.block = {view: kernel.name("lanes" if lanes else "block") for view in views}
        self.level = {view: kernel.name("level") for view in views if several}
        self.count = kernel.name("n")
        if not lanes:
            self.begin()
        for view, name in self.level.items():
            kernel.line(f"{local(view.base.type.dtype)} {name}[64];")
        if several:
            kernel.line(f"uint64_t {self.count} = 0;")

    def begin(self) -> None:
        """An empty block."""
        for view, name in self.block.items():
            self.kernel.line(f"{local(view.base.type.dtype)} {name}[{self.size}]{' = {0}' if self.lanes else ''};")

    def put(self, values: dict[View, str], place: str) -> None:
        """One term of each."""
        for view, value in values.items():
            self.kernel.line(f"{self.block[view]}[{place}] {'+=' if self.lanes else '='} {value};")

    def push(self, size: str, sums: dict[View, str]) -> None:
        """A block is full."""
        k = self.kernel
        for view, block in self.block.items():
            dtype = view.base.type.dtype
            add = f"{k.helpers.need('block_sum', dtype)}({block}, {self.size if self.lanes else size}, 1)"
            push = k.helpers.need("push", dtype) if self.several else ""
            k.line(f"{push}({self.level[view]}, {self.count}, {add});" if push else f"{sums[view]} = {add};")
        if self.several:
            k.line(f"++{self.count};")

    def totals(self, sums: dict[View, str]) -> None:
        """The sums of all blocks."""
        for view, level in self.level.items():
            total = self.kernel.helpers.need("push", view.base.type.dtype).replace("push", "total")
            self.kernel.line(f"{sums[view]} = {total}({level}, {self.count});")


class _Loop:
    """The loops over one box."""

    def __init__(self, kernel: Kernel, plan: Plan, unit: Unit, box: Box) -> None:
        self.kernel, self.box = kernel, box
        #: Where each view is stored, of what is computed here or read.
        self.stores = {view: [view] for view in roots(unit, box)}
        for target, source in unit.joined:
            self.stores.setdefault(source, []).append(target)
        self.summed = summed(unit, box)
        self.body = Body(plan, unit.nodes, [*self.stores, *self.summed.values()])
        places = [place for places in self.stores.values() for place in places]
        self.nest = Nest(kernel, box[1], [*self.body.leaves, *self.stores, *places])
        self.blocks = Blocks(kernel, self.nest, self.body, self.stores)
        #: What is summed here, and the name of the sum.
        self.parts: dict[View, str] = {}
        #: While strong-zero products are trusted: what says that one is NaN, and by what values.
        self.flag, self.watched = "", list[View]()
        #: In how many lanes the terms of a long sum are added up, which are whole vectors; 0 if they go into a buffer.
        sizes = [view.base.type.dtype.itemsize for view in self.summed.values()]
        self.lanes = 2 * VECTOR // max(sizes) if sizes and kernel.helpers.alone and not self.blocks.pay else 0

    def declare(self) -> None:
        """The sums, before the loops."""
        self.parts = {view: self.kernel.name("s") for view in dict.fromkeys(self.summed.values())}
        for view, name in self.parts.items():
            self.kernel.line(f"{local(view.base.type.dtype)} {name} = 0;")

    def run(self) -> None:
        """The loops."""
        nest = self.nest
        if self.parts and nest.shape:
            self._summing()
            return
        if self._many():
            self.kernel.line(self._parallel())
        if self.blocks.pay:
            self.blocks.run("0", str(nest.shape[0]), self._watch)
            return
        nest.enter(again=not self.parts)
        for view, value in self._statements().items():
            self.kernel.line(f"{self.parts[view]} += {value};")
        nest.leave()

    # -- sums -------------------------------------------------------------------------------------

    def _summing(self) -> None:
        """Terms go into small buffers along the last long axis; the sums of these are added in a tree."""
        nest = self.nest
        axis = max((a for a, n in enumerate(nest.shape) if n >= MANY), default=None)
        if axis is None:
            axes = range(len(nest.shape))
            flat = nest.backwards(axes)
            (nest.enter_flat if flat else nest.enter)(axes)
            self._add_terms(self.parts)
            nest.leave(1 if flat else None)
        elif self._many() and not nest.backwards(range(len(nest.shape))):
            self._in_chunks(axis)
        else:
            self._in_blocks(axis, self.parts)

    def _add_terms(self, sums: dict[View, str]) -> None:
        for view, value in self._statements().items():
            self.kernel.line(f"{sums[view]} += {value};")

    def _in_chunks(self, axis: int) -> None:
        """The first axis in as many parts whatever the number of threads, so that a sum is the same on all machines."""
        k, rest = self.kernel, 0 if axis else self._rest(axis)
        n, count = self.nest.shape[0] - rest, CHUNKS + bool(rest)
        sums = {view: k.name("chunk") for view in self.parts}
        for view, name in sums.items():
            k.line(f"{local(view.base.type.dtype)} {name}[{count}];")
        step = -(-n // CHUNKS) if axis else -(-n // (CHUNKS * BLOCK)) * BLOCK
        low, high = k.name("low"), k.name("high")
        k.line(self._parallel())
        k.open(f"for (ptrdiff_t chunk = 0; chunk < {CHUNKS}; ++chunk)")
        k.line(f"const ptrdiff_t {low} = chunk * {step} < {n} ? chunk * {step} : {n};")
        k.line(f"const ptrdiff_t {high} = {low} + {step} < {n} ? {low} + {step} : {n};")
        self.nest.bounds[0] = low, high
        self._in_blocks(axis, {view: f"{name}[chunk]" for view, name in sums.items()})
        del self.nest.bounds[0]
        k.close()
        if rest:
            tree = _Trees(k, list(sums), self.lanes, several=False, lanes=True)
            self._add_rest(axis, tree, {view: f"{name}[{CHUNKS}]" for view, name in sums.items()})
        for view, name in sums.items():
            add = k.helpers.need("block_sum", view.base.type.dtype)
            k.line(f"{self.parts[view]} = {add}({name}, {count}, 1);")

    def _in_blocks(self, axis: int, sums: dict[View, str]) -> None:
        k, nest = self.kernel, self.nest
        low, high = nest.bounds.get(axis, ("0", str(nest.shape[axis])))
        whole = nest.shape[axis] <= SHORT and axis not in nest.bounds
        if self.lanes and not whole:
            self._in_lanes(axis, sums)
            return
        tree = _Trees(k, list(sums), nest.shape[axis] if whole else BLOCK, several=axis > 0 or not whole)
        nest.enter(range(axis))
        i, start, end = nest.names[axis], low, high
        if not whole:
            start, end = k.name("start"), k.name("end")
            k.open(f"for (ptrdiff_t {start} = {low}; {start} < {high}; {start} += {BLOCK})")
            k.line(f"const ptrdiff_t {end} = {start} + {BLOCK} < {high} ? {start} + {BLOCK} : {high};")
        place = i if whole else f"{i} - {start}"
        if self.blocks.pay:

            def put(env: Mapping[View, str]) -> None:
                self._watch(env)
                tree.put({view: env[view] for view in sums if view in env}, place)

            self.blocks.run(start, end, put)
        else:
            self._in_a_line(axis, start, end, tree, place)
        tree.push(end if whole else f"{end} - {start}", sums)
        if not whole:
            k.close()
        nest.leave(axis)
        tree.totals(sums)

    def _in_a_line(self, axis: int, start: str, end: str, tree: _Trees, place: str) -> None:
        """One loop of terms."""
        k, nest, i = self.kernel, self.nest, self.nest.names[axis]
        if place == i:
            nest.enter([axis], again=axis == len(nest.shape) - 1)
        else:
            k.open(f"for (ptrdiff_t {i} = {start}; {i} < {end}; ++{i})")
        self._put(axis, tree, place)
        k.close()

    def _put(self, axis: int, tree: _Trees, place: str) -> None:
        """The terms at one place of an axis; what is behind it is added up for each."""
        k, nest = self.kernel, self.nest
        if not (inner := range(axis + 1, len(nest.shape))):
            tree.put(self._statements(), place)
            return
        short = {view: k.name("r") for view in tree.block}
        for view, name in short.items():
            k.line(f"{local(view.base.type.dtype)} {name} = 0;")
        nest.enter(inner)
        self._add_terms(short)
        nest.leave(len(inner))
        tree.put(short, place)

    def _in_lanes(self, axis: int, sums: dict[View, str]) -> None:
        """By loops over whole vectors: what is added up stays in registers.  What is left over comes last."""
        k, nest, i, lanes = self.kernel, self.nest, self.nest.names[axis], self.lanes
        low, high = nest.bounds.get(axis, ("0", str(nest.shape[axis] - self._rest(axis))))
        tree = _Trees(k, list(sums), lanes, several=True, lanes=True)
        flag, flags = self.flag, k.name("nans") if self.watched else ""
        if flags:
            k.line(f"{self._bits()} {flags}[{lanes}] = {{0}};")
        nest.enter(range(axis))
        start, end, at, j = map(k.name, ("start", "end", "at", "j"))
        k.open(f"for (ptrdiff_t {start} = {low}; {start} < {high}; {start} += {BLOCK})")
        k.line(f"const ptrdiff_t {end} = {start} + {BLOCK} < {high} ? {start} + {BLOCK} : {high};")
        tree.begin()
        vectors = f"for (ptrdiff_t {at} = {start}; {at} < {end}; {at} += {lanes})"
        k.open(f"{vectors} for (ptrdiff_t {j} = 0; {j} < {lanes}; ++{j})")
        k.line(f"const ptrdiff_t {i} = {at} + {j};")
        self.flag = flags and f"{flags}[{j}]"
        self._put(axis, tree, j)
        self.flag = flag
        k.close()
        tree.push("", sums)
        k.close()
        if self._rest(axis) and axis not in nest.bounds:
            self._add_rest(axis, tree, sums)
        nest.leave(axis)
        tree.totals(sums)
        if flags:
            k.line(f"for (ptrdiff_t {j} = 0; {j} < {lanes}; ++{j}) {flag} |= {flags}[{j}];")

    def _rest(self, axis: int) -> int:
        """How many elements of an axis are left when all lanes have as many."""
        return self.nest.shape[axis] % self.lanes if self.lanes else 0

    def _add_rest(self, axis: int, tree: _Trees, sums: dict[View, str]) -> None:
        n, i = self.nest.shape[axis], self.nest.names[axis]
        first = n - self._rest(axis)
        tree.begin()
        self._in_a_line(axis, str(first), str(n), tree, f"{i} - {first}")
        tree.push("", sums)

    def _many(self) -> bool:
        """Whether there is work for several threads, in a loop that runs to its end: a power of integers may fail."""
        nodes = [node for _, node, _ in self.body.steps]
        if any(node.op.name == "power" and node.result.type.dtype.kind == "i" for node in nodes):
            return False
        return bool(self.nest.shape) and math.prod(self.nest.shape) * sum(map(cost_of, nodes)) >= self.kernel.grain

    def _parallel(self) -> str:
        clause = f" reduction(|:{self.flag})" if self.watched else ""
        return f"{PARALLEL}{clause}"

    def _statements(self) -> dict[View, str]:
        """The body at one element; the values of what is summed."""
        env = run_body(self.nest, self.body, self.stores)
        made = {view for view, _, _ in self.body.steps}
        for view, places in self.stores.items():
            for place in places if view not in made else ():
                self.nest.store(place, self.nest.load(view))
        self._watch(env)
        return {view: env[view] for view in self.parts}

    def _watch(self, env: Mapping[View, str]) -> None:
        """Raise the flag where something that is watched is NaN, of what has been computed."""
        if names := dict.fromkeys(env[view] for view in self.watched if view in env):
            tests = " | ".join(f"({v} != {v})" for v in names)
            self.kernel.line(f"{self.flag} |= -({self._bits()})({tests});")

    # -- strong zeros -----------------------------------------------------------------------------

    def trust_pays(self) -> bool:
        """Whether strong-zero products are much of the work of a long loop."""
        nodes = [node for _, node, _ in self.body.steps]
        scaled = sum(node.op.name == "scale" for node in nodes)
        little = all(map(cheap, nodes)) or sum(map(cost_of, nodes)) <= MUCH * scaled
        return math.prod(self.box[1]) >= LONG and scaled > 0 and little

    def run_trusting(self) -> None:
        """Loops with plain products, which strong-zero products are unless one is NaN: then all is in doubt.

        They take two thirds of the time.  What they stored and summed is then stored and summed again: nothing that a
        loop reads is written by it.
        """
        k = self.kernel
        ends, rest = self._shown()
        self.watched = [*(view for view in ends if view not in self.summed.values()), *rest]
        if self.watched:
            self.flag = k.name("nan")
            k.line(f"{self._bits()} {self.flag} = 0;")
        k.trusting = True
        self.run()
        k.trusting = False
        sums = [self.parts[view] for view in ends if view in self.parts]
        tests = [f"{self.flag} != 0"] * bool(self.watched) + [f"{name} != {name}" for name in sums]
        k.line(f"doubt |= {' || '.join(tests)};")
        k.doubts.add("nan")
        self.watched = []

    def _bits(self) -> str:
        """The type of the flag: as wide as a number, so that both fit the same vectors."""
        dtype = self.watched[0].base.type.dtype
        return f"uint{8 * (part(dtype) if dtype.kind == 'c' else dtype).itemsize}_t"

    def _shown(self) -> tuple[dict[View, None], list[View]]:
        """What is stored or summed, and so shows the NaN of a product in it; and products that nothing shows."""
        at: dict[View, set[View]] = {view: {view} for view in (*self.stores, *self.summed.values())}
        ends: dict[View, None] = {}
        rest, order = [], list(self.stores)
        for view, node, operands in reversed(self.body.steps):
            shown = at.get(view, set())
            if node.op.name == "scale" and not any(end in shown for end in ends):
                sums = [end for end in shown if end in self.summed.values()]
                if shown:
                    ends[(sums or sorted(shown, key=order.index))[0]] = None
                else:
                    rest.append(view)
            if node.op.name in KEEPING and node.result.type.dtype.kind == "f":
                for operand in operands:
                    if operand is not None:
                        at.setdefault(operand, set()).update(shown)
        return ends, rest
