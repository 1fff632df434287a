"""Law: one symbolic graph of an op is, at every size, the graph of the op at that size, in text and file, too.

So it runs, and is differentiated, as that is.  Of each sample, every axis of one length is named alike, and so is a
parameter that says a shape: what stays an op at all sizes is the symbolic op.
"""

import functools
import os

import numpy as np
import pytest
from samples import samples

from wengert.backends import protocol
from wengert.backends.program import Program
from wengert.ir import text, wire
from wengert.ir.build import Builder
from wengert.ir.errors import SizeError
from wengert.ir.kinds import Control
from wengert.ir.ops import OPS
from wengert.ir.symbolic.schema import instantiate
from wengert.ir.symbolic.sizes import replace, size
from wengert.ir.symbolic.witnesses import Run, symbolic
from wengert.ir.types import ArrayType
from wengert.tracer.symbolic import agree

#: Other backends run the same graphs: `make soak` looks at it.
SOAK = bool(os.environ.get("WENGERT_SOAK"))
#: Branches and loops are traced with named sizes in tests/tracer/test_symbolic.py.
NAMES = [name for name, op in OPS.items() if not isinstance(op, Control) and name != "external"]
SHAPED = ("shape", "size", "n", "length")

def named(dims, lengths):
    """Lengths as names; ones, zeros and numbers that are no length stay."""
    if isinstance(dims, tuple):
        return tuple(named(d, lengths) for d in dims)
    return size(f"n{dims}") if type(dim := dims) is int and dim in lengths else dims


def symbolic_sample(sample):
    """The symbolic graph of a sample, and how an ordinary one is made; None where its sizes cannot vary."""
    lengths = {n for t in sample.types for n in t.shape if n > 1}
    if not lengths:
        return None
    shapes = [named(t.shape, lengths) for t in sample.types]
    params = {name: named(v, lengths) if name in SHAPED else v for name, v in sample.params.items()}
    if sample.op.name == "irfft":
        params["n"] = 2 * shapes[0][params["axis"]] - (2 - sample.params["n"] % 2)

    def make(env):
        b = Builder(sample.op.name)
        inputs = [b.input(ArrayType(t.dtype, replace(s, env))) for t, s in zip(sample.types, shapes, strict=True)]
        given = {name: replace(v, env) for name, v in params.items()}
        return Run(b.graph(b.emit_all(sample.op, inputs, **given)))

    names = [f"n{n}" for n in sorted(lengths)]
    try:
        return symbolic(make, names, shapes, agree), make
    except (SizeError, TypeError, ValueError):
        return None


@functools.cache
def symbolic_samples(name):
    """A few samples of an op that are the op at other sizes, too."""
    found = []
    seen = set()
    for sample in samples(name):
        key = tuple(t.ndim for t in sample.types), tuple(sorted(map(str, sample.params.items())))
        if sample.wide or key in seen or len(found) == (20 if SOAK else 2):
            continue
        if (made := symbolic_sample(sample)) is not None:
            seen.add(key)
            found.append((sample, *made))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_symbolic_op_is_the_op_at_each_size(name, cases):
    found = symbolic_samples(name)
    assert found, f"{name}: no sample of it has an axis that can be named"
    count = 0
    for sample, graph, make in found:
        again = wire.from_bytes(wire.to_bytes(graph))
        assert text.dump(text.parse(text.dump(graph))) == text.dump(graph) == text.dump(again)
        names = graph.sizes.names
        envs = [dict.fromkeys(names, 5), {n: 3 + 4 * k for k, n in enumerate(names)}, {n: int(n[1:]) for n in names}]
        for env in envs:
            try:
                here = instantiate(again, env)
            except SizeError:
                assert any(not c.holds(env) for c in graph.sizes.constraints), str(sample)
                continue
            assert wire.identity(here) == wire.identity(make(env).graph), str(sample)
            count += 1
        assert wire.identity(instantiate(again, envs[-1])) == wire.identity(sample.graph()), str(sample)
    cases(count)


@pytest.mark.parametrize("backend", ["numpy", "reference", "python", "c"] if SOAK else ["numpy"])
@pytest.mark.parametrize("name", NAMES)
def test_a_symbolic_op_runs_as_the_op(name, backend, cases):
    found = symbolic_samples(name)
    for sample, graph, _ in found:
        program = Program(graph, backend)
        with np.errstate(all="ignore"):
            got = program.run([np.array(x) for x in sample.operands])
            want = protocol.get(backend).compile(sample.graph())(list(sample.operands))
        for x, y in zip(got, want, strict=True):
            assert x.tobytes() == y.tobytes(), str(sample)
    cases(len(found))
