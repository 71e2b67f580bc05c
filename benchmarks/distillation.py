"""A whole distillation against the bare loop, and against torchdistill with the teacher in its loop.

usage: python benchmarks/distillation.py [--repeats 3] [--epochs 10] [--long 600] [--student cnn|resnet]

Wall seconds, the contestants in turns, each in a process of its own, each repeat with a seed of its own. limbeck's
time is that of its stages knowledge and student, from reading the files on: choices by measurement, labelling,
checkpoints and the predictions included, imports not. The floor labels, trains and predicts, and nothing else.
In the long run the contestants work side by side, one held while the other goes on for some seconds, so that a
machine whose speed drifts is the same to both; what they were held does not count. --long 0 leaves it out, --only-long
the short one; torchdistill is installed into build/peers, and left out with --no-peer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _workload import BATCH, MOMENTUM, RATE, TEMPERATURE, Work, bare_loop, labelled_by, machine, new_student
from torch import Tensor

from limbeck.evaluation import mean_std
from limbeck.recipes import run_recipe

PEERS = Path("build/peers")

Found = dict[str, list[tuple[float, float]]]
"""Seconds and accuracy in each repeat, by contestant."""


TURN = 5.0
"""Seconds for which one contestant of the long run works before the other goes on."""

FLOOR, OURS, PLAIN, PEER = (
    "floor: bare loop, bf16, channels-last",
    "limbeck",
    "bare loop, fp32",
    "torchdistill, teacher in the loop",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--long", type=int, default=600, help="epochs of the long run, once; 0 for none")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--student", default="cnn", choices=["cnn", "resnet"])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--only-long", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("WORK", "CONTESTANT"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--held", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(Work.load(Path(chosen.one[0]), chosen.student), chosen.one[1], chosen)))
        return
    names = [FLOOR, OURS, PLAIN]
    if not chosen.no_peer:
        install("torchdistill==1.1.5")
        names.append(PEER)
    print(machine(chosen.device))
    with tempfile.TemporaryDirectory() as folder:
        Work.make().save(Path(folder))
        if not chosen.only_long:
            print(f"\n{chosen.epochs} epochs, {chosen.repeats} repeats\n", flush=True)
            found: Found = {name: [] for name in names}
            for seed in range(chosen.repeats):
                for name in names:
                    found[name] += in_turns(Path(folder), [name], chosen, seed)
            show(found)
        if chosen.long:
            print(f"\n{chosen.long} epochs, once\n", flush=True)
            chosen.epochs = chosen.long
            both = [FLOOR, OURS]
            show({name: [done] for name, done in zip(both, in_turns(Path(folder), both, chosen, 0), strict=True)})


def in_turns(folder: Path, names: list[str], chosen: argparse.Namespace, seed: int) -> list[tuple[float, float]]:
    """What each contestant found, in a process of its own: what one leaves in the allocator would change the next."""
    options = ["--seed", seed, "--epochs", chosen.epochs, "--device", chosen.device, "--student", chosen.student]
    at_work = []
    for name in names:
        held = folder / f"held-{len(at_work)}"
        held.write_text("0")
        command = [sys.executable, __file__, "--one", folder, name, *options, "--held", held]
        with (folder / f"said-{len(at_work)}").open("w") as said:
            process = subprocess.Popen([str(word) for word in command], stdout=said, start_new_session=True)
        at_work.append((process, held, Path(said.name)))
        if len(names) > 1:
            os.killpg(process.pid, signal.SIGSTOP)
    since = [time.perf_counter()] * len(names)
    while any(process.poll() is None for process, *_ in at_work):
        for place, (process, held, _) in enumerate(at_work):
            if process.poll() is not None:
                continue
            held.write_text(str(float(held.read_text()) + time.perf_counter() - since[place]))
            os.killpg(process.pid, signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TURN if sum(other.poll() is None for other, *_ in at_work) > 1 else None)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGSTOP)
            since[place] = time.perf_counter()
    if any(process.returncode for process, *_ in at_work):
        sys.exit("A contestant failed.")
    return [tuple(json.loads(said.read_text().splitlines()[-1])) for *_, said in at_work]


def show(found: Found) -> None:
    """The table: seconds, ratio to the first contestant of the same repeat, accuracy on the test split."""
    names = list(found)
    floor = np.array(found[names[0]])[:, 0]
    print("| | seconds | to the floor | accuracy |\n|---|---|---|---|")
    for name in names:
        taken, right = np.array(found[name]).T
        ratio = taken / floor
        print(
            f"| {name} | {'{:.2f} ± {:.2f}'.format(*mean_std(taken))} | {np.median(ratio):.2f} "
            f"({ratio.min():.2f}–{ratio.max():.2f}) | {'{:.1f} ± {:.1f}'.format(*mean_std(right))} |",
            flush=True,
        )


def one(work: Work, name: str, chosen: argparse.Namespace) -> tuple[float, float]:
    """Seconds and accuracy of one contestant, after an epoch in which modules are imported and kernels chosen."""
    runs: dict[str, Callable[[Work, int, int, str], Tensor]] = {
        FLOOR: bare_loop,
        OURS: limbeck,
        PLAIN: partial(bare_loop, bf16=False),
        PEER: torchdistill,
    }
    sys.path.insert(0, str(PEERS))
    runs[name](work, 1, chosen.seed, chosen.device)
    start = time.perf_counter() - float(chosen.held.read_text())
    logits = runs[name](work, chosen.epochs, chosen.seed, chosen.device)
    seconds = time.perf_counter() - float(chosen.held.read_text()) - start
    return seconds, 100 * float((logits.argmax(1) == work.labels[work.test]).float().mean())


def limbeck(work: Work, epochs: int, seed: int, device: str) -> Tensor:
    """The stages knowledge and student of a recipe; gap, evaluation and report are no part of the comparison."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = work.recipe(epochs=epochs, device=device) | {"seeds": [seed]}
        (run,) = run_recipe(recipe, runs=Path(folder), stages=["knowledge", "student"], quiet=True)
        with np.load(run / "students" / "distilled" / str(seed) / "predictions.npz") as said:
            return torch.from_numpy(said["target_logits"])


