"""What an op is: a thin record of one of eight kinds.

Backends implement kinds, not ops; a record states its mathematics once and the kinds derive the rest.

*Rules* (bodies, partials, transposes, jvps) are functions of a namespace ``xp`` and of operands.
``xp`` has every elementwise op by name, and the NumPy-like functions of
:class:`wengert.ir.build.Namespace`; operands have operators, ``shape`` and ``dtype``.  The same rule is
handed IEEE scalars by the reference, arrays by the vectorized backend, and a Builder's operands
by the graph-to-graph transforms.  Literals in a rule are weak, so float32 stays float32.

Conventions: ``out`` is the result, ``g`` a cotangent, ``t`` a tangent, ``x, y`` operands.
A partial is a callable, the number 1 or -1, CONJUGATE, None where the op is locally constant, or ``Unknown`` where it
depends on the operand by no rule we know.

*Complex numbers.*  The gradient of u: C -> R at z = x + iy is du/dx - i du/dy, and a cotangent g is paired with a
tangent t by ``Re(sum(g t))``, without a conjugate.  So one rule covers all partials p: **the tangent is p t, the real
part of it where the result is real; the cotangent is p g, the real part of it where the operand is real.**
A holomorphic op states p = df/dz.  An op from C to R states du/dx - i du/dy, which is 2 du/dz: it fixes both Wirtinger
derivatives, du/dz = p / 2 and du/dconj(z) = conj(p) / 2.  An op from R to C states df/dx.  What is left is the
conjugate, df/dz = 0 and df/dconj(z) = 1: its partial is the marker CONJUGATE, the conjugate of what it meets in both
modes, as Re(g conj(t)) = Re(conj(g) t).  An op that is none of these is a composition of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from attrs import field, frozen

from wengert.ir.errors import GraphTypeError
from wengert.ir.partials import CONJUGATE, Interval, Partial, Rule, Unknown, above, between
from wengert.ir.pieces import Piece, c_strides
from wengert.ir.types import ArrayType

__all__ = [
    "CONJUGATE",
    "Contraction",
    "Control",
    "Cumulative",
    "Elementwise",
    "Indexing",
    "Interval",
    "Library",
    "Movement",
    "Op",
    "Piece",
    "Reduction",
    "Unknown",
    "above",
    "between",
    "c_strides",
]

Types: TypeAlias = tuple[ArrayType, ...]
Params: TypeAlias = dict[str, Any]


FOLDS = ("+", "*", "max", "min", "and", "or", "argmax", "argmin")
#: Running folds.  "linear" has two operands, carry and x: each result is carry times the one before, plus x.
RUNNING = ("+", "*", "max", "min", "linear")

#: Primitive scalar meanings.  They depend on the dtype class (bool ``+`` is *or*, ints wrap, ``//`` floors),
#: so every backend defines each of them once per class.
SYMBOLS = (
    "+", "-", "*", "/", "//", "%", "**", "neg", "abs", "<", "<=", ">", ">=", "==", "!=",
    "&", "|", "^", "~", "<<", ">>", "and", "or", "xor", "not", "?:", "cast", "identity",
    "real", "imag", "conj", "complex",
)  # fmt: skip


def refuse(op: Op, message: str) -> GraphTypeError:
    """An error about the operands or parameters of ``op``."""
    return GraphTypeError(f"{op.name}: {message}", op=op.name)


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Op:
    """What every op states.  Ops are compared by identity; a file names them by name and version."""

    function: Any = None
    name: str = field()
    doc: str
    params: tuple[str, ...] = ()
    version: int = 1

    @name.default
    def _name(self) -> str:
        return str(self.function.__name__)

    @property
    def kind(self) -> str:
        """The name of the kind."""
        return type(self).__name__

    def check_params(self, params: Params) -> None:
        """Raise unless exactly the stated parameters are given."""
        if tuple(sorted(params)) != tuple(sorted(self.params)):
            raise refuse(self, f"expected the parameters {self.params}, got {tuple(params)}.")

    def infer(self, types: Types, params: Params) -> Types:
        """The result types; raises GraphTypeError where the op is not defined."""
        raise refuse(self, "this kind does not infer types.")

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


def _ufunc_dtype(function: Any, dtypes: tuple[np.dtype[Any], ...]) -> np.dtype[Any] | None:
    """The result dtype of a ufunc's loop for exactly these operand dtypes, if there is one."""
    try:
        resolved = function.resolve_dtypes((*dtypes, None))
    except TypeError:
        return None
    return resolved[-1] if resolved[:-1] == dtypes else None


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Elementwise(Op):
    """One scalar function, mapped.

    States its scalar meaning in exactly one of three ways: ``symbol`` (one of SYMBOLS), ``libm`` (a C99
    name) or ``body`` (a rule over other ops); one ``partial`` per operand, called as
    ``partial(xp, out, *operands)``; the operands it is ``linear`` in.  The dtype rule is read off the ufunc, or
    given by ``types(dtypes, params)``.

    ``library`` is for a function that is not NumPy's: its dotted name in the library, imported when it is first
    needed (with ``[k]`` behind it, the k-th of its results).  The tracer finds the op by it, and backends that
    compute with libraries call it; an op with no scalar meaning of ours may state it alone, and is then called by
    name everywhere, while fusion around it, partials and both modes are those of any other scalar function.
    """

    symbol: str | None = None
    libm: str | None = None
    body: Rule | None = None
    library: str | None = None
    partials: tuple[Partial, ...] = ()
    linear: tuple[int, ...] = ()
    domain: tuple[Interval, ...] = ()
    types: Callable[[tuple[np.dtype[Any], ...], Params], np.dtype[Any] | None] | None = None

    def __attrs_post_init__(self) -> None:
        meanings = [m for m in (self.symbol, self.libm, self.body) if m is not None]
        if len(meanings) != 1 and (meanings or self.library is None):
            raise refuse(self, "state exactly one of symbol, libm and body; or library alone.")
        if self.symbol is not None and self.symbol not in SYMBOLS:
            raise refuse(self, f"unknown symbol {self.symbol!r}.")
        if self.types is None and getattr(self.function, "nin", None) != len(self.partials):
            raise refuse(self, "state one partial per operand of the ufunc, or the dtype rule.")

    @property
    def arity(self) -> int:
        """How many operands."""
        return len(self.partials)

    @property
    def called(self) -> bool:
        """Whether its only meaning is a library's."""
        return self.symbol is None and self.libm is None and self.body is None

    def result_dtype(self, dtypes: tuple[np.dtype[Any], ...], params: Params) -> np.dtype[Any] | None:
        """The dtype of the result, or None where the op has no loop for exactly these dtypes."""
        if self.types is not None:
            return self.types(dtypes, params)
        return _ufunc_dtype(self.function, dtypes)

    def infer(self, types: Types, params: Params) -> Types:
        if len(types) != self.arity:
            raise refuse(self, f"expected {self.arity} operands, got {len(types)}.")
        shapes = {t.shape for t in types}
        if len(shapes) != 1:
            raise refuse(self, f"operands must have one shape, got {sorted(shapes)}; insert broadcast_to.")
        dtypes = tuple(t.dtype for t in types)
        dtype = self.result_dtype(dtypes, params)
        if dtype is None:
            raise refuse(self, f"not defined for dtypes {', '.join(map(str, dtypes))}; insert cast.")
        weak = params["weak"] if "weak" in params else all(t.weak for t in types)
        return (ArrayType(dtype, types[0].shape, bool(weak) and dtype.kind != "b"),)


