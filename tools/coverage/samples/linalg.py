"""numpy.linalg, numpy.fft and numpy.polynomial: a sample call for each function (see ``arrays``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tools.coverage.names import POLYNOMIALS
from wengert.tools.coverage.samples.values import C3, V4, V5, A, B, S, V, W, hermitian, positive, z

__all__ = ["CONSTANT", "DIFFERENTIABLE", "NOT_NEEDED"]

DIFFERENTIABLE: dict[str, Any] = {
    "linalg.cholesky": lambda x=S: np.linalg.cholesky(positive(x)),
    "linalg.cond": lambda x=S: np.linalg.cond(x),
    "linalg.cross": lambda x=V, y=W: np.linalg.cross(x, y),
    "linalg.det": lambda x=S: np.linalg.det(x),
    "linalg.diagonal": lambda x=C3: np.linalg.diagonal(x),
    "linalg.eig": lambda x=S: np.linalg.eig(x),
    "linalg.eigh": lambda x=S: np.linalg.eigh(hermitian(x)),
    "linalg.eigvals": lambda x=S: np.linalg.eigvals(x),
    "linalg.eigvalsh": lambda x=S: np.linalg.eigvalsh(hermitian(x)),
    "linalg.inv": lambda x=S: np.linalg.inv(x),
    "linalg.lstsq": lambda a=A.T, b=V: np.linalg.lstsq(a, b, rcond=None)[0],
    "linalg.matmul": lambda x=A, y=S: np.linalg.matmul(x, y),
    "linalg.matrix_norm": lambda x=A: np.linalg.matrix_norm(x),
    "linalg.matrix_power": lambda x=S: np.linalg.matrix_power(x, 3),
    "linalg.matrix_transpose": lambda x=A: np.linalg.matrix_transpose(x),
    "linalg.multi_dot": lambda x=A, y=S, v=V: np.linalg.multi_dot([x, y, v]),
    "linalg.norm": lambda x=A: np.linalg.norm(x, axis=1),
    "linalg.outer": lambda x=V, y=W: np.linalg.outer(x, y),
    "linalg.pinv": lambda x=A: np.linalg.pinv(x),
    "linalg.qr": lambda x=S: np.linalg.qr(x),
    "linalg.slogdet": lambda x=S: np.linalg.slogdet(x),
    "linalg.solve": lambda a=S, b=V: np.linalg.solve(a, b),
    "linalg.svd": lambda x=A: np.linalg.svd(x, full_matrices=False),
    "linalg.svdvals": lambda x=A: np.linalg.svdvals(x),
    "linalg.tensordot": lambda x=A, y=B: np.linalg.tensordot(x, y, axes=([0], [0])),
    "linalg.tensorinv": lambda x=S: np.linalg.tensorinv(x.reshape(3, 3, 1), ind=1),
    "linalg.tensorsolve": lambda a=S, b=V: np.linalg.tensorsolve(a, b),
    "linalg.trace": lambda x=S: np.linalg.trace(x),
    "linalg.vecdot": lambda x=A, y=V: np.linalg.vecdot(x, y),
    "linalg.vector_norm": lambda x=V: np.linalg.vector_norm(x),
    "fft.fft": lambda x=V4: np.fft.fft(x), "fft.ifft": lambda x=V4: np.fft.ifft(x),
    "fft.fft2": lambda x=A: np.fft.fft2(x), "fft.ifft2": lambda x=A: np.fft.ifft2(x),
    "fft.fftn": lambda x=C3: np.fft.fftn(x), "fft.ifftn": lambda x=C3: np.fft.ifftn(x),
    "fft.rfft": lambda x=V4: np.fft.rfft(x), "fft.irfft": lambda x=V4: np.fft.irfft(z(x)),
    "fft.rfft2": lambda x=A: np.fft.rfft2(x), "fft.irfft2": lambda x=A: np.fft.irfft2(z(x)),
    "fft.rfftn": lambda x=C3: np.fft.rfftn(x), "fft.irfftn": lambda x=C3: np.fft.irfftn(z(x)),
    "fft.hfft": lambda x=V4: np.fft.hfft(z(x)), "fft.ihfft": lambda x=V4: np.fft.ihfft(x),
    "fft.fftshift": lambda x=A: np.fft.fftshift(x), "fft.ifftshift": lambda x=A: np.fft.ifftshift(x),
    "fft.fftfreq": lambda d=0.7: np.fft.fftfreq(4, d), "fft.rfftfreq": lambda d=0.7: np.fft.rfftfreq(4, d),
}  # fmt: skip

CONSTANT: dict[str, Any] = {"linalg.matrix_rank": lambda x=A: np.linalg.matrix_rank(x)}

NOT_NEEDED: dict[str, Any] = {}


def _polynomials(module: str, prefix: str) -> None:
    """The functions of one basis: the same names and arguments in each."""

    def of(name: str) -> Any:
        return lambda *args: getattr(getattr(np.polynomial, module), name)(*args)

    calls: dict[str, Any] = {
        "add": lambda f: lambda c=V, d=V4: f(c, d), "sub": lambda f: lambda c=V, d=V4: f(c, d),
        "mul": lambda f: lambda c=V, d=V4: f(c, d), "mulx": lambda f: lambda c=V: f(c),
        "div": lambda f: lambda c=V5, d=V: f(c, d), "pow": lambda f: lambda c=V: f(c, 2),
        "val": lambda f: lambda x=W, c=V: f(x, c), "val2d": lambda f: lambda x=W, y=V, c=A: f(x, y, c),
        "valnd": lambda f: lambda x=W, y=V, c=A: f([x, y], c),
        "val3d": lambda f: lambda x=W, y=V, t=W, c=C3: f(x, y, t, c),
        "grid2d": lambda f: lambda x=W, y=V, c=A: f(x, y, c),
        "grid3d": lambda f: lambda x=W, y=V, t=W, c=C3: f(x, y, t, c),
        "der": lambda f: lambda c=V: f(c), "int": lambda f: lambda c=V: f(c),
        "fromroots": lambda f: lambda r=V: f(r), "roots": lambda f: lambda c=np.array([1.1, -3.4, 1.2]): f(c),
        "companion": lambda f: lambda c=V4: f(c), "fit": lambda f: lambda x=V5, y=V5**2: f(x, y, 1),
        "line": lambda f: lambda off=0.3, scl=0.8: f(off, scl), "trim": lambda f: lambda c=V: f(c),
        "vander": lambda f: lambda x=V: f(x, 2), "vander2d": lambda f: lambda x=V, y=W: f(x, y, [1, 2]),
        "vander3d": lambda f: lambda x=V, y=W, t=V: f(x, y, t, [1, 1, 1]),
    }
    calls |= {"valfromroots": lambda f: lambda x=W, r=V: f(x, r)} if prefix == "poly" else {
        "weight": lambda f: lambda x=V: f(x)}  # fmt: skip
    for name, call in calls.items():
        table = CONSTANT if prefix + name == "legweight" else DIFFERENTIABLE  # that weight is 1
        table[f"polynomial.{module}.{prefix}{name}"] = call(of(prefix + name))
    if prefix != "poly":
        NOT_NEEDED[f"polynomial.{module}.{prefix}gauss"] = _held(of(prefix + "gauss"), 3)
        for name in (f"poly2{prefix}", f"{prefix}2poly"):
            DIFFERENTIABLE[f"polynomial.{module}.{name}"] = _converted(of(name))


def _of_class(name: str) -> Any:
    return lambda c=V: getattr(np.polynomial, name)(c)(0.5)


def _held(function: Any, *args: Any) -> Any:
    return lambda: function(*args)


def _converted(function: Any) -> Any:
    return lambda c=V: function(c)


for _module, _prefix in POLYNOMIALS.items():
    _polynomials(_module, _prefix)
DIFFERENTIABLE["polynomial.chebyshev.chebinterpolate"] = lambda x=0.7: (
    np.polynomial.chebyshev.chebinterpolate(lambda t: np.exp(x * t), 3)
)
NOT_NEEDED["polynomial.chebyshev.chebpts1"] = lambda: np.polynomial.chebyshev.chebpts1(3)
NOT_NEEDED["polynomial.chebyshev.chebpts2"] = lambda: np.polynomial.chebyshev.chebpts2(3)
for _name in ("Polynomial", "Chebyshev", "Legendre", "Laguerre", "Hermite", "HermiteE"):
    DIFFERENTIABLE[f"polynomial.{_name}"] = _of_class(_name)
