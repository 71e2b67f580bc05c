"""Which operator of which layer a format or a runtime does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch.export import ExportedProgram
from torch.fx import Node

from limbeck.core import UsageError

__all__ = ["said", "unknown_operator"]


def said(error: BaseException) -> str:
    """The first line of what an error says, with a full stop."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    first = next(filter(None, lines), type(error).__name__)
    return first if first.endswith((".", "!")) else f"{first}."


def unknown_operator(program: ExportedProgram, error: Exception, form: str) -> UsageError:
    """The sentence for an error of a converter: the operator and the layer where its text names one."""
    for cause in reversed(list(_causes(error))):
        for node in _calls(program):
            if _is_named(_operator(node), str(cause)):
                return UsageError(
                    f"{form} does not know the operator {_operator(node)} of the layer {_layer(node)}. Replace it "
                    "there, or export to another format (--format)."
                )
    return UsageError(f"{form} cannot take this network: {said(list(_causes(error))[-1])}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _calls(program: ExportedProgram) -> Iterator[Node]:
    """The operators as they were traced, then those that they are made of, as converters name either."""
    for graph in (program.graph, program.run_decompositions().graph):
        yield from (node for node in graph.nodes if node.op == "call_function")


def _operator(node: Node) -> str:
    return str(node.target).removesuffix(".default")


def _is_named(operator: str, text: str) -> bool:
    """`aten.foo`, also written `aten::foo`; a longer name that begins so is another one."""
    return re.search(rf"\b{re.escape(operator).replace(chr(92) + '.', '(?:[.]|::)')}(?![A-Za-z0-9_])", text) is not None


def _layer(node: Node) -> str:
    """The module in which an operator stands: its name and its class."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    if not stack:
        return "of the network itself"
    name, kind = stack[-1]
    return f"{name or 'network'!r} ({str(kind).rpartition('.')[2]})"
