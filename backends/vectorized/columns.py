"""Loops on a few numbers backwards: a step is a matrix, and those of all steps are computed at once.

What a step hands back is linear in what the next one has handed to it.  So a loop leaves what it carried, nothing else;
from that all steps are computed again in a few calls of NumPy, on arrays of the numbers of all steps, and with them how
each answers to each unit vector.  What is left to do one step after the other is a product of a small matrix and a
vector; what a loop reads is then given what all steps hand back to it in a few calls more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.assembled import assembled
from wengert.backends.vectorized import number_loops
from wengert.backends.vectorized.arrays import elementwise_function
from wengert.backends.vectorized.numbers import Written, elements, tuple_of, written
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS

__all__ = ["both"]

#: Steps that are computed at once.  In operations on plain numbers: what a call on arrays costs, and a number that goes
#: from an array to a list or back; of so many numbers an array costs one more.
BLOCK, CALL, MOVED, EACH = 4096, 45, 2, 16
#: Steps from which on it may pay, and numbers that are carried up to which it may.
LEAST, WIDEST = 64, 8


def _total(x: Any, n: int) -> Any:
    return np.add.reduce(x) if np.ndim(x) else n * x


def _backwards(x: Any, n: int) -> list[float]:
    return x[::-1].tolist() if np.ndim(x) else [float(x)] * n  # type: ignore[no-any-return]


_SCOPE = {
    "array": np.array, "empty": np.empty, "total": _total, "backwards": _backwards, "d": np.float64,
    "np_scaled": elementwise_function(OPS["scale"]),
    **{f"np_{f.__name__}": f for f in (np.where, np.logical_and, np.logical_or, np.logical_not, np.sqrt)},
}  # fmt: skip


def both(
    node: Node, first: Graph, second: Graph, fixed: Sequence[int], ends: Sequence[int], active: Sequence[int],
    live: Sequence[bool],
) -> tuple[Callable[..., Any], Callable[..., Any]] | None:  # fmt: skip
    """A loop and its pullback, of what it left, of the consts that are ``fixed`` and of the cotangents of ``ends``;
    None where steps are not for numbers, or better taken one by one.

    ``first`` and ``second`` are what a step does before there are cotangents, and with them.
    """
    params, ins, stop = node.params, node.params["graph"].inputs, len(node.results)
    n, c, m, flip = params["length"], params["consts"], params["carries"], "[::-1]" if params["reverse"] else ""
    names = [elements(f"{'k' if i < c else 'c' if i < c + m else 'x'}{i}", v) for i, v in enumerate(ins)]
    values = first.evolve(outputs=first.outputs[:stop])
    saved = first.evolve(outputs=first.outputs[stop:])
    early = written(saved, names, "v", columns=True)
    if early is None:
        return None
    if n < LEAST or sum(v.type.size for i, v in enumerate(ins) if c <= i < c + m) > WIDEST:
        return None
    given = second.inputs[len(second.inputs) - len(ends) :]
    carried = [elements(f"q{i}", v) for i, v in zip(ends, given, strict=True) if i < m]
    rows = [elements(f"y{i}", v) for i, v in zip(ends, given, strict=True) if i >= m]
    flat = [x for each in carried for x in each]
    state = [i for i in active if c <= i < c + m]
    shares = [i for i in active if live[i] and i not in state]
    of = dict(zip(active, second.outputs, strict=True))

    def part(prefix: str, which: Sequence[int], moving: Callable[[str], str], *, arrive: bool) -> Written | None:
        arriving = rows if arrive else [("",) * len(each) for each in rows]
        inputs = [*(names[i] for i in fixed), *early.outputs, *(tuple(map(moving, each)) for each in carried), *arriving]
        outputs = tuple(of[i] for i in which)
        return written(second.evolve(outputs=outputs), inputs, prefix, derived=range(len(outputs)), columns=True)

    parts = [part(f"m{j}_", state, lambda x, one=one: "(1.0)" if x == one else "", arrive=False)  # type: ignore[misc]
             for j, one in enumerate(flat)]  # fmt: skip
    parts.append(part("b", state, lambda x: "", arrive=True))
    parts.append(part("w", shares, lambda x: x, arrive=True))
    whole = part("w", list(active), lambda x: x, arrive=True)
    if whole is None or any(each is None for each in parts):
        return None
    *units, more, rest = parts
    columns = [[x for names_of in each.outputs for x in names_of] for each in (*units, more)]  # type: ignore[union-attr]
    entries = [x for each in columns for x in each if x != "(0.0)"]
    calls = early.size + sum(each.size for each in parts)  # type: ignore[union-attr]
    size = sum(v.type.size for v in saved.outputs)
    at_once = calls * (CALL * -(-n // BLOCK) + n // EACH) + n * (
        2 * len(entries) + 2 * len(flat) + MOVED * (len(entries) + 3 * len(flat)))
    if 5 * at_once > 4 * n * (whole.size + 2 * size):
        return None
    there = number_loops.forward(node, values, leaves=True)
    if there is None:
        return None

    # What is done once, for each block of steps, and at the end.
    before, block, results = [], [], []
    arguments = ["kept", *(f"h{i}_" for i in fixed), *(f"g{i}_" for i in ends)]
    left = [x for i in range(c, c + m) for x in names[i]]
    operands = [f"{'k' if i < c else 'c' if i < c + m else 'x'}{i}_" for i in range(len(ins))]
    before.append(f"{tuple_of([*(f's_{x}' for x in left), *operands])}= kept")
    block += [f"hi = min(lo + {BLOCK}, {n})", *(f"{x} = array(s_{x}[lo:hi])" for x in left)]
    for i, v in enumerate(ins):
        if i < c:
            before += [f"{operands[i]} = {operands[i]}.reshape({v.type.size})",
                       *(f"{x} = {operands[i]}[{j}, ...]" for j, x in enumerate(names[i]))]  # fmt: skip
        elif i >= c + m:
            before.append(f"{operands[i]} = {operands[i]}.reshape({(n, v.type.size)}){flip}")
            block += [f"{x} = {operands[i]}[lo:hi, {j}]" for j, x in enumerate(names[i])]
    for each, i in zip(rows, ends[len(carried) :], strict=True):
        before.append(f"g{i}_ = g{i}_.reshape({(n, len(each))}){flip}")
        block += [f"{x} = g{i}_[lo:hi, {j}]" for j, x in enumerate(each)]
    for each, i in zip(carried, ends, strict=False):
        before.append(f"{tuple_of([f'g_{x}' for x in each])}= g{i}_.ravel().tolist()")
    block += early.lines + [line for each in (*units, more) for line in each.lines]  # type: ignore[union-attr]
    if flat:
        texts = {x: f"e{j}" for j, x in enumerate(dict.fromkeys(entries))}
        sums = [" + ".join([
            *(f"{texts[unit[r]]} * g_{x}" for unit, x in zip(columns, flat, strict=False) if unit[r] in texts),
            *(texts[unit[r]] for unit in columns[-1:] if unit[r] in texts),
        ]) or "0.0" for r in range(len(flat))]  # fmt: skip
        lists = "".join(f"backwards({x}, hi - lo), " for x in texts)
        block += [f"t_{x} = []" for x in flat]
        block += [f"for {tuple_of([*texts.values(), '_'])}in zip({lists}range(lo, hi)):",
                  *(f"    t_{x}.append(g_{x})" for x in flat),
                  f"    {tuple_of([f'g_{x}' for x in flat])}= {tuple_of(sums)}",
                  *(f"{x} = array(t_{x}[::-1])" for x in flat)]  # fmt: skip
    block += rest.lines  # type: ignore[union-attr]
    found = dict(zip(shares, rest.outputs, strict=True))  # type: ignore[union-attr]
    for i in active:
        v = ins[i]
        if i in state and live[i]:
            each = carried[state.index(i)]
            results.append(f"array([{', '.join(f'g_{x}' for x in each)}]).reshape({v.type.shape})" if v.type.shape
                           else f"d(g_{each[0]})")  # fmt: skip
        elif i in found and i < c:
            totals = elements(f"a{i}", v)
            before += [f"{x} = 0.0" for x in totals]
            block += [f"{a} += total({x}, hi - lo)" for a, x in zip(totals, found[i], strict=True)]
            results.append(f"array([{', '.join(totals)}]).reshape({v.type.shape})" if v.type.shape else f"d({totals[0]})")
        elif i in found:
            before += [f"z{i} = empty({(n, v.type.size)})", f"r{i} = z{i}{flip}"]
            block += [f"r{i}[lo:hi, {j}] = {x}" for j, x in enumerate(found[i])]
            results.append(f"z{i}.reshape({(n, *v.type.shape)})")
    scope = dict(_SCOPE)
    for each in (early, *parts):
        scope.update(each.scope)  # type: ignore[union-attr]
    made = results[0] if len(results) == 1 else f"({tuple_of(results)})"
    head = f"for lo in range({(n - 1) // BLOCK * BLOCK}, -1, -{BLOCK}):"
    lines = [*before, head, *(f"    {line}" for line in block), f"return {made}"]
    return there[0], assembled("columns", arguments, lines, {**scope, **_SCOPE})
