"""The ops that have a shorter way to their Taylor coefficients than by their partials.

A rule is given the program of series (see :mod:`wengert.ir.autodiff.taylor`), a node of its tape and k > 0, and gives
the coefficient k of the node's result, None for zero.  Products with a coefficient are scaled: an exact zero on either
side gives zero, so that nothing flows along an edge that carries nothing, as in the other modes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from wengert.ir import kinds
from wengert.ir.autodiff import forward
from wengert.ir.graph import Node, Value
from wengert.ir.ops import OPS
from wengert.ir.ops.matrices import LETTERS, eye, pairing, solved
from wengert.ir.sharing import number

__all__ = ["Rule", "short_way"]

Rule: TypeAlias = Callable[[Any, Node, int], Any]

#: Integer exponents up to this one are products, which are exact where the base is 0.
_LARGEST_POWER = 64
#: Up to this order the coefficients of a determinant are exact at every rank; their cost grows faster than a power.
_EVERY_RANK = 3


def short_way(s: Any, node: Node) -> Rule | None:
    """The rule for a node that has one, or that is linear in all that moves."""
    rule, applies = RULES.get(node.op.name, (None, None))
    if rule is not None and (applies is None or applies(s, node)):
        return rule
    return _coefficientwise if _is_linear(node.op, s.moving(node)) else None


def _is_linear(op: kinds.Op, moving: list[bool]) -> bool:
    """Whether an op is linear in the operands that move, all of them together."""
    where = [i for i, m in enumerate(moving) if m]
    if isinstance(op, kinds.Elementwise):
        return all(not callable(op.partials[i]) for i in where) or (
            set(where) <= set(op.linear) and (len(where) == 1 or op is OPS["complex"]))
    if isinstance(op, kinds.Reduction | kinds.Cumulative):
        return not callable(op.partial) or (op is OPS["recurrence"] and where == [1])
    if isinstance(op, kinds.Library):
        return len(where) == 1 and where[0] in op.linear
    return isinstance(op, kinds.Movement | kinds.Indexing)


def _coefficientwise(s: Any, node: Node, k: int) -> Any:
    """A linear op is its own jvp, and maps coefficient to coefficient."""
    moving = [s.at(v, k) if m else None for v, m in zip(node.operands, s.moving(node), strict=True)]
    if all(c is None for c in moving):
        return (None,) * len(node.results)
    still, results = (tuple(s.value(v) for v in values) for values in (node.operands, node.results))
    return forward.RULES[type(node.op)](s.xp, Node(node.op, still, node.params, results, node.location), moving)


# ----- Arithmetic -----


def _multiply(s: Any, node: Node, k: int) -> Any:
    """z = x y:  z_k = sum of x_j y_{k-j}."""
    return s.cauchy(*node.operands, k)


def _contraction(s: Any, node: Node, k: int) -> Any:
    return s.cauchy(*node.operands, k, op="scale_einsum", **node.params)


def _divide(s: Any, node: Node, k: int) -> Any:
    """z = x / y:  y_0 z_k = x_k - sum of y_j z_{k-j}, j from 1."""
    x, y = node.operands
    rest = s.less(s.at(x, k), s.cauchy(y, node.result, k, 1))
    return s.product(s.xp.lift(1 / s.xp.wrap(s.value(y))), rest)


def _where(s: Any, node: Node, k: int) -> Any:
    """The coefficients of the branch that is taken."""
    c, x, y = node.operands
    if s.at(x, k) is None and s.at(y, k) is None:
        return None
    return s.builder.emit(node.op, (s.value(c), *(s.zeros(v) if s.at(v, k) is None else s.at(v, k) for v in (x, y))))


def _exponent(s: Any, node: Node) -> float | None:
    """A real exponent that is known, and one for all elements."""
    found = number(node.operands[1], s.tape.made)
    return None if found is None or found.dtype.kind == "c" or not np.isfinite(found) else float(found)


def _power(s: Any, node: Node, k: int) -> Any:
    """y = x**a:  k x_0 y_k = sum of (a j - (k - j)) x_j y_{k-j}, j from 1 (Euler's); where x_0 is 0, that of
    (x_1 t)**a, which is 0 for k < a, else infinite, NaN where x_1 is 0 but x moves.  By a small integer, a product."""
    x, y, a = node.operands[0], node.result, _exponent(s, node)
    assert a is not None
    if a == int(a) and 0 <= a <= _LARGEST_POWER:
        return s.at(_product_of(s, x, int(a)), k) if a else None
    terms = [s.times((a * j - (k - j)) / k, s.product(s.at(x, j), s.at(y, k - j))) for j in range(1, k + 1)]
    if (total := s.sum(terms)) is None:
        return None
    xp, base = s.xp, s.xp.wrap(s.value(x))
    regular = xp.scale(1 / base, xp.wrap(total))
    first = xp.zeros_like(base) if (c := s.at(x, 1)) is None else xp.wrap(c)
    size = float(np.prod([(a - i) / (i + 1) for i in range(k)]))
    leading = functools.reduce(xp.multiply, [first] * k, size * xp.power(base, a - k))
    if k > a:
        moved = (xp.wrap(c) != 0 for j in range(1, k + 1) if (c := s.at(x, j)) is not None)
        leading = xp.where(functools.reduce(xp.logical_or, moved), leading, 0.0)
    return xp.lift(xp.where(base == 0, leading, regular))


def _product_of(s: Any, x: Value, n: int) -> Value:
    """x**n by squaring, on the tape."""
    if n == 1:
        return x
    half = _product_of(s, x, n // 2)
    square = s.tape.emit(OPS["multiply"], (half, half))
    return s.tape.emit(OPS["multiply"], (square, x)) if n % 2 else square


# ----- Matrices -----


def _solve(s: Any, node: Node, k: int) -> Any:
    """a y = b:  a_0 y_k = b_k - sum of a_j y_{k-j}, j from 1."""
    a, b = node.operands
    lead = LETTERS[: len(a.type.shape) - 2]
    subscripts = f"{lead}xy,{lead}yz->{lead}xz"
    rest = s.less(s.at(b, k), s.cauchy(a, node.result, k, 1, op="scale_einsum", subscripts=subscripts))
    return None if rest is None else s.builder.emit(node.op, (s.value(a), rest), **node.params)


def _det(s: Any, node: Node, k: int) -> Any:
    """(det a)' = cofactors(a) . a'; beyond a few orders det(a) tr(a^-1 a'), which is NaN where a is singular."""

    def by_inverse(xp: Any, a: Any, rate: Any, out: Any) -> Any:
        return out * pairing(xp, eye(a, a.shape[-1]), solved(xp, a, rate))

    def by_cofactors(xp: Any, a: Any, rate: Any, out: Any) -> Any:
        return pairing(xp, xp.cofactors(a), rate)

    (a,) = node.operands
    slope = s.written(node, by_cofactors if k <= _EVERY_RANK else by_inverse, a, s.rate(a), node.result)
    return s.over(s.at(slope, k - 1), k)


def _expm(s: Any, node: Node, k: int) -> Any:
    """The exponential of the block Toeplitz matrix of a's coefficients is that of the result's."""
    (a,) = node.operands
    known = [s.xp.wrap(s.zeros(a) if (c := s.at(a, j)) is None else c) for j in range(k + 1)]
    return s.xp.lift(_corner(s.xp, s.xp.expm(_toeplitz(s.xp, known)), a.type.shape[-1]))


def _toeplitz(xp: Any, blocks: list[Any]) -> Any:
    """The blocks, all of one shape, as the first row of an upper triangular block Toeplitz matrix."""
    nothing, axis, n = xp.zeros_like(blocks[0]), len(blocks[0].shape) - 1, len(blocks)
    rows = [xp.concatenate([nothing] * i + blocks[: n - i], axis=axis) for i in range(n)]
    return xp.concatenate(rows, axis=axis - 1)


def _corner(xp: Any, x: Any, n: int) -> Any:
    """The last block of the first row."""
    return x[..., :n, x.shape[-1] - n :]


def _expm_along(s: Any, node: Node, k: int) -> Any:
    """The derivative of exp at a along e is the coefficient 1 for the coefficients a, e."""

    def by_blocks(xp: Any, a: Any, e: Any) -> Any:
        return _corner(xp, xp.expm(_toeplitz(xp, [a, e])), a.shape[-1])

    return s.at(s.written(node, by_blocks, *node.operands), k)


#: By name, a rule, and to which nodes it applies, if not to all.
RULES: dict[str, tuple[Rule, Callable[[Any, Node], bool] | None]] = {
    "multiply": (_multiply, None),
    "scale": (_multiply, None),
    "einsum": (_contraction, None),
    "scale_einsum": (_contraction, None),
    "divide": (_divide, None),
    "power": (_power, lambda s, node: _exponent(s, node) is not None),
    "where": (_where, None),
    "solve": (_solve, None),
    "det": (_det, None),
    "expm": (_expm, None),
    "expm_along": (_expm_along, lambda s, node: len(node.operands) == 2),
}
