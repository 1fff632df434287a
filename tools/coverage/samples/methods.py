"""ndarray's methods, properties and operators: a sample call for each (see ``arrays``)."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np

from wengert.tools.coverage.samples.values import C3, HIGH, LOW, MASK, V4, V5, A, I, J, S, V, W, after, z

__all__ = ["CONSTANT", "DIFFERENTIABLE", "NOT_NEEDED"]


def _operator(name: str, left: Any, right: Any) -> Any:
    return lambda x=left, y=right: getattr(x.copy(), name)(y)


DIFFERENTIABLE: dict[str, Any] = {
    "T": lambda x=A: x.T, "mT": lambda x=C3: x.mT, "real": lambda x=V: z(x).real, "imag": lambda x=V: z(x).imag,
    "flat": lambda x=A: [t * t for t in x.flat], "base": lambda x=A: x[0].base,
    "astype": lambda x=V: x.astype(np.float64), "byteswap": lambda x=V: x.byteswap().byteswap() * 2,
    "choose": lambda x=V, y=W: np.array([1, 0, 1]).choose([x, y]),
    "clip": lambda x=V, low=LOW, high=HIGH: x.clip(low, high),
    "compress": lambda x=V: x.compress(MASK),
    "conj": lambda x=V: z(x).conj(), "conjugate": lambda x=V: z(x).conjugate(),
    "copy": lambda x=V: x.copy(), "cumprod": lambda x=A: x.cumprod(1), "cumsum": lambda x=A: x.cumsum(1),
    "diagonal": lambda x=S: x.diagonal(1), "dot": lambda x=A, y=V: x.dot(y),
    "fill": lambda y=0.7, *, x=V: after(lambda a: a.fill(y), x), "flatten": lambda x=A: x.flatten(),
    "getfield": lambda x=V: x.getfield(np.float64), "item": lambda x=V: x.item(1), "max": lambda x=A: x.max(1),
    "mean": lambda x=A: x.mean(0), "min": lambda x=A: x.min(1),
    "partition": lambda x=V5: np.sort(after(lambda a: a.partition(2), x)[:2]),
    "prod": lambda x=A: x.prod(1), "put": lambda x=V, y=W: after(lambda a: a.put([2], y[0]), x),
    "ravel": lambda x=A: x.ravel(), "repeat": lambda x=V: x.repeat(2), "reshape": lambda x=A: x.reshape(3, 2),
    "resize": lambda x=V4: after(lambda a: a.resize((2, 2), refcheck=False), x),
    "setfield": lambda x=V, y=0.7: after(lambda a: a.setfield(y * x, np.float64), V),
    "sort": lambda x=A: after(lambda a: a.sort(), x), "squeeze": lambda x=A[None]: x.squeeze(),
    "std": lambda x=A: x.std(1),
    "sum": lambda x=A: x.sum(1), "swapaxes": lambda x=A: x.swapaxes(0, 1), "take": lambda x=V: x.take([2, 0]),
    "to_device": lambda x=V: x.to_device("cpu"), "tolist": lambda x=V: x.tolist(), "trace": lambda x=S: x.trace(),
    "transpose": lambda x=C3: x.transpose(1, 2, 0), "var": lambda x=A: x.var(1), "view": lambda x=V: x.view(),
    "__getitem__": lambda x=A: x[1, ::2], "__setitem__": lambda x=V, y=W: after(lambda a: a.__setitem__(0, y[1]), x),
    "__iter__": lambda x=V: [t * t for t in x], "__copy__": lambda x=V: copy.copy(x),
    "__deepcopy__": lambda x=V: copy.deepcopy(x), "__array__": lambda x=V: x.__array__(),
    "__array_wrap__": lambda x=V: x.__array_wrap__(x), "__float__": lambda x=0.7: float(x),
    "__complex__": lambda x=0.7: complex(x), "__pos__": lambda x=V: +x, "__neg__": lambda x=V: -x,
    "__abs__": lambda x=V: abs(x), "__dlpack__": lambda x=V: np.from_dlpack(x),
    "__array_ufunc__": lambda x=V: x.__array_ufunc__(np.sin, "__call__", x),
    "__array_function__": lambda x=V: x.__array_function__(np.sum, (np.ndarray,), (x,), {}),
    **{f"__{name}__": _operator(f"__{name}__", W * 3.1, V)
       for way in ("", "r") for name in (way + op for op in ("add", "sub", "mul", "truediv", "mod", "pow", "divmod"))},
    **{f"__i{name}__": _operator(f"__i{name}__", W * 3.1, V)
       for name in ("add", "sub", "mul", "truediv", "mod", "pow")},
    "__matmul__": lambda x=A, y=S: x @ y, "__rmatmul__": lambda x=A, y=S: x.T.__rmatmul__(y),
    "__imatmul__": lambda x=S, y=S.T: x.copy().__imatmul__(y),
}  # fmt: skip

CONSTANT: dict[str, Any] = {
    "all": lambda x=A: (x > 0.2).all(1), "any": lambda x=A: (x > 0.2).any(1), "argmax": lambda x=A: x.argmax(1),
    "argmin": lambda x=A: x.argmin(1), "argsort": lambda x=A: x.argsort(1), "nonzero": lambda x=V: (x > 0.4).nonzero(),
    "argpartition": lambda x=V5: np.sort(x.argpartition(2)[:2]), "round": lambda x=V - 0.02: x.round(1),
    "searchsorted": lambda x=np.sort(V), y=W: x.searchsorted(y),
    "__bool__": lambda x=0.7: bool(x), "__int__": lambda x=2.7: int(x), "__index__": lambda i=J: range(9)[i[0]],
    "__contains__": lambda x=V: 0.3 in x, "__invert__": lambda x=I: ~x,
    **{f"__{name}__": _operator(f"__{name}__", V, W)
       for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    **{f"__{name}__": _operator(f"__{name}__", W * 3.1, V)
       for name in ("floordiv", "rfloordiv")},
    "__ifloordiv__": lambda x=W * 3.1, y=V: x.copy().__ifloordiv__(y),
    **{f"__{name}__": _operator(f"__{name}__", I, J)
       for way in ("", "r", "i") for name in (way + op for op in ("and", "or", "xor", "lshift", "rshift"))},
}  # fmt: skip

NOT_NEEDED: dict[str, Any] = {
    "shape": lambda x=A: x.shape, "ndim": lambda x=A: x.ndim, "size": lambda x=A: x.size, "dtype": lambda x=A: x.dtype,
    "itemsize": lambda x=A: x.itemsize, "nbytes": lambda x=A: x.nbytes, "__len__": lambda x=A: len(x),
    "strides": lambda x=A: x.strides, "flags": lambda x=A: x.flags.writeable, "data": lambda x=A: x.data.nbytes,
    "ctypes": lambda x=A: x.ctypes.data and 1, "device": lambda x=A: x.device,
    "setflags": lambda x=A: x.setflags(write=True), "dump": lambda x=V: x.dump(io.BytesIO()),
    "dumps": lambda x=V: x.dumps(), "tobytes": lambda x=V: x.tobytes(), "tofile": lambda x=V: x.tofile("/dev/null"),
    "__repr__": lambda x=V: repr(x), "__str__": lambda x=V: str(x), "__format__": lambda x=0.5: f"{x:.2f}",
    "__reduce__": lambda x=V: x.__reduce__()[1][0], "__reduce_ex__": lambda x=V: pickle.dumps(x),
    "__array_interface__": lambda x=V: x.__array_interface__["shape"],
    "__array_struct__": lambda x=V: x.__array_struct__, "__array_priority__": lambda x=V: x.__array_priority__ < -1e9,
    "__array_namespace__": lambda x=V: x.__array_namespace__() is np,
    "__dlpack_device__": lambda x=V: x.__dlpack_device__(),
    "__class__": lambda x=V: x.__class__ is np.ndarray,
}  # fmt: skip


def _named(calls: dict[str, Any]) -> dict[str, Any]:
    return {f"ndarray.{name}": call for name, call in calls.items()}


DIFFERENTIABLE, CONSTANT, NOT_NEEDED = _named(DIFFERENTIABLE), _named(CONSTANT), _named(NOT_NEEDED)
