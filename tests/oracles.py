"""What the ops mean, said again and independently: NumPy for values, mpmath and differences for derivatives."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import control_samples
import mpmath
import numpy as np
import scipy.linalg
from attrs import evolve
from samples import Sample

from wengert.backends import libraries
from wengert.ir.kinds import Cumulative, Elementwise, Reduction
from wengert.ir.types import DTYPES, is_inexact

# ----- Values -----


def value(sample: Sample, operands: Any = None) -> tuple[np.ndarray, ...]:
    """What NumPy's own function gives, or, for the ops that NumPy does not have, a formula."""
    return apply(sample.op, sample.operands if operands is None else operands, sample.params)


def apply(op: Any, operands: Any, params: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """The results of one op."""
    with np.errstate(all="ignore"):
        if op.name in FORMULAS:
            out = FORMULAS[op.name](*operands, **params)
        elif isinstance(op, Elementwise):
            out = (libraries.find(op) if op.library else op.function)(*operands)
        elif isinstance(op, Reduction):
            out = reduced(op, operands[0], params["axes"])
        elif isinstance(op, Cumulative):
            out = running(op, *operands, **params)
        else:
            raise LookupError(f"tests/oracles.py does not say what {op.name!r} means: add a formula.")
    return tuple(map(np.asarray, out)) if isinstance(out, tuple) else (np.asarray(out),)


def _pcg64(rng):
    """The key of a Generator, said again: 1, the two numbers of 128 bits, and the half that is left of one of 64."""
    state = rng.bit_generator.state
    numbers = b"".join(state["state"][name].to_bytes(16, "big") for name in ("state", "inc"))
    return np.array([1, *np.frombuffer(numbers, ">u8"), state["has_uint32"], state["uinteger"]], np.uint64)


def _draw(key, *args, method, shape, dtype, options):
    """From where default_rng(7) starts, as the samples do."""
    rng = np.random.default_rng(7)
    assert (key == _pcg64(rng)).all()
    if method == "choice":
        return rng.choice(options[0], shape), _pcg64(rng)
    dtypes = {"dtype": DTYPES[dtype]} if method != "standard_normal" else {}
    return np.asarray(getattr(rng, method)(*args, size=shape, **dtypes)), _pcg64(rng)


def reduced(op, x, axes):
    if op.fold in ("argmax", "argmin"):
        kept = [a for a in range(x.ndim) if a not in axes]
        flat = x.transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), math.prod(x.shape[a] for a in axes))
        return op.function(flat, axis=-1)
    keep = {"dtype": x.dtype} if op.fold in "+*" else {}
    return op.function(x, axis=axes, **keep)


def running(op, *operands, axis, reverse):
    turned = [np.flip(x, axis) if reverse else x for x in operands]
    if op.fold == "linear":
        out = linear(*(np.moveaxis(x, axis, 0) for x in turned))
        out = np.moveaxis(out, 0, axis)
    else:
        fold = {"+": np.add, "*": np.multiply, "max": np.maximum, "min": np.minimum}[op.fold]
        out = fold.accumulate(*turned, axis=axis, dtype=operands[0].dtype)
    return np.flip(out, axis) if reverse else out


def linear(carry, x):
    out = x.copy()
    for i in range(1, len(x)):
        out[i] = x[i] + _scale(carry[i], out[i - 1])
    return out


def _grid(start, size, step):
    return np.ix_(*(s + d * np.arange(n) for s, n, d in zip(start, size, step, strict=True)))


def _slice(x, start, size, step):
    return x[_grid(start, size, step)] if start else x


def _place(x, shape, start, step):
    out = np.zeros(shape, x.dtype)
    out[_grid(start, x.shape, step) if start else ...] = x
    return out


def _scatter_add(updates, indices, axis, size):
    out = np.zeros((*updates.shape[:axis], size, *updates.shape[axis + indices.ndim :]), updates.dtype)
    lead = (slice(None),) * axis
    for where in np.ndindex(indices.shape):
        here, there = (*lead, int(indices[where])), (*lead, *where)
        out[here] = out[here] + updates[there]
    return out


def _scale(p, t):
    return np.where((p == 0) | (t == 0), np.where(np.isnan(p * t), 0, p * t), p * t).astype(p.dtype)


