"""Law: every op gives NumPy's value on every backend.

To the bit on ``numpy``, and wherever one IEEE operation on reals is all there is; a libm function may differ by a few units in
the last place, a sum by the rounding of its terms.
"""

import numpy as np
import oracles
import pytest
from batches import BACKENDS, values
from control_samples import GENERATORS as SUBGRAPHS
from samples import REAL, Sample, samples

from wengert.backends import protocol
from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.ops import CHAPTERS, OPS
from wengert.ir.types import ArrayType

pytestmark = pytest.mark.optimised(True)
#: NumPy itself leaves open which of 0.0 and -0.0 is the larger.
ZEROS_DIFFER = ("maximum", "minimum", "fmax", "fmin", "max", "min", "sort", "cummax", "cummin", "cofactors")
#: Ops that NumPy approximates in float32, or that are two roundings, by units in the last place.
ULPS = {"logaddexp": 8, "logaddexp2": 8, "deg2rad": 2, "rad2deg": 2, "power": 3}


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_samples(name, cases):
    made = samples(name)
    assert made
    shapes = {x.shape for s in made for x in s.operands}
    assert () in shapes or isinstance(OPS[name], (kinds.Cumulative, kinds.Library)) or name == "concatenate"
    assert any(0 in shape for shape in shapes)
    assert any(s.smooth for s in made)
    for dtype in REAL.values():
        taken = any(dtype in {x.dtype for x in s.operands} for s in made)
        assert taken or not _defined(name, dtype), f"no sample of {name} for {dtype}"
    cases(len(made))


def _defined(name, dtype):
    op = OPS[name]
    if isinstance(op, kinds.Elementwise) and "dtype" not in op.params:
        dtypes = (np.dtype(bool), dtype, dtype) if op.symbol == "?:" else (dtype,) * op.arity
        return op.result_dtype(dtypes, {}) is not None
    if isinstance(op, kinds.Reduction):
        return op.fold not in ("and", "or") or dtype.kind == "b"
    if name in ("draw", "random_key"):
        return dtype.kind in "iu" if name == "random_key" else dtype == np.uint64
    if name == "parameter":
        return dtype.kind == "f"
    if any(name in CHAPTERS[chapter].__dict__ for chapter in ("linalg", "factorizations", "matrix_functions")):
        return dtype.kind == "f"
    if name in ("recurrence", "linear_solve"):
        return dtype.kind == "f"
    if name in CHAPTERS["fft"].__dict__:
        return name == "rfft" and dtype.kind == "f"
    if isinstance(op.function, np.ufunc):
        return dtype.kind in ("f" if name == "nextafter" else "iu")
    return name not in ("call", *SUBGRAPHS) or dtype.kind != "b"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPS)
def test_values_are_numpys(name, backend, cases):
    wrong = []
    for sample, got in zip(samples(name), values(name, backend), strict=True):
        for k, (x, y) in enumerate(zip(got, oracles.value(sample), strict=True)):
            if complaint := unlike(sample, x, y, backend):
                wrong.append(f"{sample} result {k}: {complaint}")
    assert not wrong, f"{len(wrong)} of {len(samples(name))}:\n" + "\n".join(wrong[:20])
    cases(len(samples(name)))


def unlike(sample: Sample, got: np.ndarray, expected: np.ndarray, backend: str) -> str | None:
    """How a result differs from NumPy's by more than it may."""
    if (got.dtype, got.shape) != (expected.dtype, expected.shape):
        return f"{got.dtype}{got.shape} for {expected.dtype}{expected.shape}"
    if got.dtype.kind not in "fc":
        bad = got != expected
    else:
        bad = oracles.differing(got, expected, tolerance(sample, expected, backend))
        if not isinstance(sample.op, kinds.Contraction) and sample.op.name not in ZEROS_DIFFER and got.dtype.kind == "f":
            bad |= (got == 0) & (expected == 0) & (np.signbit(got) != np.signbit(expected))
    if not bad.any():
        return None
    i = np.flatnonzero(bad)[0]
    at = [x.ravel()[i] for x in sample.operands if x.size == got.size]
    return f"{bad.sum()} of {bad.size}, first {got.ravel()[i]!r} for {expected.ravel()[i]!r} at {at}"