def torchdistill(work: Work, epochs: int, seed: int, device: str) -> Tensor:
    """The peer's own box, as its examples set it up: the teacher answers in every step, fp32."""
    from torchdistill.core.distillation import get_distillation_box

    torch.manual_seed(seed)
    place = torch.device(device)
    learner = new_student(work.student).to(place)
    data = torch.utils.data.TensorDataset(work.images[work.train], work.labels[work.train])
    loader = {
        "dataset_id": "train",
        "sampler": {"class_or_func": torch.utils.data.RandomSampler},
        "kwargs": {"batch_size": BATCH, "num_workers": 0},
    }
    paths = {
        f"{who}_module_{what}": end for who in ("student", "teacher") for what, end in (("path", "."), ("io", "output"))
    }
    loss = {"key": "KDLoss", "kwargs": {**paths, "temperature": TEMPERATURE, "alpha": 0.0, "reduction": "batchmean"}}
    terms = {"kd": {"criterion": loss, "weight": TEMPERATURE**2}}  # without hard labels its KDLoss leaves T² out
    settings = {
        "num_epochs": epochs,
        "train_data_loader": loader,
        "teacher": {"requires_grad": False, "forward_proc": "forward_batch_only"},
        "student": {"forward_proc": "forward_batch_only"},
        "optimizer": {"key": "SGD", "kwargs": {"lr": RATE, "momentum": MOMENTUM}},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": terms}},
    }
    teacher = work.teacher.to(place, memory_format=torch.contiguous_format)
    box = get_distillation_box(teacher, learner, {"train": data}, settings, place, None, False, 1)
    for epoch in range(epochs):
        box.pre_epoch_process(epoch=epoch)
        for images, labels, supplement in box.train_data_loader:
            found = box.forward_process(images.to(place), labels.to(place), supplement)
            box.post_forward_process(found)
        box.post_epoch_process()
    return labelled_by(learner, work.images[work.test].to(place), bf16=False).cpu()


def install(package: str) -> None:
    """Beside the project, for this comparison alone."""
    if not PEERS.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PEERS), package]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
