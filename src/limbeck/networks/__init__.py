"""Networks that become teachers and students. One file, one network; any nn.Module by its dotted path too."""

from limbeck.networks._network import Network
from limbeck.networks._observed import INPUTS, Observed, evaluating, head_of

__all__ = ["INPUTS", "Network", "Observed", "evaluating", "head_of"]
