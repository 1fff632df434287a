"""The derivative functions as users call them: on functions, on graphs, nested, on every backend."""

from __future__ import annotations

import dataclasses
from collections import namedtuple

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol

BACKENDS = [name for name in protocol.BUILT_IN if wg.available_backends()[name] is None]
X = np.array([0.3, 1.2, 2.1])


def wave(x):
    return np.sum(np.sin(x) * x[::-1])


def wave_gradient(x):
    return np.cos(x) * x[::-1] + np.sin(x)[::-1]


def wave_hessian(x):
    n = len(x)
    hessian = np.diag(-np.sin(x) * x[::-1])
    hessian[np.arange(n), np.arange(n)[::-1]] += np.cos(x) + np.cos(x)[::-1]
    return hessian


on_every_backend = pytest.mark.parametrize("backend", BACKENDS)


@on_every_backend
class TestOnEveryBackend:
    def test_grad(self, backend):
        np.testing.assert_allclose(wg.grad(wave, backend=backend)(X), wave_gradient(X), rtol=1e-13)

    def test_value_and_grad(self, backend):
        value, gradient = wg.value_and_grad(wave, backend=backend)(X)

        assert value == pytest.approx(wave(X), rel=1e-14)
        np.testing.assert_allclose(gradient, wave_gradient(X), rtol=1e-13)

    def test_jvp(self, backend):
        value, tangent = wg.jvp(wave, (X,), (np.ones(3),), backend=backend)

        assert value == pytest.approx(wave(X), rel=1e-14)
        assert tangent == pytest.approx(wave_gradient(X).sum(), rel=1e-13)

    def test_vjp(self, backend):
        value, pullback = wg.vjp(lambda x, y: (x * y, np.sum(y)), X, 2 * X, backend=backend)
        x_bar, y_bar = pullback((np.ones(3), 10.0))

        np.testing.assert_array_equal(value[0], 2 * X * X)
        np.testing.assert_array_equal(x_bar, 2 * X)
        np.testing.assert_array_equal(y_bar, X + 10)

    def test_linearize(self, backend):
        value, linear = wg.linearize(wave, X, backend=backend)

        assert value == pytest.approx(wave(X), rel=1e-14)
        for direction in np.eye(3):
            assert linear(direction) == pytest.approx(wave_gradient(X) @ direction, rel=1e-13)

    @pytest.mark.parametrize("mode", ["forward", "reverse", None])
    def test_jacobian(self, backend, mode):
        matrix = wg.jacobian(lambda x: np.outer(x, x)[:2], mode=mode, backend=backend)(X)
        expected = np.einsum("ik,j->ijk", np.eye(3), X) + np.einsum("jk,i->ijk", np.eye(3), X)

        np.testing.assert_allclose(matrix, expected[:2], rtol=1e-14)

    def test_hessian_and_hvp(self, backend):
        np.testing.assert_allclose(wg.hessian(wave, backend=backend)(X), wave_hessian(X), atol=1e-14)
        product = wg.hvp(wave, backend=backend)(X, np.ones(3))
        np.testing.assert_allclose(product, wave_hessian(X).sum(1), atol=1e-14)

    def test_third_order(self, backend):
        third = wg.grad(wg.grad(wg.grad(lambda x: np.exp(2 * x))), backend=backend)(0.5)

        assert third == pytest.approx(8 * np.exp(1.0), rel=1e-14)

    def test_the_same_from_a_file(self, backend, tmp_path):
        wg.trace(wave).graph(X).save(tmp_path / "wave.wg")
        graph = wg.load(tmp_path / "wave.wg").on(backend)

        np.testing.assert_allclose(wg.grad(graph)(X), wave_gradient(X), rtol=1e-13)
        np.testing.assert_allclose(wg.hessian(graph)(X), wave_hessian(X), atol=1e-14)
        np.testing.assert_allclose(wg.jvp(graph, (X,), (X,))[1], wave_gradient(X) @ X, rtol=1e-13)

    def test_independent_outputs_have_zero_derivatives(self, backend):
        gradient = wg.grad(lambda x, y: np.sum(y), argnums=(0, 1), backend=backend)(X, np.ones((2, 3)))
        tangent = wg.jvp(lambda x: (x, np.ones(4)), (X,), (X,), backend=backend)[1]

        np.testing.assert_array_equal(gradient[0], np.zeros(3))
        np.testing.assert_array_equal(gradient[1], np.ones((2, 3)))
        np.testing.assert_array_equal(tangent[1], np.zeros(4))

    def test_float32_stays_float32(self, backend):
        x = X.astype(np.float32)
        value, gradient = wg.value_and_grad(lambda x: np.sum(np.tanh(x) ** 2 / 3), backend=backend)(x)

        assert value.dtype == gradient.dtype == np.float32

    def test_empty_arrays(self, backend):
        for mode in ("forward", "reverse"):
            assert wg.jacobian(np.sum, mode=mode, backend=backend)(np.zeros((0, 3))).shape == (0, 3)
            product = wg.jacobian(lambda x: x @ x.T, mode=mode, backend=backend)(np.zeros((3, 0)))
            assert product.shape == (3, 3, 3, 0)
            ordered = wg.jacobian(lambda x: np.sort(x, 0), mode=mode, backend=backend)(np.zeros(0))
            assert ordered.shape == (0, 0)

    def test_a_block_of_a_jacobian_has_the_dtype_of_its_argument(self, backend):
        for mode in ("forward", "reverse"):
            blocks = wg.jacobian(lambda x, y: x * y, (0, 1), mode=mode, backend=backend)(X.astype("f4"), X)
            assert [b.dtype for b in blocks] == [np.float32, np.float64]

    def test_a_cast_to_float32_rounds(self, backend):
        rounded = wg.trace(lambda x: x.astype(np.float32).astype(float), backend=backend)(X)
        np.testing.assert_array_equal(rounded, X.astype(np.float32).astype(float))

    def test_arguments_are_not_modified_and_results_are_their_own(self, backend):
        x = X.copy()
        value, gradient = wg.value_and_grad(lambda x: (x * x).sum(), backend=backend)(x)
        copy = wg.trace(lambda x: x, backend=backend)(x)
        gradient += 1
        copy += 1

        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(wg.grad(lambda x: (x * x).sum(), backend=backend)(x), 2 * X)


