"""The service `http` answers this host alone, and only those who have the token."""

import json

import pytest

from tests.system.compose.project import docker, inspect

ASK = """
import json, os, sys, urllib.error, urllib.request
url = "http://127.0.0.1:8080"
image = urllib.request.urlopen(f"{url}/docs/seven.png").read()
def ask(**headers):
    headers["Content-Type"] = "image/png"
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/classify", image, headers)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
print(json.dumps([ask(), ask(Authorization=f"Bearer {os.environ['DIGITMILL_HTTP_TOKEN']}")]))
"""


@pytest.fixture
def container(mill, three_workers):  # noqa: ARG001  they answer
    """Start the service, as its user does. Return its container."""
    mill("--profile", "http", "up", "--detach", "--no-recreate", "--no-deps", "http", seconds=300)
    [found] = mill.containers("http")
    yield found
    mill("--profile", "http", "rm", "--force", "--stop", "http")


def test_the_service_answers_this_host_and_who_has_the_token(container, eventually):
    """It becomes healthy, refuses a request without the token, and classifies one with it."""
    eventually(lambda: inspect(container)["State"]["Health"]["Status"] == "healthy", what="it is healthy")
    places = inspect(container)["NetworkSettings"]["Ports"]["8080/tcp"]
    assert {place["HostIp"] for place in places} == {"127.0.0.1"}

    def answers():
        found = json.loads(docker("exec", container, "python", "-P", "-c", ASK))
        return found if found[1][0] == 200 else None

    (refused, error), (_, prediction) = eventually(answers, what="the mill answers")
    assert (refused, error["error"]["code"], prediction["digit"]) == (401, "bad_token", 7)
