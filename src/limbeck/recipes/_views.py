"""Which augmented views a training shows, by stream."""

from __future__ import annotations

from typing import Literal

from limbeck.augmentations import Views
from limbeck.core import stream_seed
from limbeck.methods import Method
from limbeck.recipes._keys import KnowledgePlan
from limbeck.recipes._nodes import ObjectNode
from limbeck.recipes._plan import Plan

__all__ = ["views_of"]


def views_of(plan: Plan, node: ObjectNode, method: Method, seed: int) -> dict[str, Views]:
    """The views of each stream that a row or a teacher reads; none where nothing is augmented.

    Without end, but as many as the store has where its knowledge is read. What combines samples
    leaves out the streams whose labels are read, since a label is that of one sample.
    """
    found = {stream: _views(plan, node, method, stream, seed) for stream in method.reads()}
    return {stream: views for stream, views in found.items() if views.parts}


def _views(plan: Plan, node: ObjectNode, method: Method, stream: str, seed: int) -> Views:
    domain: Literal["source", "target"] = "source" if stream == "source" else "target"
    labelled = stream != "target" or "target_labels" in method.requires()
    suited = [part for part in plan.augmentation(node, domain) if not (labelled and part.mixes)]
    taught = {"source" if name == "source" else "target" for name in method.knowledge_streams()}
    settings: KnowledgePlan = plan.make("knowledge")
    return Views(suited, stream_seed(seed, "views", domain), settings.views if domain in taught else None)
