"""Making, shaping, joining, picking and writing arrays: a sample call for each function.

In ``DIFFERENTIABLE`` positional parameters are what the function is differentiable in, keyword-only ones what it is
locally constant in.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from wengert.tools.coverage.samples.values import C3, MASK, V4, V5, A, B, J, S, V, W, after, text, z

__all__ = ["CONSTANT", "DIFFERENTIABLE", "NOT_NEEDED"]

DIFFERENTIABLE: dict[str, Any] = {
    # making
    "array": lambda x=V: np.array([x[0], x[1] * x[2]]),
    "asarray": lambda x=V: np.asarray(x) * 2,
    "asanyarray": lambda x=V: np.asanyarray([x[0], 2.0]),
    "asarray_chkfinite": lambda x=V: np.asarray_chkfinite(x) * 2,
    "ascontiguousarray": lambda x=A: np.ascontiguousarray(x.T),
    "asfortranarray": lambda x=A: np.asfortranarray(x),
    "asmatrix": lambda x=A: np.asarray(np.asmatrix(x)),
    "require": lambda x=A: np.require(x, requirements="C"),
    "copy": lambda x=A: np.copy(x),
    "astype": lambda x=A: np.astype(x, np.float64),
    "full": lambda x=0.7: np.full((2, 3), x),
    "full_like": lambda x=V[0]: np.full_like(A, x),
    "fromfunction": lambda x=V: np.fromfunction(lambda i: x[1] * i, (3,)),
    "fromiter": lambda x=V: np.fromiter((t * t for t in x), float),
    "frompyfunc": lambda x=V: np.frompyfunc(lambda t: t * t, 1, 1)(x).astype(float),
    "vectorize": lambda x=V: np.vectorize(lambda t: t * t)(x),
    "linspace": lambda start=0.3, stop=1.7: np.linspace(start, stop, 4),
    "logspace": lambda start=0.3, stop=1.2: np.logspace(start, stop, 4),
    "geomspace": lambda start=0.3, stop=1.7: np.geomspace(start, stop, 4),
    "arange": lambda start=0.3, step=0.5: np.arange(start, start + 3.2 * step, step),
    "diag": lambda x=V: np.diag(x, 1),
    "diagflat": lambda x=A: np.diagflat(x),
    "vander": lambda x=V: np.vander(x, 4),
    "bmat": lambda x=A: np.asarray(np.bmat([[x, x]])),
    "matrix": lambda x=A: np.asarray(np.matrix(x)),
    "meshgrid": lambda x=V, y=V4: np.meshgrid(x, y),
    # shapes
    "reshape": lambda x=A: np.reshape(x, (3, 2)),
    "ravel": lambda x=A: np.ravel(x),
    "resize": lambda x=A: np.resize(x, (3, 4)),
    "transpose": lambda x=C3: np.transpose(x, (2, 0, 1)),
    "matrix_transpose": lambda x=C3: np.matrix_transpose(x),
    "moveaxis": lambda x=C3: np.moveaxis(x, 0, -1),
    "rollaxis": lambda x=C3: np.rollaxis(x, 2),
    "swapaxes": lambda x=C3: np.swapaxes(x, 0, 2),
    "expand_dims": lambda x=A: np.expand_dims(x, (0, 2)),
    "squeeze": lambda x=A[:, None]: np.squeeze(x, 1),
    "atleast_1d": lambda x=0.4: np.atleast_1d(x),
    "atleast_2d": lambda x=V: np.atleast_2d(x),
    "atleast_3d": lambda x=V: np.atleast_3d(x),
    "broadcast_to": lambda x=V: np.broadcast_to(x, (2, 3)),
    "broadcast_arrays": lambda x=A, y=V: np.broadcast_arrays(x, y),
    "broadcast": lambda x=A, y=V: [s * t for s, t in np.broadcast(x, y)],
    "lib.stride_tricks.sliding_window_view": lambda x=V5: np.lib.stride_tricks.sliding_window_view(x, 3),
    # joining and splitting
    "concatenate": lambda x=V, y=V4: np.concatenate([x, y]),
    "stack": lambda x=V, y=W: np.stack([x, y], axis=1),
    "vstack": lambda x=V, y=A: np.vstack([x, y]),
    "row_stack": lambda x=V, y=A: np.row_stack([x, y]),  # noqa: NPY201 (a name of some versions)
    "hstack": lambda x=V, y=V4: np.hstack([x, y]),
    "dstack": lambda x=A, y=B: np.dstack([x, y]),
    "column_stack": lambda x=V, y=W: np.column_stack([x, y]),
    "block": lambda x=A, y=V: np.block([[x], [y]]),
    "append": lambda x=A, y=V: np.append(x, y),
    "insert": lambda x=V4, y=0.7: np.insert(x, 2, y),
    "delete": lambda x=V4: np.delete(x, [1, 3]),
    "split": lambda x=V4: np.split(x, 2),
    "array_split": lambda x=V5: np.array_split(x, 2),
    "hsplit": lambda x=V4: np.hsplit(x, 2),
    "vsplit": lambda x=A: np.vsplit(x, 2),
    "dsplit": lambda x=C3: np.dsplit(x, 2),
    "unstack": lambda x=A: np.unstack(x, axis=1),
    "r_": lambda x=V, y=0.7: np.r_[x, y],
    "c_": lambda x=V, y=W: np.c_[x, y],
    "tile": lambda x=V: np.tile(x, (2, 2)),
    "repeat": lambda x=V: np.repeat(x, [1, 0, 2]),
    "pad": lambda x=V: np.pad(x, (2, 1), mode="edge"),
    "trim_zeros": lambda x=V: np.trim_zeros(np.pad(x, 1)),
    # order
    "flip": lambda x=A: np.flip(x),
    "fliplr": lambda x=A: np.fliplr(x),
    "flipud": lambda x=A: np.flipud(x),
    "roll": lambda x=A: np.roll(x, 2, axis=1),
    "rot90": lambda x=A: np.rot90(x),
    "sort": lambda x=A: np.sort(x, axis=0),
    "sort_complex": lambda x=V: np.sort_complex(z(x)),
    "partition": lambda x=V5: np.sort(np.partition(x, 2)[:2]),
    "unique": lambda x=V: np.unique(x),
    "unique_all": lambda x=V: np.unique_all(x).values,
    "unique_counts": lambda x=V: np.unique_counts(x).values,
    "unique_inverse": lambda x=V: np.unique_inverse(x).values,
    "unique_values": lambda x=V: np.sort(np.unique_values(x)),
    "union1d": lambda x=V, y=W: np.union1d(x, y),
    "intersect1d": lambda x=V: np.intersect1d(x, x[:2]),
    "setdiff1d": lambda x=V: np.setdiff1d(x, W),
    "setxor1d": lambda x=V, y=W: np.setxor1d(x, y),
    # picking
    "take": lambda x=A: np.take(x, [2, 0, 2], axis=1),
    "take_along_axis": lambda x=A: np.take_along_axis(x, np.array([[2], [0]]), axis=1),
    "choose": lambda x=V, y=W: np.choose([1, 0, 1], [x, y]),
    "compress": lambda x=V: np.compress(MASK, x),
    "extract": lambda x=V: np.extract(MASK, x),
    "select": lambda x=V, y=W: np.select([x > 0.5, x > 0.4], [x * x, y], 3.0),
    "piecewise": lambda x=V: np.piecewise(x, [x > 0.4, x <= 0.4], [lambda t: t * t, lambda t: 3 * t]),
    "where": lambda x=V, y=W: np.where(MASK, x, y),
    "diagonal": lambda x=A: np.diagonal(x, 1),
    "tril": lambda x=S: np.tril(x),
    "triu": lambda x=S: np.triu(x, 1),
    "apply_along_axis": lambda x=A: np.apply_along_axis(lambda row: row * row[0], 1, x),
    "apply_over_axes": lambda x=A: np.apply_over_axes(np.sum, x, [0, 1]),
    "ndenumerate": lambda x=A: sum(value * (i + j) for (i, j), value in np.ndenumerate(x)),
    "nditer": lambda x=A: sum(value * value for value in np.nditer(x)),
    "nested_iters": lambda x=A: [t * t for i, j in [np.nested_iters(x, [[0], [1]])] for _ in i for t in j],
    # writing
    "copyto": lambda x=V, y=W: after(np.copyto, x, y, where=MASK),
    "fill_diagonal": lambda x=S, y=0.7: after(np.fill_diagonal, x, y),
    "place": lambda x=V, y=W: after(np.place, x, MASK, y[:2]),
    "put": lambda x=V4, y=V: after(np.put, x, [0, 3], y[:2]),
    "put_along_axis": lambda x=A, y=0.7: after(np.put_along_axis, x, np.array([[2], [0]]), y, axis=1),
    "putmask": lambda x=V, y=W: after(np.putmask, x, MASK, y),
    # complex
    "real": lambda x=V: np.real(z(x)),
    "imag": lambda x=V: np.imag(z(x)),
    "angle": lambda x=V: np.angle(z(x)),
    "real_if_close": lambda x=V: np.real_if_close(x),
}

CONSTANT: dict[str, Any] = {
    "argsort": lambda x=A: np.argsort(x),
    "argpartition": lambda x=V5: np.sort(np.argpartition(x, 2)[:2]),
    "lexsort": lambda x=V, y=W: np.lexsort((x, y)),
    "searchsorted": lambda x=V, v=W: np.searchsorted(np.sort(x), v),
    "digitize": lambda x=V, bins=np.array([0.2, 0.5, 0.9]): np.digitize(x, bins),
    "nonzero": lambda x=V: np.nonzero(x > 0.4),
    "flatnonzero": lambda x=V: np.flatnonzero(x > 0.4),
    "argwhere": lambda x=V: np.argwhere(x > 0.4),
    "isin": lambda x=V, y=W: np.isin(x, y),
    "in1d": lambda x=V, y=W: np.in1d(x, y),  # noqa: NPY201 (a name of some versions)
    "array_equal": lambda x=V, y=W: np.array_equal(x, y),
    "array_equiv": lambda x=V, y=W: np.array_equiv(x, y),
    "allclose": lambda x=V, y=W: np.allclose(x, y),
    "isclose": lambda x=V, y=W: np.isclose(x, y),
    "iscomplex": lambda x=V: np.iscomplex(z(x)),
    "isreal": lambda x=V: np.isreal(z(x)),
    "packbits": lambda x=np.array([1, 0, 1], np.uint8): np.packbits(x),
    "unpackbits": lambda x=np.array([3, 9], np.uint8): np.unpackbits(x),
    "ravel_multi_index": lambda i=J - 3: np.ravel_multi_index((i, i), (4, 5)),
    "unravel_index": lambda i=J: np.unravel_index(i, (2, 3)),
    "bincount": lambda i=J: np.bincount(i),
}

NOT_NEEDED: dict[str, Any] = {
    "zeros": lambda: np.zeros(3), "ones": lambda: np.ones((2, 2)), "empty": lambda: np.shape(np.empty(3)),
    "zeros_like": lambda x=V: np.zeros_like(x), "ones_like": lambda x=V: np.ones_like(x),
    "empty_like": lambda x=V: np.shape(np.empty_like(x)),
    "eye": lambda: np.eye(3), "identity": lambda: np.identity(2), "tri": lambda: np.tri(3),
    "indices": lambda: np.indices((2, 3)), "ix_": lambda: np.ix_([0, 1], [2]),
    "diag_indices": lambda: np.diag_indices(3), "diag_indices_from": lambda x=S: np.diag_indices_from(x),
    "tril_indices": lambda: np.tril_indices(3), "tril_indices_from": lambda x=S: np.tril_indices_from(x),
    "triu_indices": lambda: np.triu_indices(3), "triu_indices_from": lambda x=S: np.triu_indices_from(x),
    "mask_indices": lambda: np.mask_indices(3, np.triu),
    "bartlett": lambda: np.bartlett(5), "blackman": lambda: np.blackman(5), "hamming": lambda: np.hamming(5),
    "hanning": lambda: np.hanning(5),
    "broadcast_shapes": lambda: np.broadcast_shapes((2, 1), (3,)),
    "shape": lambda x=A: np.shape(x), "ndim": lambda x=A: np.ndim(x), "size": lambda x=A: np.size(x),
    "iscomplexobj": lambda x=A: np.iscomplexobj(x), "isrealobj": lambda x=A: np.isrealobj(x),
    "isscalar": lambda x=A: np.isscalar(x), "isfortran": lambda x=A: np.isfortran(x),
    "iterable": lambda x=A: np.iterable(x),
    "result_type": lambda x=A: np.result_type(x, np.float32), "common_type": lambda x=A: np.common_type(x),
    "can_cast": lambda x=A: np.can_cast(x.dtype, np.float32), "min_scalar_type": lambda: np.min_scalar_type(3),
    "promote_types": lambda: np.promote_types("f4", "i8"), "issubdtype": lambda x=A: np.issubdtype(x.dtype, float),
    "isdtype": lambda x=A: np.isdtype(x.dtype, "real floating"), "mintypecode": lambda: np.mintypecode("fd"),
    "typename": lambda: np.typename("d"),
    "einsum_path": lambda x=A: np.einsum_path("ij,ij->", x, x)[0][0],
    "may_share_memory": lambda x=A: np.may_share_memory(x, x), "shares_memory": lambda x=A: np.shares_memory(x, x),
    "ndindex": lambda x=A: [i * j for i, j in np.ndindex(x.shape)],
    # files and text that hold numbers
    "load": lambda: np.load(_saved()), "loadtxt": lambda: np.loadtxt(text()),
    "genfromtxt": lambda: np.genfromtxt(text()), "fromregex": lambda: np.fromregex(text(), r"([\d.]+)", [("x", "f8")]),
    "fromstring": lambda: np.fromstring("1 2", sep=" "), "frombuffer": lambda: np.frombuffer(V.tobytes()),
    "fromfile": lambda: np.shape(np.fromfile(__file__, np.uint8, 8)), "from_dlpack": lambda: np.from_dlpack(V.copy()),
    "memmap": lambda: np.memmap(__file__, np.uint8, "r", shape=(8,)),
    "save": lambda x=V: np.save(io.BytesIO(), x), "savez": lambda x=V: np.savez(io.BytesIO(), x),
    "savez_compressed": lambda x=V: np.savez_compressed(io.BytesIO(), x),
    "savetxt": lambda x=V: np.savetxt(io.StringIO(), x),
    "array2string": lambda x=V: np.array2string(x), "array_repr": lambda x=V: np.array_repr(x),
    "array_str": lambda x=V: np.array_str(x), "base_repr": lambda: np.base_repr(5),
    "binary_repr": lambda: np.binary_repr(5), "format_float_positional": lambda x=0.5: np.format_float_positional(x),
    "format_float_scientific": lambda x=0.5: np.format_float_scientific(x),
}  # fmt: skip


def _saved() -> Any:
    file = io.BytesIO()
    np.save(file, V)
    file.seek(0)
    return file
