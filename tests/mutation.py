"""Mutation testing: the laws against each spoilt rule of tests/mutants.py.

    make mutants                                    every mutant, and docs/mutants.md
    python tests/mutation.py --only power max       those of some ops
    python tests/mutation.py --keep found.jsonl     what is found is kept, and a run that was interrupted goes on

A mutant is killed by the first law that fails for its op, or that it makes raise, or never end; the laws that have killed the op's
other mutants come first.
What lives is either the same function (its reason stands in tests/mutants_alive.py), or a hole in the tests, and then this program fails.
"""

# ruff: noqa: T201 (it is a program, too, and prints)

import argparse
import contextlib
import functools
import importlib.util
import itertools
import json
import multiprocessing
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import batches
import mutants
import oracles
from mutants import Mutant, Place
from mutants_alive import REASONS

import wengert as wg
from wengert.ir.ops import CHAPTERS

ROOT = Path(__file__).parent.parent
SECONDS = 20.0  # of processor time, after which a mutant counts as one that never ends


# ----- Laws -----


@functools.cache
def law(name: str, folder: str = "laws") -> Any:
    """A file of tests/laws, or of another folder, as a module."""
    file = name if name == "conftest" else f"test_{name}"
    spec = importlib.util.spec_from_file_location(f"laws_{name}", ROOT / "tests" / folder / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(chapter: str, dtype: str, backend: str) -> Callable[[str], None]:
    """A chapter of the conventions, for the ops that are met in it."""

    def check(name: str) -> None:
        if name in met(chapter, dtype):
            law("conventions").test_every_row(chapter, dtype, backend, count)

    return check


def anew(backend: str) -> Callable[[str], None]:
    """The chapters again, their inner derivatives traced anew: of a second derivative the first, too, is by the rule at hand."""

    def check(name: str) -> None:
        module = law("conventions")
        kept = {cache: getattr(module, cache) for cache in ("cases_of", "batch", "answers")}
        for chapter in module.REAL:
            if name in met(chapter, "float64") and any(row.order > 1 for row in module.REAL[chapter]):
                try:
                    for cache, made in kept.items():  # what is traced now must not be found later
                        setattr(module, cache, functools.cache(made.__wrapped__))
                    module.test_every_row(chapter, "float64", backend, count)
                finally:
                    for cache, made in kept.items():
                        setattr(module, cache, made)

    return check


def complex_rows(backend: str) -> Callable[[str], None]:
    """The conventions at complex points."""

    def check(name: str) -> None:
        for row, names in met_at_complex_points():
            if name in names:
                law("conventions").test_complex_rows(row, backend, count)

    return check


def on_cuts(backend: str) -> Callable[[str], None]:
    """A complex function on its branch cut, and the hard points."""

    def check(name: str) -> None:
        module = law("complex", "tracer")
        for f in module.CUTS:
            if f.__name__ == name:
                module.test_on_a_cut(f, backend)
        if name in ("absolute", "power", "conjugate", "log", "sqrt", "reciprocal", "tan", "tanh", "arctan", "arcsin"):
            module.test_hard_points(backend)

    return check


@functools.cache
def met_at_complex_points() -> list[tuple[Any, set[str]]]:
    rows = [row for row in law("conventions").ROWS if row.is_complex and not row.waits]
    return [(row, {node.op.name for node in wg.trace(row.function()).graph(*row.operands()).graph.nodes}) for row in rows]


@functools.cache
def met(chapter: str, dtype: str) -> set[str]:
    return {node.op.name for case in law("conventions").cases_of(chapter, dtype) for node in case.graph.nodes}


def of_backend(backend: str) -> dict[str, Callable[[str], None]]:
    """The laws of a backend."""
    derivative, products, second = law("derivative"), law("dot_product"), law("second_order")
    several = derivative.of_several_operands
    return {
        "derivative, forward": lambda n: derivative.test_the_jacobian_is_the_oracles(n, backend, "forward", count),
        "derivative, reverse": lambda n: derivative.test_the_jacobian_is_the_oracles(n, backend, "reverse", count),
        "the whole range": lambda n: n in oracles.SMOOTH and derivative.test_the_derivative_is_right_over_the_whole_range(
            n, backend, "forward", count),
        **{f"conventions, {chapter[0].lower()}{chapter[1:]}": rows(chapter, "float64", backend) for chapter in law("conventions").REAL},
        "an operand alone, forward": lambda n: several(n) and derivative.test_an_operand_alone(n, backend, "forward", count),
        "an operand alone, reverse": lambda n: several(n) and derivative.test_an_operand_alone(n, backend, "reverse", count),
        "a result alone, reverse": lambda n: derivative.of_several_results(n) and derivative.test_a_result_alone(n, backend, count),
        "dot product": lambda n: products.test_the_two_products_are_one_number(n, backend, count),
        "entry by entry": lambda n: products.test_forward_is_reverse_entry_by_entry(n, backend, count),
        "second order": lambda n: second.test_hessians(n, backend, count),
        "mpmath, second order": lambda n: n in second.UNARY and second.test_orders_two_and_three_are_mpmaths(n, 2, backend, count),
        "mpmath, third order": lambda n: n in second.UNARY and second.test_orders_two_and_three_are_mpmaths(n, 3, backend, count),
        **{f"conventions in float32, {chapter[0].lower()}{chapter[1:]}": rows(chapter, "float32", backend) for chapter in law("conventions").REAL},
        "conventions, complex numbers": complex_rows(backend),
        "complex numbers, on cuts": on_cuts(backend),
        "conventions traced anew": anew(backend),
    }  # fmt: skip


@functools.cache
def laws(backend: str) -> dict[tuple[str, str], Callable[[str], None]]:
    """Those that a rule is put to, by law and backend: of one backend; or all of numpy's, and those of graphs that differ."""
    second = laws_of("numpy", ("second", "mpmath")) if backend == "python" else {}  # of ops whose laws wait on python
    if backend:
        return laws_of(backend, ("derivative", "conventions, ", "an operand", "a result", "dot", "entry", "second")) | second
    return laws_of("numpy", "") | laws_of("python", ("derivative", "an operand", "a result", "entry", "second"))


def laws_of(backend: str, titles: str | tuple[str, ...]) -> dict[tuple[str, str], Callable[[str], None]]:
    return {(title, backend): check for title, check in of_backend(backend).items() if title.startswith(titles)}


@functools.cache
def waits(name: str, backend: str) -> bool:
    """Whether the laws of an op on a backend are left to `make soak`: then they kill nothing here."""
    return backend in ("python", "c") and name in law("conftest").CALLED - law("conftest").STANDING_FOR_ALL


def count(n: int, error: float = 0.0) -> None:
    """The laws count their cases; here nobody does."""


#: What killed a mutant: a law, the backend, and how; None where it lives.
Fate: TypeAlias = tuple[str, str, str] | None


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


@functools.cache
def faults(name: str, backend: str) -> dict[tuple[str, str], str]:
    """The laws that fail for an op with the rules as they are, and so tell nothing, and how."""
    found: dict[tuple[str, str], str] = {}
    while fault := failing((name,), backend, {name: found}):
        found[fault[:2]] = fault[2]
    return found


def failing(ops: tuple[str, ...], backend: str, known: dict[str, Any]) -> Fate:
    """The first law, but for the known faults, that fails for one of the ops, the backend, and how; None where all hold."""
    pairs = [(title, name) for title in laws(backend) for name in ops if title not in known[name] and not waits(name, title[1])]
    for title, name in sorted(pairs, key=lambda pair: -KILLED[ops, pair]):
        if how := failure(laws(backend)[title], name):
            KILLED[ops, (title, name)] += 1
            return *title, how
    return None


#: How many mutants of an op a law has killed: those that kill most come first.
KILLED: Counter[Any] = Counter()


def failure(check: Callable[[str], None], name: str) -> str | None:
    """How a law fails for an op."""
    try:
        with limited():
            check(name)
    except EndlessError:
        return "never ends"
    except AssertionError:
        return "wrong"
    except Exception as error:  # noqa: BLE001 (a spoilt rule may raise anything)
        return f"raises {type(error).__name__}"
    return None


def fate(mutant: Mutant, known: dict[str, Any] | None = None) -> Fate:
    """What kills a mutant: the law, and how it failed; None where it lives."""
    place = mutant.place
    known = known or {name: faults(name, place.backend) for name in place.ops}
    with place.holding(mutant.rule):
        forget()
        found = failing(place.ops, place.backend, known)
    forget()
    return found


def forget() -> None:
    """Clear what the laws remember of an op's derivatives."""
    batches.forget()
    law("conventions").answers.cache_clear()


# ----- The campaign -----


def every(only: tuple[str, ...] = ()) -> list[list[Mutant]]:
    """The mutants; those of a function that rules share together, as one of them must not live in all the rules."""
    groups: dict[Any, list[Mutant]] = {}
    for place in mutants.places(only):
        for i, mutant in enumerate(mutants.mutants(place)):
            groups.setdefault((mutant.key, mutant.text, mutant.nth) if mutant.key else (place.name, i), []).append(mutant)
    return list(groups.values())


def campaign(groups: list[list[Mutant]], jobs: int = 1) -> Iterator[tuple[Mutant, Fate]]:
    """The first mutant of each group, and what killed one of them; a process takes those of one place after the other."""
    TASKS[:] = [list(own) for _, own in itertools.groupby(groups, lambda group: group[0].place.ops)]
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for i, fates in pool.imap_unordered(fates_of, range(len(TASKS))):
            yield from zip([group[0] for group in TASKS[i]], fates, strict=True)


#: What the processes of a campaign have in common: a rule cannot be sent to one.
TASKS: list[list[list[Mutant]]] = []


def fates_of(i: int) -> tuple[int, list[Fate]]:
    """What kills the mutants of a task."""
    fates = [next((found for m in group[:6] if (found := fate(m))), None) for group in TASKS[i]]
    for (title, backend), how in faults(TASKS[i][0][0].place.ops[0], TASKS[i][0][0].place.backend).items():
        print(f"not asked, as it fails with the rules as they are: {title}, {backend}, {TASKS[i][0][0].place.ops[0]} ({how})", flush=True)
    return i, fates


# ----- The page -----

KINDS = {
    "sign": "negated, or a sign within turned round", "scale": "times 1.0005, or a constant within",
    "none": "taken for locally constant", "drop": "a factor, a term or a condition dropped", "operator": "times for divided by, and for or",
    "constant": "a constant replaced by 1 (1 by 2, true by false)", "condition": "a comparison or a condition turned round",
    "where": "a branch for a `where`, or its branches exchanged", "call": "an operand for a function of it",
}  # fmt: skip
HEAD = """# Mutants of the derivative rules

Written by `make mutants`. Every partial, jvp, vjp and transpose of every op, the functions they are made of, and what `ir.autodiff` and the
numpy and reference backends do with each kind of op, are spoilt one expression at a time; the laws have to notice.

**{killed} of {made} mutants are killed, {share:.2f} %; {same} of those that live compute the same function, for the reasons below, so {net:.2f} % of
those that differ are killed; {holes} live without a reason.** Of the killed, {wrong} gave a wrong derivative, {raised} raised, {endless} never ended.
"""


def chapter(place: Place) -> str:
    """Where a rule is kept."""
    return next((f"ops.{title}" for title, module in CHAPTERS.items() if place.owner in vars(module).values()), place.name.partition(",")[0])


def chapters() -> dict[str, str]:
    """How a row of the page begins, by chapter: with how many ops and rules it has."""
    every: dict[str, list[Place]] = {}
    for place in mutants.places():
        every.setdefault(chapter(place), []).append(place)
    return {title: f"| {title} | {len({op for p in own for op in p.ops})} | {len(own)} |" for title, own in every.items()}


def page(results: list[tuple[Mutant, Fate]]) -> str:
    """docs/mutants.md."""
    living = [m for m, found in results if found is None]
    found = [found for _, found in results if found]
    same = [m for m in living if str(m) in REASONS]
    made, how = len(results), Counter(what.split()[0] for *_, what in found)
    lines = [HEAD.format(killed=len(found), made=made, share=100 * len(found) / made, same=len(same), net=100 * len(found) / (made - len(same)),
                         holes=len(living) - len(same), wrong=how["wrong"], raised=how["raises"], endless=how["never"])]  # fmt: skip
    lines += ["| chapter | ops | rules | made | killed | the same |", "|---|---|---|---|---|---|"]
    columns = [Counter(chapter(m.place) for m in some) for some in ([m for m, _ in results], [m for m, f in results if f], same)]
    lines += [f"{row} {' | '.join(str(column[title]) for column in columns)} |" for title, row in chapters().items()]
    lines += ["", "| kind | what is done | made | killed |", "|---|---|---|---|"]
    for kind, words in KINDS.items():
        fates = [found for m, found in results if m.kind == kind]
        lines.append(f"| {kind} | {words} | {len(fates)} | {sum(f is not None for f in fates)} |")
    lines += ["", "| killed by the law | on | mutants |", "|---|---|---|"]
    by = Counter((title, backend) for title, backend, _ in found)
    lines += [f"| {title} | {backend} | {n} |" for (title, backend), n in sorted(by.items(), key=lambda item: (-item[1], item[0]))]
    lines += ["", "## Alive", ""]
    for reason in [*dict.fromkeys(REASONS.values()), None]:
        own = [m for m in living if REASONS.get(str(m)) == reason]
        if own:
            lines += [f"{reason or 'Without a reason: holes in the tests.'}", "", *(f"- `{m}`" for m in own), ""]
    return "\n".join(lines)


def main() -> None:
    """Run the campaign; exit with 1 where a mutant lives without a reason."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=(), help="some ops")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--write", type=Path, help="a file to write the page to")
    parser.add_argument("--keep", type=Path, help="a file of what has been found so far: what is in it is not asked again")
    chosen = parser.parse_args()
    start = time.perf_counter()
    groups = every(tuple(chosen.only))
    kept = dict(map(json.loads, chosen.keep.read_text("utf-8").splitlines())) if chosen.keep and chosen.keep.exists() else {}
    for mutant, killer in campaign([group for group in groups if str(group[0]) not in kept], chosen.jobs):
        kept[str(mutant)] = killer
        if chosen.keep:
            with chosen.keep.open("a", encoding="utf-8") as file:
                print(json.dumps([str(mutant), killer]), file=file)
        if killer is None:
            print(f"lives{' as it should' if str(mutant) in REASONS else ''}: {mutant}", flush=True)
        elif str(mutant) in REASONS:
            print(f"killed, though it has a reason to live: {mutant}", flush=True)
        if len(kept) % 100 == 0:
            print(f"{len(kept)} of {len(groups)}, {time.perf_counter() - start:.0f} s", flush=True)
    results = [(group[0], kept[str(group[0])]) for group in groups]
    text = page(results)
    print(text.partition("\n|")[0])
    if chosen.write:
        chosen.write.write_text(text, encoding="utf-8")
    print(f"{time.perf_counter() - start:.0f} s, {time.process_time():.0f} s of processor time here")
    sys.exit(any(killer is None and str(m) not in REASONS for m, killer in results))


if __name__ == "__main__":
    main()
