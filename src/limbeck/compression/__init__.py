"""What makes a trained student smaller. One file, one step; steps are chained, and fine-tuned one by one."""

from limbeck.compression._compression import TUNING, Compression
from limbeck.compression._costs import Costs, costs_of
from limbeck.compression._counts import multiply_adds, network_bytes
from limbeck.compression._forms import Runtime, form_of
from limbeck.compression._layers import layer_changes, with_changes

__all__ = [
    "TUNING",
    "Compression",
    "Costs",
    "Runtime",
    "costs_of",
    "form_of",
    "layer_changes",
    "multiply_adds",
    "network_bytes",
    "with_changes",
]
