"""np.pad in every mode, with every option."""

import numpy as np
import pytest
from numpy_alike import INPUTS, name_of, same, same_slope

from wengert.tracer.numpy_api import FUNCTIONS, padding


def fill(vector, width, axis, kwargs):
    vector[: width[0]] = kwargs.get("value", 4)
    if width[1]:
        vector[-width[1] :] = vector[width[0]] * 2 + axis


X, M = INPUTS["vector"], INPUTS["matrix"]
STATISTICS = ("mean", "maximum", "minimum", *(("median",) if np.median in FUNCTIONS else ()))
CASES = {
    np.pad: [
        lambda x: np.pad(x, 1), lambda x: np.pad(x, (2, 0), constant_values=7), lambda x: np.pad(x, ((1, 2), (0, 1))), lambda x: np.pad(x, 2, constant_values=(3, 4)), lambda x: np.pad(x, [[1, 2]], constant_values=-1),
        lambda x: np.pad(x, ((1, 2), (0, 1)), constant_values=((1.5, 2), (3, 4))), lambda x: np.pad(x, 0, constant_values=3), lambda x: np.pad(x, 1.0), lambda x: np.pad(x, 1, constant_values=np.array([1, 2])), lambda x: np.pad(x, 1, constant_values=np.max(x)), lambda x: np.pad(x, -1), lambda x: np.pad(x, 1, "nothing"),
        lambda x: np.pad(x, 1, "edge", stat_length=1), lambda x: np.pad(x, 1, "reflect", reflect_type="strange"), lambda x: np.pad(x, (1, 2, 3)), lambda x: np.pad(x, 2, "empty").shape,
        *(lambda x, m=m, w=w: np.pad(x, w, mode=m) for m in ("edge", "wrap", "reflect", "symmetric") for w in (1, (3, 7))),
        *(lambda x, m=m, w=w: np.pad(x, w, m, reflect_type="odd") for m in ("reflect", "symmetric") for w in (1, (3, 7), (0, 2))),
        *(lambda x, m=m, k=k: np.pad(x, (1, 2), m, **k) for m in STATISTICS for k in ({}, {"stat_length": 2}, {"stat_length": (1, 2)})),
        lambda x: np.pad(x, 1, "maximum", stat_length=0), lambda x: np.pad(x, 3, "linear_ramp"), lambda x: np.pad(x, (3, 2), "linear_ramp", end_values=(5, -4)), lambda x: np.pad(x, (0, 2), "linear_ramp", end_values=1.5),
        lambda x: np.pad(x, 2, fill), lambda x: np.pad(x, (1, 0), fill, value=9), lambda x: np.pad(x[..., :1], 2, "reflect"), lambda x: np.pad(x[..., :1], 2, "reflect", reflect_type="odd"),
    ],
}  # fmt: skip
SLOPES = [
    (lambda x, v: np.pad(x, 2, constant_values=v[:2]), X, X), (lambda m, v: np.pad(m, ((1, 0), (2, 1)), constant_values=v[:4].reshape(2, 2)), M, X),
    *((lambda m, mode=mode: np.pad(m, ((1, 2), (3, 0)), mode), M) for mode in ("edge", "wrap", "reflect", "symmetric", *STATISTICS)),
    *((lambda m, mode=mode: np.pad(m, ((1, 2), (5, 1)), mode, reflect_type="odd"), M) for mode in ("reflect", "symmetric")),
    (lambda x, v: np.pad(x, (3, 2), "linear_ramp", end_values=v[:2]), X, X), (lambda m: np.pad(m, 2, fill), M),
]  # fmt: skip


def test_every_function_has_a_case():
    assert set(CASES) == set(padding.TABLE)


@pytest.mark.parametrize("sort", INPUTS)
@pytest.mark.parametrize("function", CASES, ids=name_of)
def test_a_function_does_what_numpy_does(function, sort):
    for case in CASES[function]:
        same(lambda x, case=case: case(x), INPUTS[sort])


@pytest.mark.parametrize("i", range(len(SLOPES)))
def test_slopes(i):
    same_slope(*SLOPES[i])


def test_widths_by_axis():
    if np.lib.NumpyVersion(np.__version__) >= "2.3.0":
        same(lambda x: np.pad(x, {0: 1, -1: (2, 0)}, "edge"), M)
