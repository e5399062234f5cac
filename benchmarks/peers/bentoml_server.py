"""BentoML: a worker process per core, each with one body at a time. Arguments: port, number of cores.

Bodies of many images need no batching, and BentoML batches only what it decodes itself. So the service is an ASGI
application.
"""

import os
import sys
from functools import cache
from pathlib import Path

import bentoml
from answering import Classifier, answers_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@cache
def _classifier() -> Classifier:
    return Classifier.baseline()


async def _classify(request: Request) -> Response:
    [answer] = answers_of(_classifier(), [await request.body()])
    return Response(answer, media_type="application/json")


@bentoml.service(workers=int(os.environ.get("PEER_CORES", "1")), logging={"access": {"enabled": False}})
@bentoml.asgi_app(Starlette(routes=[Route("/classify", _classify, methods=["POST"])]))
class Classify:
    """Classifies bodies."""


if __name__ == "__main__":
    port, cores = sys.argv[1:]
    os.environ |= {"PEER_CORES": cores, "BENTOML_DO_NOT_TRACK": "True"}
    serve = ["-m", "bentoml", "serve", "bentoml_server:Classify", "--working-dir", str(Path(__file__).parent)]
    os.execv(sys.executable, [sys.executable, *serve, "--host", "127.0.0.1", "--port", port])  # noqa: S606  its own command line
