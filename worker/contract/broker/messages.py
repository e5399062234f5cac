"""Checks of the raw messages in Redis: doorbells, and the commands of Celery's own tools.

Celery obeys what a message asks for, and ends the process if the message does not have Celery's form. So each
message is built again from its checked parts, and has nothing else of the original.
"""

import base64
import binascii
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from worker.contract.doorbell import DOORBELL_VERSION, as_celery_sends_it, envelope
from worker.contract.errors import WireError
from worker.contract.ledger import Part
from worker.contract.queues import CLASSIFY, CLASSIFY_QUEUE, COMMANDS, TRAIN, TRAIN_QUEUE

MAX_BYTES = 8192
"""Size of the largest message that is read. A doorbell has about 1100 bytes."""

_TASKS = {CLASSIFY_QUEUE: CLASSIFY, TRAIN_QUEUE: TRAIN}

# Doorbells --------------------------------------------------------------------------------------------------------

_Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=512)]
_Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z_]{0,63}\Z")]


class _Version(msgspec.Struct):
    """What doorbells of all versions have among their words."""

    version: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


class _Words(_Version):
    """The words of a doorbell of this version."""

    part: _Text | None = None


class _Embedded(msgspec.Struct):
    """What a worker would do after the task. A doorbell asks for nothing."""

    callbacks: None = None
    errbacks: None = None
    chain: None = None
    chord: None = None


class _Headers(msgspec.Struct):
    """The headers that Celery or kombu would obey."""

    task: Literal["digitmill.classify", "digitmill.train"]
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z-]{1,64}\Z")]
    eta: None = None
    expires: None = None
    group: None = None
    shadow: None = None
    retries: Literal[0] = 0
    timelimit: tuple[None, None] | None = None
    compression: None = None


class _Properties(msgspec.Struct):
    """The properties that kombu would obey."""

    body_encoding: None


class _Message(msgspec.Struct):
    """A message as kombu stores it."""

    body: str
    content_type: Literal["application/json"] = msgspec.field(name="content-type")
    content_encoding: Literal["utf-8"] = msgspec.field(name="content-encoding")
    headers: _Headers
    properties: _Properties


_messages = msgspec.json.Decoder(_Message)
_bodies = msgspec.json.Decoder(tuple[tuple[()], dict[_Name, _Text | int | float | bool | None], _Embedded])


def checked_message(raw: bytes, queue: str) -> dict[str, Any]:
    """Return a doorbell as the message that Celery may see. It has what was checked, and nothing else of the original.

    Args:
        raw: Message as it was in Redis.
        queue: Queue that it came from.

    Raises:
        WireError: It is not a doorbell of this queue.
    """
    if not 0 < len(raw) <= MAX_BYTES:
        raise WireError(f"It is empty, or has more than {MAX_BYTES} bytes.")
    try:
        message = _messages.decode(raw)
        _, words, _ = _bodies.decode(message.body)
        version = msgspec.convert(words, _Version).version
        if version == DOORBELL_VERSION:
            words = msgspec.to_builtins(msgspec.convert(words, _Words))
    except (ValueError, RecursionError) as fault:
        raise WireError(f"It is not a doorbell ({str(fault)[:200]}).") from None
    task = _TASKS[queue]
    if message.headers.task != task:
        raise WireError(f"It is a doorbell of another queue ({message.headers.task}).")
    if version == DOORBELL_VERSION and task == CLASSIFY:
        Part.from_member(str(words["part"] or ""))
    # A program of that other version may understand its words, so they are kept.
    return as_celery_sends_it(task, {name: word for name, word in words.items() if word is not None}, queue)


# Commands ---------------------------------------------------------------------------------------------------------


_Identifier: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f-]{36}\Z")]


class _ReplyTo(msgspec.Struct):
    """Where a tool waits for replies. Its queue follows from its identifier, so it can name no other key."""

    exchange: Literal["reply.celery.pidbox"]
    routing_key: _Identifier


class _Command(msgspec.Struct):
    """A command, without its arguments: in the commands that workers obey, these only say how much to show."""

    method: _Name
    destination: list[_Text] | None = None
    pattern: None = None  # otherwise the sender could choose a regular expression
    ticket: _Identifier | None = None
    reply_to: _ReplyTo | None = None


class _Encoding(msgspec.Struct):
    """The property of a command that kombu would obey."""

    body_encoding: Literal["base64"] | None = None


class _CommandMessage(msgspec.Struct):
    """A command as kombu sends it."""

    body: str
    properties: _Encoding
    content_type: Literal["application/json"] = msgspec.field(name="content-type")
    content_encoding: Literal["utf-8"] = msgspec.field(name="content-encoding")


_command_messages = msgspec.json.Decoder(_CommandMessage)
_commands = msgspec.json.Decoder(_Command)


def checked_command(raw: bytes) -> bytes:
    """Return a command of Celery's tools as the message that kombu may see.

    Args:
        raw: Message as it was published.

    Raises:
        WireError: It is not a command.
    """
    if not 0 < len(raw) <= MAX_BYTES:
        raise WireError(f"It is empty, or has more than {MAX_BYTES} bytes.")
    try:
        message = _command_messages.decode(raw)
        encoded = message.properties.body_encoding is not None
        body = base64.b64decode(message.body, validate=True) if encoded else message.body.encode()
        command = _commands.decode(body)
    except (ValueError, RecursionError, binascii.Error) as fault:
        raise WireError(f"It is not a command ({str(fault)[:200]}).") from None
    return msgspec.json.encode(envelope(msgspec.to_builtins(command), {}, COMMANDS, ""))
