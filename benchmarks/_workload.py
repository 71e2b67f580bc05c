"""The work that the speed benchmarks share: coloured digits, a wide teacher, a small student, and the bare loop."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from limbeck.core.weights import save_weights
from limbeck.data import SplitSettings, prepare
from limbeck.data._images import ImagePreprocessing
from limbeck.data.arrays import Arrays
from limbeck.data.mnist import Mnist
from limbeck.networks.cnn import Cnn
from limbeck.networks.resnet import Resnet

__all__ = ["BATCH", "MOMENTUM", "RATE", "TEMPERATURE", "Work", "bare_loop", "labelled_by", "machine", "new_student"]

SHAPE, CLASSES = (3, 32, 32), 10
TEACHER = {"cnn": {"widths": [128, 256, 512], "hidden": 384}}  # 4,630,666 parameters
STUDENTS: dict[str, dict[str, Any]] = {
    "cnn": {"cnn": {"widths": [24, 48, 64], "hidden": 32}},  # 72,202 parameters
    "resnet": {"resnet": {"depth": 8}},  # 78,042
}
SPLIT = {"selection": 0.25, "test": 0.25}

BATCH, TEMPERATURE, RATE, MOMENTUM = 128, 4.0, 0.01, 0.9
TRAINING = {
    "batch_size": BATCH,
    "optimiser": "sgd",
    "learning_rate": RATE,
    "momentum": MOMENTUM,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.0,
}


@dataclass(frozen=True)
class Work:
    """images: [n, 3, 32, 32] in [0, 1], of which `train` and `test` are rows; labels: [n]."""

    images: Tensor
    labels: Tensor
    train: Tensor
    test: Tensor
    teacher: nn.Module
    student: str = "cnn"
    folder: Path = Path()

    @classmethod
    def make(cls, trained: int = 2048) -> Work:
        """So many images to distil on and half as many to test, and a teacher trained on others of the kind."""
        images, labels = coloured_digits(2 * trained, seed=0)
        raw = Arrays(images, labels, scale="none").load()
        target = prepare(raw, raw, ImagePreprocessing(normalise=False), SplitSettings(**SPLIT))[1]
        train, test = (torch.from_numpy(target.splits[name]) for name in ("train", "test"))
        return cls(images, labels, train, test, trained_teacher())

    def save(self, folder: Path) -> None:
        """As tensors for a bare loop; and as limbeck is given them, images and the teacher's weights in files."""
        tensors = {name: getattr(self, name) for name in ("images", "labels", "train", "test")}
        torch.save({**tensors, "teacher": self.teacher.state_dict()}, folder / "work.pt")
        for name, rows in (("source", slice(600)), ("target", slice(None))):
            np.savez(folder / f"{name}.npz", inputs=self.images[rows].numpy(), labels=self.labels[rows].numpy())
        save_weights(folder / "teacher.safetensors", self.teacher.state_dict(), {})

    @classmethod
    def load(cls, folder: Path, student: str) -> Work:
        found = torch.load(folder / "work.pt", weights_only=True)
        teacher = network_of(TEACHER)
        teacher.load_state_dict(found.pop("teacher"))
        return cls(**found, teacher=teacher.eval(), student=student, folder=folder)

    def recipe(self, **training: object) -> dict[str, Any]:
        """What limbeck is given of a saved work: one row with the soft labels alone."""
        folder = self.folder
        return {
            "name": "distillation",
            "source": {"arrays": {"path": str(folder / "source.npz"), "scale": "none"}},
            "target": {"arrays": {"path": str(folder / "target.npz"), "scale": "none"}},
            "split": SPLIT,
            "teacher": {"network": {"network": TEACHER, "weights": str(folder / "teacher.safetensors")}},
            "student": STUDENTS[self.student],
            "rows": {"distilled": {"distill": {"objectives": [{"kl": {"temperature": TEMPERATURE}}]}}},
            "training": {**TRAINING, "evaluate_every": training["epochs"], **training},
        }


def machine(device: str = "cpu") -> str:
    """What the figures were measured on, in a line."""
    if device != "cpu":
        name = torch.cuda.get_device_name()
    else:
        lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = f"{len(os.sched_getaffinity(0))} cores of {names[0] if names else platform.processor()}"
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return f"{name}; limbeck {version('limbeck')}, torch {version('torch')}, {python}"


def coloured_digits(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """MNIST digits [n, 3, 32, 32] in [0, 1], each as the difference to a random patch of a photograph (MNIST-M)."""
    from sklearn.datasets import load_sample_images

    random = np.random.default_rng(seed)
    raw = Mnist(limit=20_000).load()
    chosen = random.choice(len(raw.inputs), n, replace=False)
    digits = np.pad(np.asarray(raw.inputs)[chosen].reshape(n, 28, 28), ((0, 0), (2, 2), (2, 2))).astype(np.int16)
    photographs = [photograph.astype(np.int16) for photograph in load_sample_images().images]
    patches = np.empty((n, 32, 32, 3), np.int16)
    for place in range(n):
        photograph = photographs[random.integers(len(photographs))]
        top, left = (random.integers(size - 32) for size in photograph.shape[:2])
        patches[place] = photograph[top : top + 32, left : left + 32]
    images = np.abs(patches - digits[..., None]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    return torch.from_numpy(images), torch.from_numpy(np.asarray(raw.labels)[chosen].astype(np.int64))


def network_of(settings: dict[str, Any]) -> nn.Module:
    """A network with new weights."""
    ((name, chosen),) = settings.items()
    network = {"cnn": Cnn, "resnet": Resnet}[name](**chosen)
    network.build(SHAPE, CLASSES)
    return network


def new_student(kind: str = "cnn") -> nn.Module:
    return network_of(STUDENTS[kind])


def trained_teacher(epochs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    images, labels = coloured_digits(6000, seed=1)
    images = images.contiguous(memory_format=torch.channels_last)
    network = network_of(TEACHER).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(BATCH):
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(
                    network(images[rows].contiguous(memory_format=torch.channels_last)), labels[rows]
                )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def labelled_by(network: nn.Module, images: Tensor, bf16: bool = True) -> Tensor:
    """A network's logits [n, classes], in float32."""
    network.eval()
    with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        return torch.cat([network(batch).float() for batch in images.split(BATCH)])


def bare_loop(work: Work, epochs: int, seed: int, device: str = "cpu", bf16: bool = True) -> Tensor:
    """The floor: label once, train on the stored logits, say the test split's logits; nothing else.

    With bf16 also channels-last, else neither.
    """
    torch.manual_seed(seed)
    layout = torch.channels_last if bf16 else torch.contiguous_format
    images = work.images[work.train].to(device).contiguous(memory_format=layout)
    soft = labelled_by(work.teacher.to(device, memory_format=layout), images, bf16)
    learner = new_student(work.student).to(device, memory_format=layout).train()
    optimiser = torch.optim.SGD(learner.parameters(), RATE, MOMENTUM)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), device=device).split(BATCH):
            with torch.autocast(device, torch.bfloat16, enabled=bf16):
                said = learner(images[rows])
            loss = distance(said.float(), soft[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return labelled_by(learner, work.images[work.test].to(device).contiguous(memory_format=layout), bf16).cpu()


def distance(said: Tensor, soft: Tensor) -> Tensor:
    """T² · KL of the softened outputs, mean over the batch."""
    t = TEMPERATURE
    ours, theirs = F.log_softmax(said / t, 1), F.log_softmax(soft / t, 1)
    return t**2 * F.kl_div(ours, theirs, log_target=True, reduction="batchmean")
