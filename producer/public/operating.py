"""What the commands for running a mill print: `up`, `serve`, `logs`, `clean`, `backup`, `redis-users`."""

from producer.public.body import Body, Document, Time


class Started(Document, kw_only=True, frozen=True):
    """What `up` prints when the mill runs.

    Attributes:
        redis: URL of Redis, without its password.
        workers: Number of workers.
        others: Other roles that run: `trainer`, `scheduler`.
        logs: Folder of the logs.
    """

    redis: str
    workers: int
    others: list[str]
    logs: str


class Serving(Document, kw_only=True, frozen=True):
    """What `serve` prints when it listens.

    Attributes:
        url: URL of the server.
        token: Whether clients must send a token.
    """

    url: str
    token: bool


class Exchange(Document, kw_only=True, frozen=True):
    """What `serve` prints for each request.

    Attributes:
        time: Time of the end of the response.
        client: Address of the client.
        method: Method of the request.
        path: Path of the request, without its query.
        status: Status of the response.
        seconds: Time from the header of the request to the end of the response.
    """

    time: Time
    client: str
    method: str
    path: str
    status: int
    seconds: float


class Log(Body, kw_only=True, frozen=True):
    """A log.

    Attributes:
        name: Name of the file.
        bytes: Its size.
        changed: Time of its last line.
    """

    name: str
    bytes: int
    changed: Time


class Logs(Document, kw_only=True, frozen=True):
    """What `logs` prints.

    Attributes:
        folder: Folder of the logs.
        logs: Logs in it.
    """

    folder: str
    logs: list[Log]


class Backup(Document, kw_only=True, frozen=True):
    """What `backup` and `restore` print.

    Attributes:
        keys: Number of keys of Redis in the file.
        files: Number of files of the data folder in it.
    """

    keys: int
    files: int


class RedisUsers(Document, kw_only=True, frozen=True):
    """What `redis-users` prints.

    Attributes:
        users: Rules of Redis' ACL in one line, by the name of the user.
    """

    users: dict[str, str]


class StoredItem(Body, kw_only=True, frozen=True):
    """One thing that takes up space.

    Attributes:
        name: Job or file.
        bytes: Its size, or null if the Redis user does not have the right to ask.
        changed: Time of its last change.
        kept: Why it cannot be freed, or null.
    """

    name: str
    bytes: int | None
    changed: Time
    kept: str | None


class StoredKind(Body, kw_only=True, frozen=True):
    """One kind of thing that takes up space.

    Attributes:
        kind: `jobs`, `logs`, `answers` or `downloads`.
        bytes: Size of all items, or null if that is unknown.
        chosen: Number of items that `--yes` frees.
        chosen_bytes: Size of these, or null if that is unknown.
        items: All items of this kind, oldest first.
    """

    kind: str
    bytes: int | None
    chosen: int
    chosen_bytes: int | None
    items: list[StoredItem]


class Cleaned(Document, kw_only=True, frozen=True):
    """What `clean` prints.

    Attributes:
        folder: Data folder.
        other_bytes: Size of all else in the data folder: models, taught images, the data of the server.
        kinds: What takes up space, by kind, before anything was freed.
        freed: Number of items that were freed; 0 without `--yes`.
        freed_bytes: Size that they had, or null if that is unknown.
    """

    folder: str
    other_bytes: int
    kinds: list[StoredKind]
    freed: int
    freed_bytes: int | None
