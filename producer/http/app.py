"""What the server answers, by path."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from producer.http import openapi, page
from producer.http.classifying import Classifying
from producer.http.errors import DRAINING, unavailable
from producer.http.jobs import Jobs
from producer.http.mill import MillWatch
from worker.contract.telemetry.exposition import render
from worker.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

CLASSIFY = "/v1/classify"
"""Path of the images."""


def make_router(
    settings: Settings,
    watch: MillWatch,
    classifying: Classifying,
    registry: "CollectorRegistry",
    *,
    needs_token: bool,
    is_draining: Callable[[], bool],
) -> Router:
    """Return the application without its guard.

    Args:
        settings: Settings of this process.
        watch: What is known about the mill.
        classifying: What answers to images.
        registry: What is counted.
        needs_token: Whether a client must present a token.
        is_draining: Returns whether the server is stopping.
    """
    jobs = Jobs(settings, watch)
    document = Response(openapi.document(needs_token=needs_token), media_type="application/json")
    docs = page.render(needs_token=needs_token)
    described = Response(docs.html, media_type="text/html", headers={"Content-Security-Policy": docs.policy})
    example = Response(page.example(), media_type="image/png")

    async def healthz(_: Request) -> Response:
        return Response(b'{"alive":true}', media_type="application/json")

    async def readyz(_: Request) -> Response:
        if is_draining():
            raise unavailable("draining", DRAINING)
        if problem := watch.problem:
            raise unavailable(problem.code, problem.public)
        return Response(b'{"ready":true}', media_type="application/json")

    async def metrics(request: Request) -> Response:
        content, media_type = render(registry, request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": media_type})

    return Router(
        [
            Route(CLASSIFY, classifying, methods=["POST"]),
            Route("/v1/jobs", jobs.latest),
            Route("/v1/jobs/{job}", jobs.one),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/openapi.json", _sends(document)),
            Route("/docs", _sends(described)),
            Route("/docs/seven.png", _sends(example)),
        ],
        redirect_slashes=False,  # the address of a redirection would come from the header Host
    )


def _sends(response: Response) -> Callable[[Request], Response]:
    async def endpoint(_: Request) -> Response:
        return response

    return endpoint  # type: ignore[return-value]
