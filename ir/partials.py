"""What a rule may say of an operand besides a formula, and where it holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

from wengert.ir.errors import DerivativeError

__all__ = ["CONJUGATE", "Interval", "Partial", "Rule", "Unknown", "above", "between"]

Rule: TypeAlias = Callable[..., Any]
#: The partial of an op whose tangent and cotangent are the conjugate of what it is handed.
CONJUGATE = "conjugate"


@frozen(slots=True)
class Unknown:
    """The partial in an operand (called ``name``) that has no known rule: refused where asked for, never zero."""

    name: str

    def refused(self, node: Any) -> DerivativeError:
        """The error about a node that a derivative would flow through this operand of."""
        message = (
            f"{node.op.name}: there is no known rule for its derivative in {self.name}; keep {self.name} constant "
            "(do not differentiate in what it is computed from), or use differences of values for it."
        )
        return DerivativeError(message, op=node.op.name, location=node.location)


Partial: TypeAlias = Rule | int | str | Unknown | None


@frozen(slots=True)
class Interval:
    """An open interval: where an op is defined and smooth."""

    low: float = -math.inf
    high: float = math.inf


def above(low: float) -> Interval:
    """The numbers above ``low``."""
    return Interval(low=low)


def between(low: float, high: float) -> Interval:
    """The numbers strictly between ``low`` and ``high``."""
    return Interval(low, high)