def _scale_einsum(x, y, subscripts):
    """Term by term; a term with an exact zero is zero."""
    names, out = subscripts.split("->")
    first, second = names.split(",")
    sizes = dict(zip(first + second, x.shape + y.shape, strict=True))
    letters = list(sizes)
    total = np.zeros([sizes[c] for c in out], x.dtype)
    for index in itertools.product(*(range(sizes[c]) for c in letters)):
        at = dict(zip(letters, index, strict=True))
        a, b = x[tuple(at[c] for c in first)], y[tuple(at[c] for c in second)]
        if a != 0 and b != 0:
            total[tuple(at[c] for c in out)] += a * b
    return total


def _product(x, y):
    return x * y + x


#: The graphs of samples.callees.
CALLEES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "product": lambda x, y: (_product(x, y),),
    "two": lambda x, y: (x * x, x - y),
    "mixed": lambda x, y: (x < y, y * y),
    "through": lambda x, y: (y, x, x),
    "nested": lambda x, y: (_product(y, x) * x,),
}

def _wrapped(function, x, y):
    """Python's exact integers, modulo two to the width."""
    bits, low = 8 * x.dtype.itemsize, int(np.iinfo(x.dtype).min)
    exact = [function(a, b) for a, b in zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)]
    return np.array([(n - low) % 2**bits + low for n in exact], x.dtype).reshape(x.shape)


def shared(sample: Sample) -> bool:
    """Whether an op reads one triangle of its operand, and is taken to be a function of both, which share the derivative."""
    return sample.op.name in ("cholesky", "eigh", "eigh_evr", "eigvalsh") or sample.params.get("hermitian", False)


def half(x):
    """The hermitian part."""
    return (x + np.swapaxes(x, -1, -2).conj()) / 2


def _minors(x):
    n = x.shape[-1]
    rest = [[i for i in range(n) if i != k] for k in range(n)]
    out = np.array([[(-1) ** (i + j) * np.linalg.det(x[..., rest[i], :][..., rest[j]]) for j in range(n)] for i in range(n)])
    return np.moveaxis(out.reshape(n, n, *x.shape[:-2]), (0, 1), (-2, -1))


def _cofactors(x, *directions):
    """Cofactors are polynomials of degree 2, and of 3 in two directions, at most for the sizes of the samples: differences
    are derivatives."""
    a, *along = (y.astype(np.result_type(y, np.float64)) for y in (x, *directions))
    match along:
        case []:
            out = _minors(a)
        case [e]:
            out = (_minors(a + e) - _minors(a - e)) / 2
        case [e, f]:
            out = (_minors(a + e + f) - _minors(a + e - f) - _minors(a - e + f) + _minors(a - e - f)) / 4
    return out.astype(x.dtype)


def _lenient(a, b, singular):
    if a.ndim > 2:
        return np.array([_lenient(*each, singular) for each in zip(a, b, strict=True)], b.dtype).reshape(b.shape)
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        nan = np.full(b.shape, complex(np.nan, np.nan) if b.dtype.kind == "c" else np.nan, b.dtype)
        return np.where((b == 0).all(0), 0, nan).astype(b.dtype)


def _lstsq(a, b, rcond):
    x, _, rank, _ = np.linalg.lstsq(a, b, rcond)
    return x, np.int32(rank)


def _eigh_evr(x, UPLO):
    lines = [scipy.linalg.eigh(each, lower=UPLO == "L", driver="evr") for each in half(x).reshape(-1, *x.shape[-2:])] if x.size else []
    if not lines:
        return tuple(np.linalg.eigh(x))
    return np.array([w for w, _ in lines]).reshape(x.shape[:-1]), np.array([v for _, v in lines]).reshape(x.shape)


def _eig(x):
    return tuple(y.astype(np.result_type(x, np.complex64)) for y in np.linalg.eig(x))


