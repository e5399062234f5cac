"""The Celery task that a doorbell rings for. All it knows is the doorbell; the work is `serving`'s."""

import logging
from collections.abc import Callable

from celery import Celery, Task

from worker.classifying.serving import Serving
from worker.contract.doorbell import CLASSIFY, is_understood
from worker.contract.errors import Unreachable, WireError
from worker.contract.ledger import Part

_log = logging.getLogger(__name__)


def register(app: Celery, serving: Callable[[], Serving]) -> Task:
    """Add the task to the application.

    Args:
        app: the application.
        serving: gives the process's own `Serving`; called in the classifying process, after its start.
    """

    @app.task(name=CLASSIFY, ignore_result=True)
    def classify(version: object = None, part: object = None) -> None:
        """Answer the part that the message names. A message that makes no sense costs nothing: it is only a hint."""
        if not is_understood(version):
            return
        try:
            serving().serve(Part.from_member(part if isinstance(part, str) else ""))
        except (Unreachable, WireError) as fault:
            _log.error("%s", fault)

    return classify
