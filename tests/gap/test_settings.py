"""Settings of the gap that could show no difference are refused."""

import pytest

from limbeck.core import UsageError
from limbeck.gap import GapSettings


@pytest.mark.parametrize("name", ["permutations", "repeats"])
def test_fewer_permutations_than_the_confidence_needs_are_refused(name: str) -> None:
    enough = {"confidence": 0.99, "permutations": 99, "repeats": 99}
    assert GapSettings(**enough).alpha == pytest.approx(0.01)
    with pytest.raises(
        UsageError, match=rf"The '{name}' of gap.settings must be ≥ 99 for a confidence of 0.99. Got 50"
    ):
        GapSettings(**{**enough, name: 50})


def test_the_least_numbers_suffice_for_the_default() -> None:
    assert GapSettings(permutations=19, repeats=20).confidence == 0.95