class TestArguments:
    def test_python_numbers_are_real_where_a_derivative_is_taken(self):
        f = wg.trace(lambda a, b: (a + b) * (b + 1))

        assert f(2, 1) == 6
        assert isinstance(f(2, 1), int)
        assert wg.grad(f, argnums=(0, 1))(2, 1) == (2.0, 5.0)

    def test_nested_arguments(self):
        Layer = namedtuple("Layer", "w b")

        @dataclasses.dataclass
        class Model:
            first: Layer
            scales: dict

        def f(model, x):
            return np.sum(model.first.w * x + model.first.b) * model.scales["a"][0]

        model = Model(Layer(np.ones(3), 2.0), {"a": [3.0], "name": "m"})
        gradient = wg.grad(f)(model, X)

        assert type(gradient) is Model
        np.testing.assert_array_equal(gradient.first.w, 3 * X)
        assert gradient.first.b == 9.0
        assert gradient.scales == {"a": [pytest.approx(np.sum(X + 2))], "name": "m"}

    def test_argnums_of_variadic_arguments(self):
        assert wg.grad(lambda *a: a[0] * a[1] ** 2, argnums=1)(2.0, 3.0) == 12.0
        assert wg.grad(lambda a, *rest: a * rest[1], argnums=-1)(2.0, 3.0, 4.0) == 2.0

    def test_integer_leaves_are_left_out_of_vjp_and_jvp(self):
        labels = np.array([0, 2])
        _, pullback = wg.vjp(lambda x, i: x[i].sum(), X, labels)

        np.testing.assert_array_equal(pullback(1.0)[0], [1, 0, 1])
        assert pullback(1.0)[1] is None
        assert wg.jvp(lambda x, i: x[i].sum(), (X, labels), (X, None))[1] == pytest.approx(2.4)

    def test_python_ints_without_a_tangent_stay_ints(self):
        f = lambda x, n, places: (np.arange(n) * x[places]).sum()
        graph = wg.trace(f).graph(X, 2, [0, 2])

        for target in (f, graph):
            for places in ([None, None], None):
                assert wg.jvp(target, (X, 2, [0, 2]), (np.ones(3), None, places))[1] == 1.0
        np.testing.assert_array_equal(wg.vjp(graph, X, 2, [0, 2])[1](1.0)[0], [0, 0, 1])
        assert wg.jvp(lambda a, b: a * b[0], (2.0, [3, 5]), (1.0, [1.0, None]))[1] == 5.0


