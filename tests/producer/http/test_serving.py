"""Facts about `digitmill serve`: a real process beside a real mill, asked by a real HTTP client."""

import json
import os
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from model.cards.card import BASELINE, Card
from model.images.limits import MAX_BYTES
from model.inference.classifier import Classifier
from tests.support.command import CommandLine
from tests.support.http_server import read_all, request, serving
from tests.support.json_schemas import check
from tests.support.metrics import parse
from worker.contract.connection import connect
from worker.contract.lane import CallKind
from worker.contract.lane import keys as lane_keys
from worker.contract.lane.lane import MAX_WAITING
from worker.contract.ledger import Ledger
from worker.contract.liveness import ALIVE_SECONDS

VERSION = Card.read(BASELINE).version
NOWHERE = "redis://localhost:1/0"
TOKEN = "0123456789abcdef" * 2


def code_of(response: httpx.Response) -> str:
    """Return the code of an error, which has the one form that all errors have."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    check("errors", body)
    assert body["error"]["message"]
    return str(body["error"]["code"])


@pytest.fixture(scope="module")
def pictures(digits, png):
    """The first digits as PNG files."""
    return [png(image) for image in digits.images[:40]]


@pytest.fixture(scope="module")
def expected(digits):
    """What the model answers to them without a queue."""
    return Classifier.baseline().classify(digits.images[:40])


# Answers --------------------------------------------------------------------------------------------------------------


def test_one_image_is_the_body_itself(http, pictures, expected):
    """The answer is one object."""
    response = http.post(pictures[0])
    body = response.json()
    assert response.status_code == 200
    assert (body["digit"], body["model"], body["review"]) == (int(expected.digits[0]), VERSION, False)
    assert (body["review_reason"], body["error"]) == (None, None)
    assert body["confidence"] == pytest.approx(float(expected.confidences[0]), abs=1e-5)
    assert set(body) == {"format", "digit", "confidence", "review", "review_reason", "model", "error"}


def test_several_images_are_the_parts_of_a_form(http, pictures, expected):
    """The answer has a list in the order of the parts, with their names."""
    files = [("image", (f"{index}.png", data, "image/png")) for index, data in enumerate(pictures)]
    body = http.client.post("/v1/classify", files=files).json()
    check("classify", body)
    answers = body["predictions"]
    assert [answer["name"] for answer in answers] == [f"{index}.png" for index in range(len(pictures))]
    assert [answer["digit"] for answer in answers] == expected.digits.tolist()


def test_a_bad_image_among_several_fails_alone(http, pictures):
    """It has its error in its place: what cannot be read, what is empty, and what is larger than an image may be."""
    bad = [b"no image", b"", b"x" * (MAX_BYTES + 1)]
    files = [("image", ("bad", data)) for data in bad] + [("image", ("good", pictures[0]))]
    answers = http.client.post("/v1/classify", files=files).json()["predictions"]
    assert [answer["error"] and answer["error"]["code"] for answer in answers] == [
        "not_an_image",
        "empty",
        "too_large",
        None,
    ]
    assert [answer["digit"] for answer in answers] == [None, None, None, 7]


def test_a_single_bad_image_is_an_error(http, png):
    """422 with the code of the image."""
    for data, code in ((b"no image", "not_an_image"), (b"", "empty"), (png(np.zeros((28, 28), np.uint8)), "blank")):
        response = http.post(data)
        assert (response.status_code, code_of(response)) == (422, code)


def test_a_request_is_answered_alike_whether_it_arrives_as_a_whole_or_in_pieces(guarded, pictures):
    """A whole one takes a shorter way. All checks, errors and answers are the same, and none is counted for ever."""
    right, image = f"Authorization: Bearer {TOKEN}", "Content-Type: image/png"
    form = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + pictures[0] + b"\r\n--x--\r\n"
    for status, query, headers, body in (
        (200, "", (right, image), pictures[0]),
        (200, "?probabilities=1&min_confidence=1", (right, image), pictures[1]),
        (200, "?several=read", (right, image), pictures[2]),
        (200, f"?model={VERSION}", (right, image), pictures[3]),
        (200, "", (right, image, "Host: mill.example", "Origin: https://page.example"), pictures[4]),
        (200, "", (right, "Content-Type: multipart/form-data; boundary=x"), form),
        (400, "?several=perhaps", (right, image), pictures[0]),
        (400, "?model=nothing", (right, image), pictures[0]),
        (400, "", (right, image, "Host: evil.example"), pictures[0]),
        (401, "", (image,), pictures[0]),
        (403, "", (right, image, "Origin: https://evil.example"), pictures[0]),
        (415, "", (right,), pictures[0]),
        (415, "", (right, image, "Content-Encoding: gzip"), pictures[0]),
        (422, "", (right, image), b"no image"),
        (422, "", (right, image), b""),
    ):
        host = [] if any(header.startswith("Host") for header in headers) else ["Host: localhost"]
        lines = [f"POST /v1/classify{query} HTTP/1.1", *host, *headers, f"Content-Length: {len(body)}"]
        head = "\r\n".join([*lines, "Connection: close", "", ""]).encode()
        answers = [_without_date(guarded.raw(head + body))]
        for cut in (len(head), len(head) + len(body) // 2):
            with guarded.connect() as connection:
                connection.sendall((head + body)[:cut])
                assert guarded.client.get("/healthz").status_code == 200, "it has read the first piece"
                connection.sendall((head + body)[cut:])
                answers.append(_without_date(read_all(connection)))
        assert f"HTTP/1.1 {status} ".encode() in answers[0], answers[0]
        assert answers == answers[:1] * 3


def _without_date(answer):
    """Return the lines of a header without the date, in alphabetical order, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return b"\n".join(sorted(line for line in head.split(b"\r\n") if not line.startswith(b"date:"))) + body


