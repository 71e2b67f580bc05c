"""Which samples a step reads: all equally often, in full batches, by seed and step alone, labels only where open."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_world import VALUES, World

from limbeck.core import Domain, DomainView, SealedLabelsError, UsageError
from limbeck.knowledge import Store
from limbeck.training._streams import Reading, StreamOrder, streams_of


def positions(order: StreamOrder, step: int) -> torch.Tensor:
    """What a step reads."""
    return torch.cat([index for _, index, _ in order.passages(step)])


@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 3))
def test_every_sample_is_read_equally_often_in_full_batches(n: int, batch_size: int, seed: int) -> None:
    order = StreamOrder(torch.arange(n), None, batch_size, seed, "source")
    size = min(batch_size, n)
    counts: Counter[int] = Counter()
    for step in range(2 * n):  # 2 · size whole passes
        batch = positions(order, step)
        assert batch.shape == (size,)
        counts.update(batch.tolist())
        if (step + 1) * size % n == 0:
            assert set(counts.values()) == {(step + 1) * size // n} and len(counts) == n
    assert counts == dict.fromkeys(range(n), 2 * size)


@given(n=st.integers(2, 30), batch_size=st.integers(1, 30), steps=st.lists(st.integers(0, 200), max_size=10))
def test_a_batch_depends_on_seed_and_step_alone(n: int, batch_size: int, steps: list[int]) -> None:
    """A resumed run reads what the whole one would have read, in whatever order it is asked."""
    wandering = StreamOrder(torch.arange(n), None, batch_size, 0, "source")
    for step in steps:
        fresh = StreamOrder(torch.arange(n), None, batch_size, 0, "source")
        assert positions(wandering, step).equal(positions(fresh, step))


def test_passes_seeds_and_streams_differ() -> None:
    def one_pass(number: int, seed: int = 0, name: str = "source") -> list[int]:
        order = StreamOrder(torch.arange(50), None, 10, seed, name)
        return torch.cat([positions(order, 5 * number + step) for step in range(5)]).tolist()

    orders = [one_pass(0), one_pass(1), one_pass(0, seed=1), one_pass(0, name="target")]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


WORLD = World()


def streams(names: list[str], world: World = WORLD, opened: tuple[str, ...] = (), batch_size: int = 8, stores=None):
    return streams_of(names, world.views(opened), Reading(batch_size, 0, stores or {}))


def test_each_stream_reads_its_rows_with_their_inputs() -> None:
    views = World().views()
    rows = {"source": range(34), "labelled": range(6), "target": range(34)}
    for name, samples in streams(list(rows)).items():
        batch, said = samples.batch(3)
        view = views["source" if name == "source" else "target"]
        assert set(batch.index.tolist()) <= set(rows[name])
        assert batch.inputs.equal(view.inputs[batch.index])
        assert said is None
        assert samples.order.n == len(rows[name])


def test_labels_come_with_their_samples_and_only_where_they_are_open() -> None:
    found = {name: samples.batch(0)[0] for name, samples in streams(["source", "labelled", "target"]).items()}
    assert found["source"].labels.equal(found["source"].index % 3)
    assert found["labelled"].labels.equal(found["labelled"].index % 3)
    assert found["target"].known is None
    with pytest.raises(SealedLabelsError):
        _ = found["target"].labels
    opened = streams(["target"], opened=("train",))["target"].batch(0)[0]
    assert opened.labels.equal(opened.index % 3)


def test_source_domains_come_with_their_samples() -> None:
    found = streams(["source", "target"])
    whole = WORLD.domain("source").view().domains
    assert whole is not None and whole.shape == (60, 3)
    for step in range(9):  # some batches reach over the end of a pass
        batch, _ = found["source"].batch(step)
        assert batch.members.equal(whole[batch.index])
        assert found["target"].batch(step)[0].domains is None


def test_labels_to_regress_are_standardised() -> None:
    world = World(VALUES)
    batch, _ = streams(["source"], world)["source"].batch(0)
    truth = world.domain("source").open("train", "a test")[batch.index]
    assert batch.labels.dtype == torch.float32
    assert torch.allclose(batch.labels * VALUES.scale + VALUES.offset, truth)


@pytest.mark.parametrize("task", [World().task, VALUES], ids=["classes", "values"])
def test_opened_target_rows_without_a_label_are_left_out(task) -> None:
    """A target may lack some labels; the upper bound must not learn from the number that stands for none."""
    whole = World(task).domain("target")
    labels = whole.open("train", "a test").numpy().copy()
    missing = -1 if task.is_classification else float("nan")
    all_labels = torch.zeros(60, dtype=torch.int64 if task.is_classification else torch.float32).numpy()
    all_labels[whole.splits["train"]] = labels
    all_labels[[10, 20]] = missing
    domain = Domain("target", "target", whole.inputs, all_labels, task, whole.splits)
    found = streams_of(["target"], {"target": domain.view(("train",))}, Reading(8, 0))["target"]
    assert {10, 20}.isdisjoint(found.order.rows.tolist())
    assert found.order.n == 32
    assert found.order.labels.isfinite().all()
    assert not task.is_classification or (found.order.labels >= 0).all()


def test_knowledge_comes_by_index() -> None:
    store = Store(Path(), {"logits": torch.arange(60.0)[:, None].repeat(1, 3), "inner": torch.arange(60.0)[:, None]})
    found = streams(["labelled", "target", "source"], stores={"target": store})
    for name in ("labelled", "target"):
        batch, said = found[name].batch(2)
        assert said.logits[:, 0].tolist() == said.features["inner"][:, 0].tolist() == batch.index.tolist()
    assert found["source"].batch(2)[1] is None


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_batch_larger_than_the_data_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"'batch_size' of training must be at most 34.*of {name}.*Got 35"):
        streams([name], batch_size=35)
    assert len(streams([name], batch_size=34)[name].batch(0)[0]) == 34


def test_few_labelled_samples_make_a_smaller_batch() -> None:
    assert len(streams(["labelled"], batch_size=35)["labelled"].batch(0)[0]) == 6


def test_no_labelled_samples_are_told_with_the_mend() -> None:
    view = World().views()["target"]
    none = DomainView(view.name, view.inputs, {**view.splits, "labelled": torch.arange(0)}, {})
    with pytest.raises(UsageError, match=r"split\.labelled"):
        streams_of(["labelled"], {"target": none}, Reading(8, 0))


def test_a_weighted_pass_shows_samples_as_often_as_they_weigh() -> None:
    """A pass has its size, a sample without weight is never seen, and passes differ."""
    weights = torch.tensor([0.0, 0.5, 1.5, 2.0])
    order = StreamOrder(torch.arange(4), None, 4, 0, "source", weights)
    passes = [positions(order, step) for step in range(400)]
    counts = torch.stack([seen.bincount(minlength=4) for seen in passes]).double()
    assert counts.sum(1).eq(4).all() and not counts[:, 0].any() and not counts[:, 3].ne(2).any()
    assert torch.allclose(counts.mean(0), weights.double(), atol=0.1)
    assert positions(StreamOrder(torch.arange(4), None, 4, 0, "source", weights), 7).equal(passes[7])


def test_only_the_source_is_weighted() -> None:
    views = {name: replace(view, weights=torch.arange(60.0)) for name, view in World().views().items()}
    streams = streams_of(("source", "target"), views, Reading(8, 0))
    assert streams["source"].order.weights is not None and streams["target"].order.weights is None
    assert streams["source"].order.weights.tolist() == list(range(34))


def test_a_closed_form_reads_weighted_samples_as_often_as_they_weigh() -> None:
    view = World().domain("source").view()
    rows, labels = view.training()
    assert rows is view.splits["train"] and labels is view.opened["train"]
    weights = torch.zeros(60)
    weights[5], weights[6] = 1.0, 3.0
    rows, labels = replace(view, weights=weights).training()
    assert 8 <= (rows == 5).sum() <= 9 and len(rows) == 34 and set(rows.tolist()) == {5, 6}
    assert labels.tolist() == [int(row) % 3 for row in rows]
