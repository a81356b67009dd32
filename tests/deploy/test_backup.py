"""The nightly dump of `database.yaml`, made of a real PostgreSQL and restored as the guide says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from tallylens.cloud_fallback.jobs import schema
from tallylens.cloud_fallback.jobs.database import Database
from tests.support.job_rows import add_job, job_row
from tests.support.postgres import Postgres, binaries

DEPLOY = Path(__file__).parents[2] / "deploy"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(binaries() is None, reason="needs PostgreSQL (apt install postgresql)"),
]


def dump_script() -> str:
    documents = yaml.safe_load_all((DEPLOY / "database.yaml").read_text())
    (job,) = [one for one in documents if one["kind"] == "CronJob"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][:2] == ["sh", "-euc"]
    return str(container["command"][2])


def restore_command() -> list[str]:
    text = (DEPLOY.parent / "docs" / "guides" / "operate.md").read_text()
    (command,) = re.findall(r"`(pg_restore [^`]+)`", text)
    return str(command).split()


def test_a_dump_is_restored(tmp_path: Path) -> None:
    server = Postgres()
    try:
        server.start()
        url, folder = server.create("videos"), binaries()
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "TALLYLENS_DATABASE": url}
        database = Database(url)
        schema.upgrade(database)
        job = database.run(add_job)
        script = dump_script().replace("/backups", str(tmp_path))
        old = tmp_path / "tallylens-2020-01-01.dump"
        old.touch()
        os.utime(old, (0, 0))
        for _ in range(2):
            subprocess.run(["sh", "-euc", script], env=environment, check=True, timeout=60)
        (dump,) = tmp_path.iterdir()
        database.run(lambda one: one.execute(sa.text("UPDATE jobs SET frames = 7")))
        given = {"--dbname=URL": f"--dbname={url}", "tallylens-DATE.dump": str(dump)}
        command = [given.get(word, word) for word in restore_command()]
        subprocess.run(command, env=environment, check=True, timeout=60)
        assert database.run(job_row, job).frames == 0
        assert schema.differences(database) == []
        database.close()
    finally:
        server.close()