def test_what_can_be_asked_for(http, digits, png, pictures, mill, variant):
    """Numbers, probabilities, a limit for review, and a version."""
    pair = png(np.hstack([digits.images[0], np.zeros((28, 28), np.uint8), digits.images[1]]))
    assert code_of(http.post(pair)) == "several_digits"
    number = http.post(pair, params={"several": "read"}).json()
    assert (number["number"], number["digit"], len(number["confidences"])) == ("72", None, 2)
    shares = http.post(pictures[0], params={"probabilities": "1"}).json()["probabilities"]
    assert (len(shares), int(np.argmax(shares))) == (10, 7)
    assert http.post(pictures[0], params={"min_confidence": "1"}).json()["review"]
    assert not http.post(pictures[0], params={"min_confidence": "0"}).json()["review"]
    card, files = variant("asked-over-http")
    mill.connection.registry.publish(card, files)
    assert http.post(pictures[0], params={"model": "asked-over"}).json()["model"] == card.version
    assert http.post(pictures[0], params={"model": "baseline"}).json()["model"] == VERSION


@pytest.mark.parametrize(
    "query",
    [
        "several=maybe",
        "probabilities=yes",
        "min_confidence=2",
        "min_confidence=nan",
        "min_confidence=",
        "model=never-published",
        "model=",
        "unknown=1",
        "several=read&several=read",
        "several=read&probabilities=1",
        "&".join(f"p{number}=1" for number in range(100)),
        "model=%ff%00",
    ],
)
def test_a_wrong_parameter_is_refused_by_name(http, pictures, query):
    """400 with a message that says what may be given."""
    response = http.client.post(f"/v1/classify?{query}", content=pictures[0], headers={"Content-Type": "image/png"})
    assert (response.status_code, code_of(response)) == (400, "bad_parameter")


