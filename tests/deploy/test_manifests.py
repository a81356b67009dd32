"""The manifests of deploy/ pass the validators, and their pods may do little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tallylens.cli import _parser
from tallylens.edge_runtime.version import __version__

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = "1.34"
MANIFESTS = (
    "autoscaling-gpu.yaml",
    "autoscaling.yaml",
    "database.yaml",
    "ingress.yaml",
    "kubernetes.yaml",
    "rayservice.yaml",
    "videos.yaml",
)
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
    for kind in ("Deployment", "StatefulSet", "Job"):
        yield from (one["spec"]["template"] for one in of_kind(kind))
    yield from (one["spec"]["jobTemplate"]["spec"]["template"] for one in of_kind("CronJob"))
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
        name, _, tag = container["image"].partition(":")
        assert tag == ("17-bookworm" if name == "postgres" else __version__)
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        # A StatefulSet brings the volume of its data.
        assert mounted - {"data"} <= {volume["name"] for volume in spec["volumes"]}
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_only_what_has_no_port_has_no_probe() -> None:
    """The heartbeat of a worker is in the database; a job ends."""
    without = [
        container["name"]
        for template in pods()
        for container in template["spec"]["containers"]
        if "ports" not in container
    ]
    assert sorted(without) == ["dump", "migrate", "worker"]


@pytest.mark.parametrize(
    "template", [one for one in pods() if "ports" in one["spec"]["containers"][0]]
)
def test_probes_survive_a_busy_moment_and_need_no_program(template: dict[str, Any]) -> None:
    """The image has no wget, curl or shell worth the name."""
    for container in template["spec"]["containers"]:
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container[name]
            assert "exec" not in probe
            assert "tcpSocket" in probe or probe["httpGet"]["path"]
            assert probe["timeoutSeconds"] >= 5
        alive = container["livenessProbe"]
        assert alive["failureThreshold"] * alive["periodSeconds"] >= 60


def test_a_pod_with_clients_has_the_time_to_end() -> None:
    """The pause before SIGTERM and the drain fit into the grace period."""
    ending = [one for one in pods() if "lifecycle" in one["spec"]["containers"][0]]
    assert len(ending) == 3
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
    rules = [rule for one in of_kind("Ingress") for rule in one["spec"]["rules"]]
    assert len({rule["host"] for rule in rules}) == 2
    for rule in rules:
        for path in rule["http"]["paths"]:
            target = path["backend"]["service"]
            names = {port["name"] for port in services[target["name"]]["spec"]["ports"]}
            assert target["port"]["name"] in names


def commands_of_pods() -> Iterator[list[str]]:
    """The command lines of tallylens in the pods, as the entry point of the image makes them."""
    for template in pods():
        for container in template["spec"]["containers"]:
            if container["image"].startswith("tallylens:"):
                entry = container.get("command", ["tallylens", "serve"])
                yield [*entry, *container.get("args", [])]


@pytest.mark.parametrize("command", list(commands_of_pods()), ids=lambda one: one[1])
def test_the_command_line_knows_every_argument(command: list[str]) -> None:
    assert command[0] == "tallylens"
    assert _parser().parse_args(command[1:]).run


def test_the_database_admits_its_clients_alone() -> None:
    (policy,) = [
        one for one in of_kind("NetworkPolicy") if one["metadata"]["name"] == "tallylens-database"
    ]
    admitted = [one["podSelector"]["matchLabels"] for one in policy["spec"]["ingress"][0]["from"]]
    for template in pods():
        text = str(template["spec"]["containers"])
        asks = "TALLYLENS_DATABASE" in text
        labels = template["metadata"]["labels"].items()
        assert asks == any(chosen.items() <= labels for chosen in admitted)


def test_what_is_scaled_is_there() -> None:
    deployments = {one["metadata"]["name"] for one in of_kind("Deployment")}
    services = {one["metadata"]["name"] for one in of_kind("Service")}
    (settings,) = [one for one in of_kind("ConfigMap") if "adapter" in one["metadata"]["name"]]
    rules = yaml.safe_load(settings["data"]["config.yaml"])["rules"]
    known = {rule["name"]["as"] for rule in rules}
    for scaler in of_kind("HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
        for metric in scaler["spec"]["metrics"]:
            target = metric[metric["type"].lower()]
            assert target["metric"]["name"] in known
            if "describedObject" in target:
                assert target["describedObject"]["name"] in services
