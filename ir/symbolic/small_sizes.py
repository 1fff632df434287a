"""Small sizes, at which programs are most often special: where a symbolic graph is wrong, and what to say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from wengert.ir.errors import SizeError, WengertError
from wengert.ir.graph import Graph
from wengert.ir.symbolic.schema import Constraint, broken, instantiate
from wengert.ir.symbolic.sizes import greatest, size
from wengert.ir.wire import identity

__all__ = ["Agree", "limits", "small_envs", "wrong_at"]

#: Every size up to the largest of these is looked at, then some up to the witness.
DENSE = range(8)
SPARSE = (9, 11, 14, 18, 22, 27, 33, 40)

Env: TypeAlias = Mapping[str, int]
Agree: TypeAlias = Callable[[Graph, Graph], bool]


def small_envs(names: Sequence[str], witness: Env) -> Iterator[Env]:
    """Each size small, then all of them; and each two of them equal."""
    for name in names:
        for k in (*DENSE, *(k for k in SPARSE if k < witness[name])):
            yield {**witness, name: k}
    if len(names) > 1:
        for k in DENSE:
            yield dict.fromkeys(names, k)
    for i, name in enumerate(names):
        for other in names[:i]:
            yield {**witness, name: witness[other]}


def wrong_at(graph: Graph, programs: Sequence[tuple[Env, Graph | None]], agree: Agree) -> list[Env]:
    """The sizes at which a symbolic graph is not the program; None where there is none on its path."""
    return [env for env, program in programs if not _is_right(graph, env, program, agree)]


def _is_right(graph: Graph, env: Env, program: Graph | None, agree: Agree) -> bool:
    assert graph.sizes is not None  # of a symbolic graph
    try:
        if broken(graph.sizes, env) is not None:
            return True  # it does not say that it holds there
        now = instantiate(graph, env)
    except WengertError:
        return False
    if program is None:
        return False
    if identity(program) == identity(now):
        return True
    types = ([v.type for v in (*g.inputs, *g.outputs)] for g in (program, now))
    return next(types) == next(types) and program.results == now.results and agree(program, now)


def limits(names: Sequence[str], wrong: Sequence[Env], tried: Sequence[Env], witness: Env) -> list[Constraint]:
    """Constraints that exclude the sizes at which a graph is wrong, and those between them that were not tried."""
    found: list[Constraint] = []
    for name in names:
        alone = [env for env in tried if all(env[other] == witness[other] for other in names if other != name)]
        bad = {env[name] for env in alone if env in wrong and env[name] not in {witness[o] for o in names if o != name}}
        if not bad:
            continue
        if max(bad) in DENSE and bad != set(range(max(bad) + 1)):
            found += [Constraint(size(name), "!=", k) for k in sorted(bad)]
        else:
            good = [env[name] for env in alone if env[name] > max(bad)]
            found.append(Constraint(size(name), ">=", min((*good, witness[name]))))
    for env in wrong:
        if not all(c.holds(env) for c in found):
            continue
        values = list(env.values())
        if len(set(values)) == 1 and len(names) > 1:
            found.append(Constraint(greatest(*map(size, names)), ">", values[0]))
        elif equal := [name for name in names if values.count(env[name]) > 1]:
            found.append(Constraint(size(equal[0]), "!=", size(equal[1])))
        else:
            raise SizeError(f"The program is another one where {', '.join(f'{k} = {n}' for k, n in env.items())}.")
    return found
