"""Shallow methods of skada (pip install skada) on fixed features, to stand beside ours in the same run."""

from __future__ import annotations

import warnings

import numpy as np

__all__ = ["PEERS", "predicted"]

PEERS = {
    "skada CORAL": ("CORALAdapter", {}),
    "skada subspace": ("SubspaceAlignmentAdapter", {"n_components": 30}),
    "skada linear OT": ("LinearOTMappingAdapter", {}),
    "skada OT": ("OTMappingAdapter", {}),
    "skada TCA": ("TransferComponentAnalysisAdapter", {"n_components": 30}),
}
"""How a table calls them, and skada; its own settings, but that two of them cannot keep all of 800 directions."""


def predicted(name: str, source: np.ndarray, labels: np.ndarray, target: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Classes of the test rows: of a logistic regression behind the method, which sees the target unlabelled."""
    import skada
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    adapter, settings = PEERS[name]
    model = skada.make_da_pipeline(
        StandardScaler(), getattr(skada, adapter)(**settings), LogisticRegression(max_iter=2000)
    )
    hidden = np.full(len(target), -1)  # what skada takes for a label that is not known
    domain = np.repeat([1, -2], [len(source), len(target)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own use of scikit-learn
        model.fit(np.concatenate([source, target]), np.concatenate([labels, hidden]), sample_domain=domain)
        return model.predict(test, sample_domain=np.full(len(test), -2))
