"""Comparing the settings of two tables.

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

# The images that a consumer of the stream receives.
_IMAGES = {
    "KEYS_ONLY": frozenset[str](),
    "NEW_IMAGE": frozenset({"new"}),
    "OLD_IMAGE": frozenset({"old"}),
    "NEW_AND_OLD_IMAGES": frozenset({"new", "old"}),
}


def compare_definitions(source: Definition, destination: Definition) -> list[Finding]:
    """Compare two tables' definitions. A setting that could not be read is reported as unknown.

    The primary key is not compared here, because tables with different keys cannot be compared at all. What
    a copy leaves out is also reported (see `verify.settings.left_out`). The severity depends on what can
    happen once the destination is in use:

    * "data": an index that is missing or has fewer attributes, TTL that deletes what the source keeps,
      point-in-time recovery or deletion protection that is off or shorter, weaker encryption, a stream that
      is off or has fewer images, lower throughput (see `verify.settings.throughput`), provisioned capacity
      where the source is on demand;
    * "cost": anything more than the source has that is charged, another table class, and TTL that is off
      while the source has it (TTL must be off until the cutover);
    * "cosmetic": tags, unknown settings, and anything more than the source has that is free.

    No command makes the destination less safe. Protection beyond the source's has no command, and if it is
    free, no finding.

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
    text = "The destination is on demand and the source is provisioned. Each request is charged."
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
            "The destination is provisioned and the source is on demand. Requests beyond the provisioned "
            "capacity are throttled, and an application that stops retrying loses its writes."
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
            "The table classes differ. Storage and requests have other prices.",
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
            "Deletion protection is off on the destination. One call can delete the table.",
            aws_cli.update_table(destination, deletion_protection_enabled=True),
        )


def _encryption(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.encryption, destination.encryption
    if "aws_owned" not in (here.kind, there.kind) and (here.unread or there.unread):
        yield from unreadable_findings("encryption", here.unread, there.unread, (here.kind, there.kind))
    elif here.kind != there.kind:
        weaker = _encryption_rank(there) < _encryption_rank(here)
        text = (
            f"The destination is encrypted with {_ENCRYPTION_NAMES[there.kind]}, the source with "
            f"{_ENCRYPTION_NAMES[here.kind]}. "
        )
        if weaker:
            text += "You have less control over who can read the data."
        else:
            text += "KMS charges for requests, and readers and writers may need permission to use the key."
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
    return f"Choose {which} in the destination's account and replace KEY with its ID: {own}"


def _stream(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.stream, destination.stream
    if here == there:
        return
    fix: str | None = (
        "The view type of a stream cannot be changed. Turn the destination's stream off, then on with the "
        "source's view type."
    )
    severity: Severity = "data"
    if there is None:
        text = (
            "The destination has no stream. Stream consumers miss changes after the cutover. Ignore this if "
            "only the copy reads the source's stream."
        )
        fix = aws_cli.update_table(
            destination, stream_specification={"StreamEnabled": True, "StreamViewType": here}
        )
    elif here is None:
        severity = "cosmetic"
        text = "Only the destination has a stream. It is free until something reads it."
        fix = None
    elif _images(here) - _images(there):
        text = f"The destination's stream has the view type {there}. Consumers miss images of {here}."
    else:
        severity = "cosmetic"
        text = f"The destination's stream has the view type {there}. Consumers receive more than with {here}."
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
            "TTL is off on the destination. This is correct until the cutover. After it, items that do not "
            "expire cost storage.",
            f"at the cutover: {_time_to_live_command(destination, here, on=True)}",
        )
    else:
        instead = (
            "and TTL is off on the source" if here is None else f"and the source's TTL uses {_name(here)}"
        )
        yield Finding(
            "time_to_live",
            "data",
            here,
            there,
            f"TTL on the destination deletes items by attribute {_name(there)}, {instead}.",
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
            "Point-in-time recovery is off on the destination. Items that are overwritten or deleted there "
            "are lost."
        )
    elif here is None:
        severity = "cost"
        text = "Point-in-time recovery is on only on the destination. It is charged by table size."
    else:
        text = f"The destination can be restored to the last {there} days, the source to the last {here}."
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
            f"Tags of the source are missing on the destination or have other values: {_names(lacking)}.",
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
