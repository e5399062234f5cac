"""`serve`: HTTP for programs."""

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from model.errors import required_extra
from producer.cli.exits import exit_on_error
from producer.cli.notices import OUR_PACKAGES, Manner, printable
from producer.cli.options import JSON, FiniteRange, not_empty
from producer.public import operating
from producer.public.body import time_of, to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from producer.http.guard import Exchange
    from producer.public.body import Time

_MAX_PATH = 200  # characters of a path in the log


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    callback=not_empty,
    help="Address on which to listen. Other addresses than this machine's own need a token.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 means a free one."
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File with the token that clients must send.  [default: DIGITMILL_HTTP_TOKEN]",
)
@click.option(
    "--allow-host",
    "hosts",
    metavar="NAME",
    multiple=True,
    callback=not_empty,
    help="Another name under which clients reach this server, as in the header Host. May be repeated.",
)
@click.option(
    "--allow-origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    callback=not_empty,
    help="Web page that may ask from a browser, such as https://example.org. May be repeated.",
)
@click.option("--behind-proxy", is_flag=True, help="A proxy hands all requests on: believe its X-Forwarded-For.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=FiniteRange(0.1, 600),
    default=10.0,
    show_default=True,
    help="Time within which an image is answered, or the request ends with an error.",
)
@JSON
@exit_on_error
def serve(
    host: str,
    port: int,
    token_file: Path | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    behind_proxy: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Serve HTTP: programs send images and get predictions.

    Images travel to the workers past all jobs. The page /docs describes the requests, and tries them. The server needs
    a running mill, and waits for one. Ctrl-C or SIGTERM lets open requests end; a second one ends it at once.

    \b
    Example:
      digitmill serve --port 8080
      curl -H 'Content-Type: image/png' --data-binary @seven.png http://127.0.0.1:8080/v1/classify
    """
    with required_extra("uvicorn", "http"):
        from producer.http.server import Options, read_token
        from producer.http.server import serve as run
    from worker.settings import Settings

    settings = Settings.from_environment()
    if settings.log_format == "json":
        as_json = True
        _log_as_json()
    token = read_token(token_file) if token_file else settings.http_token
    options = Options(host, port, token, hosts, origins, behind_proxy, timeout)

    def on_ready(url: str) -> None:
        if as_json:
            _print(to_text(operating.Serving(url=url, token=token is not None)) + "\n")
        else:
            _print(f"Serving on {url} (its page {url}/docs describes it). Ctrl-C stops it.\n")

    def on_exchanges(exchanges: "Sequence[Exchange]") -> None:
        if Manner.quiet:
            return
        if as_json:
            now = time_of(time.time())
            _print("".join([_as_json(exchange, now) for exchange in exchanges]))
        else:
            now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            _print("".join([_as_text(exchange, now) for exchange in exchanges]))

    run(options, settings, on_ready=on_ready, on_exchanges=on_exchanges)


def _log_as_json() -> None:
    """Write warnings as JSON from now on, and not as notices."""
    import logging

    from worker.contract.telemetry.logs import JSON as JSON_LINES
    from worker.contract.telemetry.logs import make_handler
    from worker.contract.validation import identifiers

    for package in OUR_PACKAGES:
        logging.getLogger(package).handlers.clear()
    name = identifiers.this_process()
    logging.basicConfig(level=logging.WARNING, handlers=[make_handler(sys.stderr, JSON_LINES, role="serve", name=name)])


def _as_json(exchange: "Exchange", now: "Time") -> str:
    client, method, _, status, seconds = exchange
    path, seconds = _path(exchange), round(seconds, 6)
    line = operating.Exchange(time=now, client=client, method=method, path=path, status=status, seconds=seconds)
    text = msgspec.json.encode(line)  # takes a tenth of the time, but escapes only what is ASCII
    return f"{text.decode() if text.isascii() else to_text(line)}\n"


def _as_text(exchange: "Exchange", now: str) -> str:
    method, status, milliseconds = exchange.method, exchange.status, 1000 * exchange.seconds
    return f"{now} {exchange.client} {method} {_path(exchange)} {status} {milliseconds:.1f} ms\n"


def _path(exchange: "Exchange") -> str:
    return printable(exchange.path[:_MAX_PATH])


def _print(text: str) -> None:
    """Print text at once. If nobody reads it any more, the server goes on."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()
