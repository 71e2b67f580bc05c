"""MEDA against the paper's dense closed form, sample by sample, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_world import VALUES, WIDTH
from torch import Tensor

from limbeck.core import DomainView, Spec, Task, UsageError
from limbeck.methods.meda import KernelMachine, Meda, contrasts
from limbeck.networks import INPUTS, Observed
from limbeck.training import predict

THREE = Task("classification", ("a", "b", "c"))


def toy(n: int = 30, m: int = 24) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = np.random.default_rng(0)
    places = random.normal(size=(3, WIDTH)) * 2
    labels, truth = np.arange(n) % 3, np.arange(m) % 3
    x = places[labels] + random.normal(size=(n, WIDTH))
    y = places[truth] * 1.3 + random.normal(size=(m, WIDTH)) + 1
    return tuple(map(torch.from_numpy, (x, labels, y, truth)))


def fitted(method: Meda, x: Tensor, labels: Tensor, y: Tensor, task: Task = THREE) -> Meda:
    body = Observed(torch.nn.Linear(x.shape[1], task.outputs), [INPUTS])
    method.build(body, task, body.spec((x.shape[1],)), Spec(0))
    none = torch.arange(0)
    method.fit(
        DomainView("s", x.float(), {"train": torch.arange(len(x))}, {"train": labels}),
        DomainView("t", y.float(), {"train": torch.arange(len(y)), "labelled": none}),
    )
    return method


def dense(z: np.ndarray, labels: np.ndarray, guessed: np.ndarray, method: Meda) -> np.ndarray:
    """`((A + λM + ρL) K + ηI)⁻¹ A Y` of unit rows, every matrix [all, all]; f of every row."""
    count, n = len(z), len(labels)
    K = np.exp(-((z[:, None] - z[None]) ** 2).sum(2) / 2)
    cosines = z @ z.T
    W = np.zeros((count, count))
    for i in range(count):
        nearest = [j for j in np.argsort(-cosines[i]) if j != i][: method.neighbours]
        W[i, nearest] = np.maximum(cosines[i, nearest], 0)
    W = W + W.T
    root = np.diag(W.sum(1) ** -0.5)
    L = np.eye(count) - root @ W @ root
    e = np.concatenate([np.full(n, 1 / n), np.full(count - n, -1 / (count - n))])
    M = (1 - method.balance) * 3 * np.outer(e, e)
    for label in range(3):
        near, far = labels == label, guessed == label
        if far.any():
            e = np.concatenate([near / near.sum(), -1.0 * far / far.sum()])
            M += method.balance * np.outer(e, e)
    M /= np.linalg.norm(M)
    A = np.diag((np.arange(count) < n).astype(float))
    Y = np.vstack([np.eye(3)[labels], np.zeros((count - n, 3))])
    weights = (A + method.alignment * M + method.smoothness * L) @ K + method.ridge * np.eye(count)
    return K @ np.linalg.solve(weights, A @ Y)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_with_as_many_anchors_as_samples_it_is_the_papers_solution(balance: float) -> None:
    x, labels, y, _ = toy()
    method = Meda(dimensions=2, neighbours=4, rounds=1, balance=balance)
    fitted(method, x, labels, y)
    z = [(rows - rows.mean(0)) / rows.std(0, correction=0) for rows in (x, y)]
    mapped = [(rows @ method.evaluated.network.map.weight.detach().T.double()).numpy() for rows in z]
    unit = np.vstack([rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in mapped])
    near, far = unit[:30], unit[30:]
    guessed = labels.numpy()[((far[:, None] - near[None]) ** 2).sum(2).argmin(1)]
    expected = dense(unit, labels.numpy(), guessed, method)
    np.testing.assert_allclose(predict(method.evaluated, y.float()).numpy(), expected[30:], atol=2e-4)


def test_rounds_go_on_until_the_guesses_stay_and_help() -> None:
    x, labels, y, truth = toy(90, 80)
    said = {rounds: predict(fitted(Meda(rounds=rounds), x, labels, y).evaluated, y.float()) for rounds in (1, 10, 50)}
    assert said[10].equal(said[50]) and not said[1].equal(said[10])
    assert (said[10].argmax(1) == truth).float().mean() > 0.9


def test_fewer_anchors_than_samples_bound_the_network_and_say_nearly_the_same() -> None:
    x, labels, y, _ = toy(90, 80)
    whole, some = (fitted(Meda(anchors=anchors), x, labels, y) for anchors in (400, 60))
    assert isinstance(some.evaluated.network.head, KernelMachine)
    assert some.evaluated.network.head.anchors.shape == (60, 2 * WIDTH)
    assert not whole.evaluated.network.head.weight[170:].any()
    same = predict(whole.evaluated, y.float()).argmax(1) == predict(some.evaluated, y.float()).argmax(1)
    assert same.float().mean() > 0.9


def test_the_contrasts_are_the_matrix_of_the_paper() -> None:
    labels, guessed = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([1, 1, 0])  # nobody is guessed to be of class 2
    rows = contrasts(labels, guessed, 0.25)
    M = np.zeros((8, 8))
    for near, far, share in [
        (np.ones(5), np.ones(3), 0.75 * 3),
        (labels.numpy() == 0, guessed.numpy() == 0, 0.25),
        (labels.numpy() == 1, guessed.numpy() == 1, 0.25),
    ]:
        e = np.concatenate([near / near.sum(), -1.0 * far / far.sum()])
        M += share * np.outer(e, e)
    np.testing.assert_allclose((rows.T @ rows).numpy(), M / np.linalg.norm(M), atol=1e-12)


def test_bad_input_is_named() -> None:
    x, labels, y, _ = toy()
    with pytest.raises(UsageError, match=r"The 'rounds' of meda must be ≥ 1\. Got 0\."):
        Meda(rounds=0)
    with pytest.raises(UsageError, match=r"The 'ridge' of meda must be > 0\. Got 0\.0\."):
        Meda(ridge=0.0)
    with pytest.raises(UsageError, match="meda is for classes"):
        fitted(Meda(), x, labels.float(), y, VALUES)
