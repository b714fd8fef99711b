"""Differences of throughput, of a table or of an index.

The direction of a difference decides its severity:

* **Lower on the destination, in reads or in writes: "data"**. After the cutover, requests are throttled that
  the source serves. An application that stops retrying loses its writes. Too few write units of a global
  index throttle writes to the table itself.
* **Higher and not lower: "cost"**. Provisioned units are charged whether used or not, and a higher maximum,
  or none, limits the bill less.
* **Warm throughput, higher and not lower: "cosmetic"**. It is charged once, when someone raises it. It grows
  with use, as it does during the copy, and cannot be lowered.

On-demand and provisioned capacity have no common unit. If the billing modes differ, only they are compared,
and a provisioned destination counts as lower.
"""

from __future__ import annotations

from collections.abc import Iterator

from verify.settings import aws_cli
from verify.settings.describe import Definition, Index, Throughput
from verify.settings.findings import Finding, Severity

_AUTO_SCALING = " (auto scaling changes these, if it is on)"
_LOWER = (
    "Requests that the source serves are throttled, and an application that stops retrying loses its writes."
)


def throughput_findings(
    source: Definition | Index, destination: Definition | Index, fix: ThroughputFix, prefix: str = ""
) -> Iterator[Finding]:
    """Compare provisioned throughput, on-demand maximum and warm throughput.

    Parameters
    ----------
    source, destination
        Two tables, or two indexes of the same name.
    fix
        Writes the commands.
    prefix
        Of the findings' aspects, for an index: ``"global_index by-day: "``.
    """
    if source.provisioned and destination.provisioned and source.provisioned != destination.provisioned:
        lower, higher = _directions(source.provisioned, destination.provisioned)
        does = _LOWER if lower else "Provisioned units are charged whether used or not."
        yield Finding(
            f"{prefix}provisioned_throughput",
            "data" if lower else "cost",
            source.provisioned.as_json(),
            destination.provisioned.as_json(),
            f"The destination has {_comparison(lower, higher)} units provisioned{_AUTO_SCALING}. {does}",
            fix.provisioned(source.provisioned),
        )
    if source.maximum and destination.maximum and source.maximum != destination.maximum:
        lower, higher = _directions(source.maximum, destination.maximum)
        does = _LOWER if lower else "Nothing else limits the cost of on-demand requests."
        yield Finding(
            f"{prefix}on_demand_maximum",
            "data" if lower else "cost",
            source.maximum.as_json(),
            destination.maximum.as_json(),
            f"The destination has a {_comparison(lower, higher)} maximum of on-demand request units. {does}",
            fix.maximum(source.maximum),
        )
    if source.warm and destination.warm and source.warm != destination.warm:
        yield _warm_finding(source.warm, destination.warm, fix, prefix)


def _warm_finding(source: Throughput, destination: Throughput, fix: ThroughputFix, prefix: str) -> Finding:
    lower, higher = _directions(source, destination)
    severity: Severity = "data" if lower else "cosmetic"
    if lower:
        does = (
            f"{_LOWER} It grows with use. Raising it is charged once, and Terraform's AWS provider 5.x "
            "cannot set it."
        )
    else:
        does = "It was charged when it was raised, or grew with use. It cannot be lowered."
    return Finding(
        f"{prefix}warm_throughput",
        severity,
        source.as_json(),
        destination.as_json(),
        f"The destination has {_comparison(lower, higher)} warm throughput. {does}",
        # Warm throughput can only be raised (Developer Guide, Understanding warm throughput).
        fix.warm(Throughput(_larger(source.read, destination.read), _larger(source.write, destination.write)))
        if lower
        else None,
    )


class ThroughputFix:
    """Writes the commands that set the source's throughput on the destination.

    Parameters
    ----------
    destination
        The table.
    index
        Name of its global index, for an index.
    """

    def __init__(self, destination: Definition, index: str | None = None) -> None:
        self._destination = destination
        self._index = index

    def provisioned(self, wanted: Throughput) -> str:
        """Set provisioned throughput."""
        return self._write(provisioned_throughput=aws_cli.units(wanted))

    def maximum(self, wanted: Throughput) -> str:
        """Set the maximum on demand."""
        return self._write(on_demand_throughput=aws_cli.maximum(wanted))

    def warm(self, wanted: Throughput) -> str:
        """Raise warm throughput."""
        return self._write(warm_throughput=aws_cli.warm(wanted))

    def _write(self, **setting: dict[str, int] | dict[str, int | None]) -> str:
        if self._index is None:
            return aws_cli.update_table(self._destination, **setting)
        member = {"".join(word.title() for word in name.split("_")): value for name, value in setting.items()}
        updates = aws_cli.index_update(self._index, **member)
        return aws_cli.update_table(self._destination, global_secondary_index_updates=updates)


def _directions(source: Throughput, destination: Throughput) -> tuple[list[str], list[str]]:
    lower, higher = [], []
    pairs = (("read", source.read, destination.read), ("write", source.write, destination.write))
    for name, here, there in pairs:
        if _amount(there) < _amount(here):
            lower.append(name)
        elif _amount(there) > _amount(here):
            higher.append(name)
    return lower, higher


def _amount(units: int | None) -> float:
    return float("inf") if units is None else units


def _larger(one: int | None, other: int | None) -> int | None:
    return max(one, other) if one is not None and other is not None else None


def _comparison(lower: list[str], higher: list[str]) -> str:
    parts = [("lower", lower), ("higher", higher)]
    return " and ".join(f"{word} {' and '.join(names)}" for word, names in parts if names)
