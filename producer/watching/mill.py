"""Why a mill gives no answers."""

from redis.exceptions import RedisError

from model.errors import DigitmillError
from producer.mill.finding import reach_running_mill
from worker.contract.connection import as_error
from worker.contract.ledger import Ledger
from worker.settings import Settings


def problem_of_mill(settings: Settings) -> str:
    """Return why the mill gives no answers, as sentences, or "" if workers are alive.

    Args:
        settings: Settings of this process.
    """
    try:
        reached = reach_running_mill(settings, warn=False)
        with reached.client as client:
            try:
                workers = Ledger(client).workers()
            except RedisError as fault:
                raise as_error(fault, reached.where) from fault
    except DigitmillError as fault:
        return str(fault)
    return "" if workers else "No worker is running. Start workers with `digitmill up`."
