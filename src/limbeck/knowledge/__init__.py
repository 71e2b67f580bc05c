"""What the teacher knows, computed once and read many times."""

from limbeck.knowledge._store import Store, label_domain, store_identity

__all__ = ["Store", "label_domain", "store_identity"]
