"""Parity and latency of each network in each format, and what INT8 changes: python benchmarks/export.py [networks …]

Each network learns 1,200 scanned digits of 1×16×16 pixels for a few epochs; the other 597 are what is compared on, and
what accuracy is measured on. INT8 is calibrated on 256 of the images that were learnt, and not trained for.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from limbeck.compression.quantise import Quantise
from limbeck.evaluation import paired_bootstrap
from limbeck.export import Export, Parity, compare, export_network
from limbeck.export.executorch import Executorch
from limbeck.export.onnx import Onnx
from limbeck.export.torch_export import TorchExport
from limbeck.networks import Network
from limbeck.networks.cnn import Cnn
from limbeck.networks.denoising import Denoising
from limbeck.networks.mlp import Mlp
from limbeck.networks.resnet import Resnet

NETWORKS: dict[str, Network] = {
    "mlp": Mlp(hidden=[128, 64]),
    "denoising": Denoising(layers=2, width=64),
    "cnn": Cnn(),
    "resnet": Resnet(depth=20),
}
FORMS: list[Export] = [Onnx(), TorchExport(), Executorch()]
INT8 = [Quantise(), Quantise(runtime="executorch")]
LEARNT, CALIBRATED = 1200, 256


def digits() -> tuple[Tensor, Tensor]:
    """Scanned digits, enlarged to 1×16×16 and standardised, and their labels."""
    scans = load_digits()
    images = torch.from_numpy(scans.images).float()[:, None]
    images = nn.functional.interpolate(images, (16, 16), mode="bilinear", align_corners=False)
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return ((images - images.mean()) / images.std())[rows], torch.from_numpy(scans.target)[rows]


def learn(network: nn.Module, images: Tensor, labels: Tensor, epochs: int = 6) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimiser.step()
    network.eval()


def main(names: list[str]) -> None:
    print("| network | format | bytes | difference | same answer | accuracy lost | ms, batch 1 | ms, batch 32 |")
    print("|---|---|---|---|---|---|---|---|")
    images, labels = digits()
    for name in names or list(NETWORKS):
        torch.manual_seed(0)
        network = NETWORKS[name]
        network.build((1, 16, 16), 10)
        learn(network, images[:LEARNT], labels[:LEARNT])
        with tempfile.TemporaryDirectory() as scratch:
            folder, samples = Path(scratch), images[LEARNT:]
            for form in FORMS:
                parity = export_network(network, samples, folder, form)
                show(name, _named(form), (folder / form.file).stat().st_size, parity, "")
            for step in INT8:
                form, path = step.form, folder / f"int8.{step.runtime}"
                assert form is not None
                step.write(network, images[:CALIBRATED], path, {})
                parity = compare(form.runner(path, threads=1), network, samples)
                said = torch.from_numpy(form.runner(path)(samples.numpy()))
                lost = accuracy_lost(network, samples, said, labels[LEARNT:])
                show(name, f"INT8, {step.runtime}", path.stat().st_size, parity, lost)


def accuracy_lost(network: nn.Module, samples: Tensor, said: Tensor, labels: Tensor) -> str:
    with torch.no_grad():
        before = network(samples).argmax(1) == labels
    after = said.argmax(1) == labels
    found = paired_bootstrap(before.double()[None].numpy(), after.double()[None].numpy())
    return f"{100 * found.difference:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def show(network: str, form: str, size: int, parity: Parity, lost: str) -> None:
    low, high = parity.interval or (0.0, 1.0)
    same = f"{100 * (parity.agreement or 0):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    times = " | ".join(f"{parity.file[batch].median:.3g}" for batch in (1, 32))
    print(f"| {network} | {form} | {size:,} | {parity.difference:.1g} | {same} | {lost} | {times} |", flush=True)


def _named(form: Export) -> str:
    return type(form).__module__.rpartition(".")[2]


if __name__ == "__main__":
    main(sys.argv[1:])
