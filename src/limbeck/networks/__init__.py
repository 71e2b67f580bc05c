"""Networks that become teachers and students. One file, one network; any nn.Module by its dotted path too."""

from limbeck.networks._network import Network
from limbeck.networks._observed import Observed, evaluating, head_of

__all__ = ["Network", "Observed", "evaluating", "head_of"]
