"""The ONNX file: its names, what it says of itself, and that other tools can work on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.core import UsageError
from limbeck.export import compare, export_network
from limbeck.export.onnx import Onnx
from limbeck.networks.cnn import Cnn

pytestmark = pytest.mark.extra("onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module, torch.Tensor]:
    folder = tmp_path_factory.mktemp("onnx")
    torch.manual_seed(0)
    network = Cnn(widths=[4, 8], hidden=8)
    network.build((1, 12, 12), 3)
    samples = torch.randn(40, 1, 12, 12)
    export_network(network.eval(), samples, folder, Onnx(), {"task": {"classes": ["a", "b", "ü"]}})
    return folder / "model.onnx", network, samples


def test_names_batch_and_metadata(exported: tuple[Path, nn.Module, torch.Tensor]) -> None:
    import onnx

    model = onnx.load(exported[0])
    onnx.checker.check_model(model, full_check=True)
    sizes = [[axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in _ends(model)]
    assert sizes == [["batch", 1, 12, 12], ["batch", 3]]
    assert [value.name for value in _ends(model)] == ["inputs", "logits"]
    (about,) = model.metadata_props
    assert about.key == "limbeck" and json.loads(about.value)["task"]["classes"] == ["a", "b", "ü"]
    assert [entry.version for entry in model.opset_import] == [20]


def _ends(model: object) -> list[object]:
    return [*model.graph.input, *model.graph.output]


def test_nodes_are_named_by_layers_and_no_file_of_the_machine_is_told(
    exported: tuple[Path, nn.Module, torch.Tensor],
) -> None:
    import onnx

    names = [node.name for node in onnx.load(exported[0]).graph.node]
    assert len(set(names)) == len(names)
    layers = {name.partition("/")[0] for name in names}
    assert {"body.1", "body.5", "head"} <= layers, "a convolution has the name of the normalisation that it absorbed"
    assert b".py" not in exported[0].read_bytes()


def test_it_can_be_quantised_by_onnxruntime(exported: tuple[Path, nn.Module, torch.Tensor], tmp_path: Path) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    path, network, samples = exported

    class Rows(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = iter([{"inputs": samples.numpy()}])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rows, None)

    quantization.quantize_static(path, tmp_path / "int8.onnx", Rows())
    parity = compare(Onnx().runner(tmp_path / "int8.onnx"), network, samples)
    assert 1e-4 < parity.difference < 0.1


def test_an_older_opset_can_be_asked_for(tmp_path: Path) -> None:
    import onnx

    export_network(nn.Linear(3, 2), torch.randn(4, 3), tmp_path, Onnx(opset=18))
    assert [entry.version for entry in onnx.load(tmp_path / "model.onnx").opset_import] == [18]
    for opset in (17, 24):
        with pytest.raises(UsageError, match="The 'opset' of onnx must be from 18 to 23"):
            Onnx(opset=opset)


def test_a_runtime_that_lacks_an_operator_names_its_layer(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("Softplus", ["inputs"], ["logits"], name="body.3/softplus")
    ends = [helper.make_tensor_value_info(name, TensorProto.BFLOAT16, [None, 2]) for name in ("inputs", "logits")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UsageError, match=r"onnxruntime cannot run model.onnx: .*Softplus.*'body\.3/softplus'"):
        Onnx().runner(tmp_path / "model.onnx")


def test_weights_that_one_file_cannot_hold_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limbeck.export.onnx.LARGEST", 100)
    with pytest.raises(UsageError, match=r"less than 2 GB, .* Linear are .* Export it as torch_export"):
        export_network(nn.Linear(6, 4), torch.randn(4, 6), tmp_path, Onnx())
    assert not list(tmp_path.iterdir())
