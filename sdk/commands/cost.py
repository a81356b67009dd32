"""`tallylens cost`: the cost of building and running the video service, and the cheapest way."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from tallylens.commands.arguments import add_json, print_json

if TYPE_CHECKING:
    from tallylens.cloud_fallback.cost.estimate import Cost
    from tallylens.cloud_fallback.cost.lines import CostLine

NAME = "cost"
HELP = "Estimate what the video service costs, and propose the cheapest way."
EXAMPLES = """examples:
  tallylens cost
  tallylens cost --videos-per-day 200 --seconds 20 --deadline-s 3600
  tallylens benchmark --model yolov5n-int8.tflite --source clip.mp4 --json > here.json
  tallylens cost --benchmark here.json --way cpu

Without options it is the reference case: 1,000 videos of 30 s at 120 frames/s per day, bursts of
100, each report within 20 minutes, on one GPU. Amounts are in US dollars. Every line has a low and
a high estimate; --sources adds where each price was published, when, and what is doubtful."""

_HELP = {
    "videos_per_day": "uploaded videos per day",
    "seconds": "length of a video",
    "fps": "frames per second of a video",
    "burst_videos": "most videos that arrive at the same moment",
    "deadline_s": "seconds from the burst to the last report",
    "upload_s": "seconds of the deadline that the uploads of the burst take",
    "report_s": "seconds of the deadline that the reports take",
    "video_mib": "MiB of a video",
    "days_kept": "days for which a video is stored",
    "report_kib": "KiB of a report and its pages",
    "annotated_share": "share of the videos that are sent back with boxes drawn",
    "phone_share": "share of the videos that phones count themselves, where phones come first",
    "gpu_month_share": "share of the month for which a GPU machine is on",
    "person_days": "days of work to build it",
    "salary_usd": "yearly salary",
    "person_share": "share of a person who runs it",
    "on_call_share": "further share in the high estimate",
    "build_months": "months for which machines run before the first user",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from tallylens.cloud_fallback.cost.scenario import Scenario
    from tallylens.cloud_fallback.cost.ways import NAMES

    parser.add_argument("--way", choices=NAMES, default="gpu", help="the way to show the bill of")
    parser.add_argument(
        "--provider", default="gcp", help="the seller of the machines (default: gcp)"
    )
    parser.add_argument(
        "--gpu", default="A100-80GB", help="model of the GPU (default: A100-80GB)", metavar="MODEL"
    )
    parser.add_argument("--prices", metavar="FILE", help="another price table, in CSV")
    parser.add_argument(
        "--benchmark", metavar="FILE", help="measured speed of a machine without GPU"
    )
    parser.add_argument("--gpu-benchmark", metavar="FILE", help="measured speed of a GPU machine")
    parser.add_argument("--sources", action="store_true", help="show source, date and doubt")
    scenario = parser.add_argument_group("scenario")
    for field in dataclasses.fields(Scenario):
        scenario.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=float,
            default=field.default,
            metavar="N",
            help=f"{_HELP[field.name]} (default: {field.default:g})",
        )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens.cloud_fallback.cost.estimate import cost
    from tallylens.cloud_fallback.cost.prices import PriceTable
    from tallylens.cloud_fallback.cost.scenario import CPU, GPU, Scenario, Throughput

    scenario = Scenario(**{name: getattr(options, name) for name in _HELP})
    estimate = cost(
        scenario,
        PriceTable.read(options.prices) if options.prices else None,
        way=options.way,
        provider=options.provider,
        gpu=options.gpu,
        cpu_throughput=Throughput.read(options.benchmark) if options.benchmark else CPU,
        gpu_throughput=Throughput.read(options.gpu_benchmark) if options.gpu_benchmark else GPU,
    )
    if options.json:
        print_json(estimate.to_json())
    else:
        _print(estimate, options.sources)
    return 0


def _print(estimate: Cost, sources: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    asked, person = estimate.asked, estimate.person
    total = ("run, without people", asked.usd, asked.low, asked.high)
    _table(console, f"per month: {asked.way.title}", (*asked.lines,), total)
    usd, low, high = asked.usd + person.usd, asked.low + person.low, asked.high + person.high
    _table(console, "with a person", (person,), ("run, with people", usd, low, high))
    lows, highs = (sum(getattr(one, name) for one in estimate.build) for name in ("low", "high"))
    _table(console, "once", estimate.build, ("build", estimate.build_usd, lows, highs))
    _ways(console, estimate)
    month = estimate.scenario.videos_per_month
    for sentence in (
        *estimate.advice,
        f"a report costs {estimate.per_report:.4f} at {month:,.0f} per month, one more "
        f"{estimate.marginal:.4f}",
        f"counting {estimate.scenario.phone_share:.0%} on phones saves "
        f"{estimate.phone_first_saves:,.2f} per month against a GPU that is always on",
        f"another GPU machine is needed from {estimate.next_instance:,.0f} videos per hour "
        f"({estimate.next_limit})",
    ):
        console.print(Text(sentence), soft_wrap=True)
    if sources:
        for line in (*asked.lines, person, *estimate.build):
            date = f", {line.source_date}" if line.source_date else ""
            doubt = f". {line.doubt}" if line.doubt else ""
            console.print(Text(f"{line.name}: {line.source}{date}{doubt}"), soft_wrap=True)


def _table(
    console: object, title: str, lines: tuple[CostLine, ...], total: tuple[str, float, float, float]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    assert isinstance(console, Console)
    table = Table(title=Text(title), title_justify="left")
    table.add_column("line")
    table.add_column("formula", overflow="fold")
    for name in ("US$", "low", "high"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        amounts = (f"{value:,.2f}" for value in (line.usd, line.low, line.high))
        table.add_row(Text(line.name), Text(line.formula), *amounts)
    table.add_section()
    table.add_row(total[0], "", *(f"{value:,.2f}" for value in total[1:]))
    console.print(table)


def _ways(console: object, estimate: Cost) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    assert isinstance(console, Console)
    table = Table(title="ways", title_justify="left")
    for name in ("way", "machines", "last report", "US$ per month"):
        table.add_column(name, justify="left" if name in ("way", "machines") else "right")
    for name, bill in estimate.bills.items():
        machines = ", ".join(f"{one.count} x {one.price.sku}" for one in bill.way.machines)
        minutes = f"{bill.way.burst_s / 60:.1f} min" + (" (late)" if bill.way.problem else "")
        chosen = f"{name} (proposed)" if name == estimate.proposed else name
        table.add_row(Text(chosen), Text(machines or "none"), minutes, f"{bill.usd:,.2f}")
    console.print(table)
