"""The rule that verdicts for classes and for values share."""

import pytest

from limbeck.gap._decision import Way, decide

GOOD, EVEN, BAD = Way("good", 0.2, 0.1, 0.3), Way("even", 0.01, -0.1, 0.1), Way("bad", -0.3, -0.4, -0.2)


@pytest.mark.parametrize(
    ("ways", "known", "lost", "verdict", "sure"),
    [
        ([GOOD, BAD], True, "", "transfer", True),
        ([EVEN, BAD], True, "", "transfer", False),
        ([GOOD], True, "It lost.", "transfer with adaptation", True),
        ([BAD, EVEN], True, "", "transfer with adaptation", False),
        ([BAD, GOOD], False, "It lost.", "transfer with adaptation", True),
        ([BAD, EVEN], False, "", "transfer with adaptation", False),
        ([BAD, BAD], True, "", "do not transfer", True),
        ([Way("close", -0.01, -0.2, 0.1), BAD], True, "", "do not transfer", False),
    ],
)
def test_the_rule(ways: list[Way], known: bool, lost: str, verdict: str, sure: bool) -> None:
    found = decide("Alone 50%", ways, known, "chance", lost)
    assert (found.verdict, found.sure) == (verdict, sure)
    assert found.reason.startswith("Alone 50%; ") and all(way.told() in found.reason for way in ways)
    if verdict == "transfer with adaptation" and known:
        assert found.reason.endswith(lost or ".")
