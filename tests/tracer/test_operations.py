"""A derived gradient does hardly more than one written by hand: operations are counted, not timed."""

import math

import numpy as np
import pytest

import wengert as wg
from wengert.ir.kinds import Contraction, Cumulative, Movement, Reduction


def operations(graph):
    """One for each element of what an elementwise op gives or a fold reads, two for each term of a product; moving is free."""
    total = 0
    for node in graph.nodes:
        if isinstance(node.op, Contraction):
            x, y, _ = node.op.split(node.params["subscripts"])
            sizes = dict(zip(x + y, [n for v in node.operands for n in v.type.shape], strict=True))
            total += 2 * math.prod(sizes.values())
        elif isinstance(node.op, Reduction | Cumulative):
            total += node.operands[-1].type.size
        elif not isinstance(node.op, Movement):
            total += sum(v.type.size for v in node.results)
    return total


def loss(params, x, y):
    """A network with one hidden layer, softmax and cross-entropy."""
    (w1, b1), (w2, b2) = params
    z = np.tanh(x @ w1 + b1) @ w2 + b2
    z = z - z.max(axis=1, keepdims=True)
    return -np.mean(np.sum(y * (z - np.log(np.exp(z).sum(axis=1, keepdims=True))), axis=1))


def by_hand(params, x, y):
    (w1, b1), (w2, b2) = params
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    value = -np.mean(np.sum(y * (z - np.log(total)), axis=1))
    dz = (e / total - y) / len(x)
    dh = (dz @ w2.T) * (1 - h * h)
    return value, ((x.T @ dh, dh.sum(axis=0)), (h.T @ dz, dz.sum(axis=0)))


def arguments(rows, inputs, hidden, outputs):
    rng = np.random.default_rng(0)
    layers = [(rng.standard_normal((m, n)) * 0.1, np.zeros(n)) for m, n in ((inputs, hidden), (hidden, outputs))]
    return tuple(layers), rng.standard_normal((rows, inputs)), np.eye(outputs)[rng.integers(0, outputs, rows)]


@pytest.mark.parametrize("sizes", [(32, 64, 32, 10), (128, 784, 128, 10)])
def test_a_network_with_softmax_and_cross_entropy(sizes):
    given = arguments(*sizes)
    both = wg.trace(lambda *args: wg.value_and_grad(loss)(*args)).graph(*given)
    hand = wg.trace(by_hand).graph(*given)
    for ours, theirs in zip(both.run(both.inputs(both.leaves(given, {}))), hand.run(hand.inputs(hand.leaves(given, {}))), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert operations(both.graph) <= 1.02 * operations(hand.graph)


def test_a_loss_written_naively_and_stabilised():
    """Of the loss alone, without the products of matrices around it."""

    def naive(z, y):
        e = np.exp(z)
        return -np.mean(np.sum(y * np.log(e / e.sum(axis=1, keepdims=True)), axis=1))

    def hand(z, y):
        low = z - z.max(axis=1, keepdims=True)
        e = np.exp(low)
        total = e.sum(axis=1, keepdims=True)
        return -np.mean(np.sum(y * (low - np.log(total)), axis=1)), (e / total - y) / len(z)

    z, y = np.random.default_rng(1).standard_normal((64, 100)), np.eye(100)[:64]
    both = wg.trace(lambda *args: wg.value_and_grad(wg.stabilize(naive))(*args)).graph(z, y)
    np.testing.assert_allclose(both(z, y)[1], hand(z, y)[1], rtol=1e-9, atol=1e-15)
    assert operations(both.graph) <= 1.25 * operations(wg.trace(hand).graph(z, y).graph)
