"""Mutants that compute the same, and why: a mutant is named as tests/mutation.py prints it."""

ALIVE: dict[str, tuple[str, ...]] = {
}

REASONS = {mutant: reason for reason, names in ALIVE.items() for mutant in names}
