"""Programs inside programs: calls, branches and loops, over graphs without guards."""

import numpy as np

from wengert.ir import driving
from wengert.ir.kinds import Control, refuse
from wengert.ir.types import STEPS, ArrayType, is_inexact, is_stack

_COUNT = ArrayType(np.dtype(np.int64))


def _checked(op, graph, types):
    """The types of a sub-graph's results; raises where it does not take operands of these types."""
    if graph is None:
        raise refuse(op, "expected a graph, got None.")
    if graph.guards:
        raise refuse(op, "a called graph must have no guards, which its caller could not see; inline it instead.")
    expected = tuple(v.type for v in graph.inputs)
    if types != expected:
        raise refuse(op, f"the called graph takes {expected}, got {types}.")
    return tuple(v.type for v in graph.outputs)


def _results(op, types, params):
    return _checked(op, params["graph"], types)


def _inlined(builder, operands, params):
    return builder.inline(params["graph"], operands)


call = Control(name="call", params=("graph",),
    types=_results,
    drive=driving.call,
    inline=_inlined,
    doc="Run another graph, one without guards, on the operands.")

checkpoint = Control(name="checkpoint", params=("graph", "policy"),
    types=_results,
    drive=driving.checkpoint,
    doc="A call that a derivative runs again instead of keeping what it computed, but for what the policy names: "
        "'nothing', 'contractions' (matrix products and library calls are kept) or 'everything'.")


def _custom(op, types, params):
    outputs = _checked(op, params["graph"], types)
    moving, ends = (
        tuple(ArrayType(t.dtype, t.shape) for t in every if is_inexact(t.dtype)) for every in (types, outputs))
    for name, given, made in (("jvp", moving, ends), ("vjp", ends, moving)):
        rule = params[name]
        if rule is not None and _checked(op, rule, (*types, *outputs, *given)) != made:
            raise refuse(op, f"its {name} should give {made}, not {tuple(v.type for v in rule.outputs)}.")
    return outputs


custom = Control(name="custom", params=("graph", "jvp", "vjp"),
    types=_custom,
    drive=driving.custom,
    doc="A call with derivatives of its own: jvp, a graph of operands, results and tangents of the inexact operands, "
        "to tangents of the inexact results; vjp, of operands, results and cotangents, to cotangents. One may be None.")


def _counted(op, types, *counts):
    """Raise unless counts of operands are counts, and there are so many."""
    if min(counts) < 0 or sum(counts) > len(types):
        raise refuse(op, f"expected counts of operands, of which there are {len(types)}, got {counts}.")


def _linear(op, types, params):
    back, k = params["back"], params["consts"]
    _counted(op, types, k)
    ends = tuple(v.type for v in back.inputs[k:])
    if _checked(op, back, (*types[:k], *ends)) != types[k:]:
        raise refuse(op, f"its transpose should give {types[k:]}, not {tuple(v.type for v in back.outputs)}.")
    if params["graph"] is not None and _checked(op, params["graph"], types) != ends:
        raise refuse(op, f"its graph should give {ends}, not {tuple(v.type for v in params['graph'].outputs)}.")
    return ends


linear = Control(name="linear", params=("graph", "back", "consts"),
    types=_linear,
    drive=driving.linear,
    doc="A graph of consts and of operands that it is linear in, with the graph of its transpose, of the consts and of "
        "cotangents. The graph may be None where only the transpose is known: it is then not run, but transposed.")


def _solved(op, types, params):
    c = params["consts"]
    if len(types) != c + 1 or not is_inexact(types[c].dtype) or types[c].weak:
        raise refuse(op, f"expected {c} consts and one inexact array, got {types}.")
    for name in ("graph", "back", "product"):
        if _checked(op, params[name], types) != types[c:]:
            raise refuse(op, f"its {name} should give {types[c]}, not {tuple(v.type for v in params[name].outputs)}.")
    return types[c:]


linear_solve = Control(name="linear_solve", params=("graph", "back", "product", "consts"),
    types=_solved,
    drive=driving.linear_solve,
    doc="The x for which product(consts, x) = b, the last operand: product is linear in x, and graph finds x; back "
        "finds that of the transposed product. The derivative is by the implicit function theorem, and neither graph "
        "nor back is differentiated.")


def _switched(op, types, params):
    graphs = params["graphs"]
    if types[:1] != (_COUNT,) or not graphs:
        raise refuse(op, f"expected an int64 index and at least one graph, got {types[:1]} and {len(graphs)} graphs.")
    made = {_checked(op, graph, types[1:]) for graph in graphs}
    if len(made) != 1:
        raise refuse(op, f"the branches give different types: {', '.join(map(str, made))}.")
    return made.pop()


switch = Control(name="switch", params=("graphs",),
    types=_switched,
    drive=driving.switch,
    doc="Run the graph that the first operand, an index, names; an IndexError where it names none.")


def _steps(op, given, carried, made):
    """The types of what a loop gives at each step; raises where what it carries changes its type."""
    if made[: len(carried)] != carried:
        raise refuse(op, f"the loop carries {carried}, and its graph gives {made[: len(carried)]} for them.")
    return made[len(carried) :]


def _whiled(op, types, params):
    _counted(op, types, params["consts"])
    carried = types[params["consts"] :]
    if _checked(op, params["condition"], types) != (ArrayType(np.dtype(bool)),):
        raise refuse(op, "the condition gives something other than one bool.")
    made = _steps(op, types, carried, _checked(op, params["graph"], types))
    return (*carried, _COUNT, *(ArrayType(t.dtype, (STEPS, *t.shape)) for t in made))


while_ = Control(name="while", params=("condition", "graph", "consts"),
    types=_whiled,
    drive=driving.while_,
    doc="Run a graph of consts and carried values again and again, as long as the condition, a graph of the same, "
        "holds. Gives the carried values, the number of steps, and a stack of everything else that the graph gave.")


def _scanned(op, types, params):
    n, c, m = params["length"], params["consts"], params["carries"]
    if n == STEPS and types[:1] != (_COUNT,):
        raise refuse(op, f"expected the number of steps as an int64 first, got {types[:1]}.")
    if n < STEPS:
        raise refuse(op, f"expected a count for length, got {n}.")
    types = types[1:] if n == STEPS else types
    _counted(op, types, c, m)
    xs = types[c + m :]
    if any(t.shape[:1] != (n,) for t in xs):
        raise refuse(op, f"expected {n} entries along the first axis of each of {', '.join(map(str, xs))}.")
    given = (*types[: c + m], *(ArrayType(t.dtype, t.shape[1:]) for t in xs))
    if any(is_stack(t) for t in given[c + m :]):
        raise refuse(op, "a stack cannot hold stacks.")
    carried = types[c : c + m]
    made = _steps(op, given, carried, _checked(op, params["graph"], given))
    return (*carried, *(ArrayType(t.dtype, (n, *t.shape)) for t in made))


scan = Control(name="scan", params=("graph", "consts", "carries", "length", "reverse"),
    types=_scanned,
    drive=driving.scan,
    doc="Run a graph of (consts, carried values, one entry of each array) to (carried values, results) once for each "
        "entry along the first axis, from the last where reverse. Gives the carried values, and the results stacked. "
        "A length of -1 is that of stacks: the first operand is then the number of steps.")
