"""Joining and narrowing: source rows first, target labels never."""

from __future__ import annotations

import pytest
import torch

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, SealedLabelsError, UsageError

SOURCE = Batch(torch.full((3, 2), 1.0), torch.tensor([5, 6, 7]), torch.tensor([0, 1, 0]))
TARGET = Batch(torch.full((2, 2), 2.0), torch.tensor([5, 9]))


def test_a_joined_batch_narrows_to_its_parts() -> None:
    joined = Batch.join(SOURCE, TARGET)
    assert len(joined) == 5 and joined.sources == 3
    for part, whole in ((joined.source, SOURCE), (joined.target, TARGET)):
        assert part.inputs.equal(whole.inputs) and part.index.equal(whole.index) and len(part) == len(whole)
    assert joined.source.labels.equal(SOURCE.labels)
    with pytest.raises(SealedLabelsError):
        _ = joined.target.labels


def test_opened_target_labels_stay_behind() -> None:
    opened = Batch(TARGET.inputs, TARGET.index, torch.tensor([1, 1]))
    joined = Batch.join(SOURCE, opened)
    assert joined.known is SOURCE.known
    assert joined.target.known is None


def test_sealed_labels_say_what_to_do() -> None:
    with pytest.raises(SealedLabelsError, match=r"split\.labelled.*declares 'target_labels'"):
        _ = TARGET.labels
    assert not issubclass(SealedLabelsError, UsageError)


def outputs(n: int, value: float) -> Outputs:
    return Outputs(
        torch.full((n, 3), value), {FEATURES: torch.full((n, 2, 2), value), "inner": torch.full((n, 4), value)}
    )


def test_joined_outputs_narrow_to_their_parts() -> None:
    joined = Outputs.join(outputs(3, 1.0), outputs(2, 2.0))
    assert joined.sources == 3
    for part, n, value in ((joined.source, 3, 1.0), (joined.target, 2, 2.0)):
        assert part.logits.equal(torch.full((n, 3), value))
        assert part.feature().equal(torch.full((n, 4), value))
        assert part.feature("inner").equal(torch.full((n, 4), value))
    assert joined.rows(slice(1, 4)).logits[:, 0].tolist() == [1, 1, 2]


def test_knowledge_joins_with_and_without_logits() -> None:
    first, second = (Knowledge(torch.full((2, 3), v), {"inner": torch.full((2, 4), v)}) for v in (1.0, 2.0))
    joined = Knowledge.join(first, second)
    assert joined.scores()[:, 0].tolist() == joined.feature("inner")[:, 0].tolist() == [1, 1, 2, 2]
    bare = Knowledge.join(Knowledge(None, first.features), Knowledge(None, second.features))
    assert bare.logits is None and len(bare.feature("inner")) == 4


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="gives no logits"):
        Knowledge().scores()
    with pytest.raises(UsageError, match=r"no layer 'iner' in the student's outputs. Did you mean 'inner'"):
        outputs(1, 0.0).feature("iner")
    with pytest.raises(UsageError, match=r"no layer 'features' in the teacher's knowledge. There are none"):
        Knowledge().feature()


def test_domains_go_with_their_samples() -> None:
    members = torch.eye(2, dtype=torch.bool)[torch.tensor([0, 1, 1])]
    source = Batch(torch.zeros(3, 1), torch.arange(3), torch.arange(3), domains=members)
    joined = Batch.join(source, Batch(torch.zeros(2, 1), torch.arange(2)))
    assert joined.source.members.equal(members) and joined.target.domains is None
    assert [part.members.tolist() for part in source.split(2)] == [members[:2].tolist(), members[2:].tolist()]
    with pytest.raises(UsageError, match="one source domain"):
        _ = joined.target.members
