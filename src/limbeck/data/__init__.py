"""Sources of domains: reading, splitting, preprocessing. One file, one source."""

from limbeck.data._data import Data, Preprocessing, Raw

__all__ = ["Data", "Preprocessing", "Raw"]
