"""Random numbers of samples: a function of (seed, name, sample, view) alone, whatever else is in the batch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core.seeds import stream_seed

__all__ = ["Draws"]

WORD = 0xFFFFFFFF
ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)


@dataclass(frozen=True)
class Draws:
    """The random numbers of a batch of samples, each a function of (seed, names, sample, view) alone.

    Counter-based (Philox4x32-10, Salmon et al. 2011, table 2): nothing is drawn "before", so a sample gets the
    same numbers alone, in any batch, in any order, in any process and on any device.

    seed: of the stream. index: [n], each sample's place in its domain, ≥ 0. view: which of a sample's views,
    one for all or one each, in [0, 2³²). names: what comes before the names of each call, see `named`.

    >>> together, alone = Draws(0, torch.tensor([3, 7]), 1), Draws(0, torch.tensor([7]), 1)
    >>> together.uniform("angle")[1].equal(alone.uniform("angle")[0])
    True
    """

    seed: int
    index: Int[Tensor, " n"]
    view: int | Int[Tensor, " n"] = 0
    names: tuple[str | int, ...] = ()

    def __len__(self) -> int:
        return self.index.shape[0]

    def named(self, *names: str | int) -> Draws:
        """The same samples with numbers of their own, for one of several users of them.

        >>> draws = Draws(0, torch.arange(2))
        >>> draws.named("a").uniform("x").equal(draws.named("b").uniform("x"))
        False
        """
        return replace(self, names=(*self.names, *names))

    def uniform(self, *names: str | int, size: tuple[int, ...] = ()) -> Float[Tensor, " n *size"]:
        """Uniform in [0, 1): float32, in steps of 2⁻²⁴.

        >>> Draws(0, torch.arange(5)).uniform("crop", size=(2,)).shape
        torch.Size([5, 2])
        """
        words = self._words(names, math.prod(size))
        return ((words >> 8).float() * 2.0**-24).reshape(len(self), *size)

    def normal(self, *names: str | int, size: tuple[int, ...] = ()) -> Float[Tensor, " n *size"]:
        """Standard normal, float32, |z| < 6.7 (Box & Muller 1958).

        >>> Draws(0, torch.arange(5)).normal("noise", size=(2, 3)).shape
        torch.Size([5, 2, 3])
        """
        count = math.prod(size)
        # Kernels round logarithms and sines differently in their tails; rounding from float64 removes that.
        first, second = self._words(names, count + count % 2).double().unflatten(1, (-1, 2)).unbind(2)
        radius = ((first + 1) * 2.0**-32).log_().mul_(-2).sqrt_()
        angle = second.mul_(2 * math.pi * 2.0**-32)
        pairs = torch.stack([(radius * angle.cos()).float(), (radius * angle.sin()).float()], 2)
        return pairs.flatten(1)[:, :count].reshape(len(self), *size)

    def _words(self, names: tuple[str | int, ...], count: int) -> Int[Tensor, "n count"]:
        """Random 32-bit words, in int64."""
        key = stream_seed(self.seed, "augment", *self.names, *names)
        sample = self.index.long()[:, None]
        view = torch.full_like(sample, self.view) if isinstance(self.view, int) else self.view.long()[:, None]
        blocks = torch.arange(-(-count // 4), device=sample.device)[None]
        words = philox((sample & WORD, (sample >> 32) & WORD, view & WORD, blocks), (key & WORD, key >> 32))
        return torch.stack(torch.broadcast_tensors(*words), 2).flatten(1)[:, :count]


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Philox4x32-10: four random 32-bit words of each counter, as Random123 gives them, in int64.

    The counter's words may be of different shapes that broadcast; those of the result do too.

    >>> zero = torch.zeros(1, dtype=torch.int64)
    >>> [hex(int(word)) for word in philox((zero, zero, zero, zero), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    a, b, c, d = counter
    for step in range(ROUNDS):
        first, second = ((word + step * add) & WORD for word, add in zip(key, KEY_STEPS, strict=True))
        # The product of two words fills 64 bits: it wraps in int64, its bits are right, and the mask drops the sign.
        low, high = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        above, below = (high >> 32) ^ b, (low >> 32) ^ d
        above ^= first
        below ^= second
        a, b, c, d = (word.bitwise_and_(WORD) for word in (above, high, below, low))
    return a, b, c, d
