"""Standard error is quiet for one block, and itself again after it."""

from __future__ import annotations

import os

import pytest

from tallylens.edge_runtime.standard_error import quiet_stderr


def test_a_block_is_quiet_also_when_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with quiet_stderr():
            os.write(2, b"inside ")
            raise ValueError("of the block")

    os.write(2, b"before ")
    with pytest.raises(ValueError, match="of the block"):
        fail()
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_a_process_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: int) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("tallylens.edge_runtime.standard_error.os.dup", closed)
    with quiet_stderr():
        pass
