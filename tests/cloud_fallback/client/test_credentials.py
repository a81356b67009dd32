"""The API key of a client: found, checked and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallylens.cloud_fallback.client.credentials import Secret, find_key
from tallylens.edge_runtime.errors import InputError, UsageError


def test_a_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("tlk_2\n")
    assert find_key({"TALLYLENS_API_KEY": " tlk_1 "}).reveal() == "tlk_1"
    assert find_key({"TALLYLENS_API_KEY_FILE": str(file)}).reveal() == "tlk_2"
    for environment in ({}, {"TALLYLENS_API_KEY": "two words"}, {"TALLYLENS_API_KEY": "x" * 5000}):
        with pytest.raises(UsageError):
            find_key(environment)
    with pytest.raises(InputError, match="No such file"):
        find_key({"TALLYLENS_API_KEY_FILE": str(tmp_path / "none")})


def test_a_secret_does_not_show_itself() -> None:
    assert "tlk_1" not in f"{Secret('tlk_1')} {Secret('tlk_1')!r} {[Secret('tlk_1')]}"
