"""Elements moved, repeated or dropped: each op says what shape comes out and where its elements come from."""

import itertools
import math

import numpy as np

from wengert.ir.kinds import Movement, Piece, c_strides, normal_axes, refuse


def _whole(shape, offset, strides):
    """One piece that covers the whole output from operand 0."""
    n = len(shape)
    return (Piece(0, (0,) * n, shape, offset, strides, (1,) * n),)


def _is_shape(shape):
    return isinstance(shape, tuple) and not [n for n in shape if type(n) is not int or n < 0]


def _reshape(op, shapes, params):
    shape = params["shape"]
    if not _is_shape(shape) or math.prod(shape) != math.prod(shapes[0]):
        raise refuse(op, f"an array of shape {shapes[0]} does not fit into {shape!r}.")
    return shape


reshape = Movement(function=np.reshape, params=("shape",),
    shape=_reshape,
    pieces=lambda shapes, out, params: _whole(out, 0, c_strides(out)),
    transpose=lambda xp, g, k, shapes, params: xp.reshape(g, shapes[0]),
    doc="The same elements, in C order, in another shape.")


def _permuted(op, shapes, params):
    axes = normal_axes(op, params["axes"], len(shapes[0]))
    if len(axes) != len(shapes[0]):
        raise refuse(op, f"axes {axes} do not permute the {len(shapes[0])} axes of the operand.")
    return tuple(shapes[0][a] for a in axes)


def _permuted_pieces(shapes, out, params):
    strides = c_strides(shapes[0])
    return _whole(out, 0, tuple(strides[a] for a in params["axes"]))


transpose = Movement(function=np.transpose, params=("axes",),
    shape=_permuted,
    pieces=_permuted_pieces,
    transpose=lambda xp, g, k, shapes, params: xp.transpose(g, tuple(np.argsort(params["axes"]).tolist())),
    doc="Axes permuted: axis i of the result is axis axes[i] of x.")


def _broadcast(op, shapes, params):
    shape = params["shape"]
    lead = len(shape) - len(shapes[0]) if _is_shape(shape) else -1
    if lead < 0 or any(n not in (1, m) for n, m in zip(shapes[0], shape[lead:], strict=True)):
        raise refuse(op, f"an array of shape {shapes[0]} does not broadcast to {shape!r}.")
    return shape


def _broadcast_pieces(shapes, out, params):
    lead = len(out) - len(shapes[0])
    own = zip(c_strides(shapes[0]), shapes[0], out[lead:], strict=True)
    return _whole(out, 0, (*(0,) * lead, *(s if n == m else 0 for s, n, m in own)))


def _unbroadcast(xp, g, k, shapes, params):
    lead = g.ndim - len(shapes[0])
    grown = (a for a, n in enumerate(shapes[0], lead) if n != g.shape[a])
    return xp.reshape(xp.sum(g, axis=(*range(lead), *grown)), shapes[0])


broadcast_to = Movement(function=np.broadcast_to, params=("shape",),
    shape=_broadcast,
    pieces=_broadcast_pieces,
    transpose=_unbroadcast,
    doc="x repeated along new leading axes and axes of size 1.")


def _concatenated(op, shapes, params):
    (axis,) = normal_axes(op, (params["axis"],), len(shapes[0]))
    if len({(*s[:axis], *s[axis + 1 :], len(s)) for s in shapes}) != 1:
        raise refuse(op, f"shapes {shapes} differ beyond axis {axis}.")
    return (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])


def _concatenated_pieces(shapes, out, params):
    axis, ones = params["axis"], (1,) * len(out)
    offsets = itertools.accumulate((s[axis] for s in shapes[:-1]), initial=0)
    starts = (tuple(offset if a == axis else 0 for a in range(len(out))) for offset in offsets)
    return tuple(Piece(k, start, shapes[k], 0, c_strides(shapes[k]), ones) for k, start in enumerate(starts))


def _part(xp, g, k, shapes, params):
    start = sum(s[params["axis"]] for s in shapes[:k])
    key = [slice(None)] * g.ndim
    key[params["axis"]] = slice(start, start + shapes[k][params["axis"]])
    return g[tuple(key)]


concatenate = Movement(function=np.concatenate, params=("axis",), variadic=True,
    shape=_concatenated,
    pieces=_concatenated_pieces,
    transpose=_part,
    doc="Operands joined along an existing axis.")


def _fits(start, size, step, shape):
    """Whether every index ``start + step * i``, ``0 <= i < size``, lies in an axis of size ``shape``."""
    if not (len(start) == len(size) == len(step) == len(shape) and _is_shape(size)):
        return False
    for s, n, d, m in zip(start, size, step, shape, strict=True):
        if d == 0 or (n and not (0 <= s < m and 0 <= s + d * (n - 1) < m)):
            return False
    return True


def _sliced(op, shapes, params):
    if not _fits(params["start"], params["size"], params["step"], shapes[0]):
        raise refuse(op, f"{params} does not lie inside an array of shape {shapes[0]}.")
    return params["size"]


def _sliced_pieces(shapes, out, params):
    own = c_strides(shapes[0])
    offset = 0 if 0 in out else sum(s * i for s, i in zip(own, params["start"], strict=True))
    return _whole(out, offset, tuple(s * d for s, d in zip(own, params["step"], strict=True)))


slice_ = Movement(function=None, name="slice", params=("start", "size", "step"),
    shape=_sliced,
    pieces=_sliced_pieces,
    transpose=lambda xp, g, k, shapes, params: xp.place(
        g, shape=shapes[0], start=params["start"], step=params["step"]),
    doc="Per axis the elements start, start + step, ..., size of them; step may be negative.")


def _placed(op, shapes, params):
    shape = params["shape"]
    if not _is_shape(shape) or not _fits(params["start"], shapes[0], params["step"], shape):
        raise refuse(op, f"an array of shape {shapes[0]} does not fit into {params}.")
    return shape


def _placed_pieces(shapes, out, params):
    return (Piece(0, params["start"], shapes[0], 0, c_strides(shapes[0]), params["step"]),)


place = Movement(function=None, name="place", params=("shape", "start", "step"),
    shape=_placed,
    pieces=_placed_pieces,
    transpose=lambda xp, g, k, shapes, params: xp.slice(
        g, start=params["start"], size=shapes[0], step=params["step"]),
    doc="x put at start, start + step, ... of zeros of the given shape: padding, and slice backwards.")