def _expm(a, *directions):
    """By the series of it: sums over all words of a length in which each direction is once, and A elsewhere."""
    wide = [y.astype(np.result_type(y, np.float64)) for y in (a, *directions)]
    every = [frozenset(c) for k in range(len(wide)) for c in itertools.combinations(range(1, len(wide)), k)]
    words = {s: np.broadcast_to(np.eye(a.shape[-1]), a.shape) if not s else 0 * wide[0] for s in every}
    total = words[every[-1]]
    for m in range(1, 80):
        words = {s: (words[s] @ wide[0] + sum((words[s - {i}] @ wide[i] for i in s), 0 * wide[0])) / m for s in every}
        total = total + words[every[-1]]
    return total.astype(a.dtype)


def _dft(x, sign, axis, norm, kept=None):
    """By the matrix, with angles reduced before they are rounded."""
    n = x.shape[axis]
    turns = np.outer(np.arange(n), np.arange(n)) % n
    factor = {"ortho": n**-0.5, "forward": 1 / n if sign < 0 else 1.0, "backward": 1.0 if sign < 0 else 1 / n}[norm]
    out = np.moveaxis(np.tensordot(factor * np.exp(sign * 2j * np.pi * turns / n), x, ([1], [axis])), 0, axis)
    return np.take(out, range(n if kept is None else kept), axis).astype(np.result_type(x, np.complex64))


