"""What the shallow methods share: the linear model, the network it becomes, what is read, and that each helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from small_world import CLASSES, VALUES, WIDTH, World, network
from torch import Tensor

from limbeck.core import DomainView, SealedLabelsError, Spec, Task, UsageError
from limbeck.distances import squared_distances
from limbeck.methods import _shallow
from limbeck.methods._shallow import Shallow, transport_plan
from limbeck.methods.coral_map import CoralMap
from limbeck.methods.jda import Jda
from limbeck.methods.jdot import Jdot
from limbeck.methods.kliep import Kliep
from limbeck.methods.kmm import Kmm
from limbeck.methods.meda import Meda
from limbeck.methods.subspace_alignment import SubspaceAlignment
from limbeck.methods.tca import Tca
from limbeck.methods.transport_map import TransportMap
from limbeck.networks import INPUTS, Observed
from limbeck.training import predict

ALL = [CoralMap, SubspaceAlignment, TransportMap, Jdot, Tca, Jda, Kliep, Kmm, Meda]
EACH = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
TWO = Task("classification", ("a", "b"))


def built(method: Shallow, task: Task = CLASSES, width: int = WIDTH) -> Shallow:
    torch.manual_seed(0)
    student = Observed(torch.nn.Linear(width, task.outputs), [INPUTS])
    method.build(student, task, student.spec((width,)), Spec(0))
    return method


def views(x: Tensor, labels: Tensor, y: Tensor) -> tuple[DomainView, DomainView]:
    none = torch.arange(0)
    return (
        DomainView("s", x.float(), {"train": torch.arange(len(x))}, {"train": labels}),
        DomainView("t", y.float(), {"train": torch.arange(len(y)), "labelled": none}),
    )


@pytest.mark.parametrize("task", [CLASSES, VALUES, TWO], ids=["3", "values", "2"])
def test_the_network_says_what_the_linear_model_says(task: Task) -> None:
    """With the same rows in both domains and no map left, on rows of known scale."""
    from sklearn.linear_model import LogisticRegression, Ridge

    world = World(CLASSES if task.is_classification else VALUES)
    source, target = world.views()["source"], world.views()["target"]
    labels = source.labels("train") % 2 if task is TWO else source.labels("train")
    source = replace(source, opened={"train": labels})
    method = built(CoralMap(ridge=1e9, standardise="source", inverse_penalty=2.0), task)  # so large that nothing moves
    method.fit(source, target)
    rows = source.inputs[source.splits["train"]].double().numpy()
    scaled = (rows - rows.mean(0)) / rows.std(0)
    found = predict(method.evaluated, torch.from_numpy(rows).float())
    if task.is_classification:
        model = LogisticRegression(C=2.0, max_iter=2000, tol=1e-8).fit(scaled, labels.numpy())
        np.testing.assert_allclose(found.softmax(1).numpy(), model.predict_proba(scaled), atol=1e-3)
    else:
        model = Ridge(alpha=0.5).fit(scaled, labels.double().numpy())
        np.testing.assert_allclose(found[:, 0].numpy(), model.predict(scaled), atol=1e-4)


def test_a_class_that_the_source_lacks_is_never_said() -> None:
    x = torch.randn(40, WIDTH, generator=torch.Generator().manual_seed(0))
    method = built(CoralMap())
    method.fit(*views(x, (x[:, 0] > 0).long() * 2, x + 1))
    assert set(predict(method.evaluated, x + 1).argmax(1).tolist()) == {0, 2}


@EACH
def test_it_helps_on_a_shifted_domain(kind: type[Shallow]) -> None:
    """Against the same linear model of the same rows, unadapted."""
    x, labels, y, truth = {Kliep: weighted_toy, Kmm: weighted_toy, Tca: moved_feature}.get(kind, shifted_toy)()
    plain = built(CoralMap(ridge=1e9, standardise="source", inverse_penalty=1.0), TWO, x.shape[1])
    settings = {Tca: {"components": 1, "inverse_penalty": 1.0}, Meda: {"dimensions": 2}}
    adapted = built(kind(**settings.get(kind, {"inverse_penalty": 1.0})), TWO, x.shape[1])
    accuracy = []
    for method in (plain, adapted):
        method.fit(*views(x, labels, y))
        accuracy.append(float((predict(method.evaluated, y.float()).argmax(1) == truth).float().mean()))
    assert accuracy[1] > accuracy[0] + 0.05, accuracy


@pytest.mark.parametrize("kind", [CoralMap, SubspaceAlignment, TransportMap, Jdot, Jda, Meda])
def test_the_source_is_shown_to_it_in_its_own_way(kind: type[Shallow]) -> None:
    """The target lies elsewhere and in other units: by the target's scale and map the source says nothing."""
    x, labels, *_ = shifted_toy()
    method = built(kind(**({"dimensions": 2} if kind is Meda else {})), TWO, 2)
    y = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    method.fit(*views(x, labels, 10 * y + 100))
    shown, other = (predict(student, x.float()) for student in (method.on_source, method.evaluated))
    assert (shown.argmax(1) == labels).float().mean() > 0.95
    assert (other.argmax(1) == labels).float().mean() < 0.6
    assert predict(method.evaluated, 10 * x.float() + 100).argmax(1).eq(labels).float().mean() > 0.85


