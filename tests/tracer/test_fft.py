"""numpy.fft on traced arrays: NumPy's values to the bit, its errors, and slopes in both modes on every backend."""

import itertools

import numpy as np
import pytest
from batches import BACKENDS
from numpy_alike import same
from numpy_derivatives import Chapter

import wengert as wg

F = np.fft
ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
TWO = ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
NORMS = (None, "backward", "ortho", "forward")
RNG = np.random.default_rng(3)


def numbers(dtype, shape):
    dtype = np.dtype(dtype)
    x = RNG.standard_normal(shape) * 3
    return (x + 1j * RNG.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def exactly(f, x):
    """The value, dtype and shape that NumPy gives, to the bit, on the backend that computes with NumPy."""
    for want, got in zip(*(r if isinstance(r, tuple) else (r,) for r in (f(x), wg.trace(f, backend="numpy")(x))), strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        assert got.tobytes() == want.tobytes()


def takes(name, dtype):
    return name not in ("rfft", "ihfft", "rfft2", "rfftn") or np.dtype(dtype).kind != "c"


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "c8", "i8", "i4", "u1", "?"])
@pytest.mark.parametrize("name", ONE)
def test_one_axis(name, dtype):
    function = getattr(F, name)
    if not takes(name, dtype):
        return
    for shape, axis in (((5,), -1), ((6,), 0), ((2, 3, 4), 1), ((3, 4), 0), ((0, 3), 1)):
        cases = itertools.product((None, 1, 2, 3, 4, 7), [axis], NORMS)
        exactly(lambda x, cases=[*cases]: tuple(function(x, *case) for case in cases), numbers(dtype, shape))


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "i8"])
@pytest.mark.parametrize("name", TWO)
def test_several_axes(name, dtype):
    function = getattr(F, name)
    if not takes(name, dtype):
        return
    x = numbers(dtype, (3, 2, 4))
    for options in (
        {}, {"norm": "ortho"}, {"axes": (0, 2)}, {"axes": (-1, 0), "norm": "forward"}, {"s": (2, 5), "axes": (0, 1)}, {"axes": (1, 1)},
        {"s": (-1, 3), "axes": (1, 2)}, {"s": (4,), "axes": [2]}, {"axes": (2,)}, *([{"axes": (2, 0, 1)}] if name.endswith("n") else []),
    ):
        exactly(lambda x, options=options: function(x, **options), x)


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
def test_shifts(name):
    function = getattr(F, name)
    for shape in ((5,), (4,), (3, 4), (0,)):
        for f in (function, lambda x: function(x, 0), lambda x: function(x, (-1,)), lambda x: function(x, axes=[0])):
            exactly(f, numbers("f8", shape))
    exactly(lambda x: function(x, (0, -1)), numbers("c16", (3, 4)))


def test_errors_are_numpys():
    for name, x in itertools.product((*ONE, *TWO), (np.arange(1.0, 5.0), np.ones((2, 3)), np.float64(2), np.ones(0))):
        function = getattr(F, name)
        options = [{}, {"norm": "none"}, {"axis": 5}, {"axis": 1}, {"n": 0}, {"n": -2}, {"n": 2.5}, {"axis": 3, "n": 2}] if name in ONE else [
            {}, {"norm": "none"}, {"axes": (0, 7)}, {"s": (1, 2), "axes": (0,)}, {"s": (0,), "axes": (0,)}, {"axes": ()}]  # fmt: skip
        for given in options:
            same(lambda x, given=given, function=function: function(x, **given), x)


def test_complex_numbers_are_not_cut_off():
    for name in ("rfft", "ihfft", "rfftn"):
        same(lambda x, name=name: getattr(F, name)(x), np.ones(4) + 1j)


@pytest.mark.filterwarnings("ignore:.*NumPy 2.0")
def test_deprecated_sizes():
    for options in ({"s": (2, 3)}, {"s": (None, 3), "axes": (0, 1)}):
        exactly(lambda x, options=options: F.fftn(x, **options), numbers("f8", (3, 4)))


