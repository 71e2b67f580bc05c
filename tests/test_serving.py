"""The student behind HTTP: right answers, clear refusals, a calm end; from a second process, as users meet it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from limbeck.core import Task, UsageError
from limbeck.data import Preprocessing
from limbeck.data._images import ImagePreprocessing
from limbeck.data._tables import TablePreprocessing
from limbeck.export import Exported, Product, write_export
from limbeck.export.torch_export import TorchExport
from limbeck.serving import Limits, make_app, serve

pytestmark = [pytest.mark.extra("serve"), pytest.mark.extra("test")]

TABLE = pd.DataFrame({"age": [20.0, None, 60.0], "ward": ["a", "b", "a"]})
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 6), dtype=np.uint8)
ROW = {"age": 33, "ward": "b"}


def exported(folder: Path, samples: Any, fitted: Preprocessing) -> Path:
    shape = fitted.transform(samples).shape[1:]
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2))
    about = {"name": "small", "row": "distilled", "seed": 0}
    write_export(
        folder, Product(network, fitted, Task("classification", ("no", "yes")), samples, about), [TorchExport()]
    )
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("served") / "export", TABLE, TablePreprocessing().fit(TABLE))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("served") / "images", IMAGES, ImagePreprocessing().fit(IMAGES))


def client(folder: Path, **limits: int) -> Any:
    from starlette.testclient import TestClient

    return TestClient(make_app(Exported(folder, TorchExport()), Limits(**limits)), raise_server_exceptions=False)


def test_a_batch_gets_what_the_folder_predicts(folder: Path) -> None:
    rows = [ROW, {"age": None, "ward": "new"}, {"ward": "a"}, {"age": "20", "ward": "a", "other": True}]
    answer = client(folder).post("/predict", json={"samples": rows})
    assert answer.status_code == 200
    wanted = Exported(folder, TorchExport()).predict(pd.DataFrame(rows)).to_dict("records")
    assert answer.json() == {"predictions": wanted}


def test_pixels_that_were_bytes_are_whole_numbers_or_shares(images: Path) -> None:
    whole = client(images).post("/predict", json={"samples": IMAGES.tolist()}).json()["predictions"]
    shares = client(images).post("/predict", json={"samples": (IMAGES / 255).tolist()}).json()["predictions"]
    wanted = Exported(images, TorchExport()).predict(IMAGES)
    for found in (whole, shares):
        np.testing.assert_allclose([row["p(yes)"] for row in found], wanted["p(yes)"], atol=1e-6)


def test_health_card_and_page(folder: Path) -> None:
    asked = client(folder)
    assert asked.get("/health").json() == {"status": "ok", "name": "small", "row": "distilled", "seed": 0} | {
        "limbeck": asked.get("/openapi.json").json()["info"]["version"]
    }
    assert asked.get("/card").json()["reads"] == "rows with the columns age, ward"
    assert asked.get("/docs").status_code == 200
    body = asked.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    (given,) = body["schema"]["examples"]
    assert asked.post("/predict", json=given).status_code == 200, "the page's example works"


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"{", 400, "The body is not JSON"),
        (b"\xff\xfe", 400, ""),
        (b"[" * 100_000, 400, ""),
        (b"", 400, "The body is not JSON"),
        (b"[]", 422, "The body must be"),
        (b'{"samples": [], "more": 1}', 422, "The body must be"),
        (b'{"samples": []}', 422, "There are no samples"),
        (b'{"samples": [3]}', 422, "Sample 0 must be an object"),
        (b'{"samples": [{"age": 1}]}', 422, "The columns 'ward' are read"),
        (b'{"samples": [{"age": [1], "ward": "a"}]}', 422, "Sample 0, column 'age' must be a text, a number"),
        (b'{"samples": [{"age": "old", "ward": "a"}]}', 422, "Column 'age' holds numbers in the source"),
        (b'{"samples": [{"age": Infinity, "ward": "a"}]}', 422, "Column 'age' holds infinite values"),
        (b'{"samples": [' + b",".join([b'{"age":1,"ward":"a"}'] * 9) + b"]}", 413, "9 samples are too many"),
        (b'{"samples": ["' + b"x" * 5000 + b'"]}', 413, "send at most 4096 bytes"),
    ],
)
def test_what_is_wrong_is_told_as_json(folder: Path, content: bytes, status: int, said: str) -> None:
    asked = client(folder, samples=8, bytes=4096) if status == 413 else client(folder)
    answer = asked.post("/predict", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (status, ["error"]) and said in answer.json()["error"]
    assert asked.post("/predict", json={"samples": [ROW]}).status_code == 200


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([[[1, 2], [3]]], "lists of numbers of one shape"),
        ([[["a"]]], "nested lists of numbers alone"),
        ([[[None]]], "nested lists of numbers alone"),
        ([[[300, 1]]], "Pixels are whole numbers from 0 to 255. Got 1 to 300"),
        ([1], "Images are numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_told(images: Path, samples: list[Any], said: str) -> None:
    answer = client(images).post("/predict", json={"samples": samples})
    assert answer.status_code == 422 and said in answer.json()["error"]


def test_other_paths_and_failures_are_told_as_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client(folder).get("/nothing").json() == {"error": "Not Found"}
    assert client(folder).get("/predict").json() == {"error": "Method Not Allowed"}
    monkeypatch.setattr(Exported, "predict", lambda self, inputs: 1 / 0)
    answer = client(folder).post("/predict", json={"samples": [ROW]})
    assert answer.status_code == 500 and "server's log" in answer.json()["error"]


@pytest.mark.parametrize("limits", [{"samples": 0}, {"bytes": -1}])
def test_limits_are_positive(limits: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="of serve must be ≥ 1"):
        Limits(**limits)


def test_what_has_no_export_and_a_port_that_is_taken_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no exported student\. `limbeck export"):
        serve(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="Choose another port"):
        serve(folder.parent, port=taken.getsockname()[1])


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and its address."""
    start = "import sys; from limbeck.cli import main; sys.argv[0] = 'limbeck'; main()"
    command = [sys.executable, "-c", start, "serve", str(folder.parent), "--port", "0"]
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    found = re.match(r"(http://127\.0\.0\.1:\d+) answers", said)
    assert found, said + process.stdout.read()
    try:
        yield process, found[1]
    finally:
        process.kill()
        process.wait()


def test_it_answers_another_process_and_ends_calmly(served: tuple[subprocess.Popen[str], str]) -> None:
    import httpx

    process, address = served
    with httpx.Client(base_url=address, timeout=60) as asked:
        for _ in range(20):
            assert asked.post("/predict", json={"samples": [ROW] * 3}).status_code == 200
        chunks = (b"x" * 2**20 for _ in range(20))
        refused = httpx.post(f"{address}/predict", content=chunks, timeout=60)
        assert refused.status_code == 413 and "send at most" in refused.json()["error"]
        assert asked.get("/health").json()["status"] == "ok"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stdout is not None and process.stdout.read() == ""


@pytest.mark.slow
def test_a_thousand_questions_are_answered(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    asking = """
import json, sys, concurrent.futures, httpx
address, row = sys.argv[1], json.loads(sys.argv[2])
with httpx.Client(base_url=address, timeout=120) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
    ask = lambda size: client.post("/predict", json={"samples": [row] * (1 + size % 33)})
    answers = list(pool.map(ask, range(1000)))
print(sum(a.status_code == 200 and len(a.json()["predictions"]) == 1 + i % 33 for i, a in enumerate(answers)))
"""
    command = [sys.executable, "-c", asking, address, json.dumps(ROW)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "1000"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
