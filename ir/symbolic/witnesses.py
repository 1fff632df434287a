"""From a function of known sizes to a symbolic graph: which sizes to look at, and what the graph is right for.

The program is made at a dozen witnesses and generalised; what comes out must be the program at other witnesses, too.
Then it is made at small sizes, 0, 1, 2 and so on, at which programs are most often special: where the symbolic graph is
another program, a constraint is recorded, and a call with such sizes is an error, never a wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from wengert.ir.errors import SizeError
from wengert.ir.graph import Graph, Location
from wengert.ir.symbolic.fitting import Fitter
from wengert.ir.symbolic.generalising import check_alike, generalised
from wengert.ir.symbolic.schema import RELATIONS, Constraint, Sizes, instantiate, unsolved
from wengert.ir.symbolic.sizes import Dim, Size, replace, size
from wengert.ir.symbolic.small_sizes import Agree, limits, small_envs, wrong_at

__all__ = ["FEWEST", "Note", "Run", "larger", "lift", "symbolic"]

#: Witnesses to generalise from, how many more a number that fits nothing asks for, and the fewest that will do.
WITNESSES = 12
MORE = 10
FEWEST = 7
#: Witnesses at which the outcome is looked at again: in other proportions, and of other residues.
HELD_OUT = 5

OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

Env = Mapping[str, int]


@frozen
class Note:
    """A comparison of sizes that a run met: over the slots ``_s0``, ``_s1``, ... of the run, and how it came out."""

    left: Dim
    relation: str
    right: Dim
    outcome: bool
    location: Location | None


@frozen
class Run:
    """A program made at known sizes; the sizes that its maker looked at, and the comparisons that were made of them."""

    graph: Graph
    slots: Sequence[int] = ()
    notes: Sequence[Note] = ()

    @property
    def path(self) -> list[Any]:
        """Which way the comparisons went."""
        return [(note.relation, note.outcome, note.location) for note in self.notes]


Make = Callable[[Env], Run]


def _candidates(names: Sequence[str]) -> Iterator[Env]:
    """Eight residues of each name, the first the largest; then larger sizes, in other orders, too."""
    bases = [12 + 11 * j * (j + 1) // 2 for j in reversed(range(len(names)))]
    large = {1: 1009, 2: 211}.get(len(names), 101)
    for shift in range(0, 160, 8):
        for r in range(8):
            values = [b + shift + (r * (2 * j + 1) + j) % 8 for j, b in enumerate(bases)]
            yield dict(zip(names, values, strict=True))
        if not shift:
            for r, start in enumerate((40, 64, 101, large)):
                values = [start + b - 12 + (r * j) % 5 for j, b in enumerate(bases)]
                turned = (values[::-1], values[1:] + values[:1], values, values[::-1])[r]
                yield dict(zip(names, turned, strict=True))


def larger(names: Sequence[str]) -> Iterator[Env]:
    """Sizes beyond those at which generated text is often another: of blocks and of loops that are written out."""
    for env in _candidates(names):
        yield {name: n + 150 for name, n in env.items()}


def _held_out(names: Sequence[str]) -> Iterator[Env]:
    """Sizes that are several times one another."""
    values = (9, 150, 33, 77, 20, 131, 58)
    for r in range(21):
        yield {name: values[(3 * r + 2 * j) % 7] + r // 7 + 200 * (j // 7) for j, name in enumerate(names)}


class _Runs:
    """Runs of one path through the program."""

    def __init__(self, make: Make, names: Sequence[str], allowed: Callable[[Env], bool]) -> None:
        self.make, self.names, self.allowed = make, names, allowed
        self.runs: list[Run] = []
        self.envs: list[Env] = []
        self.ordered: list[Constraint] = []  # which names must stay in which order for this path

    def take(self, candidates: Iterator[Env], count: int) -> None:
        """So many more runs."""
        wanted = len(self.runs) + count
        for env in candidates:
            if len(self.runs) == wanted:
                return
            if env in self.envs or not self.allowed(env) or not all(c.holds(env) for c in self.ordered):
                continue
            try:
                run = self.make(env)
            except MemoryError:  # a large witness alone
                continue
            if not self.runs or (run.path == self.runs[0].path and self._is_alike(env, run)):
                self.runs.append(run)
                self.envs.append(env)

    def _is_alike(self, env: Env, run: Run) -> bool:
        try:
            check_alike(self.runs[0].graph, run.graph, (self.envs[0], env))
        except SizeError:
            found = self._orders()
            if all(c.holds(env) for c in found):
                raise
            self.ordered += found
            return False
        return True

    def _orders(self) -> list[Constraint]:
        """The pairs of names of which the smaller one must stay so: exchanged, they make another program."""
        env, found = self.envs[0], []
        for i, name in enumerate(self.names):
            for other in self.names[:i]:
                small, large = sorted((name, other), key=lambda each: env[each])
                try:
                    run = self.make({**env, small: env[large], large: env[small]})
                    check_alike(self.runs[0].graph, run.graph, (env, env))
                except Exception:  # noqa: BLE001 (whatever the function says, it is another program)
                    found.append(Constraint(size(small), "<=", size(large)))
        return found

    def check_count(self) -> None:
        if len(self.runs) >= FEWEST:
            return
        places = dict.fromkeys(str(note.location) for note in self.runs[0].notes) if self.runs else ()
        conditions = f" (conditions on sizes at {', '.join(places)})" if places else ""
        raise SizeError(
            f"Only {len(self.runs)} combinations of sizes take one path through the function{conditions}; {FEWEST} are "
            "needed to tell what it does for any. Give an axis a number instead of a name."
        )


def symbolic(
    make: Make, names: Sequence[str], shapes: Sequence[Any] | None, agree: Agree,
    constraints: Sequence[Constraint] = (),
) -> Graph:
    """The symbolic graph of a program.

    Parameters
    ----------
    make : callable
        The program at given sizes.
    names : sequence of str
    shapes : sequence of tuple or None
        The shapes of its inputs, where they are known.
    agree : callable
        Whether two programs of one type compute the same.
    constraints : sequence of Constraint
        What holds of the sizes anyway.
    """
    def allowed(env: Env) -> bool:
        dims = [replace(dim, env) for shape in shapes or () for dim in shape if type(dim) is Size]
        return min(dims, default=2) >= 2 and all(c.holds(env) for c in constraints)

    found, candidates = _Runs(make, names, allowed), _candidates(names)
    found.take(candidates, WITNESSES + 2 * (len(names) > 2))
    found.check_count()
    held = len(found.runs)
    found.take(_held_out(names), HELD_OUT)

    def fitted(*more: tuple[Env, Run], count: int | None = None) -> Graph:
        """Generalised from the first so many runs, and more."""
        every = [*found.runs[:count], *(run for _, run in more)]
        fitter = Fitter([*found.envs[:count], *(env for env, _ in more)])
        graph = generalised([run.graph for run in every], fitter, shapes)
        recorded = (*constraints, *found.ordered, *_constraints(every, fitter))
        return graph.evolve(sizes=Sizes(tuple(found.envs[0].items()), recorded))

    try:
        graph = fitted(count=held)
        later = zip(found.envs[held:], found.runs[held:], strict=True)
        if wrong_at(graph, [(env, run.graph) for env, run in later], agree):
            graph = fitted()
    except SizeError:  # a divisor of nine is told by nine residues
        found.take(candidates, MORE)
        graph = fitted()
    if unknown := unsolved(graph):
        raise SizeError(
            f"No shape of an argument tells the size {unknown[0]!r}. Add an argument with an axis of that size, or "
            "write the axis that depends on it as a sum of multiples of names."
        )
    return _at_small_sizes(graph, found, fitted, agree)


def _at_small_sizes(graph: Graph, found: _Runs, fitted: Callable[..., Graph], agree: Agree) -> Graph:
    """The graph with minima and maxima that show at small sizes alone, and constraints where it is not the program."""
    first, witness = found.runs[0], found.envs[0]
    runs = [(env, _attempt(found.make, env)) for env in small_envs(found.names, witness)]
    programs = [(env, run.graph if run is not None and run.path == first.path else None) for env, run in runs]
    wrong = wrong_at(graph, programs, agree)
    alike = [(env, run) for env, run in runs if run is not None and _like(first, run, witness, env)]
    for _ in range(5):
        if not any(env in wrong for env, _ in alike):
            break
        try:
            better = fitted(*alike)
        except SizeError:
            least = min(min(env.values()) for env, _ in alike)
            alike = [(env, run) for env, run in alike if min(env.values()) > least]
        else:
            still = wrong_at(better, programs, agree)
            graph, wrong = (better, still) if len(still) < len(wrong) else (graph, wrong)
            break
    assert graph.sizes is not None  # as it was made
    tried = [env for env, _ in runs]
    constraints = (*graph.sizes.constraints, *limits(found.names, wrong, tried, witness))
    return graph.evolve(sizes=evolve(graph.sizes, constraints=constraints))


def _attempt(make: Make, env: Env) -> Run | None:
    try:
        return make(env)
    except Exception:  # noqa: BLE001 (whatever the user's function says of an empty array)
        return None


def _like(first: Run, run: Run, witness: Env, env: Env) -> bool:
    """Whether a run is the same program but for its numbers."""
    if run.path != first.path:
        return False
    try:
        check_alike(first.graph, run.graph, (witness, env))
    except SizeError:
        return False
    return True


# ----- Conditions on sizes -----


def _constraints(every: Sequence[Run], fitter: Fitter) -> list[Constraint]:
    """The comparisons that were made, in the names of the sizes."""
    count = min(len(run.slots) for run in every)
    slots = {f"_s{k}": fitter.fit([run.slots[k] for run in every]) for k in range(count)}
    found: dict[str, Constraint] = {}
    for k, note in enumerate(every[0].notes):
        plain: list[Any] = [run.notes[k].right for run in every]  # a number that is no size may follow from one
        try:
            left = replace(note.left, slots)
            right: Any = fitter.fit(plain) if {*map(type, plain)} == {int} else replace(note.right, slots)
        except (SizeError, TypeError) as error:
            message = "A size that is compared here is no expression in the named ones."
            raise SizeError(message, location=note.location) from error
        constraint = Constraint(left, note.relation if note.outcome else OPPOSITE[note.relation], right, note.location)
        if not _always(constraint):
            found.setdefault(str(constraint), constraint)
    return list(found.values())


def _always(constraint: Constraint) -> bool:
    """Whether a constraint plainly holds of all counts: no term of one side that is less than on the other."""
    difference = constraint.left + (-1) * constraint.right
    low, high = _bounds(difference)
    if type(difference) is int:
        return RELATIONS[constraint.relation](difference, 0)
    return {
        ">=": low is not None and low >= 0, ">": low is not None and low > 0,
        "<=": high is not None and high <= 0, "<": high is not None and high < 0,
        "!=": (low is not None and low > 0) or (high is not None and high < 0), "==": False,
    }[constraint.relation]  # fmt: skip


def _bounds(dim: Dim) -> tuple[int | None, int | None]:
    """Bounds of a size where all names are counts; None where there is none that is plain to see."""
    if type(dim) is int:
        return dim, dim
    terms = dict(dim.terms)  # type: ignore[union-attr]
    constant = terms.pop((), 0)
    if any(type(atom) is not str for m in terms for atom, _ in m):
        return None, None
    return (constant if min(terms.values()) > 0 else None), (constant if max(terms.values()) < 0 else None)


# ----- Graph to graph -----


def lift(transform: Callable[[Graph], Graph], graph: Graph, agree: Agree) -> Graph:
    """What a transform of ordinary graphs makes of a symbolic one."""
    assert graph.sizes is not None  # of a symbolic graph

    def make(env: Env) -> Run:
        return Run(transform(instantiate(graph, env)))

    return symbolic(make, graph.sizes.names, None, agree, graph.sizes.constraints)
