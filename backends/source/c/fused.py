"""Elementwise loops: what is stored, and what is summed on the way."""

from __future__ import annotations

import math
from wengert.backends.source.c.bodies import Body
from wengert.backends.source.c.helpers import BLOCK
from wengert.backends.source.c.loops import Nest, run_body
from wengert.backends.source.c.plan import Plan, Unit
from wengert.backends.source.c.scalars import Kernel, cheap
from wengert.backends.source.c.spelling import local, part
from wengert.backends.source.c.splits import Box, boxes, inside, place_in, roots
from wengert.backends.source.c.views import View
from wengert.ir.graph import Node

__all__ = ["elementwise"]

#: Elements from which on a second version of a loop is worth its text.
LONG = 4096
#: Elements from which on terms of a sum go through a buffer.
MANY = 8
#: Ops that give NaN where any operand is NaN.
KEEPING = {"add", "subtract", "multiply", "negative", "square", "scale", "absolute"}


def elementwise(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """A fused group, box by box."""
    totals = {node: kernel.name("t") for node in unit.sums}
    found = boxes(plan, unit)
    for node, total in totals.items():
        kernel.line(f"{local(node.result.type.dtype)} {total} = 0;")
    for box in found:
        loop = _Loop(kernel, plan, unit, box, totals)
        if loop.trust_pays():
            kernel.open(f"if ({loop.run_trusting()})")
            loop.run()
            kernel.close()
        else:
            loop.run()
    for node, total in totals.items():
        kernel.line(f"{kernel.write(node.result)}[0] = {total};")


class _Loop:
    """The loops over one box."""

    def __init__(self, kernel: Kernel, plan: Plan, unit: Unit, box: Box, totals: dict[Node, str]) -> None:
        self.kernel, self.box = kernel, box
        self.kept = roots(unit, box)
        terms = {node: node.operands[0] for node in unit.sums}
        #: What is summed here, and the name of its total over all boxes.
        self.summed = {place_in(v, box): totals[node] for node, v in terms.items() if inside(box, v.type.shape)}
        self.body = Body(plan, unit.nodes, [*self.kept, *self.summed])
        self.nest = Nest(kernel, box[1], [*self.body.leaves, *self.kept])
        self.parts: dict[View, str] = {}
        #: While strong-zero products are trusted: what says that one is NaN, and by what values.
        self.flag, self.watched = "", list[View]()

    def run(self) -> None:
        """The loops, and their sums added to the totals."""
        self._declare()
        self._loops()
        self._add()

    def _declare(self) -> None:
        self.parts = {view: self.kernel.name("s") for view in self.summed}
        for view, name in self.parts.items():
            self.kernel.line(f"{local(view.base.type.dtype)} {name} = 0;")

    def _add(self) -> None:
        for view, name in self.parts.items():
            self.kernel.line(f"{self.summed[view]} += {name};")

    def _loops(self) -> None:
        nest, shape = self.nest, self.nest.shape
        if not self.parts:
            nest.enter()
            self._statements()
            nest.leave()
            return
        axis = max((a for a, n in enumerate(shape) if n >= MANY), default=None)
        if axis is None:
            axes = range(len(shape))
            flat = nest.backwards(axes)
            (nest.enter_flat if flat else nest.enter)(axes)
            for view, value in self._statements().items():
                self.kernel.line(f"{self.parts[view]} += {value};")
            nest.leave(1 if flat else None)
        else:
            self._in_blocks(axis)

    def _in_blocks(self, axis: int) -> None:
        """Terms go into small buffers along an axis; the sums of these are added in a tree."""
        k, nest, n, i = self.kernel, self.nest, self.nest.shape[axis], self.nest.names[axis]
        block = {view: k.name("block") for view in self.parts}
        several = axis > 0 or n > BLOCK
        level, count = {view: k.name("level") for view in self.parts if several}, k.name("n")
        for view in self.parts:
            k.line(f"{local(view.base.type.dtype)} {block[view]}[{min(BLOCK, n)}];")
            if several:
                k.line(f"{local(view.base.type.dtype)} {level[view]}[64];")
        if several:
            k.line(f"uint64_t {count} = 0;")
        nest.enter(range(axis))
        start, end = ("0", str(n)) if n <= BLOCK else (k.name("start"), k.name("end"))
        if n > BLOCK:
            k.open(f"for (ptrdiff_t {start} = 0; {start} < {n}; {start} += {BLOCK})")
            k.line(f"const ptrdiff_t {end} = {start} + {BLOCK} < {n} ? {start} + {BLOCK} : {n};")
        k.open(f"for (ptrdiff_t {i} = {start}; {i} < {end}; ++{i})")
        place = i if n <= BLOCK else f"{i} - {start}"
        inner = range(axis + 1, len(nest.shape))
        if inner:
            short = {view: k.name("r") for view in self.parts}
            for view, name in short.items():
                k.line(f"{local(view.base.type.dtype)} {name} = 0;")
            nest.enter(inner)
            for view, value in self._statements().items():
                k.line(f"{short[view]} += {value};")
            nest.leave(len(inner))
            values = short
        else:
            values = self._statements()
        for view, value in values.items():
            k.line(f"{block[view]}[{place}] = {value};")
        k.close()
        size = str(n) if n <= BLOCK else f"{end} - {start}"
        for view in self.parts:
            add = f"{k.helpers.need('block_sum', view.base.type.dtype)}({block[view]}, {size}, 1)"
            push = k.helpers.need("push", view.base.type.dtype) if several else ""
            k.line(f"{push}({level[view]}, {count}, {add});" if several else f"{self.parts[view]} = {add};")
        if several:
            k.line(f"++{count};")
        if n > BLOCK:
            k.close()
        nest.leave(axis)
        for view, name in self.parts.items():
            if several:
                total = k.helpers.need("push", view.base.type.dtype).replace("push", "total")
                k.line(f"{name} = {total}({level[view]}, {count});")

    def _statements(self) -> dict[View, str]:
        """The body at one element; the values of what is summed."""
        env = run_body(self.nest, self.body, self.kept)
        if self.watched:
            tests = " || ".join(f"{v} != {v}" for v in dict.fromkeys(env[view] for view in self.watched))
            self.kernel.line(f"{self.flag} = {tests} ? 1 : {self.flag};")
        return {view: env[view] for view in self.parts}

    # -- strong zeros -----------------------------------------------------------------------------

    def trust_pays(self) -> bool:
        """Whether strong-zero products are much of the work of a long loop."""
        nodes = [node for _, node, _ in self.body.steps]
        scaled = any(node.op.name == "scale" for node in nodes)
        return math.prod(self.box[1]) >= LONG and scaled and all(map(cheap, nodes))

    def run_trusting(self) -> str:
        """Loops with plain products, which strong-zero products are unless one is NaN; the condition that says so.

        They take two thirds of the time.  What they stored is written again then, and what they summed is not added:
        nothing that a loop reads is written by it.
        """
        k = self.kernel
        ends, rest = self._shown()
        self.watched = [*(view for view in ends if view not in self.summed), *rest]
        if self.watched:
            dtype = self.watched[0].base.type.dtype
            self.flag = k.name("nan")
            c = local(part(dtype) if dtype.kind == "c" else dtype)
            k.line(f"{c} {self.flag} = 0;  /* a number, as compilers vectorise the loop best then */")
        self._declare()
        k.trusting = True
        self._loops()
        k.trusting = False
        tests = [f"{self.flag} != 0"] if self.watched else []
        tests += [f"{self.parts[view]} != {self.parts[view]}" for view in ends if view in self.summed]
        condition, self.watched = " || ".join(tests), []
        if self.parts:
            k.open(f"if (!({condition}))")
            self._add()
            k.close()
        return condition

    def _shown(self) -> tuple[dict[View, None], list[View]]:
        """What is stored or summed, and so shows a NaN of the products it is made of; and products that nothing shows."""
        at: dict[View, set[View]] = {view: {view} for view in (*self.kept, *self.summed)}
        ends: dict[View, None] = {}
        rest = []
        for view, node, operands in reversed(self.body.steps):
            shown = at.get(view, set())
            if node.op.name == "scale" and not any(end in shown for end in ends):
                summed = [end for end in shown if end in self.summed]
                if shown:
                    ends[(summed or sorted(shown, key=self.kept.index))[0]] = None
                else:
                    rest.append(view)
            if node.op.name in KEEPING and node.result.type.dtype.kind == "f":
                for operand in operands:
                    if operand is not None:
                        at.setdefault(operand, set()).update(shown)
        return ends, rest
