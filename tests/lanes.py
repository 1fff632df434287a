"""A graph of many lanes, and the graph itself lane by lane."""

import numpy as np

from wengert.backends import protocol
from wengert.ir.batching import batch
from wengert.ir.types import is_inexact
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
