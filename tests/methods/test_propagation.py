"""Graphs, flows and certainties: properties and closed forms; the dense solve is in test_label_propagation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from limbeck.methods._propagation import certain_labels, neighbour_graph, propagate


def test_a_graph_is_symmetric_without_loops_and_its_values_lie_below_one() -> None:
    graph = neighbour_graph(torch.randn(40, 5), 4, 3.0).toarray()
    assert np.allclose(graph, graph.T) and not graph.diagonal().any()
    assert graph.min() >= 0 and np.abs(np.linalg.eigvalsh(graph)).max() == pytest.approx(1)
    assert ((graph > 0).sum(1) >= 1).all()


def test_lengths_of_the_representation_do_not_matter() -> None:
    features = torch.randn(30, 5)
    near, far = (neighbour_graph(x, 4, 3.0).toarray() for x in (features, features * torch.rand(30, 1).add(0.5)))
    assert np.allclose(near, far)


def test_more_neighbours_than_there_are_are_all() -> None:
    assert (neighbour_graph(torch.rand(5, 3) + 0.1, 50, 1.0).toarray() > 0).sum() == 20


def test_a_chain_in_closed_form() -> None:
    """For three nodes in a row S = [[0, r, 0], [r, 0, r], [0, r, 0]] with r = 1/√2."""
    features = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    graph = neighbour_graph(features, 2, 2.0)
    r = 1 / math.sqrt(2)
    assert np.allclose(graph.toarray(), [[0, r, 0], [r, 0, r], [0, r, 0]])
    found = propagate(graph, torch.tensor([0, -1, 1]), 2, 0.5)
    # (I − S/2)⁻¹ of the ends: (1 − 1/8)/(1 − 1/4) for oneself, (1/8)/(1 − 1/4) for the other; the middle (r/2)/(3/4).
    expected = torch.tensor([[7 / 6, 1 / 6], [2 * r / 3, 2 * r / 3], [1 / 6, 7 / 6]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    labels, certainty = certain_labels(found)
    shares = [7 / 8, 1 / 8]
    assert labels[0] == 0 and labels[2] == 1
    assert certainty[0].item() == pytest.approx(1 + sum(p * math.log(p) for p in shares) / math.log(2), abs=1e-5)
    assert certainty[1].item() == pytest.approx(0, abs=1e-5)


def test_what_no_label_reaches_is_not_certain_at_all() -> None:
    features = torch.tensor([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.1], [-0.9, 0.0]])
    scores = propagate(neighbour_graph(features, 1, 3.0), torch.tensor([1, -1, -1, -1]), 3, 0.9)
    labels, certainty = certain_labels(scores)
    assert labels[:2].tolist() == [1, 1] and certainty[:2].gt(0.99).all()
    assert certainty[2:].lt(1e-9).all()
