"""What the training loop adds to the bare loop of a model whose step takes less than a millisecond.

usage: python benchmarks/overhead.py [--repeats 9]      one thread, the contestants in turns, epochs without evaluation
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _workload import machine
from torch import Tensor, nn
from torch.nn import functional as F

from limbeck.core import DomainView, Spec, Task
from limbeck.methods.source_only import SourceOnly
from limbeck.networks import Observed
from limbeck.networks.mlp import Mlp
from limbeck.training import Job, Training, train

SAMPLES, WIDTH, BATCH, EPOCHS = 3200, 32, 64, 100
STEPS = SAMPLES // BATCH * EPOCHS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(SAMPLES + 100, WIDTH, generator=random)
    labels = (inputs[:, 0] > 0).long()
    print(f"{machine()}; one thread\n\n| hidden units | bare step, µs | limbeck's, µs | ratio |\n|---|---|---|---|")
    for hidden in ([32], [64, 64], [128, 128, 128]):
        contest = [(bare(hidden, inputs, labels), ours(hidden, inputs, labels)) for _ in range(repeats + 1)]
        floor, taken = np.array(contest[1:]).T / STEPS * 1e6
        ratio = np.median(taken / floor)
        print(f"| {hidden} | {np.median(floor):.0f} | {np.median(taken):.0f} | {ratio:.2f} |", flush=True)


def network(hidden: list[int]) -> nn.Module:
    torch.manual_seed(0)
    made = Mlp(hidden)
    made.build((WIDTH,), 2)
    return made


def bare(hidden: list[int], inputs: Tensor, labels: Tensor) -> float:
    """The loop that one writes by hand: shuffled batches, cross-entropy, AdamW, a cosine of the learning rate."""
    learner = network(hidden).train()
    optimiser = torch.optim.AdamW(learner.parameters(), 2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    start = time.perf_counter()
    for _ in range(EPOCHS):
        total = torch.zeros(())
        for rows in torch.randperm(SAMPLES).split(BATCH):
            loss = F.cross_entropy(learner(inputs[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach()
        float(total)
    return time.perf_counter() - start


def ours(hidden: list[int], inputs: Tensor, labels: Tensor) -> float:
    rows = torch.arange(SAMPLES + 100)
    splits = {"labelled": rows[:0], "train": rows[:SAMPLES], "selection": rows[SAMPLES:], "test": rows[:0]}
    opened = {name: labels[chosen] for name, chosen in splits.items()}
    view = DomainView("noise", inputs, splits, opened)
    method, student = SourceOnly(), Observed(network(hidden))
    method.build(student, Task("classification", ("no", "yes")), student.spec((WIDTH,)), Spec(0))
    settings = Training(epochs=EPOCHS, batch_size=BATCH, precision="fp32", device="cpu", evaluate_every=EPOCHS)
    with tempfile.TemporaryDirectory() as folder:
        domains = {"source": view, "target": view}
        job = Job("overhead", Path(folder), method, domains, {}, settings, 0, lambda *said: {"none": 0.0}, "none", {})
        start = time.perf_counter()
        train(job)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
