"""`--set a.b=c` finds its place, or says why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from limbeck.core import UsageError
from limbeck.recipes._overrides import override

CASES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"seeds": 3}, "seeds=[0, 7]", {"seeds": [0, 7]}),
    ({"student": "mlp"}, "student.mlp.hidden=[8]", {"student": {"mlp": {"hidden": [8]}}}),
    ({"rows": {"a": {"m": None}}}, "rows.a.m.x=1", {"rows": {"a": {"m": {"x": 1}}}}),
    ({"list": ["kl", "b"]}, "list.0.weight=2", {"list": [{"kl": {}, "weight": 2}, "b"]}),
    ({"list": ["kl", "b"]}, "list.1=null", {"list": ["kl", None]}),
    ({}, "training.learning_rate=1e-3", {"training": {"learning_rate": 0.001}}),
    ({"s": {"my.nets:Net": {"w": 1}}}, "s.my.nets:Net.w=2", {"s": {"my.nets:Net": {"w": 2}}}),
    ({"teachers": {"teacher": {}}}, "teacher.title=T", {"teachers": {"teacher": {"title": "T"}}}),
    ({"label": "a"}, 'label="num > 0"', {"label": "num > 0"}),
    ({"label": "a"}, "label=x=y", {"label": "x=y"}),
    ({"seeds": 3}, " seeds =", {"seeds": None}),
]


@pytest.mark.parametrize(("content", "text", "wanted"), CASES, ids=[text for _, text, _ in CASES])
def test_the_place_is_found(content: dict[str, Any], text: str, wanted: dict[str, Any]) -> None:
    override(content, text)
    assert content == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds", "needs a.b=c"),
        ("=3", "needs a.b=c"),
        ("seeds=[1", "not YAML"),
        ("list.2=x", "'2' must be a number below 2"),
        ("list.-1=x", "'-1' must be a number below 2"),
        ("list.kl.weight=x", "'kl' must be a number below 2"),
        ("matrix.a={}", "every cell"),
    ],
)
def test_what_has_no_place_is_told(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        override({"list": ["kl", "b"], "seeds": 3}, text)
