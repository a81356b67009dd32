"""The manifests of deploy/ pass the validators, and their pods may do little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tallylens.edge_runtime.version import __version__

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = "1.34"
MANIFESTS = ("autoscaling.yaml", "ingress.yaml", "kubernetes.yaml", "rayservice.yaml")
# Resources that an operator defines: Kubernetes itself has no schema for them.
CUSTOM = ("ray.io/v1", "monitoring.coreos.com/v1")


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def every_document() -> list[dict[str, Any]]:
    return [one for name in MANIFESTS for one in documents(name)]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in every_document() if one["kind"] == kind]


def pods() -> Iterator[Any]:
    """The pod template of everything that runs."""
    yield from (one["spec"]["template"] for one in of_kind("Deployment"))
    for document in of_kind("RayService"):
        groups = document["spec"]["rayClusterConfig"]
        yield groups["headGroupSpec"]["template"]
        yield from (group["template"] for group in groups["workerGroupSpecs"])


@pytest.mark.parametrize(
    "document",
    [one for one in every_document() if one["apiVersion"] not in CUSTOM],
    ids=lambda one: f"{one['kind']}-{one['metadata']['name']}",
)
def test_kubernetes_knows_every_field(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("template", list(pods()))
def test_pods_are_pods_and_may_do_little(template: dict[str, Any]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "one"}}
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    spec = template["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        allowed = container["securityContext"]
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert container["image"].endswith(f":{__version__}")
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("template", list(pods()))
def test_probes_survive_a_busy_moment_and_need_no_program(template: dict[str, Any]) -> None:
    """The image has no wget, curl or shell worth the name."""
    for container in template["spec"]["containers"]:
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container[name]
            assert "exec" not in probe
            assert probe["httpGet"]["path"]
            assert probe["timeoutSeconds"] >= 5
        alive = container["livenessProbe"]
        assert alive["failureThreshold"] * alive["periodSeconds"] >= 60


def test_a_pod_with_clients_has_the_time_to_end() -> None:
    """The pause before SIGTERM and the drain fit into the grace period."""
    ending = [one for one in pods() if "lifecycle" in one["spec"]["containers"][0]]
    assert len(ending) == 2
    for template in ending:
        (container,) = template["spec"]["containers"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert template["spec"]["terminationGracePeriodSeconds"] >= pause + 10 + 10
        assert template["spec"]["topologySpreadConstraints"]


def test_every_pod_has_a_network_policy() -> None:
    policies = [one["spec"]["podSelector"]["matchLabels"] for one in of_kind("NetworkPolicy")]
    for template in pods():
        labels = template["metadata"]["labels"]
        assert any(chosen.items() <= labels.items() for chosen in policies)


def test_the_ray_application_is_one_that_is_here() -> None:
    (document,) = of_kind("RayService")
    (application,) = yaml.safe_load(document["spec"]["serveConfigV2"])["applications"]
    module, name = application["import_path"].split(":")
    source = DEPLOY.parent / Path(*module.split(".")[1:]).with_suffix(".py")
    assert f"\ndef {name}(arguments: dict[str, str])" in source.read_text()
    for argument, value in application["args"].items():
        assert isinstance(value, str)
        assert f'"{argument}"' in source.read_text()


def test_ray_runs_nothing_for_strangers_and_survives_its_head() -> None:
    (document,) = of_kind("RayService")
    groups = document["spec"]["rayClusterConfig"]
    assert groups["gcsFaultToleranceOptions"]["redisAddress"]
    assert groups["authOptions"] == {"mode": "token"}
    (policy,) = [one for one in of_kind("NetworkPolicy") if "ray" in one["metadata"]["name"]]
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert all(rule["from"] for rule in policy["spec"]["ingress"])


def test_the_ingress_leads_to_a_service_that_is_there() -> None:
    services = {one["metadata"]["name"]: one for one in of_kind("Service")}
    (ingress,) = of_kind("Ingress")
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            target = path["backend"]["service"]
            names = {port["name"] for port in services[target["name"]]["spec"]["ports"]}
            assert target["port"]["name"] in names
