"""What the training loop adds to the bare loop of a model whose step takes less than a millisecond.

usage: python benchmarks/overhead.py [--repeats 9]       one thread, epochs without evaluation

Once with the source's labels alone, once distilled: labels of the source, the stored logits of a teacher on the target.
The contestants work in turns of an epoch (50 steps), so that both see
the same machine: its speed may drift by a third in a second.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from _workload import machine
from torch import Tensor, nn
from torch.nn import functional as F

from limbeck.core import DomainView, Knowledge, Spec, Task
from limbeck.methods.distill import Distill
from limbeck.methods.source_only import SourceOnly
from limbeck.networks import Observed
from limbeck.networks.mlp import Mlp
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl
from limbeck.training import Job, Training, train

SAMPLES, WIDTH, BATCH, EPOCHS = 3200, 32, 64, 100
TURN = SAMPLES // BATCH  # steps: an epoch
STEPS = TURN * EPOCHS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(SAMPLES + 100, WIDTH, generator=random)
    labels = (inputs[:, 0] > 0).long()
    said = torch.randn(SAMPLES + 100, 2, generator=random)
    print(f"{machine()}; one thread\n\n| step | hidden units | bare, µs | limbeck, µs | ratio |\n|---|---|---|---|---|")
    for kind, logits in (("labels", None), ("distilled", said)):
        for hidden in ([32], [64, 64], [128, 128, 128]):
            contest = [contested(hidden, inputs, labels, logits) for _ in range(repeats + 1)]
            floor, taken = np.array(contest[1:]).T / STEPS * 1e6
            ratios = taken / floor
            spread = f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
            print(f"| {kind} | {hidden} | {np.median(floor):.0f} | {np.median(taken):.0f} | {spread} |", flush=True)


def contested(hidden: list[int], inputs: Tensor, labels: Tensor, said: Tensor | None) -> tuple[float, float]:
    """The seconds of the bare loop and of limbeck's: each time limbeck has done so many steps, the other does them."""
    other = bare(hidden, inputs, labels, said)
    floor, steps = next(other), 0

    def tick(share: float) -> None:
        nonlocal floor, steps, resting
        steps += 1
        if steps % TURN == 0:
            start = time.perf_counter()
            floor += next(other, 0.0)
            resting += time.perf_counter() - start

    resting = 0.0
    taken = ours(hidden, inputs, labels, said, tick)
    return floor, taken - resting


def network(hidden: list[int]) -> nn.Module:
    torch.manual_seed(0)
    made = Mlp(hidden)
    made.build((WIDTH,), 2)
    return made


def bare(hidden: list[int], inputs: Tensor, labels: Tensor, said: Tensor | None) -> Iterator[float]:
    """The loop that one writes by hand: shuffled batches, cross-entropy, AdamW, a cosine of the learning rate.

    Gives the seconds since it went on: first those of the preparation, then those of each turn.
    """
    start = time.perf_counter()
    learner = network(hidden).train()
    optimiser = torch.optim.AdamW(learner.parameters(), 2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    yield time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(EPOCHS):
        total = torch.zeros(())
        target = torch.randperm(SAMPLES).split(BATCH)
        for step, rows in enumerate(torch.randperm(SAMPLES).split(BATCH)):
            loss = F.cross_entropy(learner(inputs[rows]), labels[rows])
            if said is not None:
                student, teacher = learner(inputs[target[step]]) / 2, said[target[step]] / 2
                wanted = teacher.log_softmax(1)
                loss = loss + 4 * F.kl_div(student.log_softmax(1), wanted, reduction="batchmean", log_target=True)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach()
        float(total)
        yield time.perf_counter() - start
        start = time.perf_counter()


class Stored:
    """A teacher's logits in memory, so that the disk has no say."""

    def __init__(self, logits: Tensor):
        self.logits = logits

    def read(self, index: Tensor, view: int = 0) -> Knowledge:
        return Knowledge(self.logits.index_select(0, index))

    def spec(self) -> Spec:
        return Spec(self.logits.shape[1])


def ours(
    hidden: list[int], inputs: Tensor, labels: Tensor, said: Tensor | None, tick: Callable[[float], None]
) -> float:
    rows = torch.arange(SAMPLES + 100)
    splits = {"labelled": rows[:0], "train": rows[:SAMPLES], "selection": rows[SAMPLES:], "test": rows[:0]}
    opened = {name: labels[chosen] for name, chosen in splits.items()}
    view = DomainView("noise", inputs, splits, opened)
    method = SourceOnly() if said is None else Distill([CrossEntropy(), Kl(temperature=2.0)])
    stores = {} if said is None else {"target": Stored(said)}
    student = Observed(network(hidden))
    method.build(student, Task("classification", ("no", "yes")), student.spec((WIDTH,)), Spec(2))
    settings = Training(epochs=EPOCHS, batch_size=BATCH, precision="fp32", device="cpu", evaluate_every=EPOCHS)
    with tempfile.TemporaryDirectory() as folder:
        domains = {"source": view, "target": view}
        job = Job("overhead", Path(folder), method, domains, stores, settings, 0, lambda *_: {"none": 0.0}, "none", {})
        start = time.perf_counter()
        train(job, tick=tick)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
