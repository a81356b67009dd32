"""The lines of the bill: each with its formula, price, source, and a low and a high estimate."""

from __future__ import annotations

from dataclasses import dataclass

from .prices import Price, PriceTable
from .scenario import HOURS_PER_MONTH, Scenario
from .ways import Machines, Way

DISK_GIB = 100
WORKDAYS_PER_YEAR = 260
CALENDAR_DAYS_PER_YEAR = 365
HIGH_BUILD_MONTHS = 1.5
FREE_EGRESS_GIB = 1


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the bill, in US dollars: per month, or once for `build`.

    Attributes:
        name: the thing that is paid.
        formula: how `usd` comes about, with the numbers.
        usd: the estimate; `low` and `high` are beside it.
        source, source_date: where the price was published, and when it was read.
        doubt: what is doubtful about it, or "".
    """

    name: str
    formula: str
    usd: float
    low: float
    high: float
    source: str
    source_date: str
    doubt: str


def machine_lines(way: Way, table: PriceTable) -> list[CostLine]:
    """The lines of the machines that count."""
    return [_machines(one, table) for one in way.machines]


def _machines(machines: Machines, table: PriceTable) -> CostLine:
    price = machines.price
    name = f"{price.gpu} machines" if price.gpu else "counting machines"
    share = "" if machines.month_share == 1 else f" x {machines.month_share:.3f} of the month"
    formula = f"{machines.count} x {price.usd:g} x {HOURS_PER_MONTH} h{share} ({price.sku})"
    _, highest = table.range_of(price)
    low, high = machines.usd(price.low), max(machines.usd(), machines.usd(highest))
    return _line(name, formula, machines.usd(), low, high, price)


def service_lines(
    scenario: Scenario, table: PriceTable, provider: str, share: float
) -> list[CostLine]:
    """The lines that every way has; `share` of the videos comes to the service."""
    videos = scenario.videos_per_month * share
    stored = scenario.videos_per_day * share * scenario.video_mib * scenario.days_kept / 1024
    received = videos * scenario.video_mib / 1024
    # Phones send their reports, too.
    sent = scenario.videos_per_month * scenario.report_kib / 1024**2
    sent += videos * scenario.annotated_share * scenario.video_mib / 1024
    paid = max(0.0, sent - FREE_EGRESS_GIB)

    def line(name: str, kind: str, amount: float, formula: str) -> CostLine:
        price = table.find(provider, kind)
        lowest, highest = table.range_of(price)
        usd = amount * price.usd
        low, high = min(usd, amount * lowest), max(usd, amount * highest)
        return _line(name, formula.format(f"{price.usd:g}"), usd, low, high, price)

    hours = HOURS_PER_MONTH
    lines = [
        line("web machine", "cpu", hours, f"{{}} x {hours} h"),
        line("disk", "disk", DISK_GIB, f"{DISK_GIB} GiB x {{}}"),
        line("address", "ip", hours, f"{{}} x {hours} h"),
        line("store", "object_storage", stored, f"{stored:.1f} GiB x {{}}"),
        line("load balancer", "load_balancer", hours, f"{{}} x {hours} h"),
    ]
    if any(p.provider == provider and p.kind == "load_balancer_data" for p in table.prices):
        through = received + sent
        name = "load balancer, data"
        lines.append(line(name, "load_balancer_data", through, f"{through:.0f} GiB x {{}}"))
    formula = f"({sent:.1f} - {FREE_EGRESS_GIB} free) GiB x {{}}"
    lines.append(line("egress", "egress", paid, formula))
    return lines


def person_line(scenario: Scenario) -> CostLine:
    """The share of a person who runs it, per month."""
    month = scenario.salary_usd / 12
    usd = month * scenario.person_share
    formula = f"{scenario.salary_usd:g} / 12 x {scenario.person_share:g}"
    high = usd + month * scenario.on_call_share
    return CostLine("a person", formula, usd, 0, high, "given", "", "high: with on-call duty")


def build_lines(scenario: Scenario, run_usd: float) -> list[CostLine]:
    """The lines of building it, once; `run_usd` is a month of the machines."""
    days, salary = scenario.person_days, scenario.salary_usd
    work = days * salary / WORKDAYS_PER_YEAR
    formula = f"{days:g} days x {salary:g} / {WORKDAYS_PER_YEAR}"
    calendar = days * salary / CALENDAR_DAYS_PER_YEAR
    doubt = f"low: {days:g} calendar days of {CALENDAR_DAYS_PER_YEAR} a year"
    months = max(scenario.build_months, HIGH_BUILD_MONTHS)
    machines = scenario.build_months * run_usd
    return [
        CostLine("work", formula, work, calendar, work, "given", "", doubt),
        CostLine(
            "machines during the work",
            f"{scenario.build_months:g} months x {run_usd:.2f}",
            machines,
            0,
            months * run_usd,
            "computed",
            "",
            f"high: {months:g} months",
        ),
    ]


def _line(name: str, formula: str, usd: float, low: float, high: float, price: Price) -> CostLine:
    date = price.source_date or "undated"
    return CostLine(name, formula, usd, low, high, price.source, date, price.note)
