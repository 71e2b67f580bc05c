"""limbeck's parts in a loop of your own: domains, a teacher, the store, an objective, a distance, a student.

python examples/own_loop.py [FOLDER FOR THE STORE]      about half a minute on 2 cores
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from limbeck.core import Batch, Domain, Task
from limbeck.data import SplitSettings, prepare
from limbeck.data.digits import Digits
from limbeck.distances.mmd import Mmd
from limbeck.knowledge import Store, label_domain
from limbeck.networks import Observed
from limbeck.networks.cnn import Cnn
from limbeck.objectives.cross_entropy import cross_entropy
from limbeck.objectives.kl import Kl
from limbeck.teachers.network import NetworkTeacher

EPOCHS = 12
BATCH = 64


def main(folder: Path) -> dict[str, float]:
    """Train the teacher, store what it says of the target, train two students; returns the accuracies."""
    torch.manual_seed(0)
    scan, photo = Digits("scan"), Digits("photo")
    source, target, _, task = prepare(scan.load(), photo.load(), scan.preprocessing(), SplitSettings())

    teacher = NetworkTeacher(Cnn(widths=[32, 64], hidden=128))
    teacher.build(source.shape, task, layers=[])
    learn_source(Observed(teacher.network), source)
    store = label_domain(folder, teacher, target.inputs, layers=[])  # computed once: a second call reads it

    alone = new_student(source, task)
    learn_source(alone, source)
    taught = new_student(source, task)
    distil_and_align(taught, source, target, store)

    labels = target.open("test", "evaluation")  # sealed until here
    students = {"teacher": Observed(teacher.network), "student alone": alone, "distilled and aligned": taught}
    return {name: accuracy(student, target.split_inputs("test"), labels) for name, student in students.items()}


def new_student(source: Domain, task: Task) -> Observed:
    """A network that also gives its inner layers; any nn.Module may stand in place of Cnn."""
    network = Cnn(widths=[16, 32], hidden=64)
    network.build(source.shape, task.outputs)
    return Observed(network)


def learn_source(student: Observed, source: Domain) -> None:
    """Plain supervised training on the source."""
    inputs, labels = source.split_inputs("train"), source.open("train", "training")
    optimiser = torch.optim.AdamW(student.parameters(), lr=2e-3)
    student.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(labels)).split(BATCH):
            loss = cross_entropy(student(inputs[rows]).logits, labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def distil_and_align(student: Observed, source: Domain, target: Domain, store: Store) -> None:
    """Hard labels on the source, the teacher's soft labels on the target, and the domains brought together."""
    soft_labels, distance = Kl(temperature=2.0), Mmd()
    inputs, labels = source.split_inputs("train"), source.open("train", "training")
    unlabelled = torch.from_numpy(target.splits["train"])
    optimiser = torch.optim.AdamW(student.parameters(), lr=2e-3)
    student.train()
    for _ in range(EPOCHS):
        for index in unlabelled[torch.randperm(len(unlabelled))].split(BATCH):
            rows = torch.randperm(len(labels))[: len(index)]
            here, there = student(inputs[rows]), student(target.inputs[index])
            batch = Batch(target.inputs[index], index)
            loss = (
                cross_entropy(here.logits, labels[rows])
                + soft_labels(there, store.read(index), batch)
                + distance(here.feature(), there.feature())
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


@torch.no_grad()
def accuracy(student: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """The share of right predictions."""
    student.eval()
    return (student(inputs).logits.argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    for name, share in main(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())).items():
        print(f"{name:24}{100 * share:5.1f} %")
