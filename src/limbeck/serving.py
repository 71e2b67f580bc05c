"""An exported student behind HTTP: a question is a batch of samples as JSON, the answer their predictions."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt
from pydantic import BaseModel

import limbeck
from limbeck.core import UsageError, bad_value, missing_extra
from limbeck.core.files import read_json
from limbeck.export import Exported, described, example, is_export, is_tabular
from limbeck.recipes import load_export

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["Limits", "make_app", "serve"]

DRAINED = 4
"""A body is read up to so many times the allowed size, before the connection is closed."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """What one question may hold: so many samples, so many bytes."""

    samples: Annotated[int, Gt(0)] = 1024
    bytes: Annotated[int, Gt(0)] = 16 * 2**20

    def __post_init__(self) -> None:
        for name in ("samples", "bytes"):
            if getattr(self, name) < 1:
                raise bad_value(name, "serve", "≥ 1", getattr(self, name))


def serve(folder: Path, host: str = "127.0.0.1", port: int = 8000, limits: Limits | None = None) -> None:
    """Answer until Ctrl-C or SIGTERM, which let the questions at work be answered first.

    folder: an exported folder, or a run folder with one. port: 0 for any that is free; the address is printed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise missing_extra("uvicorn", "serve", "Serving") from error
    app = make_app(load_export(_exported(folder)), limits or Limits())
    with _listening(host, port) as listening:
        address, chosen = listening.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        print(f"http://{shown}:{chosen} answers; its page: /docs. Ctrl-C ends it.", flush=True)
        with _calm():
            uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run([listening])


def _exported(folder: Path) -> Path:
    inside = folder / "export"
    if is_export(inside) and not is_export(folder):
        return inside
    if not is_export(folder):
        raise UsageError(f"{folder} has no exported student. `limbeck export {folder}` makes one of a run.")
    return folder


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family)
    except OSError as error:
        mend = "Choose another port, 0 for any that is free, or another host."
        raise UsageError(f"Cannot answer at {host}, port {port}: {error.strerror or error}. {mend}") from error
    with listening:
        yield listening


@contextlib.contextmanager
def _calm() -> Iterator[None]:
    """The server sends itself the signal again with which it was ended, and here that is a good end."""
    before = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def make_app(model: Exported, limits: Limits) -> FastAPI:
    """The application: `/predict`, `/health`, `/card`, and `/docs` for people; errors are `{"error": "sentence"}`."""
    try:
        from fastapi import Body, FastAPI
        from fastapi.exceptions import RequestValidationError
        from starlette.exceptions import HTTPException
    except ImportError as error:
        raise missing_extra("fastapi", "serve", "Serving") from error

    app = FastAPI(title=f"limbeck: {model.manifest.get('name') or 'a student'}", version=limbeck.__version__)
    question = Body(examples=[{"samples": example(model.preprocessing)}], description=_told(model, limits))

    def predict(body: Any = question) -> Predictions:
        found = model.predict(_raw(body, model, limits)).to_dict("records")
        return Predictions(predictions=[{str(name): value for name, value in row.items()} for row in found])

    def health() -> dict[str, Any]:
        return {"status": "ok", **{key: model.manifest.get(key) for key in ("name", "row", "seed", "limbeck")}}

    def card() -> dict[str, Any]:
        return read_json(model.folder / "card.json")

    refused: dict[int | str, dict[str, Any]] = {code: {"model": Refused} for code in (400, 413, 422)}
    app.post("/predict", summary="Predict a batch of samples", responses=refused)(predict)
    app.get("/health", summary="Whether the model is there, and which")(health)
    app.get("/card", summary="The model card")(card)
    app.add_exception_handler(UsageError, _refusal(422))
    app.add_exception_handler(TooMuchError, _refusal(413))
    app.add_exception_handler(RequestValidationError, _refusal(400, "The body is not JSON. Send application/json."))
    app.add_exception_handler(HTTPException, _refusal(None))
    app.add_exception_handler(Exception, _refusal(500, "The student failed on this; the server's log says how."))
    app.add_middleware(_Bounded, most=limits.bytes)
    return app


