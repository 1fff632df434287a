"""A traced array where Python asks for a number: a guard on what it is now, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wengert.ir.build import Expr
from wengert.tracer.location import refuse

if TYPE_CHECKING:
    from wengert.tracer.context import Trace

__all__ = ["Convertible"]


class Convertible(Expr):
    """The conversions of a traced array."""

    __slots__ = ()
    owner: Trace
    numbers: Any
    size: int
    check_alive: Callable[[], None]

    def __bool__(self) -> bool:
        if (numbers := self.numbers) is not None:
            return bool(numbers)
        self.check_alive()
        if self.size != 1:
            message = "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()."
            raise ValueError(message)
        condition = self if self.dtype.kind == "b" else self.xp.not_equal(self, 0)
        return self.guarded(self.xp.reshape(condition, ()))

    def guarded(self, condition: Any) -> bool:
        self.check_alive()
        outcome = bool(self.owner.evaluate(condition.value))
        self.owner.locate()
        self.owner.builder.guard(condition.value, outcome)
        return outcome

    def __int__(self) -> int:
        if (numbers := self.numbers) is not None:
            return int(numbers)
        if self.size != 1:
            message = "only arrays of one element can be converted to Python integers."
            raise TypeError(message)
        scalar = self.xp.reshape(self, ())
        whole = self.xp.trunc(scalar) if self.dtype.kind == "f" else scalar
        number = int(self.owner.evaluate(whole.value))
        self.guarded(self.xp.equal(whole, number))
        return number

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape != ():
            message = "only integer scalar arrays can be converted to an index."
            raise TypeError(message)
        return int(self)

    def __float__(self) -> float:
        if (numbers := self.numbers) is not None:
            return float(numbers)
        self.check_alive()
        raise refuse(
            "a traced value is being turned into a Python number (by float(), by a function such as math.sin, or by "
            "writing it into a plain array), which would lose its derivative.",
            "Leave it as it is: use np.sin(x) instead of math.sin(x), x.astype(float) instead of float(x), and fill "
            "arrays that are made in the traced function (by np.zeros, np.array, np.zeros_like).",
        )

    def __complex__(self) -> complex:
        if (numbers := self.numbers) is not None:
            return complex(numbers)
        return complex(self.__float__())