def _irfft(x, n, axis, norm):
    """Of the whole, symmetric spectrum."""
    lines = np.moveaxis(x, axis, 0)
    whole = np.concatenate((lines, lines[1 : (n + 1) // 2][::-1].conj()))
    for alone in (0, n // 2) if n % 2 == 0 else (0,):
        whole[alone] = whole[alone].real
    return np.moveaxis(_dft(whole, 1, 0, norm).real, 0, axis)


COMPLETED = {
    "qr": lambda x: np.linalg.qr(x, "complete")[0][..., min(x.shape[-2:]) :],
    "u": lambda x: np.linalg.svd(x)[0][..., min(x.shape[-2:]) :],
    "vh": lambda x: np.linalg.svd(x)[2][..., min(x.shape[-2:]) :, :],
}

def _complex(x, y):
    out = np.empty(x.shape, np.result_type(x, np.complex64))
    out.real, out.imag = x, y
    return out


FORMULAS: dict[str, Callable[..., Any]] = {
    "complex": _complex,
    "cast": lambda x, dtype, weak: x.astype(DTYPES[dtype]),
    "stop_gradient": lambda x: x,
    "scale": _scale,
    "logistic_loss": lambda t, y: np.log1p(np.exp(-np.abs(t))) + (np.maximum(t, 0) - t * y),
    "reshape": lambda x, shape: np.reshape(x, shape),
    "transpose": lambda x, axes: np.transpose(x, axes),
    "broadcast_to": lambda x, shape: np.broadcast_to(x, shape),
    "concatenate": lambda *xs, axis: np.concatenate(xs, axis=axis),
    "slice": _slice,
    "place": _place,
    "einsum": lambda x, y, subscripts: np.einsum(subscripts, x, y),
    "scale_einsum": _scale_einsum,
    "take": lambda x, indices, axis: np.take(x, indices, axis=axis),
    "scatter_add": _scatter_add,
    "sort": lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    "argsort": lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    "gcd": lambda x, y: _wrapped(math.gcd, x, y), "lcm": lambda x, y: _wrapped(math.lcm, x, y),
    "nextafter": np.nextafter,
    "draw": lambda key, *args, **params: _draw(key, *args, **params), "parameter": lambda x, of: x,
    "random_key": lambda seed: _pcg64(np.random.default_rng(seed if seed.ndim else int(seed))),
    "solve": _lenient, "det": np.linalg.det, "slogdet": lambda x: tuple(np.linalg.slogdet(x)), "cofactors": _cofactors,
    "pinv": lambda x, rtol, hermitian: np.linalg.pinv(half(x) if hermitian else x, rtol, hermitian), "lstsq": _lstsq,
    "cholesky": lambda x: np.linalg.cholesky(half(x)), "qr": lambda x: tuple(np.linalg.qr(x)),
    "svd": lambda x: tuple(np.linalg.svd(x, full_matrices=False)), "svdvals": lambda x: np.linalg.svd(x, compute_uv=False),
    "eig": _eig, "eigh_evr": _eigh_evr,
    "eigh": lambda x, UPLO: tuple(np.linalg.eigh(half(x), UPLO)),
    "eigvalsh": lambda x, UPLO: np.linalg.eigvalsh(half(x), UPLO),
    "complement": lambda x, of: COMPLETED[of](x),
    "fft": lambda x, axis, norm: _dft(x, -1, axis, norm), "ifft": lambda x, axis, norm: _dft(x, 1, axis, norm),
    "rfft": lambda x, n, axis, norm: _dft(x, -1, axis, norm, n // 2 + 1), "irfft": _irfft,
    "expm": _expm, "expm_along": _expm,
    **control_samples.formulas(CALLEES),
}


# ----- Derivatives of scalar functions, at 50 digits -----

mp = mpmath.mp


def _trunc(q):
    return mp.floor(q) if q >= 0 else mp.ceil(q)


def _constant(*xs):
    return mp.mpf(0)


#: The functions of the elementwise ops that have a real result, in mpmath's numbers.
MP: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y, "floor_divide": lambda x, y: mp.floor(x / y),
    "remainder": lambda x, y: x - y * mp.floor(x / y), "fmod": lambda x, y: x - y * _trunc(x / y),
    "power": lambda x, y: x**y, "negative": lambda x: -x, "positive": lambda x: +x, "absolute": abs,
    "sign": mp.sign, "square": lambda x: x**2, "reciprocal": lambda x: 1 / x, "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "maximum": max, "minimum": min, "fmax": max, "fmin": min,
    "copysign": lambda x, y: abs(x) if y > 0 else -abs(x),
    "heaviside": lambda x, h: mp.mpf(1) if x > 0 else mp.mpf(0),
    "floor": mp.floor, "ceil": mp.ceil, "trunc": _trunc, "rint": mp.nint,
    "exp": mp.exp, "exp2": lambda x: mp.mpf(2) ** x, "expm1": mp.expm1, "log": mp.log,
    "log2": lambda x: mp.log(x, 2), "log10": mp.log10, "log1p": mp.log1p,
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "logaddexp2": lambda x, y: mp.log(mp.mpf(2) ** x + mp.mpf(2) ** y, 2),
    "logistic_loss": lambda t, y: mp.log(1 + mp.exp(t)) - t * y,
    "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan,
    "arctan2": mp.atan2, "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "arcsinh": mp.asinh, "arccosh": mp.acosh,
    "arctanh": mp.atanh, "deg2rad": mp.radians, "rad2deg": mp.degrees,
    "sinc": mp.sincpi, "bessel_i0": lambda x: mp.besseli(0, x),
    "cast": lambda x: +x, "scale": lambda p, t: p * t, "where": lambda c, x, y: x if c else y,
    "stop_gradient": _constant,  # by definition
}  # fmt: skip


# SciPy's functions, by definitions that are mpmath's own, and not by the formulas of our rules.


def _lower(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def _upper(a, x):
    return mp.gammainc(a, x, regularized=True)


def _beta_lower(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def _student(df, t):
    tail = mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
    return tail if t < 0 else 1 - tail


def _inverse(name):
    """The inverse in the last operand of a function, found from SciPy's value."""

    def inverse(*xs):
        import scipy.special

        function, ufunc = {
            "gammaincinv": (_lower, "gammaincinv"), "gammainccinv": (_upper, "gammainccinv"),
            "betaincinv": (_beta_lower, "betaincinv"), "stdtrit": (_student, "stdtrit"),
            "betainccinv": (lambda a, b, x: 1 - _beta_lower(a, b, x), "betainccinv"),
            "erfcinv": (mp.erfc, "erfcinv"), "ndtri": (mp.ncdf, "ndtri"),
            "ndtri_exp": (lambda x: mp.log(mp.ncdf(x)), "ndtri_exp"),
        }[name]  # fmt: skip
        start = float(getattr(scipy.special, ufunc)(*map(float, xs)))
        return mp.findroot(lambda x: function(*xs[:-1], x) - xs[-1], (start, start * (1 + 1e-7)))

    return inverse


def _dawson(x):
    return mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)


def _owen(h, a):
    return mp.quad(lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, a]) / (2 * mp.pi)


def _huber(delta, r):
    return r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)


def _power_over(x, k):
    return mp.log(x) if k == 0 else mp.powm1(x, k) / k


def _inverse_power(y, k):
    return mp.exp(y) if k == 0 else (1 + k * y) ** (1 / k)


def _signed_gamma(x):
    return mp.loggamma(x) if x > 0 else mp.log(abs(mp.gamma(x)))


MP |= {
    "erf": mp.erf, "erfc": mp.erfc, "erfi": mp.erfi, "erfinv": mp.erfinv, "dawsn": _dawson,
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x), "fresnel_s": mp.fresnels, "fresnel_c": mp.fresnelc,
    "ndtr": mp.ncdf, "log_ndtr": lambda x: mp.log(mp.ncdf(x)), "owens_t": _owen,
    **{name: _inverse(name) for name in (
        "erfcinv", "ndtri", "ndtri_exp", "gammaincinv", "gammainccinv", "betaincinv", "betainccinv", "stdtrit")},
    "gamma": mp.gamma, "gammaln": _signed_gamma, "loggamma": mp.loggamma, "rgamma": mp.rgamma, "gammasgn": _constant,
    "digamma": mp.digamma, "zeta": mp.zeta, "riemann_zeta": mp.zeta, "zetac": lambda x: mp.zeta(x) - 1,
    "beta": mp.beta, "betaln": lambda a, b: mp.log(mp.beta(a, b)), "binom": mp.binomial, "poch": mp.rf,
    "gammainc": _lower, "gammaincc": _upper, "betainc": _beta_lower,
    "betaincc": lambda a, b, x: 1 - _beta_lower(a, b, x),
    "chdtr": lambda v, x: _lower(v / 2, x / 2), "chdtrc": lambda v, x: _upper(v / 2, x / 2),
    "gdtr": lambda a, b, x: _lower(b, a * x), "gdtrc": lambda a, b, x: _upper(b, a * x), "stdtr": _student,
    "pdtr": lambda k, m: _upper(mp.floor(k) + 1, m), "pdtrc": lambda k, m: _lower(mp.floor(k) + 1, m),
    **{f"{kind}{n}": lambda x, kind=kind, n=n: getattr(mp, f"bessel{kind}")(n, x) for kind in "jyik" for n in (0, 1)},
    **{name: getattr(mp, f"bessel{name[0]}") for name in ("jv", "yv", "iv", "kv", "kn", "yn")},
    **{f"i{n}e": lambda x, n=n: mp.exp(-abs(x)) * mp.besseli(n, x) for n in (0, 1)},
    **{f"k{n}e": lambda x, n=n: mp.exp(x) * mp.besselk(n, x) for n in (0, 1)},
    "ive": lambda v, x: mp.exp(-abs(x)) * mp.besseli(v, x), "kve": lambda v, x: mp.exp(x) * mp.besselk(v, x),
    "struve": mp.struveh, "modstruve": mp.struvel,
    "airy_ai": mp.airyai, "airy_aip": lambda x: mp.airyai(x, derivative=1),
    "airy_bi": mp.airybi, "airy_bip": lambda x: mp.airybi(x, derivative=1),
    "hyp0f1": mp.hyp0f1, "hyp1f1": mp.hyp1f1, "hyp2f1": mp.hyp2f1, "hyperu": mp.hyperu,
    "expit": lambda x: 1 / (1 + mp.exp(-x)), "logit": lambda x: mp.log(x / (1 - x)),
    "log_expit": lambda x: -mp.log1p(mp.exp(-x)), "xlogy": lambda x, y: x * mp.log(y),
    "xlog1py": lambda x, y: x * mp.log1p(y), "entr": lambda x: -x * mp.log(x),
    "rel_entr": lambda x, y: x * mp.log(x / y), "kl_div": lambda x, y: x * mp.log(x / y) - x + y,
    "huber": _huber, "pseudo_huber": lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1),
    "boxcox": _power_over, "boxcox1p": lambda x, k: _power_over(1 + x, k),
    "inv_boxcox": _inverse_power, "inv_boxcox1p": lambda y, k: _inverse_power(y, k) - 1,
    "exprel": lambda x: mp.expm1(x) / x if x else mp.mpf(1), "cosm1": lambda x: mp.cos(x) - 1,
    "exp10": lambda x: mp.mpf(10) ** x, "powm1": lambda x, y: x**y - 1,
    "sindg": lambda x: mp.sin(mp.radians(x)), "cosdg": lambda x: mp.cos(mp.radians(x)),
    "tandg": lambda x: mp.tan(mp.radians(x)), "cotdg": lambda x: mp.cot(mp.radians(x)),
    "ellipk": mp.ellipk, "ellipkm1": lambda p: mp.ellipk(1 - p), "ellipe": mp.ellipe,
    "ellipkinc": mp.ellipf, "ellipeinc": mp.ellipe, "expi": mp.ei, "exp1": mp.e1, "expn": mp.expint,
    "spence": lambda x: mp.polylog(2, 1 - x).real, "sici_s": mp.si, "sici_c": mp.ci,
    "shichi_s": mp.shi, "shichi_c": mp.chi,
}  # fmt: skip


#: The analytic ones, with the intervals (of magnitudes as powers of ten) where they are looked at, and their signs.
SMOOTH: dict[str, tuple[tuple[float, float, bool], ...]] = {
    "multiply": ((-150, 150, True),) * 2, "divide": ((-150, 150, True),) * 2, "square": ((-300, 300, True),),
    "reciprocal": ((-150, 150, True),), "sqrt": ((-300, 300, False),), "cbrt": ((-300, 300, True),),
    "power": ((-20, 20, False), (-3, 1, True)), "exp": ((-300, 2.5, True),), "exp2": ((-300, 2.5, True),),
    "expm1": ((-300, 2.5, True),), "log": ((-300, 300, False),), "log2": ((-300, 300, False),),
    "log10": ((-300, 300, False),), "log1p": ((-300, 300, False),), "logaddexp": ((-10, 2.8, True),) * 2,
    "logaddexp2": ((-10, 2.8, True),) * 2, "sin": ((-300, 5, True),), "cos": ((-300, 5, True),),
    "tan": ((-300, 0, True),), "arcsin": ((-300, -0.0001, True),), "arccos": ((-300, -0.0001, True),),
    "arctan": ((-300, 150, True),), "arctan2": ((-300, 300, True),) * 2, "hypot": ((-300, 300, True),) * 2,
    "sinh": ((-300, 2.5, True),), "cosh": ((-300, 2.5, True),), "tanh": ((-300, 2.5, True),),
    "arcsinh": ((-300, 300, True),), "arccosh": ((0.0001, 300, False),), "arctanh": ((-300, -0.0001, True),),
    "sinc": ((-300, 0.1, True),), "bessel_i0": ((-300, 2.5, True),),
}  # fmt: skip


def mp_partial(name: str, k: int, point: tuple[Any, ...], dps: int = 50) -> Any:
    """The derivative of an elementwise op in operand ``k`` at one point."""
    with mp.workdps(dps):
        here = [x if isinstance(x, (bool, np.bool_)) else mp.mpf(float(x)) for x in point]

        def along(x):
            return MP[name](*here[:k], x, *here[k + 1 :])

        return mp.diff(along, here[k], relative=dps > 50)


# ----- Derivatives of everything else: differences -----

STEPS = ((1, 8), (-1, -8), (2, -1), (-2, 1))  # over 12 h: exact for polynomials of degree 4


def jacobian(sample: Sample) -> np.ndarray:
    """5-point differences of the oracle's value in double precision, all results against all inexact operands.

    A complex number counts as two: of each operand first all real parts, then all imaginary parts; so of each result.
    """
    wide = [x.astype(np.result_type(x, np.float64)) if is_inexact(x.dtype) else x for x in sample.operands]
    if sample.params.get("dtype") == "c64":
        sample = evolve(sample, params={**sample.params, "dtype": "c128"})
    columns = []
    for k in sample.active:
        for direction in directions(wide[k].dtype):
            for i in range(wide[k].size):
                total: Any = 0
                for step, weight in STEPS:
                    moved = [x.copy() for x in wide]
                    moved[k].flat[i] += step * H * direction
                    total = total + weight * flat(aligned(sample, value(sample, moved)), sample)
                columns.append(total / (12 * H))
    rows = flat(value(sample, wide), sample).size
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))


