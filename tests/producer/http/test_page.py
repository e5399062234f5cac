"""Facts about the page and the OpenAPI document: they say what the server does, and load nothing from elsewhere."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import cast

import pytest
from starlette.routing import Route

from producer.http import openapi, page
from producer.http.app import make_router
from producer.http.classifying import _PARSERS, Classifying
from producer.http.limits import Outstanding
from producer.http.mill import MillWatch, SharedClient
from worker.contract.telemetry.exposition import make_registry
from worker.settings import Settings


@pytest.fixture(params=[True, False], ids=["with a token", "without a token"])
def rendered(request):
    """The page, and whether a token is needed."""
    return page.render(needs_token=request.param), request.param


def test_the_page_runs_only_its_own_style_and_script(rendered):
    """The policy names the hashes of exactly these, and allows nothing from elsewhere."""
    found, _ = rendered
    for kind, tag in (("style", "style"), ("script", "script")):
        [text] = re.findall(rf"<{tag}>(.*?)</{tag}>", found.html, re.DOTALL)
        hashed = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{hashed}';" in found.policy
    assert found.policy.startswith("default-src 'none';")
    assert "unsafe" not in found.policy
    assert not re.search(r"\son\w+=|\sstyle=", found.html), "the policy forbids them"


def test_the_page_loads_nothing_from_elsewhere(rendered):
    """Its addresses are below its own, so it also works below a path of a proxy."""
    found, _ = rendered
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', found.html)
    assert set(addresses) == {"docs/seven.png", "openapi.json"}
    assert not re.search(r"url\(|@import|//cdn", found.html)


def test_the_page_asks_for_a_token_only_if_one_is_needed(rendered):
    """And its commands send one."""
    found, needs_token = rendered
    assert (
        ('id="token"' in found.html) == ("Authorization: Bearer" in found.html.partition("<script>")[0]) == needs_token
    )


@pytest.fixture(scope="module")
def document():
    """The document."""
    return json.loads(openapi.document(needs_token=True))


def test_the_document_and_the_page_name_every_path_and_parameter(document):
    """And no others."""
    settings = Settings.from_environment({})
    watch = MillWatch(settings)
    registry = make_registry([], role="serve", name="test", version="1")
    classifying = Classifying(SharedClient(watch, 1.0), watch, Outstanding())
    router = make_router(settings, watch, classifying, registry, needs_token=False, is_draining=lambda: False)
    routes = cast("list[Route]", router.routes)
    served = {(route.path, method.lower()) for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == served
    parameters = {each["name"] for each in document["paths"]["/v1/classify"]["post"]["parameters"]}
    assert parameters == set(_PARSERS)
    html = page.render(needs_token=False).html
    assert set(re.findall(r"<code>(\w+)=\w+</code>", html)) == parameters


def test_the_references_of_the_document_lead_somewhere(document):
    """So that programs can make clients of it."""
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found = document
        for name in reference.split("/"):
            found = found[name]
        assert found
