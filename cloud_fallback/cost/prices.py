"""The price table: published prices with their source, date and doubts."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ...edge_runtime.errors import InputError, UsageError

MAX_BYTES = 1 << 20
MAX_ROWS = 2000
MAX_PRICE_USD = 1e6
UNITS = {
    "gpu": "hour",
    "cpu": "hour",
    "load_balancer": "hour",
    "ip": "hour",
    "disk": "GiB-month",
    "object_storage": "GiB-month",
    "egress": "GiB",
    "load_balancer_data": "GiB",
}
"""The kinds of prices, and what one unit of each is."""
_REQUIRED = ("provider", "sku", "kind", "unit", "usd")


@dataclass(frozen=True, slots=True)
class Price:
    """One published price.

    Attributes:
        provider: the seller, such as `gcp`.
        sku: the seller's name of what is sold.
        kind: a key of `UNITS`.
        usd: US dollars per unit (`UNITS`).
        usd_spot: the same for capacity that may be taken away, or None.
        usd_doubted: another published price of the same thing that is probably wrong, or None.
        vcpus: virtual cores of a machine, 0 for other kinds.
        gpu: model of the GPU, or "".
        gpu_count: GPUs of the machine.
        region, source, source_date, note: where and when it was read, and what is doubtful.
    """

    provider: str
    region: str
    sku: str
    kind: str
    usd: float
    usd_spot: float | None
    usd_doubted: float | None
    vcpus: int
    gpu: str
    gpu_count: int
    source: str
    source_date: str
    note: str

    @property
    def low(self) -> float:
        """The lowest of its published prices, in US dollars."""
        return min(usd for usd in (self.usd, self.usd_spot, self.usd_doubted) if usd is not None)


class PriceTable:
    """Prices by provider and kind."""

    def __init__(self, prices: Sequence[Price], name: str) -> None:
        self.prices, self.name = tuple(prices), name

    @classmethod
    def shipped(cls) -> PriceTable:
        """The table of the package."""
        text = (resources.files(__package__) / "prices.csv").read_text(encoding="utf-8")
        return _parse(text, "prices.csv")

    @classmethod
    def read(cls, path: str | Path) -> PriceTable:
        """Read a CSV file with the columns of the shipped table.

        Raises:
            InputError: it cannot be read, is larger than 1 MiB, or a row is invalid.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(
                path, error.strerror or "cannot be read", "Check the path and its permissions"
            ) from error
        if len(content) > MAX_BYTES:
            raise InputError(path, "larger than 1 MiB", "Give a price table in CSV")
        try:
            return _parse(content.decode("utf-8-sig"), str(path))
        except UnicodeDecodeError as error:
            raise InputError(path, "not UTF-8", "Save the price table as CSV in UTF-8") from error

    @property
    def providers(self) -> list[str]:
        """Providers that sell everything that the formulas need."""
        sold = {
            name: {one.kind for one in self.prices if one.provider == name}
            for name in self._names()
        }
        needed = {"cpu", "disk", "object_storage", "egress", "load_balancer", "ip"}
        return [name for name, kinds in sold.items() if needed <= kinds]

    def _names(self) -> list[str]:
        return list(dict.fromkeys(one.provider for one in self.prices))

    def find(self, provider: str, kind: str, gpu: str = "") -> Price:
        """The first price of a provider for a kind, of one GPU where `gpu` names its model.

        Raises:
            UsageError: the table has none.
        """
        for one in self.prices:
            fits = one.provider == provider and one.kind == kind
            if fits and (not gpu or (one.gpu == gpu and one.gpu_count == 1)):
                return one
        what = f"a machine with one {gpu}" if gpu else kind
        raise UsageError(
            f"{self.name}: no price of {provider} for {what}",
            f"Choose another provider ({', '.join(self.providers)}) or GPU, or add a row",
        )

    def range_of(self, price: Price) -> tuple[float, float]:
        """The lowest and highest price in US dollars of comparable rows, of all providers.

        Comparable are rows of one kind, and of one GPU model or number of cores.
        """
        alike = [
            one
            for one in self.prices
            if (one.kind, one.gpu, one.gpu_count) == (price.kind, price.gpu, price.gpu_count)
            and (one.kind != "cpu" or one.vcpus == price.vcpus)
        ]
        return min(one.low for one in alike), max(one.usd for one in alike)


def _parse(text: str, name: str) -> PriceTable:
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in _REQUIRED if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            name,
            f"a price table without the columns {', '.join(missing)}",
            f"Give it the columns {', '.join(_REQUIRED)}, and those of docs/guides/cost.md",
        )
    prices = []
    try:
        for number, row in enumerate(reader, 2):
            if number > MAX_ROWS:
                raise InputError(name, f"more than {MAX_ROWS} rows", "Leave out what is not needed")
            prices.append(_price(row, name, number))
    except csv.Error as error:
        raise InputError(name, f"invalid CSV ({error})", "Save the table as CSV again") from error
    if not prices:
        raise InputError(name, "a price table without rows", "Add a row per price")
    return PriceTable(prices, name)


def _price(row: dict[str, str | None], name: str, number: int) -> Price:
    def text(column: str) -> str:
        return (row.get(column) or "").strip()

    def amount(column: str) -> float | None:
        if not text(column):
            return None
        try:
            value = float(text(column))
        except ValueError:
            value = math.nan
        if not 0 <= value <= MAX_PRICE_USD:
            raise _invalid(name, number, column, text(column))
        return value

    kind, usd = text("kind"), amount("usd")
    if kind not in UNITS:
        raise _invalid(name, number, "kind", kind)
    if text("unit") != UNITS[kind]:
        raise _invalid(name, number, "unit", text("unit"))
    if usd is None:
        raise _invalid(name, number, "usd", "")
    return Price(
        provider=text("provider"),
        region=text("region"),
        sku=text("sku"),
        kind=kind,
        usd=usd,
        usd_spot=amount("usd_spot"),
        usd_doubted=amount("usd_doubted"),
        vcpus=int(amount("vcpus") or 0),
        gpu=text("gpu"),
        gpu_count=int(amount("gpu_count") or 0),
        source=text("source"),
        source_date=text("source_date"),
        note=text("note"),
    )


def _invalid(name: str, number: int, column: str, value: str) -> InputError:
    return InputError(
        name,
        f"line {number}: {column} is {value!r}",
        f"A price is in US dollars, and its kind and unit are one of {', '.join(UNITS)} per "
        f"{', '.join(dict.fromkeys(UNITS.values()))}",
    )