class Predictions(BaseModel):
    """The answer: for each sample `prediction`, and `p(class)` of every class."""

    predictions: list[dict[str, Any]]


class Refused(BaseModel):
    """The answer to a question that cannot be answered: what is wrong with it."""

    error: str


class TooMuchError(UsageError):
    """A question of more samples than are allowed."""


def _told(model: Exported, limits: Limits) -> str:
    sample = "an object with a value for each column" if is_tabular(model.preprocessing) else "a nested list of numbers"
    reads = described(model.preprocessing)
    return f"`samples`: a list of 1 to {limits.samples}. The student reads {reads}; each sample is {sample}."


def _raw(body: Any, model: Exported, limits: Limits) -> Any:
    """The samples of a question as the device takes them; `UsageError` says what is wrong with it."""
    if not isinstance(body, dict) or set(body) != {"samples"} or not isinstance(body["samples"], list):
        raise UsageError('The body must be {"samples": […]}. ' + _told(model, limits))
    samples = body["samples"]
    if not samples:
        raise UsageError("There are no samples. " + _told(model, limits))
    if len(samples) > limits.samples:
        raise TooMuchError(f"{len(samples)} samples are too many for one question: send at most {limits.samples}.")
    return _columns(samples) if is_tabular(model.preprocessing) else _array(samples, model)


def _columns(samples: list[Any]) -> dict[str, list[Any]]:
    for number, sample in enumerate(samples):
        if not isinstance(sample, dict):
            raise UsageError(f"Sample {number} must be an object with a value for each column. Got {sample!r:.60}.")
        for name, value in sample.items():
            if not isinstance(value, str | int | float | None):
                raise UsageError(f"Sample {number}, column {name!r} must be a text, a number, true, false or null.")
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: [sample.get(name) for sample in samples] for name in names}


def _array(samples: list[Any], model: Exported) -> np.ndarray:
    """Whole numbers are bytes where the source's pixels were, as JSON knows no types."""
    try:
        array = np.array(samples)
    except ValueError as error:
        raise UsageError("The samples must be lists of numbers of one shape, and they differ in theirs.") from error
    if array.dtype.kind not in "biuf":
        raise UsageError("The samples must be nested lists of numbers alone.")
    if array.dtype.kind == "i" and model.preprocessing.get("divisor", 1) != 1:
        if array.min() < 0 or array.max() > 255:
            raise UsageError(f"Pixels are whole numbers from 0 to 255. Got {array.min()} to {array.max()}.")
        return array.astype(np.uint8)
    return array


def _refusal(status: int | None, sentence: str | None = None) -> Callable[[Any, Exception], Any]:
    """What turns an error into JSON; without a status or a sentence it takes those of the error."""

    def answer(request: Any, error: Exception) -> Any:
        from fastapi.responses import JSONResponse

        code = getattr(error, "status_code", 500) if status is None else status
        return JSONResponse({"error": sentence or getattr(error, "detail", None) or str(error)}, code)

    return answer


class _Bounded:
    """Refuses a body of more bytes than are allowed; of what is too much nothing is kept."""

    def __init__(self, app: Application, most: int):
        self.app = app
        self.most = most

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        kept: list[Message] = []
        size, more = 0, True
        while more and size <= DRAINED * self.most:  # who is still sending would not read an answer
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
            if size <= self.most:
                kept.append(message)
        if size > self.most:
            from fastapi.responses import JSONResponse

            refusal = {"error": f"The body is too large: send at most {self.most} bytes at once."}
            await JSONResponse(refusal, 413, {"connection": "close"})(scope, receive, send)
            return

        async def replay() -> Message:
            return kept.pop(0) if kept else await receive()

        await self.app(scope, replay, send)
