import copy
import json
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, recall_score

from limbeck.core import Opening, RunError, Task
from limbeck.evaluation import History, RowRecord, SeedRecord, Study, assemble, check_results, vote

OPENING = Opening("photo", "test", 90, "evaluation", None, "2026-01-01T12:00:00+00:00")
SKILLS = {"teacher": 1.0, "alone": 0.5, "distilled": 2.0, "oracle": 3.0}
KINDS = {"teacher": "teacher", "oracle": "upper_bound"}


def _logits(labels, skill, seed, width=3):
    noise = torch.randn(len(labels), width, generator=torch.Generator().manual_seed(seed))
    if width == 1:
        return labels[:, None] + noise / skill
    return noise + skill * torch.nn.functional.one_hot(labels, width)


def _study(n=90, seeds=3, width=3, known=True, checkpoints=4):
    random = torch.Generator().manual_seed(0)
    if width == 1:
        task, labels = Task("regression"), torch.randn(n, generator=random)
    else:
        task = Task("classification", tuple(f"c{i}" for i in range(width)))
        labels = torch.randint(width, (n,), generator=random)
    rows = []
    for place, (name, skill) in enumerate(SKILLS.items()):
        trained = []
        for s in range(seeds):
            key = 100 * place + 10 * s
            history = None
            if name != "teacher":
                logits = torch.stack([_logits(labels, skill + c, key + c, width) for c in range(checkpoints)])
                history = History(range(2, 2 + 2 * checkpoints, 2), [0.0, 1.0, 0.5, 0.2][:checkpoints], logits)
            scores = {"entropy": skill + 0.01 * s}
            target, source = _logits(labels, skill, key, width), _logits(labels, 3.0, key + 5, width)
            epoch = 4 if history else None
            trained.append(SeedRecord(s, epoch, scores, 1.0 + s, history, target, source))
        kind = KINDS.get(name, "student")
        rows.append(RowRecord(name, kind, name.title(), "source_only", 0, 100, 400, 0.1, trained))
    opened = labels if known else None
    return Study(
        "digits", "limbeck run digits", "0.1.0", task, "scan", "photo", 0, rows, "alone", "entropy",
        opened, labels, opened, [OPENING],
    )  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return _study()


@pytest.fixture(scope="module")
def results(study):
    return assemble(study)


def _by_name(results):
    return {row["name"]: row for row in results["rows"]}


def test_results_fit_the_schema_and_json(results):
    check_results(results)
    check_results(json.loads(json.dumps(results, allow_nan=False)))


def test_metrics_are_means_and_deviations_over_seeds(study, results):
    record, row = study.rows[2], _by_name(results)["distilled"]
    labels = study.test_labels
    predicted = [seed.target_logits.argmax(1) for seed in record.seeds]
    accuracies = [accuracy_score(labels, p) for p in predicted]
    assert row["target"]["accuracy"] == pytest.approx({"mean": np.mean(accuracies), "std": np.std(accuracies, ddof=1)})
    assert [seed["target"]["accuracy"] for seed in row["seeds"]] == pytest.approx(accuracies)
    on_source = [accuracy_score(study.source_test_labels, seed.source_logits.argmax(1)) for seed in record.seeds]
    assert row["source"]["accuracy"]["mean"] == pytest.approx(np.mean(on_source))
    recalls = [recall_score(labels, p, average=None)[1] for p in predicted]
    assert row["per_class"][1]["recall"] == pytest.approx({"mean": np.mean(recalls), "std": np.std(recalls, ddof=1)})
    np.testing.assert_allclose(row["confusion"], np.mean([confusion_matrix(labels, p) for p in predicted], axis=0))
    shares = [b["share"] * b["accuracy"] for b in row["reliability"] if b["share"]]
    assert sum(shares) == pytest.approx(np.mean(accuracies))
    assert row["train_seconds"] == pytest.approx(2.0)


