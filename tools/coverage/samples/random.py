"""numpy.random: a sample call for each draw, which is a function of its parameters while the state is held.

Discrete draws are locally constant in their parameters (see ``arrays`` for the three tables).
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from wengert.tools.coverage.samples.values import S, V, positive, rng

__all__ = ["CONSTANT", "DIFFERENTIABLE", "NOT_NEEDED"]

_POINT = (1.3, 1.7, 2.1)  # in the domain of every distribution, in this order
_CONTINUOUS = {
    "beta": "a b", "chisquare": "df", "exponential": "scale", "f": "dfnum dfden", "gamma": "shape scale",
    "gumbel": "loc scale", "laplace": "loc scale", "logistic": "loc scale", "lognormal": "mean sigma",
    "noncentral_chisquare": "df nonc", "noncentral_f": "dfnum dfden nonc", "normal": "loc scale", "pareto": "a",
    "power": "a", "rayleigh": "scale", "standard_gamma": "shape", "standard_t": "df", "triangular": "left mode right",
    "uniform": "low high", "vonmises": "mu kappa", "wald": "mean scale", "weibull": "a",
}  # fmt: skip
_DISCRETE = {"poisson": {"lam": 2.3}, "geometric": {"p": 0.4}, "logseries": {"p": 0.4}, "zipf": {"a": 2.3}}
_FIXED = {
    "standard_cauchy": (3,), "standard_exponential": (3,), "standard_normal": (3,), "random": (3,), "bytes": (2,),
    "hypergeometric": (4, 5, 3, 3),
}  # fmt: skip
_OLD = {
    "rand": (3,), "randn": (3,), "random_sample": (3,), "ranf": (3,), "sample": (3,), "randint": (5,),
    "random_integers": (5,),
}  # fmt: skip


def _draw(source: Any, name: str, point: dict[str, float]) -> Any:
    """Three draws as a function of the parameters."""

    def call(**parameters: Any) -> Any:
        return getattr(source(), name)(*(point | parameters).values(), 3)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(key, kind, default=x) for key, x in point.items()])
    return call


def _shape(source: Any, name: str, args: Any) -> Any:
    return lambda: np.shape(getattr(source(), name)(*args))


def _global() -> Any:
    np.random.seed(7)
    return np.random


def _shuffled(source: Any, x: Any) -> Any:
    x = x.copy()
    source().shuffle(x)
    return x


DIFFERENTIABLE: dict[str, Any] = {}
CONSTANT: dict[str, Any] = {}
NOT_NEEDED: dict[str, Any] = {
    "random.RandomState": lambda: np.random.RandomState(3).normal(size=3),
    "random.default_rng": lambda: rng().normal(size=3),
    "random.Generator.integers": lambda: rng().integers(5, size=3),
    "random.Generator.multivariate_hypergeometric": lambda: rng().multivariate_hypergeometric([4, 3], 2),
    "random.Generator.spawn": lambda: rng().spawn(1)[0].normal(size=3),
    "random.Generator.bit_generator": lambda: rng().bit_generator.state["bit_generator"] == "PCG64",
    "random.seed": lambda: np.random.seed(3), "random.get_state": lambda: len(np.random.get_state()),
    "random.set_state": lambda: np.random.set_state(np.random.get_state()),
    "random.get_bit_generator": lambda: np.random.get_bit_generator() is None,
    "random.set_bit_generator": lambda: np.random.set_bit_generator(np.random.get_bit_generator()),
    **{f"random.{name}": _shape(_global, name, args) for name, args in _OLD.items()},
}


def _both(prefix: str, its: Any) -> None:
    """The draws that a Generator and the global state have both."""
    for name, names in _CONTINUOUS.items():
        DIFFERENTIABLE[prefix + name] = _draw(its, name, dict(zip(names.split(), _POINT, strict=False)))
    for name, point in _DISCRETE.items():
        CONSTANT[prefix + name] = _draw(its, name, point)
    for name, args in _FIXED.items():
        NOT_NEEDED[prefix + name] = _shape(its, name, args)
    CONSTANT[prefix + "binomial"] = lambda p=0.4: its().binomial(5, p, 3)
    CONSTANT[prefix + "negative_binomial"] = lambda n=3.3, p=0.45: its().negative_binomial(n, p, 3)
    CONSTANT[prefix + "multinomial"] = lambda p=V: its().multinomial(5, p / p.sum())
    DIFFERENTIABLE[prefix + "choice"] = lambda x=V: its().choice(x, 5)
    DIFFERENTIABLE[prefix + "permutation"] = lambda x=V: its().permutation(x)
    DIFFERENTIABLE[prefix + "shuffle"] = lambda x=V: _shuffled(its, x)
    DIFFERENTIABLE[prefix + "dirichlet"] = lambda alpha=V: its().dirichlet(alpha)
    DIFFERENTIABLE[prefix + "multivariate_normal"] = lambda mean=V, cov=S: (
        its().multivariate_normal(mean, positive(cov))
    )


_both("random.Generator.", rng)
_both("random.", _global)
DIFFERENTIABLE["random.Generator.permuted"] = lambda x=V: rng().permuted(x)
