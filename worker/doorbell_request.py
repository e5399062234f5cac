"""How a worker or a trainer receives a doorbell from Celery."""

from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.request import Request


class DoorbellRequest(Request):
    """Refuses a message whose body does not have Celery's form.

    Celery itself would end the process and put the message back, so it would end every process that receives it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        try:
            super().__init__(*arguments, **options)
        except (ValueError, TypeError) as fault:
            raise InvalidTaskError(f"Its body is not that of a doorbell ({fault}).") from fault