def aligned(sample: Sample, values: Any) -> Any:
    """Vectors that are known up to a sign or phase, with those that they have at the sample itself: no vector has a part of its
    derivative along itself.  Of singular vectors these are V's, and U's are what belongs to them."""
    if sample.op.name not in ("eigh", "eigh_evr", "eig", "svd"):
        return values
    if sample.op.name == "svd":
        turn = _turn((value(sample)[2].conj() * values[2]).sum(axis=-1))
        return values[0] * turn.conj()[..., None, :], values[1], values[2] * turn[..., None]
    along = (value(sample)[1].conj() * values[1]).sum(axis=-2)
    turn = _turn(along.real if sample.op.name == "eig" else along)  # whose phases LAPACK chooses, and our rule knows
    return values[0], values[1] * turn[..., None, :]


def _turn(along):
    return along.conj() / abs(along)


def has_phase(sample: Sample) -> bool:
    """Whether vectors are known up to a phase.  That the derivative has no part along a vector is no property of a function: there
    is no second derivative but of what is free of the phase."""
    return sample.is_complex and sample.op.name in ("eigh", "eigh_evr", "svd")


H = 2.0**-10  # below every gap between the samples' numbers, and exact


def directions(dtype: np.dtype) -> tuple[complex, ...]:
    """The units of one number: 1, and i for a complex one."""
    return (1, 1j) if dtype.kind == "c" else (1,)


