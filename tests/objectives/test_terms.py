"""Weights, schedules, balance, names, and which samples a term sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from limbeck.core import Batch, Knowledge, Outputs, SealedLabelsError, Spec, UsageError
from limbeck.distances.coral import Coral
from limbeck.objectives import Objective, Schedule, Term, Terms
from limbeck.objectives.align_sources import AlignSources
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl


class Mean(Objective):
    """The mean logit times a factor, and what it was called with."""

    def __init__(self, factor: float = 1.0, samples="target", needs=frozenset()):
        super().__init__()
        self.factor, self.samples, self.needs = factor, samples, needs
        self.seen: tuple[Outputs, Knowledge, Batch] | None = None
        self.progress = -1.0

    def at(self, progress: float) -> None:
        self.progress = progress

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Tensor:
        self.seen = (outputs, knowledge, batch)
        return outputs.logits.mean() * self.factor


def streams(scale: float = 1.0) -> tuple[dict[str, Outputs], dict[str, Knowledge], dict[str, Batch]]:
    sizes = {"source": 4, "labelled": 2, "target": 3}
    outputs, knowledge, batches = {}, {}, {}
    for place, (name, n) in enumerate(sizes.items()):
        outputs[name] = Outputs(torch.full((n, 2), scale * (place + 1)), {"features": torch.full((n, 5), place * 1.0)})
        knowledge[name] = Knowledge(torch.full((n, 2), 10.0 * (place + 1)))
        known = None if name == "target" else torch.zeros(n, dtype=torch.int64)
        batches[name] = Batch(torch.full((n, 1), place), torch.arange(n) + 100 * place, known)
    return outputs, knowledge, batches


def value(terms: Terms, scale: float = 1.0) -> dict[str, float]:
    return {name: loss.item() for name, loss in terms(*streams(scale)).items()}


def test_each_term_has_its_weight_and_the_sum_is_the_loss() -> None:
    terms = Terms([Term(Mean(), 0.5), Mean(factor=2.0)])
    assert list(value(terms).values()) == [1.5, 6.0]


def test_a_scheduled_weight_follows_the_run() -> None:
    terms = Terms([Term(Mean(), Schedule(start=0.0, end=2.0))])
    for progress, expected in ((0.0, 0.0), (0.25, 1.5), (0.5, 3.0)):
        terms.at(progress)
        assert next(iter(value(terms).values())) == pytest.approx(expected)
    assert terms.terms[0].objective.progress == 0.5


def test_terms_of_very_different_size_pull_equally() -> None:
    """A distillation term is often 100 to 1000 times smaller than the cross-entropy."""
    terms = Terms([Mean(factor=3.0), Term(Mean(factor=0.001), "auto"), Term(Mean(factor=-500.0), "auto")])
    for scale in (1.0, 0.9, 1.1, 1.0):
        first, small, large = value(terms, scale).values()
        assert small == pytest.approx(first, rel=1e-4)
        assert large == pytest.approx(-first, rel=1e-4)


def test_balanced_gradients_are_equal_too() -> None:
    weight = nn.Parameter(torch.tensor(1.0))
    outputs, knowledge, batches = streams()
    outputs = {name: Outputs(found.logits * weight) for name, found in outputs.items()}
    pulls = []
    for loss in Terms([Mean(), Term(Mean(factor=1e-4), "auto")])(outputs, knowledge, batches).values():
        pulls.append(torch.autograd.grad(loss, weight, retain_graph=True)[0].item())
    assert pulls[0] == pytest.approx(pulls[1], rel=1e-4)


def test_the_balance_is_a_running_mean_kept_in_the_state() -> None:
    terms = Terms([Mean(), Term(Mean(factor=0.1), "auto")])
    value(terms, 1.0)
    value(terms, 2.0)
    assert terms.terms[0].size.item() == pytest.approx(0.99 * 3 + 0.01 * 6)
    again = Terms([Mean(), Term(Mean(factor=0.1), "auto")])
    again.load_state_dict(terms.state_dict())
    assert value(again, 1.5) == value(terms, 1.5)


def test_without_a_balance_no_sizes_are_followed() -> None:
    terms = Terms([Mean()])
    value(terms)
    assert terms.terms[0].size.isnan()


def test_repeated_terms_get_names_of_their_own() -> None:
    terms = Terms([CrossEntropy(), Kl(), Term(CrossEntropy(), on="labelled"), Term(Kl(), 0.1), Kl(2.0)])
    assert terms.names == ["cross_entropy", "kl", "cross_entropy_2", "kl_2", "kl_3"]
    assert list(terms(*streams())) == terms.names


@pytest.mark.parametrize("stream", ["source", "labelled", "target"])
def test_a_term_sees_its_samples_alone(stream) -> None:
    mean = Mean(needs=frozenset({"logits"}))
    term = Term(mean, on=stream)
    outputs, knowledge, batches = streams()
    Terms([term])(outputs, knowledge, batches)
    assert term.streams == (stream,)
    assert mean.seen == (outputs[stream], knowledge[stream], batches[stream])


@pytest.mark.parametrize("needs", [frozenset(), frozenset({"logits"})])
def test_a_term_on_both_sees_source_rows_then_target_rows(needs) -> None:
    mean = Mean(samples="both", needs=needs)
    term = Term(mean)
    Terms([term])(*streams())
    assert mean.seen is not None
    outputs, knowledge, batch = mean.seen
    assert term.streams == ("source", "target")
    assert outputs.logits[:, 0].tolist() == [1, 1, 1, 1, 3, 3, 3]
    assert outputs.source.logits.shape == (4, 2) and outputs.target.feature().shape == (3, 5)
    assert batch.index.tolist() == [0, 1, 2, 3, 200, 201, 202]
    assert len(batch.source.labels) == 4 and batch.target.known is None
    found = None if knowledge.logits is None else knowledge.logits[:, 0].tolist()
    assert found == ([10, 10, 10, 10, 30, 30, 30] if needs else None)


def test_samples_that_an_objective_cannot_read_are_refused() -> None:
    for stream in ("target", "both"):
        with pytest.raises(UsageError, match="'on' of cross_entropy must be source or labelled"):
            Term(CrossEntropy(), on=stream)
    for stream in ("source", "labelled", "target"):
        with pytest.raises(UsageError, match="must be both"):
            Term(Mean(samples="both"), on=stream)
    Term(CrossEntropy(), on="labelled")


def test_an_objective_of_both_domains_reads_the_labels_of_the_source_alone() -> None:
    mean = Mean(samples="both", needs=frozenset({"labels"}))
    outputs, knowledge, batches = streams()
    batches["target"] = replace(batches["target"], known=torch.ones(3, dtype=torch.int64))
    Terms([Term(mean)])(outputs, knowledge, batches)
    assert mean.seen is not None
    batch = mean.seen[2]
    assert batch.source.labels.tolist() == batch.labels.tolist() == [0, 0, 0, 0]
    with pytest.raises(SealedLabelsError):
        _ = batch.target.labels


class Projected(Mean):
    def build(self, student: Spec, knowledge: Spec) -> None:
        self.projection = nn.Linear(student.outputs, knowledge.outputs)


def test_build_reaches_the_objectives_and_their_parameters_are_found() -> None:
    terms = Terms([Term(Projected(), 0.5), Mean()])
    terms.build(Spec(3), Spec(7))
    assert [tuple(parameter.shape) for parameter in terms.parameters()] == [(7, 3), (7,)]


def test_what_compares_sources_reads_them_alone() -> None:
    with pytest.raises(UsageError, match=r"The 'on' of align_sources must be source: it compares several sources"):
        Term(AlignSources(Coral()), on="target")
