from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from limbeck.networks import Observed, evaluating

__all__ = ["renew_statistics", "still_statistics"]


@contextlib.contextmanager
def still_statistics(module: nn.Module) -> Iterator[None]:
    """Inside the block batch normalisation keeps its running statistics as they are.

    In training mode it goes on to normalise by the batch, so that samples nobody will meet, such as mixtures, leave
    no trace in what evaluation normalises by.

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


@torch.no_grad()
def renew_statistics(student: Observed, batches: Iterable[Tensor]) -> None:
    """Estimate the running means and variances of batch normalisation anew, as the means of those of the batches.

    Everything else, dropout too, is as in evaluation, as it will be when they are used; nothing is drawn.

    >>> norm = nn.BatchNorm1d(1)
    >>> renew_statistics(Observed(nn.Sequential(norm, nn.Linear(1, 2))), [torch.tensor([[1.0], [3.0]])])
    >>> norm.running_mean, norm.running_var
    (tensor([2.]), tensor([2.]))
    """
    norms = [part for part in student.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    with evaluating(student):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over the batches
            norm.train()
        for batch in batches:
            student(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