@pytest.mark.parametrize("kind", [CoralMap, SubspaceAlignment])
def test_the_source_goes_through_the_map_that_its_training_rows_went_through(kind: type[Shallow]) -> None:
    x, labels, y, _ = shifted_toy()
    method, seen = built(kind(), TWO, 2), []
    method.linear = lambda points, *more: seen.append(points) or Shallow.linear(method, points, *more)
    method.fit(*views(x, labels, y))
    head = method.near.network.head
    expected = seen[0].float() @ head.weight.T + head.bias
    torch.testing.assert_close(predict(method.on_source, x.float()), expected, atol=1e-4, rtol=1e-4)


def shifted_toy() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The target is turned a little, and moved far along the direction that tells the classes apart."""
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    rows = [random.normal(size=(200, 2)) * (0.6, 1.5) + np.stack([3.0 * labels, 0 * labels], 1) for _ in range(2)]
    turn = np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    x, y = rows[0], rows[1] @ turn + (3.0, 1.0)
    return torch.from_numpy(x), torch.from_numpy(labels), torch.from_numpy(y), torch.from_numpy(labels)


def moved_feature() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both features tell the classes apart; one of them is moved in the target."""
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    x, y = (3.0 * labels[:, None] + random.normal(size=(200, 2)) * (0.6, 0.8) for _ in range(2))
    y[:, 0] += 4
    return torch.from_numpy(x), torch.from_numpy(labels), torch.from_numpy(y), torch.from_numpy(labels)


def weighted_toy() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Labels follow a wave; the target has only the part of it that the source's line gets wrong."""
    random = np.random.default_rng(0)
    x, y = random.uniform(-2, 4, size=(600, 2)), random.uniform(-2, 4, size=(200, 2))
    x[:, 0], y[:, 0] = random.normal(0, 1, 600), random.normal(1.5, 0.4, 200)
    said = [(rows[:, 1] > 2 * np.abs(rows[:, 0])).astype(np.int64) for rows in (x, y)]
    return torch.from_numpy(x), torch.from_numpy(said[0]), torch.from_numpy(y), torch.from_numpy(said[1])


@EACH
def test_neither_the_order_nor_unseen_rows_nor_labels_matter(kind: type[Shallow]) -> None:
    world = World()
    source, target = world.views()["source"], world.views()["target"]
    method = built(kind())
    method.fit(source, target)
    order = torch.randperm(34, generator=torch.Generator().manual_seed(0))
    unseen = torch.cat([target.splits["selection"], target.splits["test"]])
    changed = target.inputs.clone()
    changed[unseen] = 1e6
    again = built(kind())
    again.fit(
        replace(
            source,
            splits={**source.splits, "train": source.splits["train"][order]},
            opened={"train": source.labels("train")[order]},
        ),
        replace(target, inputs=changed, opened={}),
    )
    torch.testing.assert_close(
        predict(again.evaluated, target.inputs), predict(method.evaluated, target.inputs), atol=2e-3, rtol=0
    )
    with pytest.raises(SealedLabelsError):
        built(kind()).fit(replace(source, opened={}), target)


@EACH
def test_it_works_on_a_layer_of_the_row_that_it_starts_from(kind: type[Shallow]) -> None:
    world = World()
    method = kind(layer="features")
    assert method.requires() == {"start"} and kind().requires() == frozenset()
    student = Observed(network(3), method.student_layers())
    before = {name: value.clone() for name, value in student.state_dict().items()}
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    method.fit(*world.views().values())
    assert all(value.equal(before[name]) for name, value in student.state_dict().items())
    assert method.evaluated.network.scale.shape == (6,)
    assert predict(method.evaluated, world.domain("target").inputs).isfinite().all()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: CoralMap(inverse_penalty=0.0), "The 'inverse_penalty' of coral_map must be > 0"),
        (lambda: Kmm(width=-1.0), "The 'width' of kmm must be > 0"),
        (lambda: built(Jda(), VALUES), "jda is for classes"),
        (
            lambda: built(CoralMap()).fit(*views(torch.rand(6, 5), torch.zeros(6).long(), torch.rand(6, 5))),
            "two classes",
        ),
        (lambda: built(CoralMap()).fit(*views(torch.rand(6, 5), torch.arange(6) % 2, torch.rand(1, 5))), "two target"),
    ],
)
def test_bad_input_is_named(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


@pytest.mark.parametrize("kind", [TransportMap, Jdot, Kmm, Meda])
def test_what_compares_all_pairs_refuses_too_many(kind: type[Shallow], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shallow, "LARGEST", 100)
    x, labels, y, _ = shifted_toy()
    with pytest.raises(UsageError, match=r"at most 100 training samples of both domains\. Got .* use coral_map"):
        built(kind(), TWO, x.shape[1]).fit(*views(x, labels, y))


@pytest.mark.parametrize("kind", [Kliep, Kmm, Jdot, TransportMap])
def test_no_map_is_kept_where_rows_stay_as_they_are(kind: type[Shallow]) -> None:
    method = built(kind())
    assert not any(value.numel() >= WIDTH**2 for value in method.near.network.map.parameters())


def test_the_plan_of_many_points_is_the_best_one() -> None:
    """POT's own limit of pivots ends before that, with a warning that nobody sees."""
    random = np.random.default_rng(0)
    x, y = (torch.from_numpy(random.normal(size=(2000, 20))) for _ in range(2))
    cost = squared_distances(x, y)
    best = cost.numpy()[linear_sum_assignment(cost.numpy())].mean()
    assert float((transport_plan(cost) * cost).sum()) == pytest.approx(best, rel=1e-9)
