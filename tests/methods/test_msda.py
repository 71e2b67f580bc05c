"""Marginalised denoising against the corruption that it stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, World, network
from torch import Tensor

from limbeck.core import SealedLabelsError, Spec, Task, UsageError
from limbeck.methods.msda import RIDGE, Msda, denoising_map, layer_map
from limbeck.networks import Observed
from limbeck.networks.denoising import Denoising
from limbeck.training import predict


def built(method: Msda, task: Task = CLASSES, shape: tuple[int, ...] = (WIDTH,), **settings: int) -> Msda:
    torch.manual_seed(0)
    made = Denoising(**settings)
    made.build(shape, task.outputs)
    student = Observed(made)
    method.build(student, task, student.spec(shape), Spec(0))
    return method


def fitted(method: Msda, world: World, **settings: int) -> Msda:
    views = world.views()
    built(method, world.task, **settings).fit(views["source"], views["target"])
    return method


def words(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).poisson(0.6, (n, d)).astype(np.float32))


def test_it_is_the_least_squares_solution_over_many_corruptions() -> None:
    """Eq. 2 of the paper, with copies drawn, in place of the expectation."""
    x, p, copies = words(40, 6), 0.4, 4000
    random = np.random.default_rng(1)
    kept = random.random((copies, 40, 6)) >= p
    corrupted = np.concatenate([x.numpy() * kept, np.ones((copies, 40, 1))], axis=2).reshape(-1, 7)
    targets = np.broadcast_to(x[:, :3].numpy(), (copies, 40, 3)).reshape(-1, 3)
    expected = np.linalg.lstsq(corrupted, targets, rcond=None)[0].T
    np.testing.assert_allclose(denoising_map(x, x[:, :3], p).numpy(), expected, atol=0.01)


def test_it_solves_the_papers_equations() -> None:
    """Eq. 4–8 element by element, in float64."""
    x, p = words(30, 5), 0.7
    rows = np.hstack([x.numpy().astype(np.float64), np.ones((30, 1))])
    scatter, q = rows.T @ rows, np.array([*[1 - p] * 5, 1])
    Q, P = np.zeros((6, 6)), np.zeros((5, 6))
    for i in range(6):
        for j in range(6):
            Q[i, j] = scatter[i, j] * (q[i] if i == j else q[i] * q[j])
            if i < 5:
                P[i, j] = scatter[i, j] * q[j]
    Q += RIDGE * np.trace(Q) / 6 * np.eye(6)
    np.testing.assert_allclose(denoising_map(x, x, p).numpy(), P @ np.linalg.inv(Q), rtol=1e-9, atol=1e-12)


def test_without_much_corruption_it_restores_its_input() -> None:
    x = words(200, 4)
    W = denoising_map(x, x, 1e-6)
    torch.testing.assert_close(W, torch.eye(4, 5, dtype=torch.float64), atol=1e-3, rtol=0)


def test_a_word_of_one_domain_stands_for_those_it_goes_with() -> None:
    """Feature 2 goes with feature 0: where 0 is not there, it is restored from 2; 1 is not."""
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]] * 10)
    restored = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64) @ denoising_map(x, x, 0.5).T
    assert restored[0] > restored[1] + 0.5


def test_a_wide_layer_is_the_mean_over_its_parts() -> None:
    x = words(50, 7)
    x[:, [1, 4]] += 1  # never zero, so they are the most frequent
    made = layer_map(x, 2, 0.5)
    assert made.shape == (2, 8)
    corrupted = x * (torch.rand(50, 7, generator=torch.Generator().manual_seed(0)) > 0.5)
    said = [
        corrupted[:, first::4].double() @ (W := denoising_map(x[:, first::4], x[:, [1, 4]], 0.5))[:, :-1].T + W[:, -1]
        for first in range(4)
    ]
    torch.testing.assert_close(corrupted.double() @ made[:, :-1].T + made[:, -1], sum(said) / 4)
    assert layer_map(x, 7, 0.5).equal(denoising_map(x, x, 0.5))


def test_a_feature_that_is_always_zero_does_no_harm() -> None:
    x = words(20, 3)
    x[:, 1] = 0
    W = denoising_map(x, x, 0.5)
    assert W.isfinite().all() and not W[1].any() and not W[:, 1].any()


@pytest.mark.parametrize("task", [CLASSES, VALUES, Task("classification", ("a", "b"))], ids=["3", "values", "2"])
def test_the_network_says_what_the_linear_model_says(task: Task) -> None:
    from sklearn.linear_model import LogisticRegression, Ridge

    world = World(CLASSES if task.is_classification else VALUES)
    views = world.views()
    if len(task.classes) == 2:
        views["source"] = replace(views["source"], opened={"train": views["source"].labels("train") % 2})
    method = built(Msda(inverse_penalty=2.0), task, layers=2)
    method.fit(views["source"], views["target"])
    rows = views["source"].inputs[views["source"].splits["train"]]
    passed = method.student(rows).feature().detach().double().numpy()
    passed /= np.sqrt((passed**2).sum(1).mean())
    labels = views["source"].labels("train").numpy()
    found = predict(method.evaluated, rows)
    if task.is_classification:
        model = LogisticRegression(C=2.0, max_iter=2000).fit(passed, labels)
        np.testing.assert_allclose(found.softmax(1).numpy(), model.predict_proba(passed), atol=1e-4)
    else:
        model = Ridge(alpha=0.5).fit(passed, labels)
        np.testing.assert_allclose(found[:, 0].numpy(), model.predict(passed), atol=1e-4)


def test_it_is_the_same_again_and_whatever_the_order() -> None:
    first, again = (fitted(Msda(), World(), layers=2).state_dict() for _ in range(2))
    assert all(first[name].equal(again[name]) for name in first)
    views = World().views()
    order = torch.randperm(34, generator=torch.Generator().manual_seed(0))
    source, target = views["source"], views["target"]
    source = replace(
        source,
        splits={**source.splits, "train": source.splits["train"][order]},
        opened={"train": source.labels("train")[order]},
    )
    target = replace(target, splits={**target.splits, "train": target.splits["train"].flip(0)})
    moved = built(Msda(), layers=2)
    moved.fit(source, target)
    inputs = target.inputs
    assert torch.allclose(
        predict(moved.evaluated, inputs), predict(fitted(Msda(), World(), layers=2).evaluated, inputs), atol=1e-2
    )


def test_it_sees_training_inputs_of_the_target_and_no_label() -> None:
    views = World().views()
    expected = fitted(Msda(), World(), layers=2).state_dict()
    target = views["target"]
    unseen = torch.cat([target.splits["selection"], target.splits["test"]])
    changed = target.inputs.clone()
    changed[unseen] = 1e6
    method = built(Msda(), layers=2)
    method.fit(views["source"], replace(target, inputs=changed, opened={}))
    assert all(value.equal(expected[name]) for name, value in method.state_dict().items())
    with pytest.raises(SealedLabelsError):
        built(Msda()).fit(replace(views["source"], opened={}), target)


def test_it_helps_where_the_domains_speak_of_the_same_in_other_words() -> None:
    """Each class has four words of the source's and four of the target's."""

    def texts(share: float, seed: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng(seed)
        labels = np.arange(400) % 2
        means = np.full((400, 16), 0.1)
        for label in (0, 1):
            own = slice(8 * label, 8 * label + 4), slice(8 * label + 4, 8 * label + 8)
            means[labels == label, own[0]] = share
            means[labels == label, own[1]] = 0.5 - share
        return torch.from_numpy((random.random((400, 16)) < means).astype(np.float32)), torch.from_numpy(labels)

    task = Task("classification", ("a", "b"))
    (source, labels), (target, truth) = texts(0.45, 0), texts(0.15, 1)
    rows = {"train": torch.arange(400), "labelled": torch.arange(0)}
    view = World().views()["source"]
    accuracy = {}
    for name, unlabelled in {"adapted": target, "source alone": source}.items():
        method = built(Msda(inverse_penalty=0.1), task, (16,), layers=3)
        method.fit(
            replace(view, inputs=source, splits=rows, opened={"train": labels}),
            replace(view, inputs=unlabelled, splits=rows, opened={}),
        )
        accuracy[name] = float((predict(method.evaluated, target).argmax(1) == truth).float().mean())
    assert accuracy["adapted"] > accuracy["source alone"] + 0.01


@pytest.mark.parametrize("setting", [{"corruption": 0.0}, {"corruption": 1.0}, {"inverse_penalty": 0.0}])
def test_bad_settings_are_named(setting: dict) -> None:
    with pytest.raises(UsageError, match=f"The '{next(iter(setting))}' of msda must be"):
        Msda(**setting)


def test_any_other_student_is_refused_with_the_mend() -> None:
    student = Observed(network(3))
    with pytest.raises(UsageError, match=r"solves for the weights of the student `denoising`. Got Sequential"):
        Msda().build(student, CLASSES, student.spec((WIDTH,)), Spec(0))


def test_a_class_that_the_source_lacks_is_never_said() -> None:
    views = World().views()
    labels = views["source"].labels("train")
    for kept in ([0, 2], [0]):
        gone = torch.tensor(kept)[labels % len(kept)]
        source = replace(views["source"], opened={"train": gone})
        method = built(Msda(), layers=1)
        if len(kept) == 1:
            with pytest.raises(UsageError, match=r"msda needs source samples of at least two classes\. Got 1"):
                method.fit(source, views["target"])
            continue
        method.fit(source, views["target"])
        assert set(predict(method.evaluated, views["target"].inputs).argmax(1).tolist()) <= {0, 2}
