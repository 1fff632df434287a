"""Mutation testing itself: mutants of every kind are made and killed, the rules as they are live, and nothing is left behind."""

import mutants
import mutation
import numpy as np
import pytest

from wengert.ir.ops import OPS

#: One of each way to spoil a rule, of each kind of op, and where it is killed.
CHOSEN = {
    "add, partial 0: -1 for 1", "subtract, partial 1: -1 times 1.0005", "floor, partial 0: 1 for None",
    "sqrt, partial 0: 0.5 for 0.5 / out", "tan, partial 0: 1 - out * out for 1 + out * out", "hypot, partial 1: y * out for y / out",
    "arctan2, partial 1: negated", "maximum, partial 0: x != y for x == y", "where, partial 1: 1.0 for xp.where(c, 1.0, 0.0)",
    "ir.ops.trigonometric._over_root: minus for xp.sqrt(minus)", "ir.ops.exponential._share: 1 for 0.5",
    "prod, partial: times 1.0005", "sort, jvp: negated", "sort, vjp: None", "take, transpose: negated", "broadcast_to, transpose: times 1.0005",
    "ir.autodiff.transposition._cumulative: node.params['reverse'] for not node.params['reverse']",
}  # fmt: skip


@pytest.fixture(scope="module")
def every():
    return mutation.every()


def test_a_dozen_of_every_kind_are_killed(every):
    found = {str(group[0]): group[0] for group in every if str(group[0]) in CHOSEN}
    assert set(found) == CHOSEN
    assert {"sign", "scale", "none", "constant", "drop", "operator", "condition", "where", "call"} == {m.kind for m in found.values()}
    kept = {place: place.rule for place in mutants.places()}
    sound = dict.fromkeys(OPS, ())  # that the laws hold is for the laws' own files to say
    living = [name for name, mutant in found.items() if mutation.fate(mutant, sound) is None]
    assert not living
    assert all(place.rule is rule for place, rule in kept.items())


@pytest.mark.parametrize("name", ["sqrt", "prod", "sort", "broadcast_to"])
def test_a_rule_made_anew_as_it_was_lives(name):
    """So what kills a mutant is what is spoilt in it, and not how it is made."""
    for place in mutants.places((name,)):
        with place.holding(mutants.remade(mutants.tree_of(place.rule), place.rule)):
            mutation.forget()
            for title in ("derivative, forward", "derivative, reverse", "second order"):
                mutation.laws("")[title, "numpy"](name)
                mutation.laws("")[title, "python"](name)
    mutation.forget()


def test_lambdas_on_one_line_are_told_apart():
    x, y = np.float64(2.0), np.float64(3.0)
    for rule, expected in zip(OPS["multiply"].partials, (3.0, 2.0), strict=True):
        assert mutants.remade(mutants.tree_of(rule), rule)(None, None, x, y) == expected


def test_no_reason_is_given_in_vain(every):
    assert set(mutation.REASONS) <= {str(mutant) for group in every for mutant in group}


def test_the_page_lists_the_rules_there_are():
    kept = (mutation.ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    stale = [row for row in mutation.chapters().values() if row not in kept]
    assert not stale, f"Run `make mutants`: docs/mutants.md has other numbers of ops and rules than {stale}."
