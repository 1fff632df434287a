"""A graph of many lanes, and the graph itself lane by lane."""

import numpy as np

from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.batching import batch
from wengert.ir.build import Builder, Namespace
from wengert.ir.types import ArrayType, is_inexact
from wengert.ir.verify import verify

LANES = 3


def compare(graph, backend, every, ulps):
    """The graph of all lanes against the graph itself, lane by lane; ``every`` input as a list of lanes, or one array for all of them."""
    axes, whole = [], []
    for j, x in enumerate(every):
        axes.append((0, -1, x[0].ndim // 2)[j % 3] if isinstance(x, list) else None)
        whole.append(x if axes[-1] is None else np.ascontiguousarray(np.stack(x, axes[-1])))
    batched, found = batch(graph, axes, LANES)
    verify(batched)
    got = protocol.get(backend).compile(batched)(whole)
    run = protocol.get(backend).compile(graph)
    alone = [run([x[i] if isinstance(x, list) else x for x in every]) for i in range(LANES)]
    for o, value in enumerate(graph.outputs):
        want = np.stack([each[o] for each in alone]) if found[o] == 0 else alone[0][o]
        assert (got[o].dtype, got[o].shape) == (want.dtype, want.shape)
        if got[o].tobytes() != want.tobytes():
            assert same(got[o], want, ulps), f"output {o}, {value.type}:\n{got[o]}\nfor\n{want}"


def same(x, y, ulps):
    with np.errstate(all="ignore"):
        alike = (x == y) | ((x != x) & (y != y))
        if alike.all():
            return True
        if not (is_inexact(x.dtype) and (np.isfinite(x) & np.isfinite(y) | alike).all()):
            return False
        return abs(x - y)[~alike].max() <= ulps * np.finfo(x.dtype).eps * abs(y).max(where=np.isfinite(y), initial=0)


def run(graph, *arrays, backend="numpy"):
    return protocol.get(backend).compile(graph)([np.array(x, order="C") for x in arrays])


# ----- Transformations in a row -----


def unrolled(graph, axes, size):
    """Lanes said again: the graph once for each."""
    b = Builder("unrolled")
    xp, inputs = Namespace(b), []
    for value, axis in zip(graph.inputs, axes, strict=True):
        shape = value.type.shape
        inputs.append(xp.wrap(b.input(value.type if axis is None else ArrayType(value.type.dtype, (*shape[:axis], size, *shape[axis:])))))
    rows = []
    for i in range(size):
        lane = [x if axis is None else x[(slice(None),) * axis + (i,)] for x, axis in zip(inputs, axes, strict=True)]
        rows.append([xp.reshape(xp.wrap(v), (1, *v.type.shape)) for v in b.inline(graph, [x.value for x in lane])])
    return b.graph([xp.lift(xp.concatenate(list(parts), axis=0)) for parts in zip(*rows, strict=True)])


def moving(graph):
    return tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype))


NUMBERS = [0.5, -1.5, 2.0, 0.3, 1.0, -1.0, 3.0, -0.7, 0.0, 0.1, 1.25]


def numbers(rng, type_):
    if type_.dtype.kind in "bu":
        return np.asarray(rng.integers(0, 2, type_.shape), type_.dtype)
    if type_.dtype.kind == "i":
        return np.asarray(rng.integers(-3, 4, type_.shape), type_.dtype)
    x = rng.choice(NUMBERS, type_.shape)
    return np.asarray(x + 1j * rng.choice(NUMBERS, type_.shape) if type_.dtype.kind == "c" else x, type_.dtype)


def agree(graph, steps, rng, numbers=numbers):
    """The same transformations on a graph, of which the lanes are an axis here and unrolled there."""
    ours = theirs = graph
    for step in steps:
        if step == "lanes":
            axes = [int(rng.integers(0, v.type.ndim + 1)) if rng.integers(3) else None for v in ours.inputs]
            ours, _ = batch(ours, axes, 2, [0] * len(ours.outputs))
            theirs = unrolled(theirs, axes, 2)
        else:
            ours, theirs = (getattr(autodiff, step)(g, moving(g)) for g in (ours, theirs))
    verify(ours)
    assert [v.type for v in ours.outputs] == [v.type for v in theirs.outputs]
    single = any(v.type.dtype in (np.float32, np.complex64) for node in ours.nodes for v in node.results)
    arrays = [numbers(rng, v.type) for v in ours.inputs]
    try:
        expected = run(theirs, *arrays)
    except np.linalg.LinAlgError:
        return
    n = len(ours.outputs)  # behind them are guards
    for got, want in zip(run(ours, *arrays)[:n], expected[:n], strict=True):
        close(got, want, 1e-2 if single else 1e-7, steps)


def close(got, want, tolerance, steps):
    with np.errstate(all="ignore"):
        alike = (got == want) | ((got != got) & (want != want))
        if is_inexact(got.dtype):
            far = abs(got - want) > tolerance * (1 + abs(want).max(where=np.isfinite(want), initial=0))
            alike |= np.isfinite(got) & np.isfinite(want) & ~far
            if "vjp" in steps:  # an infinite partial meets the sum over the lanes here, each of its terms there
                alike |= ~np.isfinite(got) & ~np.isfinite(want)
    assert alike.all(), f"{' of '.join(steps[::-1])}:\n{got}\nfor\n{want}"
