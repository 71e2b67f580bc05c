"""Sealed labels: what a view holds, what an opening leaves, and that nothing else leads to them."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
import types
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, World

from limbeck.core import Domain, Opening, SealedLabelsError, UsageError, some_of


def target(task=CLASSES) -> tuple[Domain, list[Opening]]:
    domain, openings = World(task).domain("target"), list[Opening]()
    domain.on_open = openings.append
    return domain, openings


def test_a_view_of_the_target_has_the_labelled_split_alone() -> None:
    domain, openings = target()
    view = domain.view()
    assert view.labels("labelled").tolist() == [0, 1, 2, 0, 1, 2]
    for split in ("train", "selection", "test", "no_such_split"):
        with pytest.raises(SealedLabelsError, match=f"target, split '{split}', are sealed"):
            view.labels(split)
    assert not openings  # their number is declared in the recipe
    assert view.inputs is domain.inputs and set(view.splits) == {"labelled", "train", "selection", "test"}


def test_a_view_of_the_source_has_all() -> None:
    view = World().domain("source").view()
    assert {split: len(view.labels(split)) for split in view.splits} == {"train": 34, "selection": 12, "test": 14}


def test_each_opening_is_told() -> None:
    domain, openings = target()
    view = domain.view(("train",), "training of bound", "bound")
    assert view.labels("train").tolist() == [row % 3 for row in range(6, 34)]
    domain.open("test", "evaluation")
    told = [(o.domain, o.split, o.samples, o.purpose, o.row) for o in openings]
    assert told == [("target", "train", 28, "training of bound", "bound"), ("target", "test", 14, "evaluation", None)]
    assert all(datetime.fromisoformat(o.when).tzinfo is not None for o in openings)
    with pytest.raises(SealedLabelsError):
        view.labels("test")


SECRET = 1234567


def reachable(start: Any) -> list[Any]:
    """All that can be reached from an object, but not through modules, classes and code."""
    seen, waiting, found = {id(start)}, [start], []
    skipped = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType)
    while waiting:
        thing = waiting.pop()
        found.append(thing)
        more = list(gc.get_referents(thing))
        if isinstance(thing, np.ndarray) and thing.base is not None:
            more.append(thing.base)
        if isinstance(thing, torch.Tensor):
            more.append(thing.untyped_storage())
        for other in more:
            if id(other) not in seen and not isinstance(other, skipped):
                seen.add(id(other))
                waiting.append(other)
    return found


def holds_secret(thing: Any) -> bool:
    if isinstance(thing, np.ndarray | torch.Tensor) and thing.dtype not in (object, torch.bool):
        return bool((thing == SECRET).any())
    return isinstance(thing, int) and thing == SECRET


def test_nothing_in_a_view_leads_to_sealed_labels() -> None:
    base, _ = target()
    labels = np.full(60, SECRET)
    labels[base.splits["labelled"]] = 0
    domain = Domain("target", "target", base.inputs, labels, CLASSES, base.splits, raw=None)
    view = domain.view()
    assert any(map(holds_secret, reachable(domain)))  # the walk finds what is there
    found = reachable(view)
    assert domain not in [thing for thing in found if isinstance(thing, Domain)]
    assert not any(map(holds_secret, found))
    # Nor does the memory behind its tensors: the labelled split is a copy, no window on all labels.
    for value in (*view.opened.values(), *view.splits.values()):
        memory = torch.tensor([], dtype=value.dtype).set_(value.untyped_storage())
        assert not holds_secret(memory)
    assert any(holds_secret(value) for value in domain.view(("train",)).opened.values())


def test_a_view_is_not_to_be_changed() -> None:
    view = target()[0].view()
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.opened = {}  # type: ignore[misc]


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_domain_does_not_leave_the_process(leave) -> None:
    with pytest.raises(SealedLabelsError, match="pass a view"):
        leave(target()[0])
    pickle.loads(pickle.dumps(target()[0].view()))


def test_values_are_opened_in_the_users_unit_and_trained_in_ours() -> None:
    domain, _ = target(VALUES)
    shown, learnt = domain.open("labelled", "a test"), domain.view().labels("labelled")
    assert shown.dtype == learnt.dtype == torch.float32
    assert torch.allclose(VALUES.restore(learnt[:, None]), shown)
    assert torch.allclose(learnt, (shown - 10) / 2)


def test_a_domain_without_labels() -> None:
    base, _ = target()
    splits = {**base.splits, "labelled": base.splits["labelled"][:0]}
    domain = Domain("new", "target", base.inputs, None, CLASSES, splits)
    assert not domain.labelled and domain.view().opened == {}
    with pytest.raises(UsageError, match="new has no labels, and training needs those of its train split"):
        domain.view(("train",))
    with pytest.raises(UsageError, match="evaluation needs those of its test split"):
        domain.open("test", "evaluation")


def test_splits_and_shapes() -> None:
    domain, _ = target()
    assert len(domain) == 60 and domain.shape == (5,)
    assert domain.split_inputs("test").equal(domain.inputs[46:])
    assert domain.split_inputs("test", 3).equal(domain.inputs[46:][some_of(14, 3)])
    with pytest.raises(UsageError, match=r"target target has no split 'tset'. Did you mean 'test'"):
        domain.split_inputs("tset")
