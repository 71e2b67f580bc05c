"""Augmentations: inputs changed by chance, as a function of (seed, sample, view). One file, one augmentation."""

from limbeck.augmentations._augmentation import Augmentation
from limbeck.augmentations._views import Views

__all__ = ["Augmentation", "Views"]
