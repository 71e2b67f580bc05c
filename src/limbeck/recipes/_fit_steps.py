"""Whether the steps of a row's compression suit its network and the data, told before anything trains."""

from __future__ import annotations

import copy

from limbeck.core import UsageError
from limbeck.methods import Method
from limbeck.recipes._context import Context
from limbeck.recipes._keys import Row
from limbeck.recipes._schema import Faults

__all__ = ["check_steps_fit"]

SHOWN = 8
"""So many samples are shown to each step."""


def check_steps_fit(context: Context, name: str, method: Method | None, faults: Faults) -> None:
    """Try each step on the untrained network of the row, built for these data."""
    row: Row = context.plan.rows[name].make()
    if not row.compress or method is None:
        return
    inputs = context.target.split_inputs("train", SHOWN)
    if not len(inputs):
        faults.add(f"rows.{name}.compress", f"It looks at unlabelled training samples of {context.target.name}: none.")
        return
    network = copy.deepcopy(method.evaluated.network).eval()
    for place, step in enumerate(row.compress):
        try:
            step.step.check(network, inputs)
            network = step.step.shrunk(network, inputs)
        except UsageError as error:
            faults.add(f"rows.{name}.compress[{place}]", error)
            return
