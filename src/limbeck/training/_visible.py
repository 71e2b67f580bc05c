from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from limbeck.core import DomainView, UsageError
from limbeck.methods import Method

__all__ = ["visible_domains"]


class _TargetAlone(dict[str, DomainView]):
    """The domains of a source-free training: there is no source in it to be read."""

    def __missing__(self, domain: str) -> NoReturn:
        raise UsageError(
            f"The {domain} is not there: the method says that it is source-free, and it or one of its parts reads the "
            f"{domain} all the same. Leave out what reads it, or the claim."
        )


def visible_domains(domains: Mapping[str, DomainView], method: Method) -> Mapping[str, DomainView]:
    """The domains that a method's training may see: of a source-free one the target alone.

    Anything that asks for the source of such a training gets a `UsageError`.
    """
    return _TargetAlone(target=domains["target"]) if method.source_free else domains
