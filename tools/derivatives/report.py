"""What a check found, as data and in sentences."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from wengert.tools.derivatives.blame import Culprit, Kink
from wengert.tools.derivatives.comparison import Entry, Lack
from wengert.tools.derivatives.flow import Argument, Branch, Stop, where
from wengert.tools.explain.numbers import number

__all__ = ["Disagreement", "Refusal", "Report", "ValueCheck"]

#: How many of a kind are written out.
SHOWN = 10


@frozen
class Disagreement:
    """One entry of a Jacobian: where it is, and what each way says of it.

    ``index`` and ``result_index`` are None for a direction through all entries; ``part`` is ``real`` or ``imaginary``
    for complex numbers.  ``verdict`` is ``agrees``, ``wrong`` or ``undecided``, the last with its ``cause``.
    ``elsewhere`` is what the first of several backends gives, where it is something else.
    """

    backend: str
    verdict: str
    argument: str
    index: tuple[int, ...] | None
    part: str
    result: str
    result_index: tuple[int, ...] | None
    result_part: str
    forward: float | None
    reverse: float | None
    numeric: float | None
    error: float
    amount: float
    modes: tuple[str, ...]
    cause: str = ""
    left: float | None = None
    right: float | None = None
    elsewhere: float | None = None

    @classmethod
    def of(
        cls, entry: Entry, backend: str, arguments: dict[int, str], results: list[str], *,
        cause: str = "", elsewhere: float | None = None,
    ) -> Disagreement:  # fmt: skip
        """An entry with its names; ``cause`` makes it undecided, unless backends differ."""
        decided = elsewhere is not None or not (entry.cause or cause)
        verdict = "wrong" if elsewhere is not None else "undecided" if cause else entry.verdict
        modes = entry.off or (tuple(entry.claimed) if entry.split or elsewhere is not None else ())
        left, right = (entry.left, entry.right) if entry.cause else (None, None)
        return cls(
            backend, verdict, arguments[entry.column.place], entry.column.index, entry.column.part,
            results[entry.row.place], entry.row.index, entry.row.part, entry.claimed.get("forward"),
            entry.claimed.get("reverse"), None if entry.cause else entry.numeric, entry.error, entry.amount,
            modes, "" if decided else cause or entry.cause, left, right, elsewhere,
        )  # fmt: skip

    @property
    def place(self) -> str:
        """``x[1]``, or ``x in a direction through all its entries``."""
        return _entry(self.argument, self.index, self.part)

    @property
    def result_place(self) -> str:
        """Likewise, in the result."""
        return _entry(self.result, self.result_index, self.result_part)

    def __str__(self) -> str:
        modes = (("forward", self.forward), ("reverse", self.reverse))
        said = [f"{mode} mode gives {number(d)}" for mode, d in modes if d is not None]
        if self.numeric is not None:
            said.append(f"differences of the values give {number(self.numeric)}")
        elif self.left is not None and self.right is not None and self.cause == "at a kink":
            said.append(f"the slope is {number(self.left)} to the left and {number(self.right)} to the right")
        if self.elsewhere is not None:
            said.append(f"the first backend gives {number(self.elsewhere)}")
        how = f"undecided {self.cause}" if self.cause else "wrong" if self.verdict == "wrong" else "right"
        return f"The derivative of {self.result_place} in {self.place} on {self.backend} is {how}: {_listed(said)}."


def _entry(name: str, index: tuple[int, ...] | None, part: str) -> str:
    text = f"{name} along a direction through all its entries" if index is None else name
    text += f"[{', '.join(map(str, index))}]" if index else ""
    return f"the {part} part of {text}" if part else text


def _listed(items: list[str]) -> str:
    """``a, b and c``."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


@frozen
class ValueCheck:
    """The values of one backend against the untraced function's; ``missing`` says why they were not compared."""

    backend: str
    difference: float
    agrees: bool
    result: str = ""
    missing: str = ""

    def __str__(self) -> str:
        if self.missing:
            return f"The values of {self.backend} were not compared: {self.missing}"
        return (
            f"The values of {self.backend} are wrong: {self.result} differs by {self.difference:.2g} from what the "
            "function gives untraced."
        )


@frozen
class Refusal:
    """What tracing would not do, or a graph would not run on: the message and the line in it."""

    error: str
    message: str
    location: Any = None

    def __str__(self) -> str:
        inside = self.location is None or f":{self.location.line}" in self.message
        return f"It was refused with {self.error}{'' if inside else where(self.location)}: {self.message}"


