"""Alert rules and dashboard: valid, each alert fires where it should, every metric is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
from tallylens.cloud_fallback.jobs.job_metrics import JobMetrics
from tallylens.cloud_fallback.server.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
RUNBOOK = DEPLOY.parent / "docs" / "guides" / "operate.md"


def promtool(*arguments: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool (apt install prometheus)")
    command = [program, *arguments]
    outcome = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "dashboard.json").read_text())
    return found


def expressions() -> list[str]:
    targets = [target for panel in dashboard()["panels"] for target in panel["targets"]]
    documents = yaml.safe_load_all((DEPLOY / "autoscaling.yaml").read_text())
    (adapter,) = [one for one in documents if one["kind"] == "ConfigMap"]
    adapted = yaml.safe_load(adapter["data"]["config.yaml"])["rules"]
    queries = [rule[name] for rule in adapted for name in ("metricsQuery", "seriesQuery")]
    return [one["expr"] for one in targets] + [one["expr"] for one in rules()] + queries


def test_the_rules_are_valid() -> None:
    promtool("check", "rules", "alerts.yaml")


def test_each_alert_fires_where_it_should() -> None:
    promtool("test", "rules", "alerts_test.yaml")


def test_each_alert_is_tested_firing_and_quiet() -> None:
    tests = yaml.safe_load((DEPLOY / "alerts_test.yaml").read_text())["tests"]
    cases = [case for one in tests for case in one["alert_rule_test"]]
    names = {one["alert"] for one in rules()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_is_one_of_the_service(expression: str, tmp_path: Path) -> None:
    """As Prometheus names them: with the suffixes of counters and histograms."""
    metrics = Metrics()
    database = Database(sqlite_url(tmp_path / "unused.db"))
    JobMetrics(metrics.registry, database, tmp_path)
    database.close()
    text = metrics.text().decode()
    shown = set(re.findall(r"^# TYPE (\S+) \w+$", text, re.MULTILINE))
    histograms = set(re.findall(r"^# TYPE (\S+) histogram$", text, re.MULTILINE))
    shown |= {f"{name}{part}" for name in histograms for part in ("_bucket", "_sum", "_count")}
    shown -= histograms
    used = set(re.findall(r"\btallylens_\w+", expression))
    # The others are of Prometheus itself, and of NVIDIA's exporter.
    assert used or "up{" in expression or "DCGM_FI_DEV_GPU_UTIL{" in expression
    assert used <= shown


def test_every_expression_of_the_dashboard_is_valid(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": one.replace("$__rate_interval", "5m")}
        for number, one in enumerate(
            target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]
        )
    ]
    path = tmp_path / "dashboard.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    promtool("check", "rules", str(path))


def test_the_operator_has_the_same_rules() -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "monitoring.yaml").read_text()))
    (rule,) = [one for one in documents if one["kind"] == "PrometheusRule"]
    assert rule["spec"] == yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
    (monitor,) = [one for one in documents if one["kind"] == "ServiceMonitor"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["path"], endpoint["params"]) == ("/metrics", {"of": ["self"]})


def test_each_alert_has_its_place_in_the_runbook() -> None:
    text = RUNBOOK.read_text()
    for one in rules():
        assert f"\n### {one['alert']}\n" in text
        target = f"docs/guides/operate.md#{one['alert'].lower()}"
        assert one["annotations"]["runbook_url"] == target
