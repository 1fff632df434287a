"""What is asked of a snippet: its values and both gradients, on a backend, against plain NumPy."""

import numpy as np

import wengert as wg

BACKENDS = ("reference", "numpy", "python", "c")


# -- nested arguments as one vector of reals --------------------------------------------------------


def leaves(tree):
    """The arrays and numbers in nested lists, tuples and dictionaries."""
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]


def rebuilt(tree, flat):
    """The tree with other leaves, taken from an iterator."""
    if isinstance(tree, dict):
        return {key: rebuilt(item, flat) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)([rebuilt(item, flat) for item in tree])
    return next(flat)


def real(leaf):
    """Whether a derivative is taken in it."""
    return isinstance(leaf, float) or getattr(leaf, "dtype", np.dtype(int)).kind == "f"


def vector(tree):
    """All its real numbers, as one vector."""
    return np.concatenate([np.ravel(leaf) for leaf in leaves(tree) if real(leaf)] or [np.zeros(0)])


def outcome(tree):
    """All that a function returned, as one vector."""
    return np.concatenate([np.ravel(leaf).astype(float) for leaf in leaves(tree)])


def moved(args, by):
    """The arguments with their real numbers moved by a vector."""
    new, start = [], 0
    for leaf in leaves(args):
        size = np.size(leaf) if real(leaf) else 0
        step = by[start : start + size]
        new.append((leaf + step.reshape(np.shape(leaf)) if np.shape(leaf) else leaf + float(step[0])) if size else leaf)
        start += size
    return rebuilt(args, iter(new))


def tangents(args, vector):
    """A vector in the shape of the arguments, None where they are not real."""
    new, start = [], 0
    for leaf in leaves(args):
        size = np.size(leaf) if real(leaf) else 0
        piece = vector[start : start + size]
        new.append((piece.reshape(np.shape(leaf)) if np.shape(leaf) else float(piece[0])) if real(leaf) else None)
        start += size
    return rebuilt(args, iter(new))


def copied(args):
    """The arguments, for a function that may write into them."""
    return rebuilt(args, iter([leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves(args)]))


# -- what is right ------------------------------------------------------------------------------------


def weights(value):
    """One number per output: their weighted sum is what is differentiated."""
    return rebuilt_like(value, lambda shape: np.random.default_rng([5, *shape]).uniform(0.5, 1.5, shape)[()])


def rebuilt_like(value, make):
    return rebuilt(value, iter([make(np.shape(leaf)) for leaf in leaves(value)]))


def differences(function, args, w, relative=1e-3):
    """The gradient of the weighted sum, by 5-point differences of the plain function."""
    point = vector(args)
    w = outcome(w)

    def at(k, step):
        e = np.zeros_like(point)
        e[k] = step
        with np.errstate(all="ignore"):
            return outcome(function(*moved(args, e))) @ w

    gradient = np.empty_like(point)
    for k, x in enumerate(point):
        h = relative * min(1, abs(x) or 1)
        gradient[k] = (8 * (at(k, h) - at(k, -h)) - (at(k, 2 * h) - at(k, -2 * h))) / (12 * h)
    return gradient


def reverse(program, args, w):
    """The gradient of the weighted sum, in one sweep back."""
    pullback = wg.vjp(program, *copied(args))[1]
    return vector(pullback(w))


def forward(program, args, w):
    """The gradient of the weighted sum, column by column."""
    n = len(vector(args))
    w = outcome(w)
    columns = [outcome(wg.jvp(program, copied(args), tangents(args, e))[1]) @ w for e in np.eye(n)]
    return np.array(columns)


def distance(got, want):
    """The largest difference, relative to the largest number."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return np.inf
    return float(np.max(np.abs(got - want), initial=0) / max(1, np.max(np.abs(want), initial=0)))
