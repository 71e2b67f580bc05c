"""Parity and latency of each network in each format: python benchmarks/export.py [networks …]"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from limbeck.export import Export, export_network
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


def digits() -> Tensor:
    """256 scanned digits, enlarged to 1×32×32 and standardised."""
    images = torch.from_numpy(load_digits().images[:256]).float()[:, None]
    images = torch.nn.functional.interpolate(images, (32, 32), mode="bilinear", align_corners=False)
    return (images - images.mean()) / images.std()


def main(names: list[str]) -> None:
    print("| network | format | bytes | difference | same answer | ms, batch 1 | ms, batch 32 | PyTorch 1, 32 |")
    print("|---|---|---|---|---|---|---|---|")
    samples = digits()
    for name in names or list(NETWORKS):
        torch.manual_seed(0)
        network = NETWORKS[name]
        network.build((1, 32, 32), 10)
        network.train()(samples)  # statistics of its own for the normalisations
        for form in FORMS:
            with tempfile.TemporaryDirectory() as folder:
                parity = export_network(network, samples, Path(folder), form)
                size = (Path(folder) / form.file).stat().st_size
            times = [f"{parity.file[size].median:.3g} ({parity.file[size].p95:.3g})" for size in (1, 32)]
            own = ", ".join(f"{parity.pytorch[size].median:.3g}" for size in (1, 32))
            format_name = type(form).__module__.rpartition(".")[2]
            told = f"{size} | {parity.difference:.1g} | {100 * (parity.agreement or 0):.1f} % | {' | '.join(times)}"
            print(f"| {name} | {format_name} | {told} | {own} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
