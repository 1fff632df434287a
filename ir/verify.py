"""What makes a graph a program: numbered constraints, cited by every VerifyError.

===  ==============================================================================================
C1   Every operand is an input, a constant, or a result of a node above.
C2   Every value is defined once: inputs and results are distinct, and none is a constant.
C3   A node's op is the record that OPS holds under its name.
C4   A node has exactly the parameters its op states, each of its form and made of data.
C5   The result types are those the op infers from the operand types and the parameters.
C6   Every output, and every value a guard tests, is an input, a constant, or a result.
C7   A guard tests a bool scalar, and expects True or False.
C8   A constant's array is read-only and has exactly its type's dtype and shape.
C9   The signature is one Python accepts; its structures, and that of the results, are well formed
     and have as many leaves as there are inputs and outputs.
C10  The graphs that parameters hold satisfy all this too; none calls itself, calls nest at most
     MAX_CALL_DEPTH deep, and come to at most MAX_CALLED_NODES nodes when written out.
C11  Every type is well formed: sizes are counts, at most MAX_NDIM of them, and come to less than
     2**63 bytes; only a scalar is weak.
C12  The sizes of a symbolic graph are what the axes of its inputs tell, its constraints hold where it was
     traced, and there it is a graph that satisfies all this; no graph that it calls names sizes.
===  ==============================================================================================

A graph may have no nodes or no outputs, return an input or one value twice, and not use an input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wengert.ir.errors import GraphTypeError, SizeError, VerifyError
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Control
from wengert.ir.ops import OPS
from wengert.ir.promotion import inferred
from wengert.ir.storable import INT64, graphs_in, is_data
from wengert.ir.structure_checks import signature_and_results_fit
from wengert.ir.symbolic.schema import instantiate, sizes_complaints
from wengert.ir.symbolic.sizes import Size
from wengert.ir.types import DTYPES, SHORT_NAMES, ArrayType, is_stack

__all__ = ["called_graphs", "complaints", "symbolic_complaints", "type_complaint", "verify"]

MAX_CALL_DEPTH = 64
MAX_CALLED_NODES = 10_000_000
MAX_NDIM = 32
POLICIES = ("nothing", "contractions", "everything")
MAX_WITNESSED = 2**21  # elements of constants that sizes make, where a graph is verified

Complaints = Iterator[tuple[str, Node | None]]


def verify(graph: Graph) -> None:
    """Raise a VerifyError for the first constraint that ``graph``, or a graph it calls, breaks."""
    for number, message, node in complaints(graph):
        op, location = (None, None) if node is None else (node.op.name, node.location)
        raise VerifyError(number, message, op=op, location=location)


def complaints(graph: Graph) -> Iterator[tuple[str, str, Node | None]]:
    """Each ``(constraint, message, node)``; the first counts, as checks rely on those before."""
    if graph.sizes is not None:
        yield from symbolic_complaints(graph)
        return
    for inner in called_graphs(graph):
        where = "" if inner is graph else f"In graph {inner.name!r}: "
        for number, check in CONSTRAINTS:
            for message, node in check(inner):
                yield number, f"{where}{message}", node


def symbolic_complaints(graph: Graph) -> Iterator[tuple[str, str, Node | None]]:
    """Those of a symbolic graph: of what it says about sizes, then of the graph that it is at its witness."""
    calls = called_graphs(graph)
    if message := next(sizes_complaints(graph, calls), None):
        yield "C12", message, None
        return
    try:
        known = instantiate(graph, dict(graph.sizes.witness), limit=MAX_WITNESSED)  # type: ignore[union-attr]
    except SizeError as error:
        yield "C12", str(error), None
        return
    yield from complaints(known)


# ----- C1, C2, C6: definitions -----


def _operands_are_defined_above(graph: Graph) -> Complaints:
    known = {id(v) for v in graph.inputs}
    for node in graph.nodes:
        for k, value in enumerate(node.operands):
            if id(value) not in known and not isinstance(value, Constant):
                yield (
                    f"operand {k} of {node.op.name} is no input, constant or result above it.",
                    node,
                )
        known.update(id(v) for v in node.results)


def _values_are_defined_once(graph: Graph) -> Complaints:
    seen: set[int] = set()
    for value, node in _definitions(graph):
        what = f"a result of {node.op.name}" if node else "an input"
        if isinstance(value, Constant):
            yield f"{what} is a constant; expected a Value.", node
        if id(value) in seen:
            yield f"{what} is defined already; expected a new Value.", node
        seen.add(id(value))


def _definitions(graph: Graph) -> Iterator[tuple[Value, Node | None]]:
    yield from ((value, None) for value in graph.inputs)
    yield from ((value, node) for node in graph.nodes for value in node.results)


def _outputs_and_guards_are_defined(graph: Graph) -> Complaints:
    known = {id(value) for value, _ in _definitions(graph)}
    for k, value in enumerate(graph.guarded_outputs):
        if id(value) not in known and not isinstance(value, Constant):
            outputs = len(graph.outputs)
            which = f"output {k}" if k < outputs else f"the value of guard {k - outputs}"
            yield f"{which} is not an input, a constant or a result.", None


# ----- C3, C4, C5: nodes -----


def _ops_are_known(graph: Graph) -> Complaints:
    for node in graph.nodes:
        if OPS.get(node.op.name) is not node.op:
            yield f"{node.op.name!r} is not an op of this version of wengert.", node


def _is_int(value: Any) -> bool:
    return type(value) is int and value in INT64


def _are_ints(value: Any) -> bool:
    return type(value) is tuple and all(map(_is_int, value))


def _is_bool(value: Any) -> bool:
    return type(value) is bool


def _are_graphs(value: Any) -> bool:
    return type(value) is tuple and all(isinstance(graph, Graph) for graph in value)


#: The form of a parameter goes by its name; an op's own rule then checks the value.
FORMS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "axes":       ("a tuple of ints",         _are_ints),
    "axis":       ("an int",                  _is_int),
    "back":       ("a Graph",                 lambda value: isinstance(value, Graph)),
    "carries":    ("an int",                  _is_int),
    "condition":  ("a Graph",                 lambda value: isinstance(value, Graph)),
    "consts":     ("an int",                  _is_int),
    "dtype":      ("the name of a dtype",     lambda value: type(value) is str and value in DTYPES),
    "graph":      ("a Graph",                 lambda value: isinstance(value, Graph) or value is None),
    "graphs":     ("a tuple of Graphs",       _are_graphs),
    "jvp":        ("a Graph or None",         lambda value: value is None or isinstance(value, Graph)),
    "length":     ("an int",                  _is_int),
    "policy":     ("'nothing', 'contractions' or 'everything'", lambda value: value in POLICIES),
    "reverse":    ("a bool",                  _is_bool),
    "shape":      ("a tuple of ints",         _are_ints),
    "size":       ("an int or ints",          lambda value: _is_int(value) or _are_ints(value)),
    "start":      ("a tuple of ints",         _are_ints),
    "step":       ("a tuple of ints",         _are_ints),
    "subscripts": ("ASCII letters",           lambda value: type(value) is str and value.isascii()),
    "vjp":        ("a Graph or None",         lambda value: value is None or isinstance(value, Graph)),
    "weak":       ("a bool",                  _is_bool),
}  # fmt: skip
ANY_DATA = ("None, a bool, an int, a float, a str, a Graph or a tuple of these", is_data)


def _params_are_as_stated(graph: Graph) -> Complaints:
    for node in graph.nodes:
        if set(node.params) != set(node.op.params):
            stated, given = ", ".join(node.op.params), ", ".join(map(repr, node.params))
            yield f"{node.op.name} takes the parameters ({stated}), got ({given}).", node
        for name, value in node.params.items():
            expected, holds = FORMS.get(name, ANY_DATA)
            if not holds(value):
                yield f"{node.op.name}: expected {expected} for {name}, got {value!r:.200}.", node


def _types_are_inferred(graph: Graph) -> Complaints:
    for node in graph.nodes:
        types = tuple([v.type for v in node.operands])
        if any(map(is_stack, types)) and not isinstance(node.op, Control):
            yield f"{node.op.name} does not take stacks, which only loops do.", node
            continue
        stated = tuple([v.type for v in node.results])
        try:
            found = node.op.infer(types, node.params) if node.params else inferred(node.op, types)
        except GraphTypeError as error:
            yield str(error), node
        except Exception as error:  # noqa: BLE001 (a rule meets here whatever a file says)
            yield (
                f"{node.op.name} does not take these operands and parameters: {error!r:.200}.",
                node,
            )
        else:
            if stated != found:
                yield (
                    f"{node.op.name} gives {_list(found)}, but the graph says {_list(stated)}.",
                    node,
                )


def _list(types: tuple[ArrayType, ...]) -> str:
    return ", ".join(map(str, types))


# ----- C7, C8, C11: guards, constants, types -----


def _guards_are_bool_scalars(graph: Graph) -> Complaints:
    for k, guard in enumerate(graph.guards):
        if guard.value.type != ArrayType(np.dtype(bool)):
            yield f"guard {k} tests a value of type {guard.value.type}; expected bool[].", None
        if type(guard.expected) is not bool:
            yield f"guard {k} expects {guard.expected!r:.200}; expected True or False.", None


def _constants_match_their_types(graph: Graph) -> Complaints:
    for constant in graph.constants:
        array, type_ = constant.array, constant.type
        if (
            type(array) is not np.ndarray
            or array.dtype != type_.dtype
            or array.shape != type_.shape
        ):
            got = f"{getattr(array, 'dtype', type(array).__name__)} {getattr(array, 'shape', '')}"
            yield f"a constant of type {type_} holds {got}; make it with Constant.of.", None
        elif array.flags.writeable:
            yield f"a constant of type {type_} can be written to; make it with Constant.of.", None


def type_complaint(type_: ArrayType, *, symbolic: bool = False) -> str | None:
    """What is wrong with a type, or None; of a ``symbolic`` one, with what is known of it."""
    shape: Any = type_.shape
    shape = tuple(1 if symbolic and type(n) is Size else n for n in shape) if type(shape) is tuple else shape
    if (
        type_.dtype not in SHORT_NAMES
        or type(shape) is not tuple
        or not _are_ints(shape)
        or min(shape[is_stack(type_) :], default=0) < 0
    ):
        return (
            f"expected a known dtype and sizes that are counts, got {type_.dtype} {shape!r:.200}."
        )
    if len(shape) > MAX_NDIM:
        return f"expected at most {MAX_NDIM} axes, got {len(shape)}."
    volume = type_.dtype.itemsize
    for n in shape:
        volume *= max(n, 1)  # NumPy, too, counts an empty array's other axes
    if volume not in INT64:
        return f"expected less than 2**63 bytes, got {type_}."
    if type_.weak and shape:
        return f"expected a scalar where a type is weak, got {type_}."
    return None


def _types_are_well_formed(graph: Graph) -> Complaints:
    checked: set[ArrayType] = set()
    constants = ((constant, None) for constant in graph.constants)
    for value, node in (*_definitions(graph), *constants):
        if value.type not in checked and (message := type_complaint(value.type)):
            yield message, node
        checked.add(value.type)


#: C10 is checked before these, by called_graphs: it finds the graphs to check.
CONSTRAINTS: tuple[tuple[str, Callable[[Graph], Complaints]], ...] = (
    ("C1",  _operands_are_defined_above),
    ("C2",  _values_are_defined_once),
    ("C3",  _ops_are_known),
    ("C4",  _params_are_as_stated),
    ("C5",  _types_are_inferred),
    ("C6",  _outputs_and_guards_are_defined),
    ("C7",  _guards_are_bool_scalars),
    ("C8",  _constants_match_their_types),
    ("C9",  signature_and_results_fit),
    ("C11", _types_are_well_formed),
)  # fmt: skip


# ----- C10: graphs in parameters -----


def called_graphs(graph: Graph) -> tuple[Graph, ...]:
    """Every graph that ``graph`` calls, in any way, each after those it calls; then itself."""
    done: dict[int, Graph] = {}
    open_: set[int] = set()
    depth: dict[int, int] = {}
    nodes: dict[int, int] = {}
    todo = [(graph, False)]
    while todo:
        current, expanded = todo.pop()
        key = id(current)
        if key in done:
            continue
        calls = [(inner, node) for node in current.nodes if node.params for inner in graphs_in(node.params)]
        if not expanded:
            open_.add(key)
            todo.append((current, True))
            for inner, node in reversed(calls):
                if id(inner) in open_:
                    _refuse(current, "calls itself.", node)
                todo.append((inner, False))
            continue
        open_.discard(key)
        depth[key] = 1 + max((depth[id(inner)] for inner, _ in calls), default=0)
        nodes[key] = len(current.nodes) + sum(nodes[id(inner)] for inner, _ in calls)
        if depth[key] > MAX_CALL_DEPTH:
            _refuse(current, f"nests calls more than {MAX_CALL_DEPTH} deep.")
        if nodes[key] > MAX_CALLED_NODES:
            _refuse(
                current,
                f"comes to {nodes[key]} nodes, calls written out; at most {MAX_CALLED_NODES}.",
            )
        done[key] = current
    return tuple(done.values())


def _refuse(graph: Graph, message: str, node: Node | None = None) -> None:
    op, location = (None, None) if node is None else (node.op.name, node.location)
    raise VerifyError("C10", f"graph {graph.name!r} {message}", op=op, location=location)