def test_many_requests_at_the_same_time(http, pictures, expected):
    """Each gets the answer to its own image, and their connections are kept."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: http.post(pictures[index % 40]).json()["digit"], range(200)))
    assert found == [int(expected.digits[index % 40]) for index in range(200)]


def test_requests_at_the_same_time_may_ask_for_different_versions(http, pictures, mill, variant):
    """Each gets the version and the way of reading that it asks for."""
    card, files = variant("beside-the-baseline", temperature=1.1)
    mill.connection.registry.publish(card, files)
    asked = [(model, several) for model in (card.version, "live") for several in ("read", "refuse")] * 10

    def ask(model, several):
        return http.post(pictures[0], params={"model": model, "several": several}).json()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: ask(*each), asked))
    for (model, several), answer in zip(asked, answers, strict=True):
        assert (answer["model"], answer["digit"]) == (VERSION if model == "live" else model, 7)
        assert answer.get("number") == ("7" if several == "read" else None)


def test_jobs_are_shown_as_the_commands_show_them(http, command_line, pictures):
    """The list, one job, and what there is not."""
    folder = command_line.folder / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(pictures[0])
    command_line("submit", folder, "--out", command_line.folder / "report")
    shown = command_line("show", "last", "--json").json
    assert http.client.get("/v1/jobs/last").json() == shown
    assert http.client.get(f"/v1/jobs/{shown['job'][:-1]}").json() == shown
    listed = command_line("jobs", "--latest", "5", "--json").json
    assert http.client.get("/v1/jobs", params={"latest": 5}).json() == listed
    for path, status in (
        ("/v1/jobs/none", 404),
        ("/v1/jobs?latest=0", 400),
        ("/v1/jobs?latest=x", 400),
        ("/v1/jobs?last=5", 400),
    ):
        assert http.client.get(path).status_code == status
    response = http.client.post("/v1/jobs/last")
    assert (response.status_code, code_of(response), response.headers["allow"]) == (405, "bad_method", "GET, HEAD")


def test_other_paths_and_methods_are_errors_of_the_same_form(http):
    """Also paths that try to leave, and slashes at the end."""
    for path in (
        "/",
        "/v1/classify/",
        "/v1/jobs/",
        "/v1/jobs/..%2f..%2fetc",
        "/%00",
        "/" + "x" * 9000,
    ):
        response = http.client.get(path)
        assert (response.status_code, code_of(response)) == (404, "not_found"), path
    assert code_of(http.client.get("/v1/classify")) == "bad_method"
    assert code_of(http.client.request("OPTIONS", "/v1/classify")) == "bad_method"


# What is refused ------------------------------------------------------------------------------------------------------


def test_other_types_are_refused(http):
    """415 with a remedy, also for compressed bodies."""
    for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded", "image", ""):
        assert http.post(b"x", kind).status_code == 415
    response = http.post(b"x", headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")
    assert http.post(b"x", "multipart/form-data").status_code == 400


def test_too_large_a_body_is_refused_before_it_arrives(http):
    """By its declared length, or when what has arrived is too much."""
    declared = request("POST /v1/classify", "Content-Type: image/png", f"Content-Length: {MAX_BYTES + 1}")
    assert http.raw(declared).startswith(b"HTTP/1.1 413 ")

    def endless():
        while True:
            yield bytes(2**20)

    response = http.post(endless(), "image/png")
    assert (response.status_code, code_of(response)) == (413, "too_large")
    assert response.headers["connection"] == "close"


def test_images_without_an_answer_are_limited(http, eventually):
    """429 with Retry-After, and the images of requests that end make room."""
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nz\r\n'
    form = ("Content-Type: multipart/form-data; boundary=x", "Transfer-Encoding: chunked")
    body = part * 1000
    open_form = request("POST /v1/classify", *form, body=b"%x\r\n%b\r\n" % (len(body), body))
    with http.connect() as one, http.connect() as two:
        one.sendall(open_form)
        two.sendall(open_form)
        for _ in range(50):  # meanwhile the server reads both forms: this request must be the one that is too many
            http.client.get("/healthz")
        response = http.client.post("/v1/classify", files=[("a", b"z")] * 100)
        assert (response.status_code, code_of(response), response.headers["retry-after"]) == (429, "busy", "1")
    eventually(lambda: http.post(b"z").status_code == 422, what="room")


def test_one_line_of_the_log_for_each_request(http, pictures, eventually):
    """With the path, and without the query, which may hold anything."""
    http.client.get("/log-begins")
    eventually(lambda: any(line["path"] == "/log-begins" for line in http.log), what="the log")
    before = len(http.log)
    http.post(pictures[0], params={"model": "live"})
    http.client.get("/a%0Ab%1B[2J")
    found = eventually(lambda: http.log[before + 1 :] and http.log[before:], what="the log")
    assert [(line["method"], line["path"], line["status"]) for line in found] == [
        ("POST", "/v1/classify", 200),
        ("GET", r"/a\nb\x1b[2J", 404),
    ]
    assert all(line["client"] == "127.0.0.1" and line["seconds"] > 0 for line in found)


# Who may ask ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(command_line):
    """A server with a token, a name, a page that may ask, and a proxy in front."""
    file = command_line.folder / "token"
    file.write_text(f"{TOKEN}\n")
    options = ["--allow-host", "Mill.example:8080", "--allow-origin", "https://page.example/", "--behind-proxy"]
    with serving(command_line, "--host", "0.0.0.0", "--token-file", file, *options) as server:  # noqa: S104
        server.await_ready()
        yield server


def test_a_token_is_needed_for_images_and_jobs(guarded, pictures):
    """Not for health, nor for what describes the server."""
    for given in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}, {"Authorization": "Bearer é"}):
        raw = {name: value.encode("latin-1") for name, value in given.items()}
        response = guarded.post(pictures[0], headers=raw)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        assert guarded.client.get("/v1/jobs", headers=raw).status_code == 401
        assert guarded.client.get("/v1/nothing", headers=raw).status_code == 401
    right = {"Authorization": f"bearer {TOKEN}"}
    assert guarded.post(pictures[0], headers=right).json()["digit"] == 7
    assert guarded.client.get("/metrics").status_code == 401
    shown = parse(guarded.client.get("/metrics", headers=right).text)
    assert shown.value("digitmill_http_seconds_count", path="/v1/classify", status="200") >= 1
    assert shown.value("digitmill_http_seconds_count", path="other", status="401") >= 4
    assert shown.value("digitmill_process_info", role="serve") == 1
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/docs/seven.png"):
        response = guarded.client.get(path)
        assert response.status_code == 200
        assert TOKEN not in response.text
    assert not any(TOKEN in str(line) for line in guarded.log)


def test_only_known_names_are_answered(guarded, http):
    """So a page that gives this machine a name of its own learns nothing. Health has no names."""
    for server, known in ((guarded, True), (http, False)):
        for host in ("mill.example", "MILL.example:8080", "mill.example."):
            status = server.client.get("/docs", headers={"Host": host}).status_code
            assert status == (200 if known else 400)
        for host in ("localhost", "127.0.0.1:1", "[::1]:8080"):
            assert server.client.get("/docs", headers={"Host": host}).status_code == 200
        for host in ("evil.example", "localhost.evil.example", "localhost@evil.example", "", "localhost/x", "[::1"):
            response = server.client.get("/docs", headers={"Host": host})
            assert (response.status_code, code_of(response)) == (400, "bad_host"), host
        assert server.client.get("/healthz", headers={"Host": "10.0.0.1"}).status_code == 200
    assert b"bad_host" in http.raw(b"GET /docs HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert b"bad_host" in http.raw(request("GET /docs", "Host: localhost"))
    assert http.raw(b"GET /docs HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_pages_from_elsewhere_may_not_ask_unless_they_are_named(guarded, http, pictures):
    """A form that a page sends is refused, and a browser hears that it may not send images."""
    named = {"Origin": "https://page.example", "Authorization": f"Bearer {TOKEN}"}
    response = guarded.post(pictures[0], headers=named)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "https://page.example")
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    response = guarded.client.request("OPTIONS", "/v1/classify", headers=asked)
    assert response.status_code == 204
    assert "Authorization" in response.headers["access-control-allow-headers"]
    for origin in ("https://evil.example", "null", "https://page.example.evil.example", "http://page.example"):
        for server in (guarded, http):
            response = server.post(pictures[0], headers={"Origin": origin})
            assert (response.status_code, code_of(response)) == (403, "bad_origin")
            assert "access-control-allow-origin" not in response.headers
    assert http.post(pictures[0], headers={"Origin": http.url}).status_code == 200
    for other in ("http://127.0.0.1:1", "http://127.0.0.1", "http://[", "http://localhost"):
        assert http.post(pictures[0], headers={"Origin": other}).status_code == 403


def test_a_proxy_says_for_whom_it_asks(guarded, http, eventually):
    """The last address counts, because clients can write the others. Without `--behind-proxy` nobody is believed."""
    for server, seen in ((guarded, "203.0.113.9"), (http, "127.0.0.1")):

        def clients(server=server):
            return [line["client"] for line in server.log if line["path"] == "/of-a-proxy"]

        server.client.get("/of-a-proxy", headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.9"})
        eventually(clients, what="a line of the log")  # lines of other requests may still come
        assert clients() == [seen]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_without_a_token_only_this_machine_is_answered(command_line, host):
    """The message names the remedy."""
    assert "--token-file" in command_line("serve", "--host", host, code=2).errors


def test_a_token_that_can_be_guessed_or_sent_by_no_client_is_refused(command_line, tmp_path):
    """It comes from the file or the variable, and no message shows it."""
    for token in ("short", "a token with spaces in it", "ü" * 20):
        printed = command_line("serve", code=2, DIGITMILL_HTTP_TOKEN=token)
        assert "openssl rand" in printed.errors
        assert token not in printed.errors
    empty = tmp_path / "empty"
    empty.touch()
    assert "openssl rand" in command_line("serve", "--token-file", empty, code=2, DIGITMILL_HTTP_TOKEN=TOKEN).errors
    assert "cannot be read" in command_line("serve", "--token-file", tmp_path / "absent", code=2).errors


def test_a_port_in_use_is_an_error_that_says_so(command_line, http):
    """Nothing is served."""
    assert "--port" in command_line("serve", "--port", http.address[1], code=2).errors


# A mill that is away --------------------------------------------------------------------------------------------------


def test_without_redis_the_server_lives_and_says_why_it_cannot_answer(tmp_path, pictures):
    """503 with Retry-After. The health tells no address."""
    with serving(CommandLine(tmp_path, NOWHERE)) as away:
        assert away.client.get("/healthz").json() == {"alive": True}
        ready = away.client.get("/readyz")
        assert (ready.status_code, code_of(ready)) == (503, "unreachable")
        assert "localhost" not in ready.text
        response = away.post(pictures[0])
        assert (response.status_code, code_of(response), response.headers["retry-after"]) == (503, "unreachable", "5")
        assert away.client.get("/v1/jobs").status_code == 503
        assert away.stop() == 0


def test_without_workers_requests_end_with_the_cause(server, tmp_path, pictures, eventually):
    """503 if there are none, 504 if they are silent, 429 if the lane is full; and an answer as soon as that changes."""
    connection = connect(server.url)
    connection.flushall()
    with serving(CommandLine(tmp_path, server.url), "--timeout", "0.5") as waiting:
        assert code_of(waiting.client.get("/readyz")) == "no_workers"
        response = waiting.post(pictures[0])
        assert (response.status_code, code_of(response)) == (503, "no_workers")
        assert "digitmill up" in response.text
        stop = threading.Event()

        def announce():
            while not stop.wait(0.3):
                Ledger(connection).announce("w-1", {"ready": 1, "model": "m", "lane": 1}, ttl_seconds=ALIVE_SECONDS)

        thread = threading.Thread(target=announce)
        thread.start()
        try:
            waiting.await_ready()
            response = waiting.post(pictures[0])
            assert (response.status_code, code_of(response)) == (504, "timeout")
            connection.lpush(lane_keys.CALLS[CallKind.FILES], *[b""] * MAX_WAITING)
            response = eventually(
                lambda: (found := waiting.post(pictures[0])).status_code == 429 and found, what="the lane is full"
            )
            assert (code_of(response), response.headers["retry-after"]) == ("lane_full", "1")
        finally:
            stop.set()
            thread.join()
            connection.flushall()


@pytest.mark.slow
def test_the_server_finds_a_mill_that_starts_later(start_mill, tmp_path, pictures, eventually):
    """Through a restart of its Redis, each request is answered, or ends with an error that names the cause."""
    with serving(CommandLine(tmp_path, None)) as early:
        assert early.post(pictures[0]).status_code == 503
        with start_mill(1) as mill:
            early.await_ready()
            assert early.post(pictures[0]).json()["digit"] == 7
            os.kill(mill.stack.supervisor.processes()["server"], signal.SIGKILL)
            found = [early.post(pictures[0]) for _ in range(20)]
            assert {response.status_code for response in found} <= {200, 503, 504}
            assert {code_of(response) for response in found if response.status_code != 200} <= {
                "unreachable",
                "no_workers",
                "timeout",
            }
            early.await_ready()
            assert early.post(pictures[0]).json()["digit"] == 7
        eventually(lambda: early.client.get("/readyz").status_code == 503, what="the mill is away")


# The end --------------------------------------------------------------------------------------------------------------


def half_sent(server, picture):
    """Open a connection, and send the first half of a request with an image."""
    connection = server.connect()
    head = request("POST /v1/classify", "Content-Type: image/png", f"Content-Length: {len(picture)}")
    connection.sendall(head + picture[:20])
    return connection


def test_the_first_signal_lets_open_requests_end(command_line, pictures, eventually):
    """New ones are refused meanwhile, and the exit code is 0."""
    with serving(command_line) as server:
        server.await_ready()
        with half_sent(server, pictures[0]) as connection, httpx.Client(base_url=server.url, timeout=60) as other:
            assert other.get("/healthz").status_code == 200
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: other.get("/readyz").status_code == 503, what="it drains")
            response = server.post(pictures[0])
            assert (response.status_code, code_of(response)) == (503, "draining")
            assert other.get("/healthz").status_code == 200
            connection.sendall(pictures[0][20:])
            assert b'"digit":7' in read_all(connection)
        assert server.process.wait(60) == 0
        assert "Traceback" not in server.process.stderr.read()


def test_a_second_signal_ends_it_at_once(command_line, pictures, eventually):
    """The exit code is that of an interrupt."""
    with serving(command_line) as server, half_sent(server, pictures[0]):
        server.await_ready()
        server.process.send_signal(signal.SIGINT)
        eventually(lambda: server.client.get("/readyz").status_code == 503, what="it drains")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 130


def test_curl_does_what_the_readme_says(http, tmp_path):
    """Its commands work as printed, with the address of this server."""
    from tests.test_architecture import README

    found = re.search(r"^(curl .*seven\.png)\n(curl .*v1/classify)$", README, re.MULTILINE)
    assert found
    for command in found.groups():
        here = command.replace("http://127.0.0.1:8080", http.url)
        done = subprocess.run(
            ["sh", "-c", f"{here} --silent"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert '"digit":7' in done.stdout


def test_with_json_logs_every_line_is_an_object(command_line, tmp_path):
    """Requests on standard output, and warnings on standard error."""
    with serving(command_line, DIGITMILL_LOG_FORMAT="json", DIGITMILL_REDIS_URL=f"unix://{tmp_path}/none") as server:
        assert server.client.get("/healthz").status_code == 200
        server.stop()
        warnings = [json.loads(line) for line in server.process.stderr]
    assert any(line.get("path") == "/healthz" for line in server.log)
    assert {line["role"] for line in warnings} == {"serve"}
    assert any("Cannot reach" in line["message"] for line in warnings)
