"""Sources of the ranking benchmark, as files: real domains, and such as are useless or hard to judge."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from sklearn.datasets import load_breast_cancer
from torch.nn import functional

from limbeck.core.files import atomic_path
from limbeck.data.digits import Digits
from limbeck.data.mnist import Mnist
from limbeck.data.usps import Usps

FAMILIES = {
    "digits": ("scan", "photo", "usps", "mnist"),
    "hospitals": ("cleveland", "hungary", "switzerland", "va_long_beach"),
    "reviews": ("books", "dvd", "electronics", "kitchen"),
}
LIMIT, SIZE = 800, 16

FEW = {"digits": 8, "hospitals": 20, "reviews": 20}
"""Samples a class of a source that has few."""

Samples = tuple[np.ndarray | pd.DataFrame, np.ndarray]


def node(folder: Path, family: str, name: str) -> dict[str, Any]:
    """The data part of a domain, or of one that was spoiled: `books-shuffled`."""
    path = folder / f"{name}{'.npz' if family == 'digits' else '.parquet'}"
    if not path.exists():
        origin, _, way = name.partition("-")
        inputs, labels = domain(origin) if not way else spoiled(family, origin, way)
        with atomic_path(path) as temporary:
            if isinstance(inputs, pd.DataFrame):
                inputs.assign(label=labels).to_parquet(temporary)
            else:
                np.savez(temporary, inputs=inputs, labels=labels)
    if family == "digits":
        return {"arrays": {"path": str(path)}}
    if family == "hospitals":
        return {"csv": {"path": str(path), "label": "label"}}
    return {"text": {"path": str(path), "label": "label", "max_features": 500, "deduplicate": True}}


def domain(name: str) -> Samples:
    """Inputs and class names of a real domain, at most LIMIT samples."""
    folder = Path(os.environ["LIMBECK_DATA"])
    if name in FAMILIES["digits"]:
        parts = {
            "scan": Digits("scan"),
            "photo": Digits("photo"),
            "usps": Usps(limit=LIMIT),
            "mnist": Mnist(limit=LIMIT),
        }
        raw = parts[name].load()
        images = torch.from_numpy(np.asarray(raw.inputs[:LIMIT])).float()
        images = images[:, None] if images.ndim == 3 else images.mean(1, keepdim=True)
        images /= 255 if raw.inputs.dtype == np.uint8 else 1
        return functional.interpolate(images, SIZE, mode="area").numpy(), raw.labels[:LIMIT].astype(str)
    if name in FAMILIES["hospitals"]:
        table = pd.read_csv(folder / "heart_disease" / f"{name}.csv")
        return table.drop(columns="num"), np.where(table["num"] > 0, "sick", "well")
    table = pd.read_csv(folder / "amazon_reviews" / f"{name}.csv.gz").sample(LIMIT, random_state=0)
    texts = table["title"].fillna("") + " " + table["text"].fillna("")
    return pd.DataFrame({"text": texts.to_numpy()}), np.where(table["label"] > 0, "good", "bad")


def spoiled(family: str, name: str, way: str) -> Samples:
    """A domain made useless, or hard to judge."""
    inputs, labels = domain(name)
    random, classes = np.random.default_rng(0), np.unique(labels)
    if way == "shuffled":
        return inputs, random.permutation(labels)
    if way == "permuted":
        return inputs, classes[(np.searchsorted(classes, labels) + 1) % len(classes)]
    if way == "noisy":
        return inputs, np.where(random.random(len(labels)) < 0.5, random.choice(classes, len(labels)), labels)
    if way == "scrambled":
        return scrambled(inputs, random), labels
    if way == "few":
        rows = np.concatenate([np.flatnonzero(labels == found)[: FEW[family]] for found in classes])
        return (inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]), labels[rows]
    return {"digits": letters, "hospitals": tumours, "reviews": topics}[family]()


def scrambled(inputs: np.ndarray | pd.DataFrame, random: np.random.Generator) -> np.ndarray | pd.DataFrame:
    """Inputs that say nothing of their labels: random pixels, columns shuffled apart, words of any text."""
    if isinstance(inputs, np.ndarray):
        return random.random(inputs.shape, dtype=np.float32)
    if "text" not in inputs:
        return inputs.apply(lambda column: random.permutation(column.to_numpy()))
    words = " ".join(inputs["text"]).split()
    return pd.DataFrame({"text": [" ".join(random.choice(words, len(text.split()))) for text in inputs["text"]]})


def letters() -> Samples:
    """Ten letters of an alphabet, as if they were the ten digits."""
    images: list[np.ndarray] = []
    labels: list[str] = []
    with zipfile.ZipFile(Path(os.environ["LIMBECK_DATA"]) / "omniglot/images_background_small1.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        folders = list(dict.fromkeys(name.rpartition("/")[0] for name in names))[:10]
        for name in names:
            if (folder := name.rpartition("/")[0]) in folders:
                drawn = (
                    Image.open(io.BytesIO(archive.read(name))).convert("L").resize((SIZE, SIZE), Image.Resampling.BOX)
                )
                images.append(1 - np.asarray(drawn, dtype=np.float32) / 255)
                labels.append(str(folders.index(folder)))
    return np.stack(images)[:, None], np.array(labels)


def tumours() -> Samples:
    """Another disease, its measurements under the names of the hospitals' columns."""
    data, columns = load_breast_cancer(), domain("cleveland")[0].columns
    return pd.DataFrame(data.data[:, : len(columns)], columns=columns), np.where(data.target, "well", "sick")


def topics() -> Samples:
    """What a review is of, electronics or kitchen, as if it were its judgement."""
    parts = [domain(name)[0][: LIMIT // 2] for name in ("electronics", "kitchen")]
    return pd.concat(parts, ignore_index=True), np.repeat(["good", "bad"], LIMIT // 2)
