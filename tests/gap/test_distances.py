"""Values, p-values and intervals of the gap: calibrated where the truth is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from sklearn.datasets import load_digits
from torch import Tensor

from limbeck.core import UsageError
from limbeck.distances import Distance
from limbeck.distances.a_distance import ADistance
from limbeck.distances.coral import Coral
from limbeck.distances.mmd import Mmd
from limbeck.distances.wasserstein import Wasserstein
from limbeck.gap import GapSettings, measure_distances

ALL = {"mmd": Mmd(), "coral": Coral(), "wasserstein": Wasserstein(projections=16), "a_distance": ADistance()}
FEW = GapSettings(permutations=39, resamples=20, repeats=39)


class MeanShift(Distance):
    """How far the means lie apart."""

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        return (x.mean() - y.mean()).abs()


class Signed(MeanShift):
    """The difference of means, whose standard error is known."""

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        return x.mean() - y.mean()


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_an_entry_is_what_gap_json_promises() -> None:
    x = normal(30, 4, 0).view(30, 2, 2)
    entries = measure_distances({"inputs": (x, x[:20] + 5), "teacher": (normal(30, 2, 1), normal(20, 2, 2))}, ALL, FEW)
    assert [(e["space"], e["name"]) for e in entries] == [(s, d) for s in ("inputs", "teacher") for d in ALL]
    for entry in entries:
        assert list(entry) == ["name", "space", "value", "low", "high", "p_value", "samples", "sentence"]
        assert all(type(entry[key]) is float for key in ("value", "low", "high", "p_value"))
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert entry["samples"] == [30, 20]
    assert "mmd of the inputs is" in entries[0]["sentence"]
    assert "more than chance (p = 0.025, 39 permutations)" in entries[0]["sentence"]
    assert "a_distance of the teacher's features" in entries[-1]["sentence"]


def test_the_value_is_that_of_the_distance() -> None:
    x, y = normal(25, 3, 0), 2 * normal(20, 3, 1)
    for entry in measure_distances({"inputs": (x, y)}, {**ALL, "a_distance": MeanShift()}, FEW):
        distance = MeanShift() if entry["name"] == "a_distance" else ALL[entry["name"]]
        assert entry["value"] == pytest.approx(float(distance(x, y)), abs=1e-6)


def test_the_same_seed_gives_the_same_numbers_and_another_does_not() -> None:
    spaces = {"inputs": (normal(60, 3, 0), normal(50, 3, 1))}
    capped = GapSettings(samples=30, permutations=39, resamples=20)
    distances = {"mmd": Mmd(), "wasserstein": Wasserstein(projections=8)}
    first = measure_distances(spaces, distances, capped)
    torch.rand(3)
    assert measure_distances(spaces, distances, capped) == first
    assert first[0]["samples"] == [30, 30]
    other = GapSettings(seed=1, samples=30, permutations=39, resamples=20)
    assert measure_distances(spaces, distances, other)[0]["value"] != first[0]["value"]


def test_the_p_value_counts_itself() -> None:
    apart = {"inputs": (normal(20, 1, 0), normal(20, 1, 1) + 9)}
    entries = measure_distances(apart, {"mmd": Mmd(), "mean": MeanShift()}, GapSettings(permutations=199, repeats=49))
    assert [entry["p_value"] for entry in entries] == [1 / 200, 1 / 50]
    same = torch.ones(10, 2)
    for entry in measure_distances({"inputs": (same, same)}, {"mmd": Mmd(), "coral": Coral()}, FEW):
        assert entry["p_value"] == 1
        assert "no more than chance may give" in entry["sentence"]


@pytest.mark.parametrize("name", ["mmd", "coral", "wasserstein"])
def test_p_values_are_uniform_for_equal_domains(name: str) -> None:
    p_values = []
    for seed in range(100):
        spaces = {"inputs": (normal(25, 2, seed), normal(40, 2, 5000 + seed))}
        settings = GapSettings(seed=seed, permutations=39, resamples=20, repeats=39)
        p_values.append(measure_distances(spaces, {name: ALL[name]}, settings)[0]["p_value"])
    # 5 and 50 of 100 expected; four standard errors of a binomial share on either side.
    assert 0.0 < np.mean(np.array(p_values) <= 0.05) < 0.13
    assert 0.32 < np.mean(np.array(p_values) <= 0.5) < 0.68


def test_the_interval_has_the_known_standard_error() -> None:
    x, y = normal(300, 1, 0), 3 * normal(201, 1, 1)
    settings = GapSettings(permutations=19, resamples=2000, repeats=2000, confidence=0.9)
    [entry] = measure_distances({"inputs": (x, y)}, {"mean": Signed()}, settings)
    error = (x.var() / 300 + y.var() / 201).sqrt()
    assert (entry["high"] - entry["low"]) / 2 == pytest.approx(1.6449 * float(error), rel=0.08)


def test_intervals_cover_a_known_truth() -> None:
    # Unit kernel; N(0, I) against N((1, 0), 1.5² I): E k = (1 + v)^(-d/2) · exp(-δ² / 2(1 + v)), d = 2.
    truth = 1 / 3 + 1 / (1 + 4.5) - 2 / (1 + 3.25) * np.exp(-1 / (2 * (1 + 3.25)))
    covered = []
    for seed in range(150):
        y = 1.5 * normal(80, 2, 9000 + seed) + torch.tensor([1.0, 0.0])
        settings = GapSettings(seed=seed, permutations=19, resamples=99)
        [entry] = measure_distances({"inputs": (normal(60, 2, seed), y)}, {"mmd": Mmd([1.0], 1.0)}, settings)
        covered.append(entry["low"] <= truth <= entry["high"])
    assert 0.88 < np.mean(covered) <= 1.0
    assert not all(covered)


def test_digits_halves_agree_and_shifted_ones_do_not() -> None:
    digits = torch.tensor(load_digits().data[np.random.default_rng(0).permutation(1797)]) / 16
    x, y = digits[:300], digits[300:600]
    settings = GapSettings(permutations=99, resamples=20, repeats=39)
    same = measure_distances({"inputs": (x, y)}, ALL, settings)
    assert min(entry["p_value"] for entry in same) > 0.02
    moved = measure_distances({"inputs": (x, y + 0.1)}, ALL, settings)
    p_values = {entry["name"]: entry["p_value"] for entry in moved}
    assert p_values["mmd"] == 0.01 and p_values["wasserstein"] == p_values["a_distance"] == 0.025
    assert p_values["coral"] > 0.05  # it does not see means


@pytest.mark.slow
def test_mnist_and_usps_lie_apart(data_root: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    import gzip

    images = gzip.decompress((data_root / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    mnist = torch.from_numpy(np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:1000].copy()) / 255
    usps = torch.from_numpy(datasets.USPS(data_root / "usps", train=False).data)[:, None] / 255
    small = torch.nn.functional.interpolate(mnist, 16, mode="area")
    for entry in measure_distances({"inputs": (small, usps)}, ALL, GapSettings(permutations=99, repeats=20)):
        assert entry["p_value"] < 0.05
        assert entry["low"] > 0


def test_wrong_requests_are_named() -> None:
    class Paired(MeanShift):
        paired = True

    x = normal(10, 2, 0)
    with pytest.raises(UsageError, match="twins needs pairs or labels"):
        measure_distances({"inputs": (x, x)}, {"twins": Paired()})
    with pytest.raises(UsageError, match=r"at least 4 samples of the target\. Got 3 in inputs"):
        measure_distances({"inputs": (x, x[:3])}, {"mmd": Mmd()})
    with pytest.raises(UsageError, match=r"inputs of the target hold values that are not finite"):
        measure_distances({"inputs": (x, x / 0)}, {"mmd": Mmd()})
    with pytest.raises(UsageError, match=r"coral is not finite on inputs"):
        measure_distances({"inputs": (x, 1e30 * x)}, {"coral": Coral()})