@frozen
class Report:
    """What :func:`wengert.check` found.

    Attributes
    ----------
    name : str
        The function's.
    ok : bool
        Whether derivatives can be taken, in both modes on each backend asked, and none is wrong, nor any value.
    arguments : tuple of Argument
        Each with ``path``, ``dtype``, ``shape``, ``differentiable`` and the ``reason`` where it is not.
    stops : tuple of Stop
        The ops that no derivative passes through: ``op``, ``location`` and ``kind``.
    lacks : tuple of Lack
        What has no derivative: ``backend``, ``mode``, ``argument``, ``message``, ``op`` and ``location``.
    worst : Disagreement or None
        The largest disagreement among what could be decided.
    wrong, undecided : tuple of Disagreement
        The entries that are wrong, and those at kinks, jumps, edges or in noise, largest first.
    culprits, kinks : tuple
        The ops whose own derivative is wrong, and those that are at a kink.
    branches : tuple of Branch
        The guards: ``location``, ``condition``, ``outcome`` and ``margin``, the distance of the two sides.
    values : tuple of ValueCheck
    refusal : Refusal or None
    entries : int
        How many entries of Jacobians were compared.
    """

    name: str
    arguments: tuple[Argument, ...] = ()
    stops: tuple[Stop, ...] = ()
    lacks: tuple[Lack, ...] = ()
    worst: Disagreement | None = None
    wrong: tuple[Disagreement, ...] = ()
    undecided: tuple[Disagreement, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    kinks: tuple[Kink, ...] = ()
    branches: tuple[Branch, ...] = ()
    values: tuple[ValueCheck, ...] = ()
    refusal: Refusal | None = None
    nothing: str = ""
    entries: int = field(default=0)

    @property
    def ok(self) -> bool:
        """Nothing is refused, lacking or wrong."""
        bad_values = any(not v.agrees and not v.missing for v in self.values)
        return not (self.refusal or self.lacks or self.wrong or self.nothing or bad_values)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join([self._verdict(), *self._details()])

    @property
    def _subject(self) -> str:
        return "The function" if self.name == "<lambda>" else self.name

    def _verdict(self) -> str:
        if self.refusal:
            return f"{self._subject} cannot be differentiated as it is."
        if self.nothing:
            return f"{self._subject} has no derivative to take: {self.nothing}"
        if self.ok:
            return f"{self._subject} can be differentiated in both modes."
        faults = [
            word for word, found in (
                ("a mode is lacking", self.lacks), ("a derivative is wrong", self.wrong),
                ("a value is wrong", any(not v.agrees and not v.missing for v in self.values)),
            ) if found
        ]  # fmt: skip
        return f"{self._subject} has faults: {_listed(faults)}."

    def _details(self) -> list[str]:
        if self.refusal:
            return [str(self.refusal)]
        lines = [str(a) for a in self.arguments]
        lines += [str(lack) for lack in self.lacks]
        lines += _some(self.wrong)
        lines += [str(c) for c in self.culprits]
        if self.worst is not None and not self.wrong:
            w, count = self.worst, f"{self.entries} {'entry' if self.entries == 1 else 'entries'}"
            lines.append(
                f"Forward mode, reverse mode and differences of the values agree in {count}; the largest disagreement "
                f"is {w.amount:.2g}, in the derivative of {w.result_place} in {w.place} on {w.backend}, where "
                f"differences are known to {w.error:.2g}."
            )
        if self.wrong and not self.culprits:
            lines.append(
                "Each op is right by itself: the fault is in how they are put together, or the function depends on its "
                "arguments in a way that tracing does not see."
            )
        lines += _some(self.undecided)
        lines += [f"At these arguments, {kink}." for kink in self.kinks]
        lines += [str(s) for s in self.stops]
        lines += [str(b) for b in self.branches]
        if alike := [v for v in self.values if v.agrees]:
            largest = max(v.difference for v in alike)
            names = _listed([v.backend for v in alike])
            lines.append(f"The values on {names} are those of the untraced function, to {largest:.2g}.")
        return lines + [str(v) for v in self.values if not v.agrees]


def _some(entries: tuple[Disagreement, ...]) -> list[str]:
    lines = [str(d) for d in entries[:SHOWN]]
    rest = len(entries) - SHOWN
    return lines + (
        [f"And {rest} more {'entry is' if rest == 1 else 'entries are'} {entries[0].verdict}."] if rest > 0 else []
    )