def test_an_empty_line_is_zeros():
    """NumPy's own irfft reads memory that is not there."""
    x = np.zeros((2, 0))
    for name in ("fft", "rfft", "ifft"):
        exactly(lambda x, name=name: getattr(F, name)(x, 3), x)
    assert not wg.trace(lambda x: F.irfft(x, 4))(x).any()


def test_out():
    def f(x):
        out = np.zeros(4, complex)
        y = F.fft(x, out=out)
        part = np.zeros((2, 2, 2), complex)
        F.fftn(x.reshape(2, 2), out=part[1])
        return out * 2, y, part

    same(f, np.arange(4.0))
    with pytest.raises(ValueError, match="shape"):
        wg.trace(lambda x: F.fft(x, out=np.zeros(3, complex)))(np.arange(4.0))


def test_spelled_any_way():
    from numpy import fft
    from numpy.fft import fftfreq, rfft as transform

    same(lambda x: (fft.fft([x[0], 1, x[1]]), transform(x), x * fftfreq(4, 0.5), fft.rfftfreq(4, x[0])), np.arange(1.0, 5.0))


X, Y, Z = numbers("f8", 5), numbers("f8", (3, 4)), numbers("f8", (2, 3, 2))


def parts(z):
    return np.stack((np.real(z), np.imag(z)))


def half(x):
    """A complex array that depends on a real one."""
    return x + 1j * np.sin(x)


DIFFERENTIABLE = {
    **{f"{name} {n} {norm}": (lambda x, name=name, n=n, norm=norm: parts(getattr(F, name)(x if name in ("rfft", "ihfft") else half(x), n, norm=norm)), X)
       for name, n, norm in itertools.product(ONE, (None, 3, 6, 7), ("ortho", None, "forward"))},
    **{f"{name} {axes}": (lambda x, name=name, axes=axes: parts(getattr(F, name)(x if name.startswith("rfft") else half(x), axes=axes)), Z)
       for name, axes in itertools.product(TWO, ((0, 1), (2, 0)))},
    "power": (lambda x: np.abs(F.fft(x))[1:] ** 2, X), "phase": (lambda x: np.angle(F.rfft(x))[1:3], X),
    "shift": (lambda x: F.fftshift(x) * F.ifftshift(x, 0), Y), "freq": (lambda d: F.fftfreq(5, d) * F.rfftfreq(8, d), 0.7),
    "convolution": (lambda x, y: F.irfft(F.rfft(x, 8) * F.rfft(y, 8), 8), X, Y[0]),
    "filter": (lambda x: F.ifft2(F.fft2(x) * np.exp(-F.fftfreq(4) ** 2)).real, Y),
    "derivative": (lambda x: F.ifft(2j * np.pi * F.fftfreq(5) * F.fft(x)).real, X),
    "in float32": (lambda x: parts(F.fft(x.astype(np.float32))) * 0, X),
}  # fmt: skip


CHAPTER = Chapter(DIFFERENTIABLE)


@pytest.mark.parametrize("backend", BACKENDS)
def test_slopes(backend):
    CHAPTER.check(backend)


def test_second_order():
    Chapter({name: (lambda *xs, f=f: f(*(np.sin(x) for x in xs)) ** 2, *args) for name, (f, *args) in DIFFERENTIABLE.items()}).check_second_order()


def test_of_complex_arguments():
    z, t = numbers("c16", 5), numbers("c16", 5)

    def energy(z):
        return np.sum(np.abs(F.fft(z, norm="ortho")) ** 2)  # Parseval's

    np.testing.assert_allclose(wg.jvp(energy, (z,), (t,))[1], 2 * np.sum(z.conj() * t).real, rtol=1e-13)
    _, pulled = wg.jvp(F.fft, (z,), (t,))
    np.testing.assert_allclose(pulled, F.fft(t), rtol=1e-14)
    with pytest.raises(TypeError, match="complex"):
        wg.grad(F.fft)(z)
