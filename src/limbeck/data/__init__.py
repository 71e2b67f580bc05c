"""Sources of domains: reading, splitting, preprocessing. One file, one source."""

from limbeck.data._classes import take
from limbeck.data._data import Data, Preprocessing, Raw
from limbeck.data._prepare import Match, prepare, restore_preprocessing
from limbeck.data._reading import read_table
from limbeck.data._splits import SplitSettings

__all__ = [
    "Data",
    "Match",
    "Preprocessing",
    "Raw",
    "SplitSettings",
    "prepare",
    "read_table",
    "restore_preprocessing",
    "take",
]
