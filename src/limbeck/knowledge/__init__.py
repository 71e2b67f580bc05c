"""What the teacher knows, computed once and read many times."""

from limbeck.knowledge._identity import Labelling, differences, store_identity
from limbeck.knowledge._inventory import describe_store, find_stores, prune_store
from limbeck.knowledge._keeping import Keeping
from limbeck.knowledge._label import label_domain
from limbeck.knowledge._reader import Live, Reader
from limbeck.knowledge._store import Store

__all__ = [
    "Keeping",
    "Labelling",
    "Live",
    "Reader",
    "Store",
    "describe_store",
    "differences",
    "find_stores",
    "label_domain",
    "prune_store",
    "store_identity",
]
