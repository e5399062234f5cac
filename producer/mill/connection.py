"""The connection of a client to one mill, and the retries of its calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from worker.contract.connection import retry_transient
from worker.contract.errors import NotPermitted
from worker.contract.server_check import find_refusal
from worker.contract.users import explain_refusal

if TYPE_CHECKING:  # what single images do not need
    import redis

    from worker.contract.doorbell import Doorbell
    from worker.contract.ledger import Ledger
    from worker.contract.reconciler import Reconciler
    from worker.contract.registry import Registry
    from worker.contract.server_check import Command

_Parameters = ParamSpec("_Parameters")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything that a client needs to talk to one mill.

    Attributes:
        client: Connection to Redis.
        ledger: Jobs, batches and workers.
        doorbell: Messages that wake the workers.
        reconciler: Reconciler, which rings again for overdue batches.
        registry: Versions of the model.
        where: Address of Redis without its password, for messages.
        warnings: Sentences about what may go wrong with this Redis.
        temporary: Whether the mill was started for this command alone, and stops with it.
    """

    client: "redis.Redis"
    ledger: "Ledger"
    doorbell: "Doorbell"
    reconciler: "Reconciler"
    registry: "Registry"
    where: str
    warnings: tuple[str, ...] = ()
    temporary: bool = False

    def retry_transient(
        self, call: Callable[[], _Value], *, timeout: float, on_wait: Callable[[object], None] | None = None
    ) -> _Value:
        """Call Redis, retry transient faults, and return the result.

        See `worker.contract.connection.retry_transient`.

        Raises:
            Unreachable: Redis did not answer in time, or refused the call.
        """
        return retry_transient(call, timeout=timeout, on_wait=on_wait, where=self.where)

    def check_rights(self, needs: Sequence["Command"], *, timeout: float) -> None:
        """Check that the Redis user may run some commands, before somebody is asked whether to run them.

        Args:
            needs: The commands.
            timeout: Seconds without Redis after which to give up.

        Raises:
            NotPermitted: It may not run one of them.
            Unreachable: Redis did not answer in time.
        """
        if refusal := self.retry_transient(lambda: find_refusal(self.client, needs), timeout=timeout):
            raise NotPermitted(explain_refusal(refusal[1], self.where))


@dataclass(frozen=True, slots=True)
class RetryingCaller:
    """Calls functions that use Redis, and retries transient faults.

    Attributes:
        connection: Mill that the functions use.
        timeout: Seconds after which a call gives up.
        on_wait: Callback that receives each fault before the next attempt, or None.
    """

    connection: Connection
    timeout: float
    on_wait: Callable[[object], None] | None = None

    def __call__(
        self,
        function: Callable[_Parameters, _Value],
        *arguments: _Parameters.args,
        **options: _Parameters.kwargs,
    ) -> _Value:
        """Call a function that uses Redis; return what it returns.

        Args:
            function: Function to call.
            arguments: Positional arguments of the function.
            options: Keyword arguments of the function.

        Raises:
            Unreachable: Redis did not answer in time, or refused the call.
        """
        return self.connection.retry_transient(
            lambda: function(*arguments, **options), timeout=self.timeout, on_wait=self.on_wait
        )
