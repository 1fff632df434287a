"""One graph as one C function: a list of calls of kernels, in parts if it is long."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from attrs import define, field

from wengert.backends import libraries
from wengert.backends.source.c import control
from wengert.backends.source.c.loops import folds, fused, nests
from wengert.backends.source.c.loops.trusting import trusting
from wengert.backends.source.c.planning.memory import SLOT, layout
from wengert.backends.source.c.planning.plan import Plan, Unit
from wengert.backends.source.c.planning.slices import slices_alone
from wengert.backends.source.c.products import contractions
from wengert.backends.source.c.products.outer import outer_products
from wengert.backends.source.c.scalars.slopes import slopes
from wengert.backends.source.c.scalars.spelling import stored
from wengert.backends.source.c.scalars.statements import Kernel
from wengert.ir import kinds
from wengert.ir.errors import BackendError
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Control, Elementwise, Indexing, Library
from wengert.ir.passes import inline_stacks
from wengert.ir.types import is_stack

if TYPE_CHECKING:
    from wengert.backends.source.c.emit import Program

__all__ = ["HANDLERS", "Function", "comment"]

Emitter = Callable[[Kernel, Plan, Unit], None]

#: What writes the loop of each kind; Library and Control are calls, written by ``Function``.
HANDLERS: dict[type[kinds.Op], Emitter | None] = {
    kinds.Elementwise: fused.elementwise,
    kinds.Reduction: folds.reduction,
    kinds.Cumulative: nests.cumulative,
    kinds.Movement: nests.copy,
    kinds.Contraction: contractions.contraction,
    kinds.Indexing: nests.gather,
    kinds.Library: None,
    kinds.Control: None,
}

#: Calls in one function of the program: compilers are not linear in a function's length.
PART = 300
ENVIRONMENT = "const void *const *c, call_t *call"


def comment(text: object) -> str:
    """Words from a graph, made harmless: they cannot end a comment or begin anything else."""
    return re.sub(r"[^A-Za-z0-9_.:<>]", "", str(text))[:120]


@define
class Statement:
    """One call, and the parameters of the function that it uses."""

    text: str
    uses: dict[str, str] = field(factory=dict)


def joined(parts: Iterable[str]) -> str:
    """A comma-separated list."""
    return ", ".join(part for part in parts if part)


class Function:
    """A graph and where its arrays are."""

    def __init__(
        self, program: Program, graph: Graph, outputs: tuple[Value, ...], *, inner: bool, cold: bool = False
    ) -> None:
        graph = inline_stacks(graph)
        cut = slices_alone(graph) if program.helpers.alone else graph
        found = dict(zip(graph.guarded_outputs, cut.guarded_outputs, strict=True))
        graph, outputs = cut, tuple(found[v] for v in outputs)
        if program.hosted and not cold:
            graph = trusting(graph)
        graph = _by_name(slopes(outer_products(graph)))
        outputs = _unshaped(graph, outputs)
        self.program, self.graph, self.outputs = program, graph, outputs
        #: Whether steps of a loop are written here, and whether they are seldom run.
        self.inner, self.cold = inner, cold
        self.plan = Plan(graph, outputs)
        self.pointers: dict[Value, str] = {}
        self.parameters: dict[str, str] = {}
        self._place_parameters()
        units = [u for u in self.plan.units if isinstance(u.last.op, Control)]
        self.called = {
            u: {g: program.subgraph(g, cold=cold or g is u.last.params.get("careful"), shared=program.shares(u.last))
                for g in control.called(u.last)}
            for u in units
        }  # fmt: skip
        sizes = {u: {g: size for g, (_, size) in called.items()} for u, called in self.called.items()}
        scratch = {u: control.scratch(u.last, sizes[u], program.shared_by(u.last)) for u in units}
        self.stacks = [v for u in units for v in u.last.results if is_stack(v.type)]
        self.place, self.scratch, self.workspace = layout(self.plan, self.pointers, scratch, self.stacks)

    def _place_parameters(self) -> None:
        """Inputs and results are where the caller says; a result that comes twice is copied."""
        for k, value in enumerate(self.graph.inputs):
            self.parameters[f"in{k}"] = f"const {stored(value.type.dtype)} *in{k}"
            self.pointers[value] = f"in{k}"
        for k, value in enumerate(self.outputs):
            self.parameters[f"out{k}"] = f"{stored(value.type.dtype)} *out{k}"
            if not isinstance(value, Constant):
                self.pointers.setdefault(value, f"out{k}")

    def pointer(self, value: Value) -> str:
        """Where an array is."""
        if value in self.pointers:
            return self.pointers[value]
        if value in self.plan.views:  # a part of an array, handed over as it lies there
            view = self.plan.views[value]
            base = self.pointer(view.base)
            return f"{base} + {view.offset}" if view.offset else base
        if isinstance(value, Constant):
            return self.program.constant(value)
        if value in self.plan.homes:
            host, start = self.plan.home(value)
            return f"{self.pointer(host)} + {start}" if start else self.pointer(host)
        offset = self.place[value]
        if is_stack(value.type):
            return f"*({stored(value.type.dtype)} **)(w + {offset})"
        return f"({stored(value.type.dtype)} *){f'(w + {offset})' if offset else 'w'}"

    # -- statements -------------------------------------------------------------------------

    def statements(self) -> list[Statement]:
        """Every call of the function, in order."""
        found = [statement for unit in self.plan.units if (statement := self._unit(unit))]
        for k, value in enumerate(self.outputs):
            size = value.type.size * value.type.dtype.itemsize
            if self.pointers.get(value) != f"out{k}" and size:
                found.append(self._statement(f"memcpy(out{k}, {self.pointer(value)}, {size});"))
        return found

    def _unit(self, unit: Unit) -> Statement | None:
        op = unit.last.op
        if isinstance(op, Library):
            return self._callback(unit.last)
        if isinstance(op, Control):
            return self._call(unit)
        if not any(v.type.size for v in unit.stored) and not isinstance(op, Indexing):
            return None
        kernel = self._kernel(unit)
        again = self._kernel(unit, careful=True) if kernel.doubts else None
        values = (*kernel.reads, *kernel.writes)
        if not kernel.writes:
            return None
        name = self.program.kernel(kernel.text("k", again), inner=self.inner, cold=self.cold)
        call = f"{name}({joined(map(self.pointer, values))})"
        if kernel.failures:
            base = len(self.program.failures)
            for kind, node in kernel.failures:
                self.program.fail(kind, node)
            call = f"if ((e = {call})) return e{f' + {base}' if base else ''}"
        return self._statement(f"{call};  {_told(unit)}")

    def _kernel(self, unit: Unit, *, careful: bool = False) -> Kernel:
        op = unit.last.op
        kernel = Kernel(self.program.helpers, grain=self.program.grain, careful=careful or self.cold)
        emitter = HANDLERS[type(op)]
        if isinstance(op, Indexing) and not op.gather:
            emitter = nests.scatter
        assert emitter is not None
        emitter(kernel, self.plan, unit)
        return kernel

    def _call(self, unit: Unit) -> Statement:
        called = self.called[unit]
        carried = sum(size for _, size in control.second_buffers(unit.last))
        names = {graph: name for graph, (name, _) in called.items()}
        sizes = {g: size for g, (_, size) in called.items()}
        room = control.scratch(unit.last, sizes, self.program.shared_by(unit.last)) - carried
        return self._statement(control.statement(self, unit.last, names, self.scratch[unit], room))

    def _callback(self, node: Node) -> Statement:
        if not self.program.hosted:
            message = (
                f"{node.op.name} is a call of NumPy, and has no C of its own: a stand-alone "
                "program cannot contain it. Run the graph with backend 'c' in this process, or "
                "leave the op out of what is exported."
            )
            raise BackendError(message, op=node.op.name, location=node.location)
        which = len(self.program.calls)
        self.program.calls.append(node)
        code = self.program.fail("callback", node)
        reads, writes = (
            joined(map(self.pointer, node.operands)),
            joined(map(self.pointer, node.results)),
        )
        lines = [
            "{",
            f"    const void *const a[] = {{{reads or '0'}}};",
            f"    void *const b[] = {{{writes}}};",
            f"    if (call({which}, a, b)) return {code};",
            "}",
        ]
        return self._statement("\n    ".join(lines))

    def _statement(self, text: str) -> Statement:
        code = re.sub(r"/\*.*?\*/", "", text)
        names = dict.fromkeys(re.findall(r"\b(?:in|out)\d+\b", code))
        return Statement(text, {name: self.parameters[name] for name in names})

    # -- text -------------------------------------------------------------------------------

    def write(self, name: str) -> None:
        """Add the definitions to the program."""
        statements = self.statements()
        if len(statements) > PART:
            statements = self._parts(name, statements)
        if self.stacks:
            statements = self._freeing(name, statements)
        static = "" if name == self.program.name and not self.program.hosted else "static "
        static += "COLD " if self.cold else ""
        definition = self._definition(f"{static}int {name}", [*self.parameters.values()], "void *workspace", statements)
        self.program.functions.append(definition)

    def _parts(self, name: str, statements: list[Statement]) -> list[Statement]:
        """Functions of at most PART calls each, and the calls of them."""
        calls = []
        extra = ["c", "call"] if self.program.hosted else []
        for k in range(0, len(statements), PART):
            part, uses = statements[k : k + PART], {}
            for statement in part:
                uses.update(statement.uses)
            title = f"{name}_part{k // PART}"
            definition = self._definition(f"static int {title}", [*uses.values()], "unsigned char *w", part)
            self.program.functions.append(definition)
            calls.append(Statement(f"if ((e = {title}({joined([*uses, 'w', *extra])}))) return e;", uses))
        return calls

    def _freeing(self, name: str, statements: list[Statement]) -> list[Statement]:
        """Stacks begin without memory, and give back what they have taken, whatever happened."""
        inner = f"{name}_run"
        uses = [*self.parameters.values()]
        definition = self._definition(f"static int {inner}", uses, "unsigned char *w", statements)
        self.program.functions.append(definition)
        extra = ["c", "call"] if self.program.hosted else []
        first = min(self.place[v] for v in self.stacks)
        frees = [f"free(*(void **)(w + {self.place[v]}));" for v in self.stacks]
        lines = [
            f"memset(w + {first}, 0, {len(self.stacks) * SLOT});",
            f"e = {inner}({joined([*self.parameters, 'w', *extra])});", *frees, "if (e) return e;",
        ]  # fmt: skip
        return [Statement(line, dict(self.parameters)) for line in lines]

    def _definition(self, title: str, parameters: list[str], workspace: str, statements: list[Statement]) -> str:
        environment = [ENVIRONMENT] if self.program.hosted else []
        text = "\n".join(f"    {statement.text}" for statement in statements)
        used = set(re.findall(r"\w+", text))
        lines = [f"{title}({_wrapped([*parameters, workspace, *environment])})", "{"]
        if workspace.startswith("void"):
            lines.append("    unsigned char *const w = workspace;")
        named = ["w", *(["c", "call"] if environment else []), *(p.rpartition("*")[2] for p in parameters)]
        idle = [name for name in named if name not in used]
        if "e" in used:
            lines.append("    int e;")
        lines += [f"    (void){name};" for name in idle]
        return "\n".join([*lines, text, "    return 0;", "}\n"])


def _unshaped(graph: Graph, outputs: tuple[Value, ...]) -> tuple[Value, ...]:
    """The outputs as arrays of any shape with the same elements in the same order: a shape alone is no copy."""
    made = {node.result: node.operands[0] for node in graph.nodes if node.op.name == "reshape"}

    def bare(value: Value) -> Value:
        while value in made:
            value = made[value]
        return value

    return tuple(map(bare, outputs))


def _wrapped(parameters: list[str]) -> str:
    """Parameters, several to a line."""
    rows = [", ".join(parameters[k : k + 4]) for k in range(0, len(parameters), 4)]
    return ",\n    ".join(rows)


def _told(unit: Unit) -> str:
    """What a kernel computes, and for which lines of the user's program."""
    nodes = [*unit.nodes, *unit.sums]
    names = list(dict.fromkeys(comment(node.op.name) for node in nodes))
    lines = list(dict.fromkeys(comment(node.location) for node in nodes if node.location is not None))
    words = f"{', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"
    at = f" at {', '.join(lines[:3])}{', ...' if len(lines) > 3 else ''}" if lines else ""
    return f"/* {words}{at} */"


def _by_name(graph: Graph) -> Graph:
    """With the functions that C has not as calls back, which loops are split around."""
    nodes = tuple(_call(n) if isinstance(n.op, Elementwise) and n.op.called else n for n in graph.nodes)
    return graph if nodes == graph.nodes else graph.evolve(nodes=nodes)


def _call(node: Node) -> Node:
    op = node.op
    assert isinstance(op, Elementwise)
    library = Library(
        name=op.name, doc=op.doc, call=libraries.find(op, node.location), jvp=None, vjp=None,
        types=lambda _, types, params: op.infer(types, params),
    )  # fmt: skip
    return Node(library, node.operands, node.params, node.results, node.location)
