"""The Dockerfile, what it copies, and the lock files of its packages."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

DEPLOY = Path(__file__).parents[2] / "deploy"
LOCKS = sorted(DEPLOY.glob("requirements/*.lock"))
# Extras of uploaded videos, with PostgreSQL and an object store.
VIDEOS = ("videos", "postgres", "store")
REPLACED = {"opencv-python": "opencv-python-headless", "onnxruntime": "onnxruntime-gpu"}


@pytest.mark.skipif(sys.platform == "win32", reason="hadolint has no build for Windows")
def test_the_dockerfile_has_no_findings() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    command = [str(hadolint), str(DEPLOY / "Dockerfile")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_nothing_is_installed_without_a_hash() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for command in re.findall(r"pip install .*", text):
        assert "--require-hashes -r" in command or "--no-deps --no-index" in command
    assert set(re.findall(r"deploy/requirements/(\w+)\.lock", text)) == {one.stem for one in LOCKS}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda one: one.stem)
def test_every_package_is_pinned_with_a_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert len(entries) >= 2
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+ ", entry), entry
        assert "--hash=sha256:" in entry


def pinned(lock: Path) -> dict[str, Version]:
    found = re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", lock.read_text(), re.MULTILINE)
    return {name: Version(version) for name, version in found}


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        *((name, extra) for name in ("cpu", "cuda", "ray") for extra in VIDEOS),
        ("cpu", "serve"),
        ("cuda", "serve"),
        ("ray", "cluster"),
    ],
)
def test_the_lock_files_satisfy_the_package(name: str, extras: str) -> None:
    """Also after a bound of setup.cfg is raised: deploy/lock.sh is then to run again."""
    settings = configparser.ConfigParser()
    settings.read(DEPLOY.parent / "setup.cfg")
    groups = [("options", "install_requires"), ("options.extras_require", "serve")]
    groups += [("options.extras_require", extras)]
    versions = pinned(DEPLOY / "requirements" / f"{name}.lock")
    for section, option in groups:
        for line in settings[section][option].splitlines():
            if not line or line.startswith(("#", "tallylens")):
                continue
            wanted = Requirement(line)
            names = {wanted.name, REPLACED.get(wanted.name, wanted.name)}
            found = [versions[one] for one in names if one in versions]
            assert found, wanted
            assert all(one in wanted.specifier for one in found), wanted


def test_the_context_is_the_package_alone() -> None:
    """An allow list: no data, key or test gets into an image by accident."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    for rule in rules[1:]:
        if rule.startswith("!"):
            assert (DEPLOY.parent / rule[1:]).exists(), rule
    assert not {"!tests", "!benchmarks", "!.git", "!.ci"} & set(rules)


def test_the_workflow_builds_each_image_for_its_processors() -> None:
    workflow = yaml.safe_load((DEPLOY.parent / ".github/workflows/images.yml").read_text())
    job = workflow["jobs"]["image"]
    targets = {one["target"]: one["platforms"] for one in job["strategy"]["matrix"]["include"]}
    stages = re.findall(r"^FROM \S+ AS (\w+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert set(targets) == set(stages) - {"wheel", "base"}
    assert targets["cpu"] == "linux/amd64,linux/arm64"
    uses = [step.get("uses", "") for step in job["steps"]]
    for action in ("aquasecurity/trivy-action", "anchore/sbom-action"):
        assert any(one.startswith(action) for one in uses)
    assert workflow["permissions"] == {"contents": "read"}


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_base_image_is_pinned_by_what_the_registry_shows(tmp_path: Path) -> None:
    """With a docker that answers as the real one; no digest is an error that changes nothing."""
    for name in ("Dockerfile", "pin-base-image.sh"):
        shutil.copy(DEPLOY / name, tmp_path / name)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    digest = "sha256:" + "ab" * 32
    for answer, status in (("", 4), (digest, 0)):
        docker.write_text(f"#!/bin/sh\necho {answer}\n")
        docker.chmod(0o755)
        outcome = subprocess.run(
            ["sh", str(tmp_path / "pin-base-image.sh"), "python:3.12-slim-bookworm"],
            env={"PATH": f"{docker.parent}:/usr/bin:/bin"},
            capture_output=True,
            check=False,
        )
        assert outcome.returncode == status
        pinned_now = f"ARG PYTHON=python:3.12-slim-bookworm@{digest}\n"
        assert (pinned_now in (tmp_path / "Dockerfile").read_text()) == (status == 0)
