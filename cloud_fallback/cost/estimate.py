"""The cost of a scenario: the bill of the way asked about, all ways, and the cheapest of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ...edge_runtime.errors import UsageError
from .lines import CostLine, build_lines, machine_lines, person_line, service_lines
from .prices import PriceTable
from .scenario import CPU, GPU, Scenario, Throughput
from .ways import NAMES, UTILIZATION, Fleet, Way, all_ways, videos_per_hour

MAX_BURST = 1 << 20
"""The largest burst, in videos, for which it is tried whether a GPU is cheaper."""
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of one way, in US dollars per month, without people."""

    way: Way
    lines: tuple[CostLine, ...]

    @property
    def usd(self) -> float:
        """The estimate."""
        return sum(one.usd for one in self.lines)

    @property
    def low(self) -> float:
        """The low estimate: spot prices, and doubted ones."""
        return sum(one.low for one in self.lines)

    @property
    def high(self) -> float:
        """The high estimate: the dearest comparable price of the table."""
        return sum(one.high for one in self.lines)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a scenario, in US dollars.

    Attributes:
        scenario: what was asked.
        asked: the bill of the way that was asked about.
        bills: the bill of each way, by its name.
        proposed: the name of the cheapest way that keeps the deadline, or "" if none does.
        person: the share of a person who runs it, per month.
        build: what building it costs, once.
        per_report, marginal: a report at this load, and one more report.
        phone_first_saves: per month, when `phone_share` of the videos never leave the phone.
        next_instance: videos per hour from which another GPU machine is needed.
        next_limit: what limits it then.
        decoding_share: the share of a core's time that decoding takes on a machine without GPU.
        advice: sentences on the choice.
    """

    scenario: Scenario
    asked: Bill
    bills: dict[str, Bill]
    proposed: str
    person: CostLine
    build: tuple[CostLine, ...]
    per_report: float
    marginal: float
    phone_first_saves: float
    next_instance: float
    next_limit: str
    decoding_share: float
    advice: tuple[str, ...]

    @property
    def build_usd(self) -> float:
        """US dollars to build it, once."""
        return sum(one.usd for one in self.build)

    def to_json(self) -> dict[str, Any]:
        """The document of `tallylens cost --json`."""
        build = {
            "usd": self.build_usd,
            "low": sum(one.low for one in self.build),
            "high": sum(one.high for one in self.build),
            "lines": [dataclasses.asdict(one) for one in self.build],
        }
        document = {
            "scenario": dataclasses.asdict(self.scenario),
            "run": _bill(self.asked, self.person),
            "person": dataclasses.asdict(self.person),
            "build": build,
            "per_report": {"usd": self.per_report, "marginal_usd": self.marginal},
            "phone_first_saves_usd": self.phone_first_saves,
            "next_instance": {"videos_per_hour": self.next_instance, "limit": self.next_limit},
            "decoding_share": self.decoding_share,
            "ways": {name: _way(bill) for name, bill in self.bills.items()},
            "proposed": self.proposed or None,
            "advice": list(self.advice),
        }
        rounded: dict[str, Any] = _rounded(document)
        return rounded


def cost(
    scenario: Scenario | None = None,
    prices: PriceTable | None = None,
    *,
    way: str = "gpu",
    provider: str = "gcp",
    gpu: str = "A100-80GB",
    cpu_throughput: Throughput = CPU,
    gpu_throughput: Throughput = GPU,
) -> Cost:
    """Estimate what the video service costs to build and to run.

    Args:
        scenario: the load and the promise (default: the reference case).
        prices: published prices (default: the table of the package).
        way: the way whose bill is shown, one of `gpu`, `cpu`, `phone-first`, `mixed`.
        provider: the seller of the machines.
        gpu: the GPU model of the GPU machines.
        cpu_throughput: measured speed of a machine without GPU (`Throughput.read`).
        gpu_throughput: the same of a GPU machine.

    Raises:
        UsageError: `way` is unknown, or the table lacks a price.
    """
    scenario, table = scenario or Scenario(), prices or PriceTable.shipped()
    if way not in NAMES:
        raise UsageError(f"unknown way {way!r}", f"Choose one of {', '.join(NAMES)}")
    fleet = Fleet(
        table.find(provider, "cpu"),
        table.find(provider, "gpu", gpu),
        cpu_throughput,
        gpu_throughput,
    )
    bills = _bills(scenario, fleet, table, provider)
    keeping = [name for name, bill in bills.items() if not bill.way.problem]
    proposed = min(keeping, key=lambda name: bills[name].usd, default="")
    asked = bills[way]
    marginal = _marginal(scenario, fleet, table, provider, way)
    videos, limit = videos_per_hour(scenario, fleet)
    saves = scenario.phone_share * scenario.videos_per_month * marginal
    saves += sum(one.usd() for one in bills["gpu"].way.machines)
    months = [one.usd() for one in bills["phone-first"].way.machines]
    return Cost(
        scenario=scenario,
        asked=asked,
        bills=bills,
        proposed=proposed,
        person=person_line(scenario),
        build=tuple(build_lines(scenario, asked.usd)),
        per_report=asked.usd / scenario.videos_per_month,
        marginal=marginal,
        phone_first_saves=saves - sum(months),
        next_instance=videos,
        next_limit=limit,
        decoding_share=fleet.decoding_share,
        advice=tuple(_advice(scenario, fleet, bills, proposed)),
    )


def _bills(scenario: Scenario, fleet: Fleet, table: PriceTable, provider: str) -> dict[str, Bill]:
    bills = {}
    for name, way in all_ways(scenario, fleet).items():
        share = 1 - scenario.phone_share if name == "phone-first" else 1.0
        service = service_lines(scenario, table, provider, share)
        bills[name] = Bill(way, (*machine_lines(way, table), *service))
    return bills


def _marginal(
    scenario: Scenario, fleet: Fleet, table: PriceTable, provider: str, way: str
) -> float:
    """US dollars of one more report: machine time, transfer and storage."""
    on_gpu = way == "gpu"
    price = fleet.gpu_price if on_gpu else fleet.cpu_price
    fps = fleet.gpu_fps if on_gpu else fleet.cpu_machine_fps
    one = dataclasses.replace(scenario, videos_per_day=1)
    fixed = {"web machine", "disk", "address", "load balancer", "egress"}
    lines = service_lines(one, table, provider, 1)
    variable = sum(line.usd for line in lines if line.name not in fixed)
    sent = scenario.report_kib / 1024**2 + scenario.annotated_share * scenario.video_mib / 1024
    egress = sent * table.find(provider, "egress").usd
    machine = scenario.frames_per_video / (UTILIZATION * fps) / 3600 * price.usd
    return machine + variable / one.videos_per_month + egress


def _advice(scenario: Scenario, fleet: Fleet, bills: dict[str, Bill], proposed: str) -> list[str]:
    if not proposed:
        return [f"no way keeps {scenario.deadline_s:g} s: {bills['cpu'].way.problem}"]
    gpu, chosen = bills["gpu"], bills[proposed]
    sentences = [f"proposed: {chosen.way.title}, {chosen.usd:,.2f} per month"]
    if chosen.usd < gpu.usd and fleet.gpu_price.gpu:
        sentences[0] += f" instead of {gpu.usd:,.2f} with {fleet.gpu_price.gpu}"
    sentences.append(
        f"decoding sets the number of cores: it takes {fleet.decoding_share:.0%} of the time of a "
        f"core without GPU, and limits a GPU machine of {fleet.gpu_price.vcpus} vCPUs to "
        f"{fleet.gpu_decode_fps:,.0f} frames/s"
    )
    sentences.append(_when_gpu(scenario, fleet))
    return sentences


def _when_gpu(scenario: Scenario, fleet: Fleet) -> str:
    """The speed and the burst from which a GPU is cheaper than machines without one."""

    def dearer(burst: float) -> bool:
        fps = dataclasses.replace(scenario, burst_videos=burst).burst_fps()
        return fleet.cpus(fps).usd() > fleet.gpus(fps, scenario.gpu_month_share).usd()

    burst = scenario.burst_videos
    while burst < MAX_BURST and not dearer(burst):
        burst *= 2
    gpu_usd = fleet.gpu_price.usd * scenario.gpu_month_share / fleet.gpu_fps
    below = fleet.cpu_price.usd / max(1, fleet.cpu_price.vcpus) / gpu_usd
    slow = (
        f"a GPU is cheaper once a core counts fewer than {below:.1f} frames/s "
        f"(now {fleet.cpu.fps_per_core:.0f}): a larger model or input"
    )
    if burst >= MAX_BURST:
        return f"{slow}; more videos alone do not make it so"
    low, high = burst / 2, burst
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if dearer(middle) else (middle, high)
    return f"{slow}; or with bursts of {high:,.0f} videos"


def _bill(bill: Bill, person: CostLine) -> dict[str, Any]:
    return {
        "way": bill.way.name,
        "usd": bill.usd,
        "low": bill.low,
        "high": bill.high + person.high - person.usd,
        "lines": [dataclasses.asdict(one) for one in bill.lines],
    }


def _way(bill: Bill) -> dict[str, Any]:
    way = bill.way
    return {
        "title": way.title,
        "usd": bill.usd,
        "low": bill.low,
        "high": bill.high,
        "machines": [
            {
                "sku": one.price.sku,
                "count": one.count,
                "month_share": one.month_share,
                "limit": one.limit,
                "usd": one.usd(),
            }
            for one in way.machines
        ],
        "burst_s": way.burst_s,
        "keeps_deadline": not way.problem,
        "problem": way.problem or None,
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
