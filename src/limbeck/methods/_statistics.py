from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["still_statistics"]


@contextlib.contextmanager
def still_statistics(module: nn.Module) -> Iterator[None]:
    """Inside the block batch normalisation keeps its running statistics as they are.

    In training mode it goes on to normalise by the batch, so that samples nobody will meet, such as mixtures, leave
    no trace in what evaluation normalises by.

    >>> import torch
    >>> norm = nn.BatchNorm1d(2)
    >>> with still_statistics(norm):
    ...     _ = norm(torch.randn(4, 2) + 5)
    >>> norm.running_mean
    tensor([0., 0.])
    """
    norms = [(part, part.track_running_stats) for part in module.modules() if isinstance(part, _BatchNorm)]
    for norm, _ in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, tracked in norms:
            norm.track_running_stats = tracked
