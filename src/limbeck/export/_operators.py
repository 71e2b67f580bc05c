"""Which operator of which layer a format or a runtime does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch.export import ExportedProgram
from torch.fx import Node

from limbeck.core import UsageError

__all__ = ["said", "unknown_operator"]

NAMED = re.compile(r"\b(?:aten|prims|quantized)(?:\.|::)(\w+)")
"""How a converter's text names an operator; the primitive of `special_bessel_j1` is `bessel_j1`."""


def said(error: BaseException) -> str:
    """The first line of what an error says, with a full stop."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    first = next(filter(None, lines), type(error).__name__)
    return first if first.endswith((".", "!")) else f"{first}."


def unknown_operator(program: ExportedProgram, error: Exception, form: str) -> UsageError:
    """The sentence for an error of a converter: the operator and the layer, where its text names one."""
    causes = list(_causes(error))
    calls = list(_calls(program))
    for cause in reversed(causes):
        told = set(NAMED.findall(str(cause)))
        for node in calls:
            operator = str(node.target).removesuffix(".default")
            name = operator.split(".")[1] if "." in operator else operator
            if any(name == word or name.endswith(f"_{word}") for word in told):
                return UsageError(
                    f"{form} does not know the operator {operator} of the layer {_layer(node)}. Replace it there, or "
                    "export to another format."
                )
    return UsageError(f"{form} cannot take this network: {said(causes[-1])}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _calls(program: ExportedProgram) -> Iterator[Node]:
    """The operators as they were traced, then those that they are made of, as a converter may name either."""
    for graph in (program.graph, program.run_decompositions().graph):
        yield from (node for node in graph.nodes if node.op == "call_function")


def _layer(node: Node) -> str:
    """The module in which an operator stands: its name and its class."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    if not stack:
        return "that is the network itself"
    name, kind = stack[-1]
    return f"{name or 'network'!r} ({str(kind).rpartition('.')[2]})"
