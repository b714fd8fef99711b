"""Comparing what two tables are like, apart from their items.

>>> from tablecopy_cli.common.accounts import Side
>>> from verify.settings.compare import compare_definitions, read_definition
>>> from verify.scan.identity import describe
>>> old = Side("source", table_name="orders", region="eu-west-1", profile="old")
>>> new = Side("destination", table_name="orders", region="eu-west-1", profile="new")
>>> findings = compare_definitions(
...     *(
...         read_definition(side.client("dynamodb"), side, describe(side.client("dynamodb"), side))
...         for side in (old, new)
...     )
... )  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tablecopy_cli.common.items import is_plain, quoted
from verify.settings import aws_cli
from verify.settings.describe import Definition, Encryption, KeyKind, read_definition
from verify.settings.findings import UNKNOWN, Finding, Severity, Unreadable, in_order, unreadable_findings
from verify.settings.indexes import index_findings
from verify.settings.left_out import beside_findings, uncopied_findings
from verify.settings.throughput import ThroughputFix, throughput_findings

__all__ = ["Definition", "compare_definitions", "read_definition"]

_ENCRYPTION_RANK: dict[KeyKind, int] = {"aws_owned": 0, "aws_managed": 1, "customer": 2}
_ENCRYPTION_NAMES: dict[KeyKind, str] = {
    "aws_owned": "a key that AWS owns",
    "kms": "a KMS key",
    "aws_managed": "the AWS managed key of its account",
    "customer": "a customer managed key",
}

# What a consumer of the stream gets to see.
_IMAGES = {
    "KEYS_ONLY": frozenset[str](),
    "NEW_IMAGE": frozenset({"new"}),
    "OLD_IMAGE": frozenset({"old"}),
    "NEW_AND_OLD_IMAGES": frozenset({"new", "old"}),
}


def compare_definitions(source: Definition, destination: Definition) -> list[Finding]:
    """Compare two tables' definitions; what could not be read is said to be unknown.

    The primary key is not compared here: tables with different keys cannot be compared at all. What no copy
    gets is named (see `verify.settings.left_out`). Each severity follows from what the destination can do
    once it is the table in use:

    * "data": an index missing or poorer, time to live that deletes what the source keeps, point-in-time
      recovery or deletion protection off or shorter, a weaker encryption, a stream off or poorer, throughput
      lower than the source's (see `verify.settings.throughput`), provisioned where the source is on demand;
    * "cost": what is more than the source has and is paid for, another table class, and time to live that
      is off while the source has it (so it must be until the cutover);
    * "cosmetic": tags, what is unknown, and what the destination has beyond the source at no charge.

    No command makes the destination less safe than it is: what protects it beyond the source has no command,
    and where it is free no finding.

    Parameters
    ----------
    source, destination
        From `read_definition`.

    Returns
    -------
    list of Finding
        "data" first, then "cost", then "cosmetic", each by aspect.
    """
    found = [finding for rule in _RULES for finding in rule(source, destination)]
    return in_order(found)


def _billing(source: Definition, destination: Definition) -> Iterator[Finding]:
    if source.billing_mode == destination.billing_mode:
        return
    options: dict[str, Any] = {"billing_mode": source.billing_mode}
    severity: Severity = "cost"
    text = "The destination is on demand, the source is provisioned: every request is paid for by itself."
    if source.provisioned:
        options["provisioned_throughput"] = aws_cli.units(source.provisioned)
        # Every global index needs units of its own in the same call.
        options["global_secondary_index_updates"] = [
            update
            for name in sorted(destination.global_indexes)
            for update in aws_cli.index_update(
                name, ProvisionedThroughput=aws_cli.units(_units_of(source, name) or source.provisioned)
            )
        ] or None
    else:
        severity = "data"
        text = (
            "The destination is provisioned, the source is on demand and grows with use: requests beyond "
            "what is provisioned are throttled, and a writer that gives up loses what it writes."
        )
    yield Finding(
        "billing_mode",
        severity,
        source.billing_mode,
        destination.billing_mode,
        text,
        aws_cli.update_table(destination, **options),
    )


def _units_of(source: Definition, index: str) -> Any:
    return source.global_indexes[index].provisioned if index in source.global_indexes else None


def _throughput(source: Definition, destination: Definition) -> Iterator[Finding]:
    yield from throughput_findings(source, destination, ThroughputFix(destination))


def _table_class(source: Definition, destination: Definition) -> Iterator[Finding]:
    if source.table_class != destination.table_class:
        yield Finding(
            "table_class",
            "cost",
            source.table_class,
            destination.table_class,
            "The table classes differ: the prices of storage and of requests are others.",
            aws_cli.update_table(destination, table_class=source.table_class),
        )


def _deletion_protection(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.deletion_protection, destination.deletion_protection
    # The module protects the table it creates: more protection than the source has is no finding.
    if here and not there:
        yield Finding(
            "deletion_protection",
            "data",
            here,
            there,
            "Deletion protection is off at the destination: one call deletes the table.",
            aws_cli.update_table(destination, deletion_protection_enabled=True),
        )


def _encryption(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.encryption, destination.encryption
    if "aws_owned" not in (here.kind, there.kind) and (here.unread or there.unread):
        yield from unreadable_findings("encryption", here.unread, there.unread, (here.kind, there.kind))
    elif here.kind != there.kind:
        weaker = _encryption_rank(there) < _encryption_rank(here)
        text = (
            f"The destination is encrypted under {_ENCRYPTION_NAMES[there.kind]}, the source under "
            f"{_ENCRYPTION_NAMES[here.kind]}: "
        )
        if weaker:
            text += "less of who may read the data is in your hands."
        else:
            text += "KMS charges for its use, and readers and writers may need rights to the key."
        yield Finding(
            "encryption",
            "data" if weaker else "cost",
            here.kind,
            there.kind,
            text,
            _encryption_fix(here.kind, destination) if weaker else None,
        )


def _encryption_rank(encryption: Encryption) -> int:
    # Either kind of KMS key is more than a key of AWS's own, and only with that is it ranked here.
    return _ENCRYPTION_RANK.get(encryption.kind, 1)


def _encryption_fix(wanted: KeyKind, destination: Definition) -> str:
    managed = aws_cli.update_table(destination, sse_specification={"Enabled": True, "SSEType": "KMS"})
    if wanted == "aws_managed":
        return managed
    own = aws_cli.update_table(
        destination, sse_specification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "KEY"}
    )
    which = "a customer managed key" if wanted == "customer" else "a key like the source's"
    return f"choose {which} of the destination's account and put its id in place of KEY: {own}"


def _stream(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.stream, destination.stream
    if here == there:
        return
    fix: str | None = (
        "the view type of a stream is fixed: switch the destination's off, then on with the source's"
    )
    severity: Severity = "data"
    if there is None:
        text = (
            "The destination has no stream: its consumers miss changes from the cutover on (nothing to fix "
            "if the source's stream is there for this copy only)."
        )
        fix = aws_cli.update_table(
            destination, stream_specification={"StreamEnabled": True, "StreamViewType": here}
        )
    elif here is None:
        severity = "cosmetic"
        text = "Only the destination has a stream: it costs nothing until something reads it."
        fix = None
    elif _images(here) - _images(there):
        text = f"The destination's stream has the view type {there}: consumers miss what {here} showed them."
    else:
        severity = "cosmetic"
        text = (
            f"The destination's stream has the view type {there}: consumers see more than {here} showed them."
        )
        fix = None
    yield Finding("stream", severity, here, there, text, fix)


def _images(view_type: str) -> frozenset[str]:
    return _IMAGES.get(view_type, frozenset({view_type}))


def _time_to_live(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.time_to_live, destination.time_to_live
    if isinstance(here, Unreadable) or isinstance(there, Unreadable):
        yield from _unreadable("time_to_live", here, there)
    elif here == there:
        return
    elif there is None:
        yield Finding(
            "time_to_live",
            "cost",
            here,
            there,
            "Time to live is off at the destination, where items no longer expire: so it must be until the "
            "cutover, and from then on they cost storage.",
            f"at the cutover: {_time_to_live_command(destination, here, on=True)}",
        )
    else:
        instead = (
            "while it is off at the source" if here is None else f"while the source goes by {_name(here)}"
        )
        yield Finding(
            "time_to_live",
            "data",
            here,
            there,
            f"Time to live at the destination deletes items by {_name(there)}, {instead}.",
            _time_to_live_command(destination, there, on=False),
        )


def _time_to_live_command(destination: Definition, attribute: str | None, *, on: bool) -> str:
    specification = {"Enabled": on, "AttributeName": attribute}
    return aws_cli.table_command(destination, "update-time-to-live", time_to_live_specification=specification)


def _recovery(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.recovery_days, destination.recovery_days
    aspect = "point_in_time_recovery"
    if isinstance(here, Unreadable) or isinstance(there, Unreadable):
        yield from _unreadable(aspect, _days(here), _days(there))
        return
    # Developer Guide, Enable point-in-time recovery: the period does not change the price.
    if here == there or (here is not None and there is not None and here < there):
        return
    severity: Severity = "data"
    if there is None:
        text = (
            "Point-in-time recovery is off at the destination: what is overwritten or deleted there is gone."
        )
    elif here is None:
        severity = "cost"
        text = "Point-in-time recovery is on at the destination only: it is charged by the size of the table."
    else:
        text = f"The destination can be recovered for {there} days back, the source for {here}."
    fix = None
    if here is not None:
        specification = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": here}
        fix = aws_cli.table_command(
            destination, "update-continuous-backups", point_in_time_recovery_specification=specification
        )
    yield Finding(aspect, severity, _days(here), _days(there), text, fix)


def _days(days: int | Unreadable | None) -> dict[str, int] | Unreadable | None:
    return {"days": days} if isinstance(days, int) else days


def _tags(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.tags, destination.tags
    if isinstance(here, Unreadable) or isinstance(there, Unreadable):
        yield from _unreadable("tags", here, there)
        return
    lacking = {key: value for key, value in sorted(here.items()) if there.get(key) != value}
    if lacking:
        yield Finding(
            "tags",
            "cosmetic",
            lacking,
            {key: there.get(key) for key in lacking},
            f"Tags of the source are missing at the destination, or have another value: {_names(lacking)}.",
            aws_cli.command(
                destination,
                "dynamodb",
                "tag-resource",
                resource_arn=destination.arn,
                tags=[{"Key": key, "Value": value} for key, value in lacking.items()],
            ),
        )
    extra = {key: value for key, value in sorted(there.items()) if key not in here}
    if extra:
        yield Finding(
            "tags: extra",
            "cosmetic",
            None,
            extra,
            f"Only the destination has these tags: {_names(extra)}.",
            # Backup plans and policies may select the table by them.
            None,
        )


def _unreadable(aspect: str, here: Any, there: Any) -> Iterator[Finding]:
    source, destination = (value if isinstance(value, Unreadable) else None for value in (here, there))
    values = (UNKNOWN if source else here, UNKNOWN if destination else there)
    yield from unreadable_findings(aspect, source, destination, values)


def _names(tags: dict[str, str]) -> str:
    return ", ".join(_name(key) for key in tags)


def _name(name: str) -> str:
    return name if is_plain(name) else quoted(name)


_RULES: tuple[Callable[[Definition, Definition], Iterator[Finding]], ...] = (
    index_findings,
    _billing,
    _throughput,
    _table_class,
    _deletion_protection,
    _encryption,
    _stream,
    _time_to_live,
    _recovery,
    _tags,
    uncopied_findings,
    beside_findings,
)
