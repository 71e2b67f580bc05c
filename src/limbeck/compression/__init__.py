"""What makes a trained student smaller. One file, one step; steps are chained, and each is fine-tuned."""

from limbeck.compression._compression import Compression
from limbeck.compression._layers import layer_changes, with_changes

__all__ = ["Compression", "layer_changes", "with_changes"]