def test_rows_are_compared_with_the_baseline(study, results):
    rows = _by_name(results)
    assert rows["teacher"]["versus_baseline"] is None and rows["alone"]["versus_baseline"] is None
    for name in ("distilled", "oracle"):
        versus = rows[name]["versus_baseline"]
        gain = rows[name]["target"]["accuracy"]["mean"] - rows["alone"]["target"]["accuracy"]["mean"]
        assert versus["difference"] == pytest.approx(gain)
        assert versus["low"] < gain < versus["high"]
        assert versus["p_value"] < 0.001
    logits = [torch.stack([seed.target_logits for seed in study.rows[i].seeds]) for i in (2, 1)]
    better, worse = (vote(value) == study.test_labels.numpy() for value in logits)
    only = [int((better & ~worse).sum()), int((worse & ~better).sum())]
    expected = binomtest(only[0], sum(only)).pvalue
    assert rows["distilled"]["versus_baseline"]["mcnemar_p_value"] == pytest.approx(expected)


def test_regret_is_looked_up_by_epoch(study, results):
    row, record = _by_name(results)["distilled"], study.rows[2]
    for seed, trained in zip(row["seeds"], record.seeds, strict=True):
        quality = (trained.history.logits.argmax(-1) == study.selection_labels).double().mean(1)
        assert seed["regret"] == pytest.approx((quality.max() - quality[1]).item())
        assert quality[list(trained.history.epochs).index(seed["oracle_epoch"])] == quality.max()
    assert row["regret"]["mean"] == pytest.approx(np.mean([seed["regret"] for seed in row["seeds"]]))
    teacher = _by_name(results)["teacher"]
    assert teacher["regret"] is None and teacher["seeds"][0]["epoch"] is None


def test_a_history_of_the_first_selection_samples_reads_their_labels_only(study):
    cut = []
    for row in study.rows:
        seeds = []
        for seed in row.seeds:
            history = seed.history and History(seed.history.epochs, seed.history.scores, seed.history.logits[:, :20])
            seeds.append(SeedRecord(seed.seed, seed.epoch, {}, 0.0, history, seed.target_logits, seed.source_logits))
        cut.append(RowRecord(row.name, row.kind, row.title, row.method, 0, None, None, None, seeds))
    changed = {**vars(study), "rows": cut}
    results = assemble(Study(**changed))
    check_results(results)
    seed = cut[2].seeds[0]
    quality = (seed.history.logits.argmax(-1) == study.selection_labels[:20]).double().mean(1)
    assert _by_name(results)["distilled"]["seeds"][0]["regret"] == pytest.approx((quality.max() - quality[1]).item())


def test_an_imbalanced_test_split_is_led_by_balanced_accuracy(study):
    labels = torch.cat([torch.zeros(80, dtype=torch.long), torch.tensor([1] * 6 + [2] * 4)])
    results = assemble(Study(**{**vars(study), "test_labels": labels}))
    check_results(results)
    assert results["metric"] == "balanced_accuracy"
    scores = {
        row.name: np.mean([balanced_accuracy_score(labels, s.target_logits.argmax(1)) for s in row.seeds])
        for row in study.rows
    }
    versus = _by_name(results)["distilled"]["versus_baseline"]
    assert versus["difference"] == pytest.approx(scores["distilled"] - scores["alone"])


def test_a_regression_is_in_the_unit_of_the_values():
    study = _study(width=1)
    task = Task("regression", offset=50.0, scale=10.0)
    values = study.test_labels * 10 + 50
    changes = {"task": task, "test_labels": values, "source_test_labels": values, "selection_labels": values}
    results = assemble(Study(**{**vars(study), **changes}))
    check_results(results)
    assert (results["metric"], results["higher_is_better"]) == ("rmse", False)
    row = _by_name(results)["distilled"]
    errors = [s.target_logits.squeeze(1) * 10 + 50 - values for s in study.rows[2].seeds]
    assert row["target"]["rmse"]["mean"] == pytest.approx(np.mean([e.square().mean().sqrt() for e in errors]), rel=1e-5)
    assert row["versus_baseline"]["difference"] < 0
    assert row["versus_baseline"]["mcnemar_p_value"] is None
    assert not {"per_class", "confusion", "reliability"} & set(row)


