"""What a program is: values, nodes, a graph.

The whole grammar, as ``print(graph)`` shows it (``*`` is any number, ``?`` none or one)::

    program   = graph*                                 called graphs come first, the program last
    graph     = "graph" name "(" input* ")" "{" line* "}"
    input     = value ":" type
    line      = value ":" type "=" "constant" array
              | "takes" "(" parameter* ")"             the signature, with / and * as in Python
              | "gives" tree                           the structure of the results
              | value* ":" type* "=" op operand* param* location?
              | "guard" operand "is" ("True" | "False") location?
              | "return" operand*
    value     = %id [":" name]                         its name in the user's program
    type      = dtype ["*"] "[" sizes "]"              the star marks a weak (Python) scalar
    operand   = %id | number [":" type]                1: i64*[], 1.0: f64*[], True: bool[]
    param     = name "=" literal                       Python's literals, and @ a graph's name
    parameter = ["*" | "**"] name ":" tree ["=" default]
    tree      = "%" | "None" | "True" | "False" | string            "%" is the next input or output
              | "(" tree* ")" | "[" tree* "]" | "{" (key ":" tree)* "}"
              | ("namedtuple" | "dataclass" | "attrs") class "(" (field "=" tree)* ")"
    location  = "#" module "." function ":" line

A default is a tree with an operand for each "%".  Commas stand between values, types, inputs and
items; spaces between operands and parameters.

A graph is a straight line: a node may read only inputs, constants and values defined above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, field, frozen

from wengert.ir.types import ArrayType, type_of

if TYPE_CHECKING:
    from wengert.ir.kinds import Op
    from wengert.ir.structure import Signature, Structure
    from wengert.ir.symbolic.schema import Sizes

__all__ = ["Constant", "Graph", "Guard", "Location", "Node", "Renamed", "Value"]


@frozen(slots=True)
class Location:
    """Where in the user's program: module, function and line; never a path."""

    module: str
    function: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}.{self.function}:{self.line}"


@frozen(slots=True, eq=False, repr=False)
class Value:
    """One array in a program: an input, or what a node computes."""

    type: ArrayType
    name: str | None = None

    def __repr__(self) -> str:
        return f"<{self.name or 'value'}: {self.type}>"


@frozen(slots=True, eq=False, repr=False)
class Constant(Value):
    """A value that is known: ``array`` is read-only and has exactly the type's dtype and shape."""

    array: np.ndarray[Any, Any] = field(kw_only=True)

    @classmethod
    def of(cls, value: Any) -> Constant:
        """The constant for a Python scalar, NumPy scalar or array (copied)."""
        type_ = type_of(value)
        array = np.array(value, dtype=type_.dtype, order="C")
        array.setflags(write=False)
        return cls(type_, array=array)

    @property
    def key(self) -> tuple[ArrayType, bytes]:
        """Equal keys, equal constants (NaN payloads and the sign of zero told apart)."""
        return self.type, self.array.tobytes()


@frozen(slots=True, eq=False)
class Node:
    """One application of an op: arrays positionally, metadata by keyword."""

    op: Op
    operands: tuple[Value, ...]
    params: dict[str, Any]
    results: tuple[Value, ...]
    location: Location | None = None

    @property
    def result(self) -> Value:
        """The only result of a one-result op."""
        (result,) = self.results
        return result


@frozen(slots=True)
class Guard:
    """A branch that was taken: the graph is right only where ``value`` is ``expected``."""

    value: Value
    expected: bool
    location: Location | None = None


@frozen(slots=True, eq=False)
class Graph:
    """A program: inputs, nodes in topological order, outputs, and the guards it was traced under.

    ``signature`` and ``results`` say how nested arguments and results map to the flat inputs and
    outputs; without them the graph takes its inputs and returns a tuple.  ``sizes`` are the named
    sizes of a symbolic graph (see :mod:`wengert.ir.symbolic.schema`).
    """

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    guards: tuple[Guard, ...] = ()
    name: str = "graph"
    signature: Signature | None = None
    results: Structure | None = None
    sizes: Sizes | None = None

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Every constant used, each once, in order of first use."""
        used = (v for v in self.used_values() if isinstance(v, Constant))
        return tuple(dict.fromkeys(used))

    @property
    def guarded_outputs(self) -> tuple[Value, ...]:
        """The outputs, then the value of each guard: what a backend computes."""
        return (*self.outputs, *(guard.value for guard in self.guards))

    def used_values(self) -> Iterator[Value]:
        """Each operand, output and guard, in order, with repetitions."""
        for node in self.nodes:
            yield from node.operands
        yield from self.guarded_outputs

    def __reduce__(self) -> Any:
        from wengert.ir.wire import from_bytes, to_bytes  # likewise

        return from_bytes, (to_bytes(self),)

    def evolve(self, **changes: Any) -> Graph:
        """A copy with some fields replaced."""
        return evolve(self, **changes)

    def __str__(self) -> str:
        from wengert.ir.text import dump  # the printer sits above the data it prints

        return dump(self, elide=True)


class Renamed(dict[Value, Value]):
    """What stands for each value of a graph that is written again: a constant is adopted, others are themselves."""

    def __init__(self, adopt: Callable[[Constant], Value], pairs: Iterable[tuple[Value, Value]] = ()) -> None:
        super().__init__(pairs)
        self.adopt = adopt

    def __missing__(self, value: Value) -> Value:
        self[value] = new = self.adopt(value) if isinstance(value, Constant) else value
        return new
