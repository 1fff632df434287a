"""Nested arguments come apart and go together again, with their classes or without."""

import dataclasses
import inspect
from collections import namedtuple

import attrs
import pytest

from wengert.ir.structure import LEAF, Signature, Structure, flatten, leaf_paths, unflatten

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Box:
    low: Point
    high: list


@attrs.frozen
class Model:
    weight: float
    name: str = "m"


def is_number(value):
    return type(value) in (int, float)


NESTED = [
    1.0,
    (1.0, [2.0, {"a": 3.0, "b": ()}]),
    Point(1.0, (2.0, None)),
    Box(Point(1.0, 2.0), [3.0, "text"]),
    Model(1.0),
    {"z": 1.0, "a": [Model(2.0, "n")]},
]


@pytest.mark.parametrize("value", NESTED, ids=repr)
def test_round_trip(value):
    leaves = []
    structure = flatten(value, is_number, leaves)

    assert structure.leaf_count == len(leaves) == len(list(leaf_paths(structure, "x")))
    assert unflatten(structure, iter(leaves)) == value
    assert hash(structure) == hash(flatten(value, is_number, []))


def test_dicts_keep_their_order():
    leaves = []
    flatten({"z": 1.0, "a": 2.0}, is_number, leaves)

    assert leaves == [1.0, 2.0]


def test_paths_read_as_python():
    structure = flatten({"layers": [Point(1.0, 2.0)]}, is_number, [])

    assert list(leaf_paths(structure, "p")) == ["p['layers'][0].x", "p['layers'][0].y"]


def test_a_record_without_its_class_has_a_stand_in():
    for value in (Point(1.0, 2.0), Box(Point(1.0, 2.0), [3.0]), Model(1.0)):
        leaves = []
        structure = flatten(value, is_number, leaves)
        rebuilt = unflatten(Structure(structure.kind, structure.children, structure.keys, structure.name), iter(leaves))

        assert type(rebuilt).__name__ == type(value).__name__
        assert getattr(rebuilt, structure.keys[0]) == getattr(value, structure.keys[0])


def test_signature_binds_as_python_does():
    kinds = inspect.Parameter
    signature = Signature(
        (("a", int(kinds.POSITIONAL_OR_KEYWORD)), ("rest", int(kinds.VAR_POSITIONAL)), ("k", int(kinds.KEYWORD_ONLY))),
        (LEAF, Structure("tuple"), LEAF),
        (("k", 3),),
    )

    assert signature.bind((1, 2), {}) == [1, (2,), 3]
    assert signature.bind((), {"a": 1, "k": 5}) == [1, (), 5]
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        signature.bind((), {})
