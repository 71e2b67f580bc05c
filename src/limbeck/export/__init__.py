"""A student's file for a device: written, and run at once by its own runtime. One file, one format."""

from limbeck.export._export import Export, Runner, export_network, traced
from limbeck.export._exported import Exported, Product, is_export, read_manifest, write_export
from limbeck.export._inputs import described, example, is_tabular
from limbeck.export._parity import Parity, compare, latency

__all__ = [
    "DEFAULT",
    "Export",
    "Exported",
    "Parity",
    "Product",
    "Runner",
    "compare",
    "described",
    "example",
    "export_network",
    "is_export",
    "is_tabular",
    "latency",
    "read_manifest",
    "traced",
    "write_export",
]

DEFAULT = "onnx"
"""The format where nobody says another."""
