"""The client for programs that use asyncio."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

from model.errors import UsageError
from model.inference.review import REVIEW_BELOW
from producer.calls.client import MAX_AHEAD, TIMEOUT_SECONDS, Client, Settled
from producer.calls.images import Floats, InputImage, is_quick
from producer.calls.options import Several, check_many
from producer.calls.prediction import Prediction
from worker.contract.validation.identifiers import LIVE


class AsyncClient:
    """Does the same as `Client`, for the coroutines of one event loop.

    Use it as an asynchronous context manager, which connects.

    Cancelling a coroutine gives its image up.

    Args:
        url: URL of Redis, or None for the mill that `DIGITMILL_REDIS_URL` names or that runs on this machine.
        timeout: Seconds within which an image is answered or fails.
        model: As for `Client`.
        several: As for `Client`.
        floats: Whether arrays of floats are refused, or hold numbers from 0 to 1.
        min_confidence: Confidence, 0 to 1, below which a prediction is for review.
        counted: As for `Client`.

    Raises:
        DigitmillError: On entry, as `Client` does.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        model: str = LIVE,
        several: Several = "refuse",
        floats: Floats = "refuse",
        min_confidence: float = REVIEW_BELOW,
        counted: bool = True,
    ) -> None:
        self._make = partial(
            _LoopClient,
            url,
            timeout=timeout,
            model=model,
            several=several,
            floats=floats,
            min_confidence=min_confidence,
            counted=counted,
        )
        self._client: _LoopClient | None = None

    async def __aenter__(self) -> Self:
        connecting = ThreadPoolExecutor(1)
        made = connecting.submit(self._make, loop=asyncio.get_running_loop())
        connecting.shutdown(wait=False)
        try:
            self._client = await asyncio.wrap_future(made)
        except asyncio.CancelledError:
            made.add_done_callback(_close)  # its thread goes on
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await asyncio.to_thread(self._client.close, cancel=kind is not None)

    async def submit(
        self,
        image: InputImage,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  it is that of the image
        model: str | None = None,
        several: Several | None = None,
    ) -> "asyncio.Future[Prediction]":
        """Send an image, and return the future of its prediction. See `Client.submit`.

        Args:
            image: The image.
            timeout: Seconds within which it is answered or fails, instead of those of the client.
            model: Version that classifies it, instead of that of the client.
            several: What to do if it shows several digits, instead of what the client does.

        Raises:
            InputError: It cannot be an image.
            Unreachable: Redis does not say what the name of the model means.
            UsageError: The model does not exist, or the client is not open.
        """
        client = self._open_client()
        if is_quick(image) and client.is_resolved(model):
            future = client.submit(image, timeout=timeout, model=model, several=several)
        else:
            future = await asyncio.to_thread(client.submit, image, timeout=timeout, model=model, several=several)
        return cast("asyncio.Future[Prediction]", future)

    def send_at_once(
        self, content: bytes, *, model: str | None = None, several: Several | None = None
    ) -> "asyncio.Future[Prediction] | None":
        """Send an image file, or return None if Redis must first be asked what the name of the model means.

        Args:
            content: The file. It is not larger than an image may be.
            model: As for `submit`.
            several: As for `submit`.

        Raises:
            UsageError: As `submit`.
        """
        client = self._open_client()
        future = client.send(content, model=model, several=several) if client.is_resolved(model) else None
        return cast("asyncio.Future[Prediction] | None", future)

    def _open_client(self) -> "_LoopClient":
        if self._client is None:
            raise UsageError("This client is not open. Write `async with AsyncClient() as client:`.")
        return self._client

    async def classify(
        self,
        image: InputImage,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as above
        model: str | None = None,
        several: Several | None = None,
    ) -> Prediction:
        """Return the prediction for an image. See `Client.classify` for arguments and errors."""
        return await (await self.submit(image, timeout=timeout, model=model, several=several))

    async def classify_many(
        self,
        images: Iterable[InputImage],
        *,
        timeout: float | None = None,  # noqa: ASYNC109  as above
        model: str | None = None,
        several: Several | None = None,
    ) -> AsyncIterator[Prediction]:
        """Yield a prediction for each image, in their order. See `Client.classify_many` for arguments and errors."""
        check_many(images)
        ahead: deque[asyncio.Future[Prediction]] = deque()
        try:
            for image in images:
                ahead.append(await self.submit(image, timeout=timeout, model=model, several=several))
                while ahead and (len(ahead) >= MAX_AHEAD or ahead[0].done()):
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for future in ahead:
                future.cancel()


class _LoopClient(Client):
    """A client whose futures belong to an event loop. It wakes the loop once for all images of an answer."""

    def __init__(self, *arguments: Any, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        self._loop = loop
        super().__init__(*arguments, **options)

    def _new_future(self) -> Any:
        return self._loop.create_future()

    def _settle(self, settled: list[Settled]) -> None:
        if settled:
            with contextlib.suppress(RuntimeError):  # the loop has ended, so nobody waits
                self._loop.call_soon_threadsafe(_settle, settled)


def _close(made: Future[_LoopClient]) -> None:
    """End a client that nobody waits for any more."""
    if not made.cancelled() and made.exception() is None:
        made.result().close(cancel=True)


def _settle(settled: list[Settled]) -> None:
    for future, outcome in settled:
        if outcome is None:
            future.cancel()
        elif not future.done():
            if isinstance(outcome, Prediction):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