def tolerance(sample: Sample, expected: np.ndarray, backend: str):
    op, eps = sample.op, oracles.eps(expected.dtype)
    if op.name in ("cofactors", "fft", "ifft", "rfft", "irfft", "expm", "expm_along"):  # the oracle has another way to compute them
        return (512 if op.name == "expm" else 200) * eps * max(1.0, abs(expected).max(initial=0))
    if isinstance(op, kinds.Contraction) or (backend != "numpy" and isinstance(op, kinds.Reduction | kinds.Cumulative)):
        if getattr(op, "fold", "+") not in ("+", "*", "linear"):
            return 0.0
        (total,) = oracles.value(sample, [abs(x) for x in sample.operands])
        terms = max(x.size for x in sample.operands)
        with np.errstate(all="ignore"):
            return np.where(np.isfinite(total), total, 0) * eps * max(terms, 1)
    if backend == "numpy" and not (sample.is_complex and op.name in ("recurrence", "while", "scan")):
        return 0.0
    if sample.is_complex and expected.dtype.kind in "fc":  # NumPy's products have fused steps on some processors
        size = np.where(np.isfinite(expected), abs(expected), 0)
        ulps = 64 if op.name == "power" else 8  # C's is exp(y log x), which loses what the logarithm is large by
        return ulps * np.spacing(size.max(initial=0) if isinstance(op, kinds.Control) else size)
    if not isinstance(op, kinds.Elementwise) or oracles.exact_name(op):
        return 0.0
    if op.library is not None:  # SciPy rounds in float32 what is rounded once here, and our formulas are others
        return np.where(np.isfinite(expected), 256 * eps * abs(expected) + 8 * eps, 0)
    if op.name == "logistic_loss":  # a sum, of terms that may cancel
        t, y = sample.operands
        with np.errstate(all="ignore"):
            size = 1 + abs(t) + abs(t * y)
        return np.where(np.isfinite(expected), 4 * eps * size, 0)
    ulps = ULPS.get(op.name, 4)
    # spacing, not eps |x|, so that subnormal results have their units, too
    with np.errstate(all="ignore"):
        return ulps * np.where(np.isfinite(expected), np.spacing(abs(expected)), 0)


# ----- What has no value is an error, not a guess -----


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "params"), [("take", {"axis": 0}), ("scatter_add", {"axis": 0, "size": 3})])
@pytest.mark.parametrize("bad", [3, -1, 2**62])
def test_an_index_out_of_range_raises(name, params, bad, backend, cases):
    b = Builder()
    x, i = b.input(ArrayType(np.dtype(float), (3,))), b.input(ArrayType(np.dtype(np.int64), (3,)))
    graph = b.graph([b.emit(OPS[name], [x, i], **params)])
    indices = np.array([0, bad, 1])
    with pytest.raises(IndexError, match="index"):
        protocol.get(backend).compile(graph)([np.ones(3), indices])
    with pytest.raises(IndexError, match="index"):
        protocol.get(backend).forward(graph, (0,))([np.ones(3), indices], [np.ones((1, 3))])
    with pytest.raises(IndexError, match="index"):
        protocol.get(backend).reverse(graph, (0,))([np.ones(3), indices], [np.ones((1, 3))])
    cases(3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [d for d in REAL.values() if d.kind == "i"], ids=str)
def test_a_negative_integer_power_raises(dtype, backend, cases):
    b = Builder()
    x, y = (b.input(ArrayType(dtype, (2,))) for _ in range(2))
    graph = b.graph([b.apply(OPS["power"], x, y)])
    with pytest.raises(ValueError, match="negative integer powers"):
        protocol.get(backend).compile(graph)([np.array([1, 2], dtype), np.array([1, -1], dtype)])
    cases(1)
