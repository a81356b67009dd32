"""Fixtures of the tests of HTTP routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI

from tallylens.cloud_fallback.server.app import create_app
from tallylens.cloud_fallback.server.auth import Auth
from tallylens.cloud_fallback.server.keys import KeyFile, entry, new_key
from tallylens.cloud_fallback.server.models import ModelInstances
from tallylens.cloud_fallback.server.service import Service


@dataclass(frozen=True)
class Application:
    """An application that does not listen, with one key."""

    app: FastAPI
    service: Service
    key: str


@pytest.fixture
def application(tiny_model: Path, tmp_path: Path) -> Iterator[Callable[..., Application]]:
    """Makes applications; the key has all scopes by default."""
    model = ModelInstances(tiny_model, 1)

    def make(
        scopes: tuple[str, ...] = ("token", "metrics"), *, tickets: bool = True
    ) -> Application:
        key, path = new_key(), tmp_path / "keys.toml"
        path.write_text(entry("tester", key, scopes))
        service = Service(model, Auth(KeyFile(path), tickets=tickets))
        return Application(create_app(service), service, key)

    yield make
    model.close()
