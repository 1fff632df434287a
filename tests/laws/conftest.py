"""What the laws share: the count of their cases."""

import pytest


@pytest.fixture
def cases(record_property):
    """``cases(n)`` counts n cases of a law; the sum stands at the end of the run."""
    return lambda n: record_property("cases", n)
