"""Networks that become teachers and students. One file, one network; any nn.Module by its dotted path too."""

from limbeck.networks._network import Network

__all__ = ["Network"]
