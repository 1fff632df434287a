"""From a function of known sizes to a symbolic graph: which sizes to look at, and what the graph is right for.

The program is made at a dozen witnesses and generalised.  Then it is made at small sizes, 0, 1, 2 and so on, at which
programs are most often special, and compared with what the symbolic graph is there: where that is another program, a
constraint is recorded, and a call with such sizes is an error, never a wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from wengert.ir.errors import SizeError, WengertError
from wengert.ir.fitting import Fitter
from wengert.ir.generalising import check_structure, generalised
from wengert.ir.graph import Graph, Location
from wengert.ir.schema import RELATIONS, Constraint, Sizes, broken, instantiate, unsolved
from wengert.ir.sizes import Dim, Size, greatest, replace, size
from wengert.ir.wire import identity

__all__ = ["Note", "Run", "lift", "symbolic"]

#: Witnesses to generalise from, and the fewest that will do.
WITNESSES = 12
FEWEST = 7
SMALL = range(8)

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
Agree = Callable[[Graph, Graph], bool]


def _candidates(names: Sequence[str]) -> Iterator[Env]:
    """Eight residues of each name, then larger ones and a large one; distinct, and in no fixed relation."""
    bases = [12 + 11 * j * (j + 1) // 2 for j in range(len(names))]
    large = {1: 2003, 2: 503}.get(len(names), 101)
    for shift in range(0, 160, 8):
        for r in range(8):
            yield {name: b + shift + (r * (2 * j + 1) + j) % 8 for j, (name, b) in enumerate(zip(names, bases, strict=True))}
        if not shift:
            for r in (3, 5, 8):
                yield {name: b * r + (r * (j + 2)) % 7 for j, (name, b) in enumerate(zip(names, bases, strict=True))}
            yield {name: large + 6 * j for j, name in enumerate(names)}


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

    runs, envs = _runs(make, [env for env in _candidates(names) if allowed(env)], names)
    extra: list[tuple[Run, Env]] = []
    for _ in range(len(SMALL)):
        fitter = Fitter([*envs, *(env for _, env in extra)])
        graph = generalised([*(r.graph for r in runs), *(r.graph for r, _ in extra)], fitter, shapes)
        recorded = _constraints(runs, extra, fitter)
        sizes = Sizes(tuple(envs[0].items()), (*constraints, *recorded))
        graph = graph.evolve(sizes=sizes)
        wrong, better = _small(make, graph, runs[0], agree, [env for _, env in extra])
        if better is None:
            break
        extra.append(better)
    graph = graph.evolve(sizes=evolve(sizes, constraints=(*sizes.constraints, *_limits(names, wrong, sizes))))
    if names := unsolved(graph):
        raise SizeError(
            f"No shape of an argument tells the size {names[0]!r}. Add an argument with an axis of that size, or "
            "write the axis that depends on it as a sum of multiples of names."
        )
    return graph


def _runs(make: Make, candidates: Sequence[Env], names: Sequence[str]) -> tuple[list[Run], list[Env]]:
    runs: list[Run] = []
    envs: list[Env] = []
    for env in candidates:
        try:
            run = make(env)
        except MemoryError:  # a large witness alone
            continue
        if runs and run.path != runs[0].path:
            continue
        if runs:
            check_structure(runs[0].graph, run.graph, (envs[0], env))
        runs.append(run)
        envs.append(env)
        if len(runs) == WITNESSES + 2 * (len(names) > 2):
            break
    if len(runs) < FEWEST:
        notes = ", ".join(str(note.location) for note in runs[0].notes) if runs else ""
        raise SizeError(
            f"Only {len(runs)} combinations of small sizes take one path through the function"
            f"{f' (conditions on sizes at {notes})' if notes else ''}; {FEWEST} are needed to tell what it does for any. "
            "Give an axis a number instead of a name."
        )
    return runs, envs


# ----- Conditions on sizes -----


def _constraints(runs: Sequence[Run], extra: Sequence[tuple[Run, Env]], fitter: Fitter) -> list[Constraint]:
    """The comparisons that were made, in the names of the sizes."""
    every = [*runs, *(run for run, _ in extra)]
    count = min(len(run.slots) for run in every)
    slots = {f"_s{k}": fitter.fit([run.slots[k] for run in every]) for k in range(count)}
    found: dict[str, Constraint] = {}
    for note in runs[0].notes:
        try:
            left, right = replace(note.left, slots), replace(note.right, slots)
        except (SizeError, TypeError) as error:
            raise SizeError("A size that is compared here is no expression in the named ones.", location=note.location) from error
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


# ----- Small sizes -----


def _small_envs(names: Sequence[str], witness: Env) -> Iterator[Env]:
    for k in reversed(SMALL):
        for name in names:
            yield {**witness, name: k}
        if len(names) > 1:
            yield dict.fromkeys(names, k)
    for i, name in enumerate(names):
        for other in names[:i]:
            yield {**witness, name: witness[other]}


def _small(
    make: Make, graph: Graph, first: Run, agree: Agree, seen: Sequence[Env]
) -> tuple[list[Env], tuple[Run, Env] | None]:
    """The small sizes at which the graph is wrong; or a run there that it can be fitted to."""
    assert graph.sizes is not None  # it was just made
    wrong: list[Env] = []
    for env in _small_envs(graph.sizes.names, dict(graph.sizes.witness)):
        try:
            if broken(graph.sizes, env) is not None:
                continue
        except SizeError:
            wrong.append(env)
            continue
        run, now = _attempt(make, env), _instance(graph, env)
        if run is not None and run.path != first.path:
            continue  # on another path, which its constraint excludes
        if run is not None and now is not None:
            if identity(run.graph) == identity(now) or (_alike(run.graph, now) and agree(run.graph, now)):
                continue
        if run is None and now is None:
            wrong.append(env)
            continue
        if run is not None and env not in seen and _fits(first, run):
            try:
                generalised([first.graph, run.graph], _Any([dict(graph.sizes.witness), env]))
            except SizeError:
                pass
            else:
                return wrong, (run, env)
        wrong.append(env)
    return wrong, None


class _Any(Fitter):
    """Fits anything: to see whether programs are alike but for their numbers."""

    def fit(self, values: Sequence[int]) -> Dim | None:
        return int(values[0])


def _attempt(make: Make, env: Env) -> Run | None:
    try:
        return make(env)
    except Exception:  # noqa: BLE001 (whatever the user's function says of an empty array)
        return None


def _instance(graph: Graph, env: Env) -> Graph | None:
    try:
        return instantiate(graph, env)
    except WengertError:
        return None


def _alike(a: Graph, b: Graph) -> bool:
    return [v.type for v in (*a.inputs, *a.outputs)] == [v.type for v in (*b.inputs, *b.outputs)] and a.results == b.results


def _fits(first: Run, run: Run) -> bool:
    try:
        check_structure(first.graph, run.graph, ({}, {}))
    except SizeError:
        return False
    return True


def _limits(names: Sequence[str], wrong: Sequence[Env], sizes: Sizes) -> list[Constraint]:
    """Constraints that exclude these sizes."""
    witness = dict(sizes.witness)
    found: list[Constraint] = []
    for name in names:
        bad = [env[name] for env in wrong if all(env[other] == witness[other] for other in names if other != name)]
        low = [k for k in bad if k in SMALL]
        if low and set(low) == set(range(max(low) + 1)):
            found.append(Constraint(size(name), ">=", max(low) + 1))
        elif low:
            found += [Constraint(size(name), "!=", k) for k in sorted(low)]
    for env in wrong:
        if all(c.holds(env) for c in found):
            values = list(env.values())
            if len(set(values)) == 1:
                found.append(Constraint(greatest(*map(size, names)), ">", values[0]))
            else:
                equal = [name for name in names if values.count(env[name]) > 1]
                found.append(Constraint(size(equal[0]), "!=", size(equal[1])))
    return found


# ----- Graph to graph -----


def lift(transform: Callable[[Graph], Graph], graph: Graph, agree: Agree) -> Graph:
    """What a transform of ordinary graphs makes of a symbolic one."""
    assert graph.sizes is not None  # of a symbolic graph

    def make(env: Env) -> Run:
        return Run(transform(instantiate(graph, env)))

    return symbolic(make, graph.sizes.names, None, agree, graph.sizes.constraints)
