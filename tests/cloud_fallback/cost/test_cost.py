"""The bill of the reference case, formulas against numbers worked out by hand, and the choice."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.cost.estimate import Cost, cost
from tallylens.cloud_fallback.cost.lines import CostLine
from tallylens.cloud_fallback.cost.prices import PriceTable
from tallylens.cloud_fallback.cost.scenario import Scenario, Throughput
from tallylens.edge_runtime.errors import InputError, UsageError

HERE = Throughput(172, 2, 165, "measured")
COLUMNS = "provider,sku,kind,unit,usd\n"


def line(estimate: Cost, name: str) -> CostLine:
    return next(one for one in estimate.asked.lines if one.name == name)


def test_the_reference_case() -> None:
    estimate = cost()
    assert estimate.asked.usd == pytest.approx(4000, rel=0.15)
    assert estimate.build_usd == pytest.approx(21_000, rel=0.10)
    by_hand = {
        "A100-80GB machines": 3670.22,
        "web machine": 97.83,
        "disk": 17.00,
        "address": 3.65,
        "store": 1.00,
        "load balancer": 18.25,
        # 1,000 x 51.2 MiB x 365 / 12 in, 4.64 GiB of reports out
        "load balancer, data": (1000 * 51.2 * 365 / 12 / 1024 + 4.641) * 0.008,
        "egress": (1000 * 365 / 12 * 160 / 1024**2 - 1) * 0.12,
    }
    assert {one.name: round(one.usd, 2) for one in estimate.asked.lines} == {
        name: round(usd, 2) for name, usd in by_hand.items()
    }
    assert estimate.build[0].usd == pytest.approx(20_769.23, abs=0.01)
    assert estimate.person.usd == 10_000


def test_each_line_has_its_source_date_and_doubt() -> None:
    estimate = cost()
    for one in estimate.asked.lines:
        assert one.source
        assert one.source_date
        assert one.low <= one.usd <= one.high
    assert "DOUBT" in line(estimate, "A100-80GB machines").doubt
    run = estimate.to_json()["run"]
    assert run["low"] < run["usd"] < run["high"]
    build = estimate.to_json()["build"]
    assert build["low"] == pytest.approx(14_794.52, abs=0.01)
    assert build["low"] < build["usd"] < build["high"]
    # 1.5 months of the machines during the work
    assert build["high"] - build["usd"] == pytest.approx(1.5 * run["usd"], abs=0.01)


def test_a_doubted_price_is_the_low_estimate_where_there_is_no_lower_one() -> None:
    table = PriceTable(
        [
            dataclasses.replace(one, usd_spot=None) if one.gpu == "A100-80GB" else one
            for one in PriceTable.shipped().prices
        ],
        "without spot",
    )
    # 2.94582 x 730; the rest of the low bill is that of other lines.
    assert line(cost(prices=table), "A100-80GB machines").low == pytest.approx(2150.45, abs=0.01)


def test_measured_speed_proposes_machines_without_gpu() -> None:
    estimate = cost(cpu_throughput=HERE)
    assert estimate.proposed in {"cpu", "phone-first"}
    chosen = estimate.bills[estimate.proposed]
    assert not any(one.price.gpu for one in chosen.way.machines)
    assert chosen.way.burst_s <= 1200
    text = " ".join(estimate.advice)
    assert f"{estimate.asked.usd:,.2f}" in text
    assert "decoding sets the number of cores" in text
    assert "a GPU is cheaper once a core counts fewer than" in text


def test_cores_by_hand() -> None:
    # 100 x 3,600 frames in 1,130 s are 318.6 frames/s; a machine of 4 cores has 0.7 x 344.
    way = cost(cpu_throughput=HERE).bills["cpu"].way
    assert [one.count for one in way.machines] == [2]
    assert way.burst_s == pytest.approx(60 + 360_000 / 688 + 10)


def test_a_core_slower_than_announced_makes_a_gpu_cheaper() -> None:
    estimate = cost(cpu_throughput=HERE)
    sentence = next(one for one in estimate.advice if one.startswith("a GPU is cheaper"))
    limit = float(sentence.split("fewer than ")[1].split()[0])
    many = Scenario(burst_videos=1000, phone_share=0)

    def gpu_is_cheaper(fps: float) -> bool:
        bills = cost(many, cpu_throughput=Throughput(fps, 1, 165, "")).bills
        return bills["gpu"].usd < bills["cpu"].usd

    assert gpu_is_cheaper(limit * 0.8)
    assert not gpu_is_cheaper(limit * 1.25)


def test_decoding_limits_a_gpu_machine() -> None:
    slow = Throughput(10_000, 12, 100, "")
    assert cost(gpu_throughput=slow).next_limit == "decoding"
    # 0.7 x 12 vCPUs x 100 frames/s
    assert cost(gpu_throughput=slow).next_instance == pytest.approx(840 * 3600 / 3600)


def test_a_deadline_that_no_way_keeps_is_said() -> None:
    estimate = cost(Scenario(deadline_s=80), cpu_throughput=HERE)
    assert estimate.proposed != "cpu"
    assert estimate.bills["cpu"].way.problem
    slow = Throughput(1, 1, 2, "")
    none = cost(Scenario(deadline_s=80), cpu_throughput=slow, gpu_throughput=slow)
    assert none.to_json()["proposed"] is None
    assert "no way keeps 80 s" in none.advice[0]


@given(
    burst=st.floats(1, 1e4),
    fps=st.floats(1, 500),
    deadline=st.floats(600, 1e5),
    phones=st.floats(0, 1),
)
def test_machines_do_the_work_that_they_are_bought_for(
    burst: float, fps: float, deadline: float, phones: float
) -> None:
    scenario = Scenario(burst_videos=burst, fps=fps, deadline_s=deadline, phone_share=phones)
    estimate = cost(scenario, cpu_throughput=HERE)
    for name in ("gpu", "cpu", "phone-first"):
        bill = estimate.bills[name]
        frames = burst * scenario.frames_per_video * (1 - phones if name == "phone-first" else 1)
        rate = sum(
            one.count * (1000 if one.price.gpu else one.price.vcpus * 86)
            for one in bill.way.machines
        )
        assert rate * 0.7 * scenario.counting_s >= frames * (1 - 1e-9)
        assert bill.low <= bill.usd <= bill.high
    cheapest = min(
        (bill.usd for bill in estimate.bills.values() if not bill.way.problem), default=None
    )
    if estimate.proposed:
        assert estimate.bills[estimate.proposed].usd == cheapest


@pytest.mark.parametrize(
    ("field", "value"),
    [("fps", 0), ("seconds", float("nan")), ("phone_share", 1.1), ("videos_per_day", -1)],
)
def test_impossible_scenarios_are_refused(field: str, value: float) -> None:
    with pytest.raises(UsageError, match=field):
        Scenario(**{field: value})


def test_unknown_way_provider_and_gpu_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown way 'teleport'"):
        cost(way="teleport")
    with pytest.raises(UsageError, match="no price of nobody"):
        cost(provider="nobody")
    with pytest.raises(UsageError, match="one TPU"):
        cost(gpu="TPU")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "without the columns"),
        ("provider,sku\na,b\n", "kind, unit, usd"),
        (COLUMNS, "without rows"),
        (COLUMNS + "a,b,magic,hour,1\n", "line 2: kind is 'magic'"),
        (COLUMNS + "a,b,cpu,GiB,1\n", "line 2: unit is 'GiB'"),
        (COLUMNS + "a,b,cpu,hour,-1\n", "line 2: usd is '-1'"),
        (COLUMNS + "a,b,cpu,hour,nan\n", "line 2: usd is 'nan'"),
        (COLUMNS + "a,b,cpu,hour,\n", "line 2: usd is ''"),
        (COLUMNS + "a,b,cpu,hour,1\n" * 3000, "more than 2000 rows"),
        (COLUMNS + "x" * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_damaged_price_tables_are_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=problem):
        PriceTable.read(path)


def test_own_prices(tmp_path: Path) -> None:
    kinds = [
        ("cpu", "hour", 0.1),
        ("gpu", "hour", 2),
        ("disk", "GiB-month", 0.1),
        ("object_storage", "GiB-month", 0.02),
        ("egress", "GiB", 0.1),
        ("load_balancer", "hour", 0.01),
        ("ip", "hour", 0.01),
    ]
    rows = "".join(
        f"mine,{kind},{kind},{unit},{usd},4,{'T4,1' if kind == 'gpu' else ','}\n"
        for kind, unit, usd in kinds
    )
    path = tmp_path / "prices.csv"
    path.write_text("provider,sku,kind,unit,usd,vcpus,gpu,gpu_count\n" + rows)
    estimate = cost(prices=PriceTable.read(path), provider="mine", gpu="T4")
    assert line(estimate, "T4 machines").usd == pytest.approx(2 * 730)
    assert "load balancer, data" not in [one.name for one in estimate.asked.lines]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ms": {"video_decode": 0}}', "[" * 5000])
def test_other_files_are_no_benchmark(tmp_path: Path, content: str) -> None:
    path = tmp_path / "here.json"
    path.write_text(content)
    with pytest.raises(InputError, match="tallylens benchmark --json"):
        Throughput.read(path)


def test_a_benchmark_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "here.json"
    document = {
        "machine": {"cores": 2},
        "ms": {"video_decode": 5},
        "fps": {"all_workers": 150},
    }
    path.write_text(json.dumps(document))
    read = Throughput.read(path)
    assert (read.fps_per_core, read.decode_fps) == (75, 200)
