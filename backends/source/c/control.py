"""Control ops as C: a function for each sub-graph, and real loops and branches that call them.

A loop carries arrays in two buffers, each step reading one and writing the other, and single numbers in variables,
which compilers keep in registers.  A stack, which grows with the steps of a ``while``, is memory from ``realloc`` that
the function gives back when it ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from wengert.backends.source.c.machine import threads
from wengert.backends.source.c.planning.memory import ALIGN
from wengert.backends.source.c.scalars.spelling import stored
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.storable import graphs_in
from wengert.ir.types import STEPS

if TYPE_CHECKING:
    from wengert.backends.source.c.functions import Function

__all__ = ["GROW", "PARALLEL_STEPS", "THREAD", "called", "scratch", "second_buffers", "statement"]

GROW = """\
/* Room for entry n of a stack of entries of so many bytes. */
static int grow(unsigned char *slot, int64_t n, size_t bytes)
{
    void *data;
    size_t room;
    memcpy(&data, slot, sizeof data);
    memcpy(&room, slot + 8, sizeof room);
    if ((size_t)n < room) return 0;
    while (room <= (size_t)n) room = room ? 2 * room : 16;
    data = realloc(data, room * bytes + 1);
    if (!data) return 1;
    memcpy(slot, &data, sizeof data);
    memcpy(slot + 8, &room, sizeof room);
    return 0;
}
"""


#: Steps may differ in what they cost.
PARALLEL_STEPS = "#pragma omp parallel for schedule(dynamic)"
THREAD = """\
#ifdef _OPENMP
#include <omp.h>
#define THREAD omp_get_thread_num()
#else
#define THREAD 0
#endif
"""


def carried(node: Node) -> Sequence[Value]:
    """The results of a loop that it carries from step to step."""
    if node.op.name == "scan":
        return node.results[: node.params["carries"]]
    return node.results[: len(node.operands) - node.params["consts"]] if node.op.name == "while" else ()


def _bytes(value: Value) -> int:
    return -(-max(1, value.type.size * value.type.dtype.itemsize) // ALIGN) * ALIGN


def called(node: Node) -> list[Graph]:
    """The graphs that running a node calls: of a rule of its own, none."""
    alone = node.op.name in ("custom", "linear", "linear_solve")
    return [node.params["graph"]] if alone else list(graphs_in(node.params))


def second_buffers(node: Node) -> list[tuple[Value, int]]:
    """The arrays that a node carries, and the bytes of the second buffer of each."""
    return [(v, _bytes(v)) for v in carried(node) if v.type.size != 1]


def scratch(node: Node, sizes: dict[Graph, int], threads: int = 1) -> int:
    """How much a node needs to work in: for what it calls, in each thread, and second buffers of what it carries."""
    each = max((-(-sizes[g] // ALIGN) * ALIGN for g in called(node)), default=0)
    return threads * each + sum(size for _, size in second_buffers(node))


def statement(f: Function, node: Node, names: dict[Graph, str], at: int, called: int) -> str:
    """The C of a node, its scratch ``at`` an offset, of which the functions that it calls have the first bytes."""
    write = {"scan": _scan, "while": _while, "switch": _switch}.get(node.op.name, _call)
    return write(_Writer(f, node, names, at, called))


class _Writer:
    """What all of them need: pointers, calls, buffers."""

    def __init__(self, f: Function, node: Node, names: dict[Graph, str], at: int, called: int) -> None:
        self.f, self.node, self.names, self.at, self.called = f, node, names, at, called
        self.operands = [f.pointer(v) for v in node.operands]
        self.results = [f.pointer(v) for v in node.results]

    def call(self, graph: Graph, arguments: Sequence[str]) -> str:
        """A call that returns where it fails."""
        extra = ["c", "call"] if self.f.program.hosted else []
        every = ", ".join([*arguments, f"w + {self.at}", *extra])
        return f"if ((e = {self.names[graph]}({every}))) return e;"

    def buffers(self, first: Sequence[str], values: Sequence[Value]) -> _Buffers:
        """What declares, exchanges and delivers carried values: ``a`` is read, ``b`` written."""
        begin, swap, end, at = [], [], [], self.at + self.called
        for k, (start, value, result) in enumerate(zip(first, values, self.results, strict=False)):
            c = stored(value.type.dtype)
            if value.type.size == 1:
                begin.append(f"{c} a{k} = *({start}), b{k};")
                swap.append(f"a{k} = b{k};")
                end.append(f"*({result}) = a{k};")
                continue
            begin.append(f"const {c} *a{k} = {start}; {c} *b{k} = {result}, *s{k} = ({c} *)(w + {at}), *t{k};")
            swap.append(f"a{k} = t{k} = b{k}; b{k} = s{k}; s{k} = t{k};")
            size = value.type.size * value.type.dtype.itemsize
            if size:
                end.append(f"if (a{k} != {result}) memcpy({result}, a{k}, {size});")
            at += _bytes(value)
        reads, writes = (
            [f"{'&' if v.type.size == 1 else ''}{letter}{k}" for k, v in enumerate(values)] for letter in "ab")
        return _Buffers(begin, swap, end, reads, writes)


@frozen
class _Buffers:
    """Lines before a loop, at the end of each step, and after it; pointers to what is read and to what is written."""

    begin: list[str]
    swap: list[str]
    end: list[str]
    reads: list[str]
    writes: list[str]


def _entry(pointer: str, size: int) -> str:
    return f"{pointer} + i * {size}"


def _deeper(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _block(lines: Sequence[str]) -> list[str]:
    return ["{", *_deeper(lines), "}"]


def _lines(lines: Sequence[str]) -> str:
    return "\n    ".join(lines)


def _call(w: _Writer) -> str:
    return w.call(w.node.params["graph"], [*w.operands, *w.results])


def _switch(w: _Writer) -> str:
    graphs = w.node.params["graphs"]
    code = w.f.program.fail("branch", w.node)
    cases = [f"case {k}: {w.call(g, [*w.operands[1:], *w.results])} break;" for k, g in enumerate(graphs)]
    return _lines([f"switch (*({w.operands[0]})) {{", *cases, f"default: return {code};", "}"])


def _per_step(value: Value) -> int:
    return math.prod(value.type.shape[1:])


def _scan(w: _Writer) -> str:
    params, node, operands, values = w.node.params, w.node, w.operands, w.node.operands
    c, m, count = params["consts"], params["carries"], str(params["length"])
    if params["length"] == STEPS:
        count, operands, values = f"*({operands[0]})", operands[1:], values[1:]
    if w.f.program.shares(node):
        return _map(w)
    carry = w.buffers(operands[c : c + m], node.results[:m])
    xs = [_entry(p, _per_step(v)) for p, v in zip(operands[c + m :], values[c + m :], strict=True)]
    ys, room = _stacks(w, m)
    given = [*operands[:c], *carry.reads, *xs, *carry.writes, *ys]
    order = f"i = {count}; i-- > 0;" if params["reverse"] else f"i = 0; i < {count}; i++"
    head = f"for (int64_t {order}) {{"
    before = room and [f"if ({count}) {{ int64_t i = {count} - 1; {' '.join(room)} }}"]

    def steps(graph: Graph) -> list[str]:
        body = [w.call(graph, given), *carry.swap]
        return _block([*carry.begin, *before, head, *_deeper(body), "}", *carry.end])

    return _twice(w, steps)


def _twice(w: _Writer, steps: Callable[[Graph], list[str]]) -> str:
    """The steps of a scan; of one that trusts, with care once more where a NaN shows."""
    params, node = w.node.params, w.node
    lines = steps(params["graph"])
    if "careful" not in params:
        return _lines(lines)
    tests = []
    for value, pointer in ((node.results[k], w.results[k]) for k in params["shown"]):
        size = value.type.size if value.type.shape[:1] != (STEPS,) else f"*({w.operands[0]}) * {_per_step(value)}"
        tests.append(f"{w.f.program.helpers.need('has_nan', value.type.dtype)}({pointer}, {size})")
    return _lines([*lines, f"if ({' || '.join(tests)})", *steps(params["careful"])])


def _map(w: _Writer) -> str:
    """Steps that carry nothing, by several threads, each of which has its own room to work in."""
    node, c = w.node, w.node.params["consts"]
    xs = [_entry(p, _per_step(v)) for p, v in zip(w.operands[c:], node.operands[c:], strict=True)]
    ys, _ = _stacks(w, 0)
    most = w.f.program.threads
    room = f"w + {w.at} + THREAD * {w.called // most}"
    given = ", ".join([*w.operands[:c], *xs, *ys, room, "c", "call"])
    count = f"{threads.NAME} < {most} ? {threads.NAME} : {most}"

    def steps(graph: Graph) -> list[str]:
        return _block([
            "int failed = 0;", f"{PARALLEL_STEPS} num_threads({count}) reduction(max:failed)",
            f"for (int64_t i = 0; i < {node.params['length']}; i++) {{",
            f"    const int code = {w.names[graph]}({given});",
            "    failed = code > failed ? code : failed;", "}", "if (failed) return failed;",
        ])  # fmt: skip

    return _twice(w, steps)


def _stacks(w: _Writer, first: int) -> tuple[list[str], list[str]]:
    """Where the results of step i go, and what makes room for them."""
    targets, room = [], []
    for value in w.node.results[first:]:
        size = _per_step(value)
        targets.append(_entry(w.f.pointer(value), size))
        if value.type.shape[0] == STEPS:
            code = w.f.program.fail("memory", w.node)
            room.append(f"if (grow(w + {w.f.place[value]}, i, {size * value.type.dtype.itemsize})) return {code};")
    return targets, room


def _while(w: _Writer) -> str:
    params, node = w.node.params, w.node
    c, m = params["consts"], len(node.operands) - params["consts"]
    carry = w.buffers(w.operands[c:], node.results[:m])
    ys, room = _stacks(w, m + 1)
    given = [*w.operands[:c], *carry.reads]
    body = [
        w.call(params["condition"], [*given, "&go"]), "if (!go) break;", *room,
        w.call(params["graph"], [*given, *carry.writes, *ys]), *carry.swap,
    ]  # fmt: skip
    go = stored(w.node.params["condition"].outputs[0].type.dtype)
    lines = [
        *carry.begin, "int64_t i;", "for (i = 0;; i++) {", *_deeper([f"{go} go;", *body]), "}", *carry.end,
        f"*({w.results[m]}) = i;",
    ]  # fmt: skip
    return _lines(_block(lines))
