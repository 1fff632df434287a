"""Mutation testing: the laws against each spoilt rule of tests/mutants.py.

    make mutants                                    every mutant, and docs/mutants.md
    python tests/mutation.py --only power max       those of some ops

A mutant is killed by the first law that fails for its op, or that it makes raise, or never end; the cheapest laws come first.
What lives is either the same function (its reason stands in REASONS), or a hole in the tests, and then this program fails.
"""

import argparse
import contextlib
import functools
import importlib.util
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import batches
import mutants
import oracles
from mutants import Mutant

from wengert.ir.ops import OPS

ROOT = Path(__file__).parent.parent
SECONDS = 20.0  # of processor time, after which a mutant counts as one that never ends


# ----- Laws -----


@functools.cache
def law(name: str) -> Any:
    """A file of tests/laws as a module."""
    spec = importlib.util.spec_from_file_location(f"laws_{name}", ROOT / "tests" / "laws" / f"test_{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(name: str, backend: str, dtype: str) -> None:
    """The conventions, the chapters in which an op is met."""
    for chapter in chapters(name, dtype):
        law("conventions").test_every_row(chapter, dtype, backend, count)


@functools.cache
def chapters(name: str, dtype: str) -> tuple[str, ...]:
    module = law("conventions")
    return tuple(c for c in module.REAL if any(n.op.name == name for case in module.cases_of(c, dtype) for n in case.graph.nodes))


def of_backend(backend: str) -> dict[str, Callable[[str], None]]:
    """The laws of a backend."""
    derivative, products, second = law("derivative"), law("dot_product"), law("second_order")
    several = derivative.of_several_operands
    return {
        "derivative, forward": lambda n: derivative.test_the_jacobian_is_the_oracles(n, backend, "forward", count),
        "derivative, reverse": lambda n: derivative.test_the_jacobian_is_the_oracles(n, backend, "reverse", count),
        "the whole range": lambda n: n in oracles.SMOOTH and derivative.test_the_derivative_is_right_over_the_whole_range(
            n, backend, "forward", count),
        "conventions": lambda n: rows(n, backend, "float64"),
        "an operand alone, forward": lambda n: several(n) and derivative.test_an_operand_alone(n, backend, "forward", count),
        "an operand alone, reverse": lambda n: several(n) and derivative.test_an_operand_alone(n, backend, "reverse", count),
        "dot product": lambda n: products.test_the_two_products_are_one_number(n, backend, count),
        "entry by entry": lambda n: products.test_forward_is_reverse_entry_by_entry(n, backend, count),
        "second order": lambda n: second.test_hessians(n, backend, count),
        "mpmath, second order": lambda n: n in second.UNARY and second.test_orders_two_and_three_are_mpmaths(n, 2, backend, count),
        "mpmath, third order": lambda n: n in second.UNARY and second.test_orders_two_and_three_are_mpmaths(n, 3, backend, count),
        "conventions in float32": lambda n: rows(n, backend, "float32"),
    }  # fmt: skip


@functools.cache
def laws(backend: str) -> dict[tuple[str, str], Callable[[str], None]]:
    """Those that a rule is put to, by law and backend: of one backend, or of numpy, where all is cheap, and then of graphs."""
    return {(title, b): check for b in ([backend] if backend else ["numpy", "python"]) for title, check in of_backend(b).items()}


def count(n: int) -> None:
    """The laws count their cases; here nobody does."""


class EndlessError(Exception):
    """A law has not come to an end."""


def endless(signum: int, frame: Any) -> None:
    raise EndlessError


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """EndlessError after SECONDS of processor time, where the system can tell it; and no warnings."""
    has_clock = hasattr(signal, "setitimer")
    if has_clock:
        kept = signal.signal(signal.SIGPROF, endless)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if has_clock:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, kept)


def failing(ops: tuple[str, ...], backend: str) -> tuple[str, str, str] | None:
    """The first law that fails for one of the ops, the backend, and how it fails; None where all hold."""
    for title, check in laws(backend).items():
        for name in ops:
            try:
                with limited():
                    check(name)
            except EndlessError:
                return *title, "never ends"
            except AssertionError:
                return *title, "wrong"
            except Exception as error:  # noqa: BLE001 (a spoilt rule may raise anything)
                return *title, f"raises {type(error).__name__}"
    return None


def fate(mutant: Mutant) -> tuple[str, str, str] | None:
    """What kills a mutant: the law, and how it failed; None where it lives."""
    with mutant.place.holding(mutant.rule):
        forget()
        found = failing(mutant.place.ops, mutant.place.backend)
    forget()
    return found


def forget() -> None:
    """Clear what the laws remember of an op's derivatives."""
    batches.jacobians.cache_clear()
    law("conventions").answers.cache_clear()


# ----- The campaign -----

#: Mutants that compute the same, and why.  A key is what a mutant is called.
REASONS: dict[str, str] = {}


def every(only: tuple[str, ...] = ()) -> list[list[Mutant]]:
    """The mutants; those of a function that rules share together, as one of them must not live in all the rules."""
    groups: dict[Any, list[Mutant]] = {}
    for place in mutants.places(only):
        for i, mutant in enumerate(mutants.mutants(place)):
            groups.setdefault((mutant.key, mutant.text, mutant.nth) if mutant.key else (place.name, i), []).append(mutant)
    return list(groups.values())


def campaign(groups: Iterable[list[Mutant]]) -> Iterator[tuple[Mutant, tuple[str, str] | None]]:
    """Each mutant, or the first of those that are one, and what killed it."""
    for group in groups:
        yield group[0], next((found for m in group[:6] if (found := fate(m))), None)


def main() -> None:
    """Run the campaign; exit with 1 where a mutant lives without a reason."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=(), help="some ops")
    parser.add_argument("--write", type=Path, help="a file to write the page to")
    chosen = parser.parse_args()
    start = time.perf_counter()
    names = tuple(chosen.only) or tuple(name for name in OPS if batches.differentiable(name))
    if fault := failing(names, "") or failing(names, "reference"):
        sys.exit(f"The laws fail with the rules as they are: {': '.join(fault)}.")
    groups = every(tuple(chosen.only))
    results = []
    for mutant, killer in campaign(groups):
        results.append((mutant, killer))
        if killer is None:
            print(f"lives: {mutant}" + (f" ({REASONS[str(mutant)]})" if str(mutant) in REASONS else ""), flush=True)
        if sys.stderr.isatty():
            print(f"\r{len(results)} of {len(groups)}", end="\r", file=sys.stderr)
    print(Counter(m.kind for m, k in results))
    print(Counter(k for m, k in results))
    print(f"{time.perf_counter() - start:.0f} s, {time.process_time():.0f} s of processor time")


if __name__ == "__main__":
    main()
