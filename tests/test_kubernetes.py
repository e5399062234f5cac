"""The manifests for Kubernetes are valid, and agree with the program, its images and Compose. No cluster runs them."""

import re
from copy import deepcopy
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.test_containers import PASSWORDS, REPOSITORY
from worker.contract.telemetry import metrics
from worker.settings import Settings

FOLDER = REPOSITORY / "deploy" / "kubernetes"
VERSIONS = ("1.30", kubernetes_validate.latest_version())
"""Versions of Kubernetes whose schemas the manifests must fit: an old one, and the newest that is known."""


@cache
def documents() -> list[dict[str, Any]]:
    """Return all manifests that `kubectl apply -k` would send, in order."""
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return [each for name in kustomization["resources"] for each in yaml.safe_load_all((FOLDER / name).read_text())]


def named(document: dict[str, Any]) -> str:
    """Return kind and name of a manifest, for messages."""
    return f"{document['kind']} {document['metadata']['name']}"


def pods() -> dict[str, dict[str, Any]]:
    """Return the template of the pods of each component, by its name."""
    return {
        each["metadata"]["name"]: each["spec"]["template"] for each in documents() if "template" in each.get("spec", {})
    }


def containers() -> dict[str, dict[str, Any]]:
    """Return the one container of each component, by its name."""
    return {name: pod["spec"]["containers"][0] for name, pod in pods().items()}


COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
BYTES = {"k": 10, "m": 20, "g": 30, "ki": 10, "mi": 20, "gi": 30}


def size(text: str) -> int:
    """Return a number of bytes, as Compose and Kubernetes write it."""
    number = text.rstrip("kmgKMGi")
    return int(number) << BYTES[text.removeprefix(number).lower()]


@pytest.mark.parametrize("document", documents(), ids=named)
def test_every_manifest_fits_the_schemas_of_the_api(document):
    """All fields exist, and have values of the right kind."""
    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_does_not_exist_is_found():
    """So the test above can fail."""
    [document] = [deepcopy(each) for each in documents() if named(each) == "Deployment worker"]
    document["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessProb"):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


def test_every_file_is_applied():
    """A manifest that the kustomization forgets would never reach a cluster."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted({path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"})


def test_components_are_the_services_of_compose_with_the_same_images_and_memory():
    """All that Compose runs, except the clients and Prometheus, which a cluster has already."""
    assert containers().keys() == COMPOSE.keys() - {"producer", "admin", "prometheus"}
    renamed = {each["name"] for each in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["images"]}
    pages = (REPOSITORY / "docs" / "operations.md").read_text()
    for name, container in containers().items():
        assert container["image"] == COMPOSE[name]["image"]
        assert container["image"].partition(":")[0] in renamed
        assert size(container["resources"]["limits"]["memory"]) == size(COMPOSE[name]["mem_limit"])
        assert container["resources"]["limits"]["cpu"] == ("500m" if COMPOSE[name]["cpus"] == 0.5 else 1)
        assert container["image"].replace(name, "$role") in pages
        grace = int(COMPOSE[name]["stop_grace_period"].removesuffix("s"))
        assert pods()[name]["spec"]["terminationGracePeriodSeconds"] >= grace


def test_pods_may_do_as_little_as_containers_of_compose():
    """None is root, gains privileges, writes to its image, or talks to the cluster."""
    for pod in pods().values():
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_each_component_knows_only_its_own_password_and_settings_that_exist():
    """Passwords are those that `make env` makes. An unknown setting would be ignored without a word."""
    [settings] = [each["data"] for each in documents() if each["kind"] == "ConfigMap"]
    read = set(re.findall(r"DIGITMILL_\w+", (REPOSITORY / "worker" / "settings.py").read_text()))
    made = {*PASSWORDS, "DIGITMILL_HTTP_TOKEN"}
    assert Settings.from_environment(settings)
    assert settings.keys() <= read
    for name, container in containers().items():
        secret = {each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"] if "valueFrom" in each}
        plain = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        if name == "redis":
            assert secret == set(PASSWORDS)
            continue
        user = {"http": "submitter"}.get(name, name)
        assert secret - {"DIGITMILL_HTTP_TOKEN"} == {f"DIGITMILL_{user.upper()}_PASSWORD"}
        assert secret <= made
        assert plain.pop("DIGITMILL_REDIS_URL") == (
            f"redis://digitmill-{user}:$(DIGITMILL_{user.upper()}_PASSWORD)@redis:6379/0"
        )
        assert plain.keys() <= read
        assert Settings.from_environment(plain)


def test_probes_ask_what_the_images_ask():
    """The commands are those of the Dockerfile, and the paths are those that the program serves."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    server = (REPOSITORY / "producer" / "http" / "guard.py").read_text()
    for name, container in containers().items():
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind, {})
            if "exec" in probe:
                command = probe["exec"]["command"]
                asked = command[-1] if command[0] == "sh" else f'"{command[-2]}", "{command[-1]}"'
                assert asked in dockerfile, (name, kind)
            elif "httpGet" in probe:
                assert probe["httpGet"]["port"] in {port["name"] for port in container["ports"]}
                assert probe["httpGet"]["path"] == "/metrics" or f'"{probe["httpGet"]["path"]}"' in server
        assert "livenessProbe" in container


def test_every_selector_selects_pods():
    """Services, deployments, budgets and policies find the pods that they are about."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods().items()}
    for document in documents():
        spec = document.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector") or {}
        wanted = selector.get("matchLabels", selector)
        found = {name for name, its in labels.items() if wanted.items() <= its.items()}
        assert found, named(document)
        if document["kind"] in {"Service", "Deployment", "StatefulSet", "PodDisruptionBudget"}:
            assert found == {document["metadata"]["name"]}


def test_keda_scales_the_workers_by_a_metric_that_exists():
    """The query names a metric of the exporter, and the target is a deployment."""
    scaled = yaml.safe_load((FOLDER / "keda" / "scaledobject.yaml").read_text())
    assert scaled["spec"]["scaleTargetRef"]["name"] in {
        each["metadata"]["name"] for each in documents() if each["kind"] == "Deployment"
    }
    [trigger] = scaled["spec"]["triggers"]
    [name, label, value] = re.findall(r"digitmill_\w+|(?<=\{)\w+|(?<=\")\w+", trigger["metadata"]["query"])
    assert (name, label) == (metrics.QUEUE.name, metrics.QUEUE.labels[0])
    assert f'"{value}"' in (REPOSITORY / "worker" / "exporter" / "values.py").read_text()
