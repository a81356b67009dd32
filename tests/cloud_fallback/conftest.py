"""Fixtures: services on loopback with a model small enough for tests, and faulty links to them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tests.support.faulty_link import FaultyLink
from tests.support.running_service import ServiceFactory


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A development CA, and the certificate and key of localhost."""
    return make_dev_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def serve(
    tiny_model: Path, certificates: tuple[Path, Path, Path], tmp_path: Path
) -> Iterator[ServiceFactory]:
    """Starts services; they end with the test."""
    with contextlib.closing(ServiceFactory(tiny_model, certificates, tmp_path)) as factory:
        yield factory


@pytest.fixture
def faulty() -> Iterator[Callable[[int], FaultyLink]]:
    """Makes links to a port; they end with the test."""
    made: list[FaultyLink] = []

    def make(target: int) -> FaultyLink:
        link = FaultyLink(target)
        link.start()
        made.append(link)
        return link

    yield make
    for link in made:
        link.stop()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
