"""SciPy, as far as its functions hand traced arrays on: a sample call for each (see ``arrays``)."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from wengert.tools.coverage.probe import slopes
from wengert.tools.coverage.samples.values import V4, V5, A, S, T, V, W, hermitian, positive
from wengert.tracer.numpy_api.special import ops_of

__all__ = ["calls"]

#: Points of special ufuncs: the first at which the function is smooth and moves with each argument is taken.
_POINTS = (
    (0.37, 0.62, 0.45, 0.81, 0.23), (1.3, 0.6, 0.7, 0.4, 0.3), (2.0, 3.0, 0.45, 0.7, 1.3), (3.0, 2.0, 1.6, 0.4, 0.2),
    (1.0, 2.0, 0.6, 1.4, 0.3), (-0.4, 0.3, 0.2, 0.6, 0.1), (5.0, 0.3, 2.0, 0.7, 0.2), (2.0, 0.3, 0.6, 0.4, 0.1),
    (0.3, 2.0, 0.5, 1.2, 0.4), (1.0, 3.0, 0.4, 0.8, 1.4), (0.4, 5.0, 2.0, 1.2, 0.3), (-1.6, 1.4, 1.2, 1.1, 1.1),
    (2.6, 0.2, 1.7, 2.3, 1.9), (0.7, 0.9, 1.7, 1.6, 2.3),
)  # fmt: skip
#: How many of the first arguments are whole numbers in mathematics, though reals are taken.
_WHOLE = {
    **dict.fromkeys(("expn", "kn", "lpmv", "pdtr", "pdtrc", "pdtri", "smirnov", "smirnovi", "yn", "mathieu_a",
                     "mathieu_b", "mathieu_cem", "mathieu_sem", "mathieu_modcem1", "mathieu_modcem2",
                     "mathieu_modsem1", "mathieu_modsem2"), 1),
    **dict.fromkeys(("bdtr", "bdtrc", "bdtri", "nbdtr", "nbdtrc", "nbdtri", "sph_harm"), 2),
    **{f"{kind}_{name}": 2 for kind in ("obl", "pro")
       for name in ("ang1", "ang1_cv", "cv", "rad1", "rad1_cv", "rad2", "rad2_cv")},
}  # fmt: skip


def calls() -> dict[str, dict[str, Any]]:
    """The tables ``DIFFERENTIABLE``, ``CONSTANT`` and ``NOT_NEEDED``; ImportError without SciPy."""
    import scipy.linalg
    import scipy.signal
    from scipy import special

    tables: dict[str, dict[str, Any]] = {"DIFFERENTIABLE": dict(_linalg()), "CONSTANT": {}, "NOT_NEEDED": {}}
    tables["CONSTANT"] = {
        "scipy.linalg.bandwidth": lambda x=S: scipy.linalg.bandwidth(x),
        "scipy.linalg.ishermitian": lambda x=S: scipy.linalg.ishermitian(x),
        "scipy.linalg.issymmetric": lambda x=S: scipy.linalg.issymmetric(x),
        "scipy.linalg.signm": lambda x=S: scipy.linalg.signm(x),
    }
    for name in ("dft", "hadamard", "helmert", "hilbert", "invhilbert", "invpascal", "pascal"):
        tables["NOT_NEEDED"][f"scipy.linalg.{name}"] = _made(getattr(scipy.linalg, name))
    for name in dir(special):
        if isinstance(ufunc := getattr(special, name), np.ufunc):
            table = "CONSTANT" if name in ("gammasgn", "round") else "DIFFERENTIABLE"
            tables[table][f"scipy.special.{name}"] = _call(ufunc)
    tables["DIFFERENTIABLE"] |= {
        "scipy.special.logsumexp": lambda x=A: special.logsumexp(x, axis=1),
        "scipy.special.softmax": lambda x=A: special.softmax(x, axis=1),
        "scipy.special.log_softmax": lambda x=A: special.log_softmax(x, axis=1),
        "scipy.special.multigammaln": lambda a=2.7: special.multigammaln(a, 2),
        "scipy.special.polygamma": lambda x=V: special.polygamma(1, x),
        "scipy.special.zeta": lambda q=1.4: special.zeta(2.3, q),
        "scipy.special.sinc": lambda x=V: special.sinc(x),
        "scipy.special.comb": lambda n=4.3, k=1.6: special.comb(n, k),
        "scipy.special.perm": lambda n=4.3, k=1.6: special.perm(n, k),
        "scipy.special.factorial": lambda n=2.4: special.factorial(n),
        "scipy.signal.convolve": lambda x=V4, y=V: scipy.signal.convolve(x, y),
        "scipy.signal.fftconvolve": lambda x=V4, y=V: scipy.signal.fftconvolve(x, y),
    }
    return tables


def _made(function: Any) -> Any:
    return lambda: function(4)


def _call(ufunc: Any) -> Any:
    """A call where the ufunc is smooth and moves with every argument, those that are whole numbers held."""
    held = (*range(_WHOLE.get(ufunc.__name__, 0)), *_whole(ufunc))
    is_complex = not any(set(loop.partition("->")[0]) <= set("dlp") for loop in ufunc.types)
    found = [_at(ufunc, [j + 1 if j in held else x for j, x in enumerate(point[: ufunc.nin])], held, is_complex)
             for point in _POINTS]  # fmt: skip
    if not ops_of(ufunc.__name__):  # not called either: some of SciPy's take the process with them (1.13, obl_rad1)
        return found[0]
    return next((call for call in found if all(slopes(call).values())), found[0])


def _whole(ufunc: Any) -> list[int]:
    """The arguments for which there is no real loop."""
    loops = [types.partition("->")[0] for types in ufunc.types]
    real = [loop for loop in loops if set(loop) <= set("dlp")]
    return [] if not real or "d" * ufunc.nin in real else [j for j, kind in enumerate(real[0]) if kind != "d"]


def _at(ufunc: Any, point: list[Any], held: Any, is_complex: bool) -> Any:
    names = [f"x{i + 1}" for i in range(ufunc.nin)] if ufunc.nin > 1 else ["x"]

    def call(**moving: Any) -> Any:
        operands = [moving.get(name, x) for name, x in zip(names, point, strict=True)]
        return ufunc(*operands[:-1], operands[-1] + 0j) if is_complex else ufunc(*operands)

    call.__signature__ = inspect.Signature([  # type: ignore[attr-defined]
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=x)
        for j, (name, x) in enumerate(zip(names, point, strict=True)) if j not in held])  # fmt: skip
    return call


def _linalg() -> dict[str, Any]:
    from scipy import linalg

    b = A.T
    return {f"scipy.linalg.{name}": call for name, call in {
        "block_diag": lambda x=A, y=S: linalg.block_diag(x, y), "circulant": lambda x=V: linalg.circulant(x),
        "cho_factor": lambda x=S: np.triu(linalg.cho_factor(positive(x))[0]),
        "cho_solve": lambda x=T, y=V: linalg.cho_solve((x, True), y),
        "cho_solve_banded": lambda x=A, y=V: linalg.cho_solve_banded((x, True), y),
        "cholesky": lambda x=S: linalg.cholesky(positive(x), lower=True),
        "cholesky_banded": lambda x=V: linalg.cholesky_banded(np.stack([x + 2, x / 4]), lower=True),
        "companion": lambda x=V4: linalg.companion(x),
        "convolution_matrix": lambda x=V: linalg.convolution_matrix(x, 3),
        "cosm": lambda x=S: linalg.cosm(x), "sinm": lambda x=S: linalg.sinm(x), "tanm": lambda x=S: linalg.tanm(x / 4),
        "coshm": lambda x=S: linalg.coshm(x), "sinhm": lambda x=S: linalg.sinhm(x),
        "tanhm": lambda x=S: linalg.tanhm(x),
        "det": lambda x=S: linalg.det(x), "diagsvd": lambda x=V: linalg.diagsvd(x, 3, 4),
        "eig": lambda x=S: linalg.eig(x), "eigvals": lambda x=S: linalg.eigvals(x),
        "eigh": lambda x=S: linalg.eigh(hermitian(x)), "eigvalsh": lambda x=S: linalg.eigvalsh(hermitian(x)),
        "eigh_tridiagonal": lambda x=V5, y=V4: linalg.eigh_tridiagonal(x, y)[0],
        "eigvalsh_tridiagonal": lambda x=V5, y=V4: linalg.eigvalsh_tridiagonal(x, y),
        "expm": lambda x=S: linalg.expm(x), "expm_frechet": lambda x=S, y=T: linalg.expm_frechet(x, y),
        "fiedler": lambda x=V: linalg.fiedler(x), "fiedler_companion": lambda x=V4: linalg.fiedler_companion(x),
        "fractional_matrix_power": lambda x=S: linalg.fractional_matrix_power(x, 0.5),
        "hankel": lambda x=V, y=W: linalg.hankel(x, y), "inv": lambda x=S: linalg.inv(x),
        "khatri_rao": lambda x=A, y=S: linalg.khatri_rao(x, y), "ldl": lambda x=S: linalg.ldl(hermitian(x))[1],
        "kron": lambda x=A, y=S: linalg.kron(x, y),
        "leslie": lambda x=V, y=W: linalg.leslie(x, y[:2]), "logm": lambda x=S: linalg.logm(x),
        "lstsq": lambda x=b, y=V: linalg.lstsq(x, y)[0], "lu": lambda x=S: linalg.lu(x),
        "lu_factor": lambda x=S: linalg.lu_factor(x)[0],
        "lu_solve": lambda x=S, y=V: linalg.lu_solve((x, np.arange(3)), y),
        "matmul_toeplitz": lambda x=V, y=W: linalg.matmul_toeplitz(x, y), "norm": lambda x=A: linalg.norm(x),
        "orth": lambda x=b: linalg.orth(x), "pinv": lambda x=A: linalg.pinv(x),
        "pinvh": lambda x=S: linalg.pinvh(positive(x)), "polar": lambda x=S: linalg.polar(x),
        "qr": lambda x=S: linalg.qr(x), "rq": lambda x=S: linalg.rq(x), "schur": lambda x=S: linalg.schur(x),
        "hessenberg": lambda x=S: linalg.hessenberg(x), "sqrtm": lambda x=S: linalg.sqrtm(x),
        "solve": lambda x=S, y=V: linalg.solve(x, y),
        "solve_triangular": lambda x=T, y=V: linalg.solve_triangular(x, y, lower=True),
        "solve_banded": lambda x=S, y=V: linalg.solve_banded((1, 1), x, y),
        "solveh_banded": lambda x=V, y=W: linalg.solveh_banded(np.stack([x / 4, x + 2]), y),
        "solve_circulant": lambda x=V, y=W: linalg.solve_circulant(x, y),
        "solve_toeplitz": lambda x=V, y=W: linalg.solve_toeplitz(x + np.array([2.0, 0, 0]), y),
        "solve_sylvester": lambda x=S, y=T, q=S: linalg.solve_sylvester(x, y, q),
        "solve_continuous_lyapunov": lambda x=S, q=T: linalg.solve_continuous_lyapunov(x, q),
        "solve_discrete_lyapunov": lambda x=S / 5, q=T: linalg.solve_discrete_lyapunov(x, q),
        "svd": lambda x=A: linalg.svd(x, full_matrices=False), "svdvals": lambda x=A: linalg.svdvals(x),
        "toeplitz": lambda x=V, y=W: linalg.toeplitz(x, y),
        "eig_banded": lambda x=V: linalg.eig_banded(np.stack([x + 2, x / 4]), lower=True),
        "eigvals_banded": lambda x=V: linalg.eigvals_banded(np.stack([x + 2, x / 4]), lower=True),
        "funm": lambda x=S: linalg.funm(x, np.exp), "null_space": lambda x=A: linalg.null_space(x),
        "matrix_balance": lambda x=S: linalg.matrix_balance(x)[0],
        "orthogonal_procrustes": lambda x=S, y=T: linalg.orthogonal_procrustes(x, y),
        "solve_continuous_are": lambda x=S, b=T, q=S: linalg.solve_continuous_are(x, b, positive(q), np.eye(3)),
        "solve_discrete_are": lambda x=S, b=T, q=S: linalg.solve_discrete_are(x, b, positive(q), np.eye(3)),
        "solve_lyapunov": lambda x=S, q=T: linalg.solve_lyapunov(x, q),
        "subspace_angles": lambda x=b, y=S[:, :2]: linalg.subspace_angles(x, y),
    }.items()}  # fmt: skip
