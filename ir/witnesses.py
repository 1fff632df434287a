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
from wengert.ir.generalising import check_alike, generalised
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

    runs, envs, ordered = _runs(make, [env for env in _candidates(names) if allowed(env)], names)
    constraints = (*constraints, *ordered)

    def fitted(extra: Sequence[tuple[Env, Run]]) -> Graph:
        fitter = Fitter([*envs, *(env for env, _ in extra)])
        every = [*runs, *(run for _, run in extra)]
        graph = generalised([run.graph for run in every], fitter, shapes)
        recorded = (*constraints, *_constraints(every, fitter))
        return graph.evolve(sizes=Sizes(tuple(envs[0].items()), recorded))

    graph = fitted(())
    if unknown := unsolved(graph):
        raise SizeError(
            f"No shape of an argument tells the size {unknown[0]!r}. Add an argument with an axis of that size, or "
            "write the axis that depends on it as a sum of multiples of names."
        )
    small = {tuple(env.items()): _attempt(make, env) for env in _small_envs(names, envs[0])}
    wrong = _wrong(graph, small, runs[0], agree)
    alike = [(dict(env), run) for env, run in small.items() if run is not None and _like(runs[0], run, envs[0], env)]
    for _ in range(4):  # as where x[:3] is shorter than 3: a minimum, to be seen at small sizes alone
        if not any(env in wrong for env, _ in alike):
            break
        try:
            better = fitted(alike)
        except SizeError:
            least_size = min(min(env.values()) for env, _ in alike)
            alike = [(env, run) for env, run in alike if min(env.values()) > least_size]
        else:
            still = _wrong(better, small, runs[0], agree)
            if len(still) < len(wrong):
                graph, wrong = better, still
            break
    sizes = graph.sizes
    assert sizes is not None  # given above
    return graph.evolve(sizes=evolve(sizes, constraints=(*sizes.constraints, *_limits(names, wrong, sizes))))


def _runs(
    make: Make, candidates: Sequence[Env], names: Sequence[str]
) -> tuple[list[Run], list[Env], list[Constraint]]:
    """Runs of one path, their sizes, and which names must stay in which order for it."""
    runs: list[Run] = []
    envs: list[Env] = []
    ordered: list[Constraint] = []
    for env in candidates:
        if not all(c.holds(env) for c in ordered):
            continue
        try:
            run = make(env)
        except MemoryError:  # a large witness alone
            continue
        if runs and run.path != runs[0].path:
            continue
        if runs:
            try:
                check_alike(runs[0].graph, run.graph, (envs[0], env))
            except SizeError:
                found = _orders(make, runs[0], envs[0], names)
                if all(c.holds(env) for c in found):
                    raise
                ordered += found
                continue
        runs.append(run)
        envs.append(env)
        if len(runs) == WITNESSES + 2 * (len(names) > 2):
            break
    if len(runs) < FEWEST:
        places = dict.fromkeys(str(note.location) for note in runs[0].notes) if runs else ()
        raise SizeError(
            f"Only {len(runs)} combinations of sizes take one path through the function"
            f"{f' (conditions on sizes at {chr(44).join(places)})' if places else ''}; {FEWEST} are needed to tell "
            "what it does for any. Give an axis a number instead of a name."
        )
    return runs, envs, ordered


def _orders(make: Make, first: Run, env: Env, names: Sequence[str]) -> list[Constraint]:
    """The pairs of names of which the smaller one must stay so: exchanged, they make another program."""
    found = []
    for i, name in enumerate(names):
        for other in names[:i]:
            small, large = sorted((name, other), key=lambda each: env[each])
            try:
                run = make({**env, small: env[large], large: env[small]})
                check_alike(first.graph, run.graph, (env, env))
            except Exception:  # noqa: BLE001 (whatever the function says, it is another program)
                found.append(Constraint(size(small), "<=", size(large)))
    return found


# ----- Conditions on sizes -----


def _constraints(every: Sequence[Run], fitter: Fitter) -> list[Constraint]:
    """The comparisons that were made, in the names of the sizes."""
    count = min(len(run.slots) for run in every)
    slots = {f"_s{k}": fitter.fit([run.slots[k] for run in every]) for k in range(count)}
    found: dict[str, Constraint] = {}
    for note in every[0].notes:
        try:
            left, right = replace(note.left, slots), replace(note.right, slots)
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


def _wrong(graph: Graph, small: Mapping[Any, Run | None], first: Run, agree: Agree) -> list[Env]:
    """The small sizes at which a symbolic graph is not the program."""
    assert graph.sizes is not None  # it was just made
    wrong: list[Env] = []
    for key, run in small.items():
        env = dict(key)
        try:
            if broken(graph.sizes, env) is not None:
                continue
        except SizeError:
            wrong.append(env)
            continue
        if run is not None and run.path != first.path:
            continue  # on another path, which a constraint excludes
        now = _instance(graph, env)
        if run is None or now is None or not (
            identity(run.graph) == identity(now) or (_alike(run.graph, now) and agree(run.graph, now))
        ):
            wrong.append(env)
    return wrong


def _like(first: Run, run: Run, witness: Env, env: Any) -> bool:
    """Whether a run is the same program but for its numbers."""
    if run.path != first.path:
        return False
    try:
        check_alike(first.graph, run.graph, (witness, dict(env)))
    except SizeError:
        return False
    return True


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
    types = ([v.type for v in (*g.inputs, *g.outputs)] for g in (a, b))
    return next(types) == next(types) and a.results == b.results


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
