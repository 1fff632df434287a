"""A traced value kept beyond its trace is an error wherever it is used, naming the trace and the line."""

import threading

import numpy as np
import pytest

import wengert as wg

X = np.arange(1.0, 4.0)
USES = {
    "add": lambda t: t + 1, "radd": lambda t: 1 + t, "plain first": lambda t: X + t, "neg": lambda t: -t, "sin": np.sin, "method": lambda t: t.sum(),
    "function": np.sum, "index": lambda t: t[0], "assign": lambda t: t.__setitem__(0, 1), "in place": lambda t: t.__iadd__(1), "bool": bool,
    "iter": list, "T": lambda t: t.T, "asarray": np.asarray, "float": float, "argument": lambda t: wg.trace(lambda x: x)(t), "copy": lambda t: t.copy(),
    "in another trace": lambda t: wg.trace(lambda x: x + t)(1.0), "returned": lambda t: wg.trace(lambda x: t)(1.0), "stack": lambda t: np.stack([t, t]),
    "closure of grad": lambda t: wg.grad(lambda x: (x * t).sum())(X), "grad": lambda t: wg.grad(lambda x: x.sum())(t), "reshape": lambda t: t.reshape(3, 1),
    "astype": lambda t: t.astype(int), "out": lambda t: np.add(X, X, out=t), "compare None": lambda t: t == None, "where": lambda t: np.where(t > 1, 1, 2),  # noqa: E711
    "matmul": lambda t: t @ t, "program": lambda t: wg.trace(lambda x: x * 2).graph(X)(t), "tangent": lambda t: wg.jvp(lambda x: x * 2, (X,), (t,)),
    "cotangent": lambda t: wg.vjp(lambda x: x * 2, X)[1](t), "mask": lambda t: wg.trace(lambda x: x[t > 1])(X), "power": lambda t: t**2, "round": np.round,
    "copyto": lambda t: np.copyto(t, 1.0), "stop_gradient": wg.stop_gradient, "int": lambda t: int(t[0]), "contains": lambda t: 1 in t,
}  # fmt: skip


def leak():
    box = []

    def leaky(x):
        box.append(x * 2)
        return x

    wg.trace(leaky)(X)
    return box[0]


@pytest.mark.parametrize("name", USES)
def test_every_use_of_a_leaked_array_raises(name):
    with pytest.raises(wg.TraceError, match=r"is used at .*test_leaks.py:\d+, in .*the trace of 'leaky' that made it has finished\. Return"):
        USES[name](leak())


def test_wherever_it_is_kept():
    class Model:
        kept = None

        @wg.trace
        def keep(self, x):
            self.kept = x + 1
            return x

    model = Model()
    model.keep(X)
    with pytest.raises(wg.TraceError, match="the trace of 'keep'"):
        model.kept * 2

    def generator(x):
        while True:
            yield x
            x = x + 1

    streams = []
    wg.trace(lambda x: (streams.append(generator(x)), next(streams[0]))[1])(X)
    with pytest.raises(wg.TraceError, match="has finished"):
        next(streams[0])

    def failing(x):
        raise LookupError(x * 2)

    with pytest.raises(LookupError) as caught:
        wg.trace(failing)(X)
    with pytest.raises(wg.TraceError, match="the trace of 'failing'"):
        caught.value.args[0] + 1
    assert wg.trace(lambda x: x + 1)(1.0) == 2.0  # a failed trace leaves nothing behind


def test_from_an_inner_trace_to_the_outer():
    def outer(x):
        box = []
        wg.grad(lambda z: (box.append(z * 2), z.sum())[1])(x)
        return box[0] + x

    with pytest.raises(wg.TraceError, match="has finished"):
        wg.trace(outer)(X)


def test_in_another_thread():
    found = []

    def use(t):
        try:
            t + 1
        except wg.TraceError as error:
            found.append(str(error))

    thread = threading.Thread(target=use, args=(leak(),))
    thread.start()
    thread.join()
    assert "'leaky'" in found[0]


def test_threads_trace_at_once():
    shared = wg.trace(lambda x: (x * 2 + 1).sum())
    results = {}

    def work(i):
        own = wg.trace(lambda x: sum(np.sin(x * i) + j for j in range(50)))
        results[i] = [own(1.0), wg.grad(own)(1.0), *(shared(np.ones(n + i)) for n in range(1, 20))]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(6):
        np.testing.assert_allclose(results[i][0], 50 * np.sin(i) + 49 * 25)
        np.testing.assert_allclose(results[i][1], 50 * i * np.cos(i))
        assert results[i][2:] == [3.0 * (n + i) for n in range(1, 20)]
