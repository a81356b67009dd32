"""The files of deploy/ pass the linters of the tools that read them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tallylens.edge_runtime.version import __version__

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = "1.29"


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def pods() -> Iterator[Any]:
    """The pod template of everything that runs."""
    for document in documents("kubernetes.yaml"):
        if document["kind"] == "Deployment":
            yield document["spec"]["template"]
    for document in documents("rayservice.yaml"):
        groups = document["spec"]["rayClusterConfig"]
        yield groups["headGroupSpec"]["template"]
        yield from (group["template"] for group in groups["workerGroupSpecs"])


@pytest.mark.skipif(sys.platform == "win32", reason="hadolint has no build for Windows")
def test_the_dockerfile_has_no_findings() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    command = [str(hadolint), str(DEPLOY / "Dockerfile")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("document", documents("kubernetes.yaml"), ids=lambda one: one["kind"])
def test_kubernetes_knows_every_field(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("template", list(pods()))
def test_pods_are_pods_and_may_do_little(template: dict[str, Any]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, **template}
    pod["metadata"] = {"name": "one"}
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    spec = template["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    for container in spec["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["image"].endswith(f":{__version__}")
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}


def test_the_ray_application_is_one_that_is_here() -> None:
    (document,) = documents("rayservice.yaml")
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", "RayService")
    (application,) = yaml.safe_load(document["spec"]["serveConfigV2"])["applications"]
    module, name = application["import_path"].split(":")
    source = DEPLOY.parent / Path(*module.split(".")[1:]).with_suffix(".py")
    assert f"\ndef {name}(arguments: dict[str, str])" in source.read_text()
    assert all(isinstance(value, str) for value in application["args"].values())
