"""What the gap is measured on: rows that are drawn before they are read."""

from __future__ import annotations

import torch
from small_world import World

from limbeck.core import Domain
from limbeck.distances.coral import Coral
from limbeck.gap import GapSettings, measure_distances
from limbeck.recipes._gap_stage import _shown


def test_drawing_before_reading_measures_what_drawing_from_all_rows_would() -> None:
    settings = GapSettings(samples=12, permutations=20, resamples=20, repeats=20)
    source, target = World().domain("source"), World().domain("target")

    def training(domain: Domain) -> torch.Tensor:
        splits = ("labelled", "train") if domain.role == "target" else ("train",)
        return torch.cat([domain.split_inputs(split) for split in splits])

    whole = {"inputs": (training(source), training(target))}
    drawn = {"inputs": (_shown(source, settings), _shown(target, settings))}
    assert [len(points) for points in drawn["inputs"]] == [12, 12]
    distances = {"coral": Coral()}
    assert measure_distances(drawn, distances, settings) == measure_distances(whole, distances, settings)