def normal_axes(op: Op, axes: Any, ndim: int) -> tuple[int, ...]:
    """Check a tuple of distinct axes, each from 0 to ndim - 1."""
    ok = isinstance(axes, tuple) and all(type(a) is int and 0 <= a < ndim for a in axes)
    if not ok or len(set(axes)) != len(axes):
        raise refuse(op, f"axes must be distinct and from 0 to {ndim - 1}, got {axes!r}.")
    return axes


def _one_operand(op: Op, types: Types) -> ArrayType:
    if len(types) != 1:
        raise refuse(op, f"expected one operand, got {len(types)}.")
    return types[0]


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Reduction(Op):
    """A fold over ``axes``, which are dropped.

    ``partial(xp, out, x, axes)`` is what each element contributes, ``out`` with its axes kept at
    size 1; the number 1 where the op is linear; None where it is locally constant.
    """

    fold: str
    partial: Partial
    params: tuple[str, ...] = ("axes",)
    result: np.dtype[Any] | None = None
    domain: tuple[Interval, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.fold not in FOLDS:
            raise refuse(self, f"unknown fold {self.fold!r}.")

    @property
    def has_identity(self) -> bool:
        """Whether an empty reduction is defined."""
        return self.fold in ("+", "*", "and", "or")

    def infer(self, types: Types, params: Params) -> Types:
        x = _one_operand(self, types)
        axes = normal_axes(self, params["axes"], x.ndim)
        if self.fold in ("and", "or") and x.dtype.kind != "b":
            raise refuse(self, f"expected bool, got {x.dtype}; insert cast.")
        if not self.has_identity and 0 in (x.shape[a] for a in axes):
            raise refuse(self, f"zero-size array of shape {x.shape} to a reduction without identity.")
        shape = tuple(n for a, n in enumerate(x.shape) if a not in axes)
        return (ArrayType(self.result or x.dtype, shape),)


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Cumulative(Op):
    """A running fold along ``axis``, from the end where ``reverse``.

    ``partial(xp, out, *operands, axis, reverse)`` gives the carry, what a result passes on to the next, and what each
    operand contributes: the tangent of the result is the fold "linear" of the carry and the sum of contributions
    times tangents, its transpose the same fold from the other end.  The number 1 where the op is its own jvp.
    """

    fold: str
    partial: Rule | int
    params: tuple[str, ...] = ("axis", "reverse")

    def __attrs_post_init__(self) -> None:
        if self.fold not in RUNNING:
            raise refuse(self, f"unknown running fold {self.fold!r}.")

    def infer(self, types: Types, params: Params) -> Types:
        x = types[-1] if self.fold == "linear" else _one_operand(self, types)
        if self.fold == "linear" and (types != (x, x) or x.dtype.kind not in "fc"):
            raise refuse(self, f"expected two inexact operands of one type, got {', '.join(map(str, types))}.")
        if self.fold in ("max", "min") and x.dtype.kind == "c":
            raise refuse(self, "complex numbers have no order here.")
        normal_axes(self, (params["axis"],), x.ndim)
        return (x.with_shape(x.shape),)


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Movement(Op):
    """Elements moved, repeated or dropped, as data: linear, and the same for every dtype.

    ``shape(op, shapes, params)`` checks and gives the output shape; ``pieces(shapes, out, params)`` says where each
    element comes from; ``transpose(xp, g, k, shapes, params)`` is the cotangent of operand ``k`` as ops (the
    reference reads the pieces backwards instead; a law holds the two together).
    """

    shape: Callable[[Any, tuple[tuple[int, ...], ...], Params], tuple[int, ...]]
    pieces: Callable[[tuple[tuple[int, ...], ...], tuple[int, ...], Params], tuple[Piece, ...]]
    transpose: Rule
    variadic: bool = False

    def infer(self, types: Types, params: Params) -> Types:
        if not self.variadic:
            _one_operand(self, types)
        if not types or len({t.dtype for t in types}) != 1:
            raise refuse(self, f"operands must have one dtype, got {', '.join(map(str, types))}.")
        shape = self.shape(self, tuple(t.shape for t in types), params)
        return (ArrayType(types[0].dtype, shape, all(t.weak for t in types) and not shape),)


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Contraction(Op):
    """A sum of products over named axes of two operands: bilinear.

    ``subscripts`` is ``"ij,jk->ik"``: no letter twice in an operand, and each in two of the three places at least.
    ``scaled`` marks the product of a partial with a tangent or cotangent, in which a term with an
    exact zero is zero.
    """

    scaled: bool = False
    params: tuple[str, ...] = ("subscripts",)

    @staticmethod
    def split(subscripts: str) -> tuple[str, str, str]:
        """The letters of x, of y, and of the result."""
        operands, _, out = subscripts.partition("->")
        x, _, y = operands.partition(",")
        return x, y, out

    def infer(self, types: Types, params: Params) -> Types:
        if len(types) != 2 or types[0].dtype != types[1].dtype:
            raise refuse(self, f"expected two operands of one dtype, got {', '.join(map(str, types))}.")
        terms = self.split(params["subscripts"])
        sizes: dict[str, int] = {}
        for term, type_ in zip(terms[:2], types, strict=True):
            if len(term) != type_.ndim or len(set(term)) != len(term) or not (term + "a").isalpha():
                raise refuse(self, f"{params['subscripts']!r} does not fit an operand of type {type_}.")
            for letter, n in zip(term, type_.shape, strict=True):
                if sizes.setdefault(letter, n) != n:
                    raise refuse(self, f"axis {letter!r} has sizes {sizes[letter]} and {n}.")
        joined = "".join(terms)
        if len(set(terms[2])) != len(terms[2]) or any(joined.count(c) < 2 for c in joined):
            raise refuse(self, f"{params['subscripts']!r}: each letter must stand in two of three places.")
        return (ArrayType(types[0].dtype, tuple(sizes[c] for c in terms[2])),)


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Indexing(Op):
    """Gather or scatter-add with integer indices known only at run time; linear in the operand ``linear``.

    Indices are from 0 to n - 1; anything else is an IndexError when run, never clamped.
    """

    gather: bool
    shape: Callable[[Any, tuple[tuple[int, ...], ...], Params], tuple[int, ...]]
    transpose: Rule

    def infer(self, types: Types, params: Params) -> Types:
        if len(types) != 2 or types[1].dtype != np.int64:
            raise refuse(self, f"expected an array and int64 indices, got {', '.join(map(str, types))}.")
        return (ArrayType(types[0].dtype, self.shape(self, tuple(t.shape for t in types), params)),)


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Library(Op):
    """A NumPy call with its jvp, in words of other ops.

    ``call(*arrays, **params)`` returns one array or a tuple of several; ``types(op, types, params)`` one type for each.
    ``jvp(xp, out, primals, tangents, params)`` is the tangent of the result and ``vjp(xp, g, k, out, primals, params)``
    the cotangent of operand ``k``; both rules are None where the op is locally constant.  Of an op with several
    results ``out`` and ``g`` are tuples, and jvp returns one.  A tangent or cotangent, given or returned, may be
    None: nothing flows.  Tangents and cotangents pass through linear ops alone, ``xp.scale`` for a product.
    In each of the operands ``linear`` the vjp is the transpose: it reads neither that operand nor ``out``, which are
    None when a linear graph is transposed.  Ops take stacks: one more leading axis of every operand is one more of
    every result, and a parameter ``axis`` is then one more; see :mod:`wengert.ir.batching`.
    """

    call: Callable[..., Any]
    types: Callable[[Any, Types, Params], Types]
    jvp: Rule | None
    vjp: Rule | None
    linear: tuple[int, ...] = ()

    def infer(self, types: Types, params: Params) -> Types:
        return self.types(self, types, params)

    def run(self, arrays: Any, params: Params, location: Any) -> Any:
        """The call; what NumPy cannot solve is its own error, at the user's line."""
        try:
            return self.call(*arrays, **params)
        except np.linalg.LinAlgError as error:
            where = f" (at {location})" if location is not None else ""
            raise np.linalg.LinAlgError(f"{error}{where}") from error


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Control(Op):
    """Sub-graphs run under a rule.

    ``types(op, types, params)`` gives the result types.  ``drive(machine, operands, params)`` says which sub-graph is
    run when, on what, and gives the results: every interpreter and mode is a *machine* that it is run on
    (:mod:`wengert.ir.driving`).  ``inline(builder, operands, params)`` emits the same program without the op, where
    there is one of the same size; None for a loop.
    """

    types: Callable[[Any, Types, Params], Types]
    drive: Callable[..., Any]
    inline: Rule | None = None

    def infer(self, types: Types, params: Params) -> Types:
        return self.types(self, types, params)
