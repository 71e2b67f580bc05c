"""What a student reads, in words and as an example that it can predict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.data import Preprocessing
from limbeck.data._images import ImagePreprocessing
from limbeck.data._tables import TablePreprocessing
from limbeck.data._text import TextPreprocessing, Words
from limbeck.data._vectors import VectorPreprocessing
from limbeck.export import described, example, is_tabular
from limbeck.export._device.preprocessing import prepare
from limbeck.export._inputs import cells

TABLE = pd.DataFrame({"age": [20.0, 40.0], "ward": ["a", "b"], "seen": ["2024-01-01", "2024-01-05"]})
TEXTS = pd.DataFrame({"text": ["good film", "bad film"]})


@pytest.mark.parametrize(
    ("fitted", "said"),
    [
        (TablePreprocessing().fit(TABLE), "rows with the columns age, ward, seen"),
        (TextPreprocessing(["text"], Words(min_df=1)).fit(TEXTS), "texts in the columns text, as 3 words"),
        (ImagePreprocessing(5).fit(np.ones((2, 8, 8))), "images of 1 × 5 × 5 pixels, resized where they have others"),
        (VectorPreprocessing().fit(np.eye(3)), "vectors of 3 numbers"),
    ],
)
def test_the_example_is_one_sample_that_can_be_read(fitted: Preprocessing, said: str) -> None:
    state = fitted.state()
    assert described(state) == said
    (sample,) = example(state)
    given: Any = {name: [value] for name, value in sample.items()} if is_tabular(state) else np.array([sample])
    assert len(prepare(state, given)) == 1


def test_cells_are_plain_values() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.5, None],
            "whole": np.array([1, 2], dtype=np.int8),
            "truth": [True, False],
            "seen": pd.to_datetime(["2024-02-29 12:00", None]),
            "text": ["a", None],
        }
    )
    found = cells(frame)
    assert found == {
        "number": [1.5, None],
        "whole": [1, 2],
        "truth": [True, False],
        "seen": ["2024-02-29T12:00:00", None],
        "text": ["a", None],
    }
    assert all(type(value) in (float, int, bool, str, type(None)) for column in found.values() for value in column)
    values = np.eye(2)
    assert cells(values).tolist() == values.tolist()
