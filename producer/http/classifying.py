"""`POST /v1/classify`: images in, predictions out."""

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from model.errors import DigitmillError
from model.inference.review import REVIEW_BELOW
from producer.calls.asynchronous import AsyncClient
from producer.calls.options import Several
from producer.calls.prediction import Prediction
from producer.http.bodies import BodyKind, NamedImage, kind_of, read_form, read_image
from producer.http.errors import JSON, bad_parameter, refused
from producer.http.guard import Pending
from producer.http.limits import Outstanding, Share
from producer.http.mill import MillWatch, SharedClient, error_of
from producer.public.answers import Answer, Answers, OneAnswer
from worker.contract.registry import LIVE

_MAX_PARAMETERS = 16
_SEVERAL: dict[bool, Several] = {True: "read", False: "refuse"}


class Query(NamedTuple):
    """What a request asks for.

    Attributes:
        several: Whether all digits of an image are read.
        model: The version that classifies.
        probabilities: Whether the answer has the probabilities of all digits.
        min_confidence: Confidence, 0 to 1, below which a person should look at an image.
    """

    several: bool = False
    model: str = LIVE
    probabilities: bool = False
    min_confidence: float = REVIEW_BELOW

    @classmethod
    def parse(cls, query: bytes) -> "Query":
        """Return what the query of a URL asks for.

        Raises:
            HttpError: A parameter is unknown, has a wrong value or comes twice.
        """
        if not query:
            return cls()
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            raise bad_parameter("The query of the URL cannot be read, or has too many parameters.") from None
        given: dict[str, Any] = {}
        for name, text in pairs:
            if name not in _PARSERS:
                raise bad_parameter(f"{name[:40]!r} is not a parameter. The parameters are {', '.join(_PARSERS)}.")
            if name in given:
                raise bad_parameter(f"The parameter {name} is given twice.")
            given[name] = _PARSERS[name](text)
        asked = cls(**given)
        if asked.several and asked.probabilities:
            raise bad_parameter("several=read and probabilities=1 cannot be combined: a number has many digits.")
        return asked


def _several(text: str) -> bool:
    if text not in {"read", "refuse"}:
        raise bad_parameter("several must be read or refuse.")
    return text == "read"


def _probabilities(text: str) -> bool:
    if text not in {"0", "1"}:
        raise bad_parameter("probabilities must be 0 or 1.")
    return text == "1"


def _min_confidence(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise bad_parameter("min_confidence must be a number from 0 to 1.")
    return number


_PARSERS: dict[str, Callable[[str], Any]] = {
    "several": _several,
    "model": str,
    "probabilities": _probabilities,
    "min_confidence": _min_confidence,
}


class Classifying:
    """The endpoint, as an application of ASGI.

    Args:
        client: Client of the mill.
        watch: What is known about the mill.
        outstanding: What counts the images without an answer.
    """

    def __init__(self, client: SharedClient, watch: MillWatch, outstanding: Outstanding) -> None:
        self._client, self._watch, self._outstanding = client, watch, outstanding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            Disconnected: The client has ended the connection.
            HttpError: The request is refused, or ends without an answer.
        """
        query, kind = self._read_header(scope)
        with self._outstanding.share(scope["digitmill.client"]) as share:
            if kind.boundary is None:
                [prediction] = await self._predictions(query, [await read_image(receive, kind.length, share)])
                body = _one(prediction, query)
            else:
                body = msgspec.json.encode(await self._answers(query, await read_form(receive, kind, share)))
        headers = [JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def begin(self, scope: Scope, image: bytes) -> Pending | None:
        """Begin to answer a request whose body has arrived, if it is one image that can be sent without waiting.

        Raises:
            DigitmillError: The image cannot be sent.
            HttpError: The request is refused.
        """
        query, kind = self._read_header(scope)
        client = self._client.at_hand()
        if client is None or kind.boundary is not None:
            return None
        share = self._outstanding.share(scope["digitmill.client"])
        future = None
        try:
            share.add(images=1, size=len(image))
            future = client.send_at_once(image, model=query.model, several=_SEVERAL[query.several])
        finally:
            if future is None:
                share.give_back()
        return None if future is None else Pending(future, partial(self._finish, future, query, share))

    def _read_header(self, scope: Scope) -> tuple[Query, BodyKind]:
        """Return what a request asks for, and what its body holds.

        Raises:
            HttpError: The request is refused.
        """
        query, kind = Query.parse(scope["query_string"]), kind_of(scope["headers"])
        if problem := self._watch.lasting_problem:
            raise problem.error()
        return query, kind

    def _finish(self, future: "asyncio.Future[Prediction]", query: Query, share: Share) -> bytes:
        """Return the answer to a request that has taken the shorter way."""
        share.give_back()
        try:
            return _one(future.result(), query)
        except DigitmillError as fault:
            raise error_of(fault, self._watch) from fault

    async def _answers(self, query: Query, images: Sequence[NamedImage]) -> Answers:
        """Return the answers to a form, in its order."""
        sent = [image.content for image in images if isinstance(image.content, bytes)]
        predictions = iter(await self._predictions(query, sent) if sent else ())
        found = [
            next(predictions) if isinstance(image.content, bytes) else Prediction.failed(image.content)
            for image in images
        ]
        return Answers(
            predictions=[
                Answer(name=image.name, **_values(prediction, query))
                for image, prediction in zip(images, found, strict=True)
            ]
        )

    async def _predictions(self, query: Query, images: Sequence[bytes]) -> Sequence[Prediction]:
        try:
            return await _classify(await self._client.get(), images, query)
        except DigitmillError as fault:
            raise error_of(fault, self._watch) from fault


async def _classify(client: AsyncClient, images: Sequence[bytes], query: Query) -> Sequence[Prediction]:
    several = _SEVERAL[query.several]
    futures = [await client.submit(image, model=query.model, several=several) for image in images]
    if len(futures) == 1:
        return [await futures[0]]
    try:
        return await asyncio.gather(*futures)
    finally:
        for future in futures:
            future.cancel()


def _one(prediction: Prediction, query: Query) -> bytes:
    """Return the answer to one image as JSON.

    Raises:
        HttpError: The image cannot be classified.
    """
    if prediction.error:
        raise refused(prediction.error)
    return msgspec.json.encode(OneAnswer(**_values(prediction, query)))


def _values(prediction: Prediction, query: Query) -> dict[str, Any]:
    """Return the attributes of an `Answer`, without the name."""
    confidence = prediction.confidence
    review = prediction.review or (confidence is not None and confidence < query.min_confidence)
    return prediction.values(numbers=query.several, probabilities=query.probabilities, review=review)
