"""Every teacher keeps the contract of its room: found by discovery, made from its signature."""

from __future__ import annotations

import pytest
import torch
from house_tree import parts
from small_world import CLASSES, VALUES, instances, named

from limbeck.core import FEATURES, Domain, DomainView, Task, UsageError
from limbeck.teachers import Teacher

KINDS = [cls for part in parts() if part.room.base is Teacher for cls in [part.cls]]
COUNTS = [(cls, number) for cls in KINDS for number in range(len(instances(cls)))]
EACH = pytest.mark.parametrize(("kind", "number"), COUNTS, ids=named([instances(cls)[n] for cls, n in COUNTS]))
SHAPE = (1, 8, 8)


def built(kind: type, number: int, task: Task = CLASSES) -> Teacher:
    """A teacher that can be asked: one that learns has seen some samples."""
    torch.manual_seed(0)
    teacher = instances(kind)[number]
    teacher.build(SHAPE, task, [])
    if teacher.learns():
        teacher.fit(source(task), 0)
    return teacher


def source(task: Task) -> DomainView:
    rows = torch.arange(24)
    labels = rows % 3 if task.is_classification else rows / 24
    splits = {"train": rows[:12], "selection": rows[12:18], "test": rows[18:]}
    inputs = torch.randn(24, *SHAPE, generator=torch.Generator().manual_seed(1))
    return DomainView("near", inputs, splits, {split: labels[part] for split, part in splits.items()})


def suits(cls: type, number: int, task: Task) -> bool:
    try:
        instances(cls)[number].build(SHAPE, task, [])
    except UsageError:
        return False
    return True


SUITED = [(*place, task) for task in (CLASSES, VALUES) for place in COUNTS if suits(*place, task)]


def test_every_teacher_suits_classes() -> None:
    assert [place for *place, task in SUITED if task is CLASSES] == [list(place) for place in COUNTS]


@pytest.mark.parametrize(
    ("kind", "number", "task"), SUITED, ids=[f"{cls.__name__}-{number}-{task.kind}" for cls, number, task in SUITED]
)
def test_it_says_what_it_provides(kind: type, number: int, task: Task) -> None:
    teacher, inputs = built(kind, number, task), torch.randn(5, *SHAPE)
    said, spec = teacher.label(inputs), teacher.spec()
    assert teacher.provides and teacher.provides <= {"logits", "features"}
    if "logits" in teacher.provides:
        assert said.scores().shape == (5, task.outputs) and spec.outputs == task.outputs
        assert said.scores().dtype == torch.float32 and not said.scores().requires_grad
    if "features" in teacher.provides:
        assert said.features[FEATURES].shape == (5, *spec.layers[FEATURES])
        assert not any(value.requires_grad for value in said.features.values())


@EACH
def test_the_same_again_and_in_any_batch(kind: type, number: int) -> None:
    teacher, inputs = built(kind, number), torch.randn(5, *SHAPE)
    first = teacher.label(inputs).scores()
    assert first.equal(teacher.label(inputs).scores())
    assert torch.allclose(first[1:3], teacher.label(inputs[1:3]).scores(), atol=1e-5)


@EACH
def test_its_fingerprint_stands_for_its_answers(kind: type, number: int) -> None:
    first, second = built(kind, number), built(kind, number)
    assert first.fingerprint() == second.fingerprint()
    first.label(torch.randn(5, *SHAPE))
    assert first.fingerprint() == second.fingerprint()
    trainable = first.trainable()
    if trainable is not None:
        with torch.no_grad():
            next(trainable.parameters()).view(-1)[0] += 1e-6
        assert first.fingerprint() != second.fingerprint()


@EACH
def test_an_unknown_layer_is_refused(kind: type, number: int) -> None:
    teacher = instances(kind)[number]
    with pytest.raises(UsageError, match="no_such_layer"):
        teacher.build(SHAPE, CLASSES, ["no_such_layer"])


@EACH
def test_it_wants_a_row_for_each_sample(kind: type, number: int) -> None:
    splits = {name: torch.arange(4).numpy() for name in ("train", "selection", "test")}
    domain = Domain("d", "source", torch.randn(4, *SHAPE), None, CLASSES, splits)
    assert len(built(kind, number).inputs(domain)) == 4