def parts(x: np.ndarray) -> list[np.ndarray]:
    """The real and the imaginary part of what is complex."""
    return [x.real, x.imag] if x.dtype.kind == "c" else [x]


def flat(values: Any, sample: Sample) -> np.ndarray:
    """The inexact results one behind the other, a complex one as its real and its imaginary parts."""
    types = zip(values, sample.result_types, strict=True)
    kept = [part.ravel() for v, t in types if is_inexact(t.dtype) for part in parts(v)]
    return np.concatenate(kept) if kept else np.zeros(0)


# ----- Equality -----


def exact_name(op: Any) -> bool:
    """Whether an elementwise op is exact or rounded once, so that every backend must give the same bits."""
    if op.libm is not None:
        return op.libm in ("sqrt", "fmod", "copysign", "floor", "ceil", "trunc", "rint")
    return op.symbol != "**" and op.library is None and op.name not in (
        "logaddexp", "logaddexp2", "logistic_loss", "deg2rad", "rad2deg", "sinc", "bessel_i0")


@functools.cache
def eps(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps)


def differing(got: np.ndarray, expected: np.ndarray, tolerance: Any) -> np.ndarray:
    """Where two arrays differ: NaN and infinities in other places, or numbers by more than the tolerance."""
    if np.asarray(got).dtype.kind == "c":
        return differing(got.real, expected.real, tolerance) | differing(got.imag, expected.imag, tolerance)
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    with np.errstate(all="ignore"):
        close = (got == expected) | (abs(got - expected) <= tolerance) & np.isfinite(got) & np.isfinite(expected)
    return ~(close | (np.isnan(got) & np.isnan(expected)))


#: What SciPy itself computes to fewer digits.
LOOSE = {"hyperu": 1e-9, "stdtrit": 1e-10}


def far(sample: Sample, got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where a Jacobian is not the oracle's: 1e-12 of each partial in float64, 1e-5 in float32.

    Against differences, whose rounding is that of the values over the step, of the largest entry.
    """
    dtypes = (*(sample.operands[k].dtype for k in sample.active), *(t.dtype for t in sample.result_types))
    single = any(dtype in (np.float32, np.complex64) for dtype in dtypes)
    if sample.is_complex:
        return differing(got, expected, max(1.0, abs(expected).max(initial=0)) * (3e-5 if single else 1e-8))
    if sample.op.name in MP:
        rough = 5e-4 if getattr(sample.op, "library", None) else 1e-5  # SciPy's values in float32 are ill conditioned
        return differing(got, expected, abs(expected) * (rough if single else LOOSE.get(sample.op.name, 1e-12)))
    return differing(got, expected, max(1.0, abs(expected).max(initial=0)) * (1e-5 if single else 1e-11))