@pytest.mark.parametrize("width", [3, 1])
def test_a_target_without_labels_has_nulls(width):
    results = assemble(_study(known=False, width=width))
    check_results(results)
    assert not results["target_labels_known"]
    for row in results["rows"]:
        assert row["target"] is row["regret"] is row["versus_baseline"] is row["seeds"][0]["target"] is None
        assert row["source"] is not None and row.get("confusion") is None
        assert ("confusion" in row) == (width == 3)


def test_one_seed_and_one_sample_are_valid():
    results = assemble(_study(n=1, seeds=1))
    check_results(json.loads(json.dumps(results, allow_nan=False)))
    assert _by_name(results)["alone"]["target"]["accuracy"]["std"] == 0.0


def test_validators_that_are_not_finite_become_null(study):
    seed = study.rows[1].seeds[0]
    odd = SeedRecord(0, 4, {"entropy": float("nan")}, 1.0, seed.history, seed.target_logits, seed.source_logits)
    rows = [*study.rows[:2], RowRecord("odd", "student", "Odd", "x", 0, 1, 1, 1.0, [odd])]
    results = assemble(Study(**{**vars(study), "rows": rows}))
    check_results(results)
    assert _by_name(results)["odd"]["seeds"][0]["validators"] == {"entropy": None}


BREAKS = {
    "a surplus key": lambda r: r.update(surplus=1),
    "a surplus key of a row": lambda r: r["rows"][0].update(surplus=1),
    "an unknown kind": lambda r: r["rows"][0].update(kind="pupil"),
    "no confusion": lambda r: r["rows"][0].pop("confusion"),
    "a null confusion": lambda r: r["rows"][0].update(confusion=None),
    "a teacher that is compared": lambda r: r["rows"][0].update(versus_baseline=r["rows"][2]["versus_baseline"]),
    "metrics of a target without labels": lambda r: r.update(target_labels_known=False),
    "metrics of a regression": lambda r: r["task"].update(kind="regression"),
    "a share above one": lambda r: r["rows"][0]["seeds"][0]["target"].update(accuracy=1.5),
    "a null accuracy": lambda r: r["rows"][0]["target"].update(accuracy=None),
    "a negative regret": lambda r: r["rows"][1]["seeds"][0].update(regret=-0.1),
    "a missing verdict": lambda r: r.pop("verdict"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_the_schema_refuses(fault, results):
    broken = copy.deepcopy(results)
    BREAKS[fault](broken)
    with pytest.raises(RunError, match="not as its schema says"):
        check_results(broken)


@pytest.mark.slow
def test_a_large_comparison_takes_under_ten_seconds():
    study = _study(n=10_000, width=10, checkpoints=2)
    extra = [RowRecord(f"r{i}", "student", "", "", 0, 1, 1, 1.0, study.rows[2].seeds) for i in range(3)]
    started = time.process_time()
    results = assemble(Study(**{**vars(study), "rows": [*study.rows, *extra]}))
    assert time.process_time() - started < 10
    check_results(results)


def test_what_a_training_told_of_its_adaptation_is_passed_on(study):
    rows = []
    for row in study.rows:
        told = {"gap": [0.1, 0.05, 0.25, -1e-9], "entropy": [1.0, 0.5, 0.25, 0.125]}
        history = row.seeds[0].history
        kept = None if history is None else replace(history, diagnostics=told if row.name == "distilled" else {})
        first = replace(row.seeds[0], history=kept, collapse="It fell." if row.name == "distilled" else None)
        rows.append(replace(row, seeds=[first, *row.seeds[1:]]))
    results = assemble(replace(study, rows=rows))
    check_results(results)
    found = {name: row["seeds"][0] for name, row in _by_name(results).items()}
    assert found["distilled"]["collapse"] == "It fell." and found["alone"]["collapse"] is None
    assert found["distilled"]["diagnostics"] == {
        "epochs": [2, 4, 6, 8],
        "gap": [0.1, 0.05, 0.25, 0.0],
        "entropy": [1.0, 0.5, 0.25, 0.125],
    }
    assert found["alone"]["diagnostics"] is None and found["teacher"]["diagnostics"] is None