class TestNesting:
    def test_inside_a_traced_function(self):
        @wg.trace
        def step(x):
            return x - 0.1 * wg.grad(wave)(x)

        np.testing.assert_allclose(step(X), X - 0.1 * wave_gradient(X), rtol=1e-13)

    def test_inner_functions_close_over_outer_traced_values(self):
        # d/dx [x * d/dy (x y^2) at y=3] = d/dx 6 x^2
        outer = wg.grad(lambda x: x * wg.grad(lambda y: x * y * y)(3.0))

        assert outer(2.0) == pytest.approx(24.0)

    @pytest.mark.parametrize("inner", ["jvp", "vjp", "grad", "linearize", "jacobian"])
    @pytest.mark.parametrize("outer", ["forward", "reverse"])
    def test_modes_mix(self, inner, outer):
        first = {
            "jvp": lambda x: wg.jvp(np.sin, (x,), (1.0,))[1],
            "vjp": lambda x: wg.vjp(np.sin, x)[1](1.0)[0],
            "grad": lambda x: wg.grad(np.sin)(x),
            "linearize": lambda x: wg.linearize(np.sin, x)[1](1.0),
            "jacobian": lambda x: wg.jacobian(np.sin)(x),
        }[inner]
        second = wg.jacobian(first, mode=outer)(0.7)

        assert second == pytest.approx(-np.sin(0.7), rel=1e-14)

    def test_jacobian_of_a_gradient_inside_a_trace(self):
        determinant = wg.trace(lambda x: np.sum(wg.hessian(wave)(x) ** 2))

        assert determinant(X) == pytest.approx(np.sum(wave_hessian(X) ** 2), rel=1e-13)

    def test_a_loaded_graph_inside_a_traced_function(self, tmp_path):
        wg.trace(wave).graph(X).save(tmp_path / "wave.wg")
        graph = wg.load(tmp_path / "wave.wg")
        outer = wg.trace(lambda x: graph(2 * x) + 1)

        assert [n.op.name for n in outer.graph(X).graph.nodes].count("call") == 1
        assert outer(X) == pytest.approx(wave(2 * X) + 1)
        for backend in BACKENDS:
            np.testing.assert_allclose(wg.grad(outer, backend=backend)(X), 2 * wave_gradient(2 * X), rtol=1e-13)

    def test_stop_gradient(self):
        f = lambda x: x * wg.stop_gradient(x)

        assert wg.stop_gradient(2.0) == 2.0
        for backend in BACKENDS:
            assert wg.grad(f, backend=backend)(3.0) == 3.0
        assert wg.grad(wg.grad(f))(3.0) == 0.0


class TestErrors:
    def test_grad_of_an_array(self):
        with pytest.raises(wg.DerivativeError, match=r"one real number.*f64\[3\].*wg.jacobian"):
            wg.grad(np.sin)(X)

    def test_integer_arrays(self):
        with pytest.raises(wg.DerivativeError, match=r"Argument x has dtype int64.*astype"):
            wg.grad(lambda x: x.sum())(np.arange(3))

    def test_complex(self):
        for x in (X, X * 1j):
            with pytest.raises(wg.DerivativeError, match=r"complex result.*np\.real.*holomorphic=True.*wg\.jvp or wg\.vjp"):
                wg.grad(lambda x: np.sum(x * 1j))(x)

    def test_argnums(self):
        with pytest.raises(ValueError, match="argnums=2 is out of range"):
            wg.grad(wave, argnums=2)(X)
        with pytest.raises(ValueError, match="twice"):
            wg.grad(lambda x, y: x * y, argnums=(0, -2))(1.0, 2.0)

    def test_tangents_that_do_not_fit(self):
        with pytest.raises(TypeError, match=r"tangent of x must have type f64\[3\], got float64 of shape \(2,\)"):
            wg.jvp(wave, (X,), (np.ones(2),))
        with pytest.raises(TypeError, match="nested like"):
            wg.jvp(wave, (X,), ([1.0, 2.0, 3.0],))
        with pytest.raises(TypeError, match="as many tangents"):
            wg.jvp(wave, (X,), ())

    def test_cotangents_that_do_not_fit(self):
        _, pullback = wg.vjp(lambda x: (x, x), X)
        with pytest.raises(TypeError, match="nested like"):
            pullback(np.ones(3))
        with pytest.raises(TypeError, match="cotangent"):
            pullback((np.ones(3), np.ones(4)))

    def test_not_a_function(self):
        with pytest.raises(TypeError, match="A derivative is taken of a function"):
            wg.grad(3.0)
        with pytest.raises(ValueError, match="mode must be"):
            wg.jacobian(wave, mode="sideways")

    def test_unknown_backend(self):
        with pytest.raises(wg.BackendError, match="no backend called 'fortran'; there are numpy"):
            wg.grad(wave, backend="fortran")(X)


def test_backend_context():
    before = wg.default_backend()
    with wg.backend("reference"):
        assert wg.default_backend() == "reference"
        assert wg.grad(wave)(X) == pytest.approx(wave_gradient(X))

    assert wg.default_backend() == before
