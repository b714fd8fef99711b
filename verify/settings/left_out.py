"""Findings about what a copy leaves out, so that no one relies on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from tablecopy.dynamodb.description import Uncopied, are_replicas, uncopied_members
from tablecopy_cli.common.text import escaped
from verify.settings import aws_cli
from verify.settings.describe import Definition
from verify.settings.findings import UNKNOWN, Finding, Severity, Unreadable, unreadable_findings

# Members of an index that are not part of its definition.
_STATE = {"IndexArn", "IndexStatus", "Backfilling", "IndexSizeBytes", "ItemCount"}


def uncopied_findings(source: Definition, destination: Definition) -> Iterator[Finding]:
    """Report members of DescribeTable that are neither copied nor compared, or that are not known."""
    here, there = ({_aspect(each): each for each in _uncopied(table)} for table in (source, destination))
    replicas = are_replicas(source.description, destination.description)
    for aspect in sorted({*here, *there}):
        mine, theirs = here.get(aspect), there.get(aspect)
        if aspect == "global_table" and replicas:
            text = (
                "Both tables are replicas of one global table. DynamoDB copies each write between them, so "
                "the destination is not an independent copy."
            )
            yield _finding(aspect, "data", source, destination, mine, theirs, text)
        elif mine and theirs:
            yield from _on_both(aspect, source, destination, mine, theirs)
        elif (one := mine or theirs) is not None:
            yield _on_one(aspect, source, destination, mine, theirs, one)


def _on_both(
    aspect: str, source: Definition, destination: Definition, mine: Uncopied, theirs: Uncopied
) -> Iterator[Finding]:
    if _defined(mine.value) == _defined(theirs.value):
        return
    label = escaped(mine.label)
    text = f"Both tables have {label}, and it differs. Compare it by hand."
    yield _finding(aspect, "data", source, destination, mine, theirs, text)


def _on_one(
    aspect: str,
    source: Definition,
    destination: Definition,
    mine: Uncopied | None,
    theirs: Uncopied | None,
    one: Uncopied,
) -> Finding:
    label = escaped(one.label)
    side = "source" if mine else "destination"
    severity: Severity = "data"
    if not one.known:
        text = (
            f"Only the {side} has {label}, which this release neither copies nor compares. Find out what it "
            "does before the cutover."
        )
    elif mine:
        text = f"The source has {label}, which is not copied. Set it up on the destination if you need it."
    else:
        severity = "cost"
        text = f"Only the destination has {label}."
    return _finding(aspect, severity, source, destination, mine, theirs, text)


def _finding(
    aspect: str,
    severity: Severity,
    source: Definition,
    destination: Definition,
    mine: Uncopied | None,
    theirs: Uncopied | None,
    text: str,
) -> Finding:
    shown = [table for table, each in ((source, mine), (destination, theirs)) if each]
    return Finding(
        aspect,
        severity,
        mine.value if mine else None,
        theirs.value if theirs else None,
        text,
        " && ".join(aws_cli.table_command(table, "describe-table") for table in shown),
    )


def _uncopied(table: Definition) -> list[Uncopied]:
    return uncopied_members(table.description)


def _aspect(uncopied: Uncopied) -> str:
    if uncopied.member == "VectorIndexes":
        return escaped(f"vector_index {uncopied.value.get('IndexName')}")
    if uncopied.member == "Replicas":
        return "global_table"
    return escaped(uncopied.member if uncopied.known else f"unknown: {uncopied.member}")


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: each for name, each in value.items() if name not in _STATE}
    return value


def beside_findings(source: Definition, destination: Definition) -> Iterator[Finding]:
    """Compare settings of a table that are not in its description."""
    yield from _resource_policy(source, destination)
    yield from _kinesis(source, destination)
    yield from _insights(source, destination)
    yield from _auto_scaling(source, destination)


def _resource_policy(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.beside.resource_policy, destination.beside.resource_policy
    if isinstance(here, Unreadable) or isinstance(there, Unreadable):
        yield from _unreadable("resource_policy", here, there)
    elif here != there:
        if there is None:
            text = (
                "The source has a resource policy, which is not copied. The destination does not have its "
                "permissions and denials."
            )
        elif here is None:
            text = "Only the destination has a resource policy. It may allow others to use the table."
        else:
            text = "The resource policies differ, apart from the tables' ARNs."
        shown = [table for table, policy in ((source, here), (destination, there)) if policy is not None]
        yield Finding(
            "resource_policy",
            "data",
            here,
            there,
            text,
            " && ".join(
                aws_cli.command(table, "dynamodb", "get-resource-policy", resource_arn=table.arn)
                for table in shown
            ),
        )


def _kinesis(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.beside.kinesis, destination.beside.kinesis
    if isinstance(here, Unreadable) or isinstance(there, Unreadable):
        yield from _unreadable("kinesis_destination", here, there)
        return
    # Streams of two accounts: their names are what can be the same.
    mine, theirs = ({arn.rpartition("/")[2] for arn in arns} for arns in (here, there))
    if mine - theirs:
        yield Finding(
            "kinesis_destination",
            "data",
            list(here),
            list(there),
            "The source sends its changes to a Kinesis data stream, which is not copied. Its consumers miss "
            "changes after the cutover.",
            "Create a stream in the destination's account, then run: "
            + aws_cli.table_command(
                destination, "enable-kinesis-streaming-destination", stream_arn="STREAM_ARN"
            ),
        )
    elif theirs - mine:
        yield Finding(
            "kinesis_destination",
            "cost",
            list(here),
            list(there),
            "Only the destination sends its changes to a Kinesis data stream. Each change is charged.",
            None,
        )


def _insights(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.beside.insights, destination.beside.insights
    if isinstance(here, Unreadable) or isinstance(there, Unreadable):
        yield from _unreadable("contributor_insights", here, there)
        return
    if lacking := [name for name in here if name not in there]:
        # The first is enough for a command: the others follow its form.
        index = None if lacking[0] == "table" else lacking[0]
        yield Finding(
            "contributor_insights",
            "cosmetic",
            list(here),
            list(there),
            "CloudWatch Contributor Insights is on for the source. It is not copied.",
            aws_cli.table_command(
                destination,
                "update-contributor-insights",
                index_name=index,
                contributor_insights_action="ENABLE",
            ),
        )
    elif len(there) > len(here):
        yield Finding(
            "contributor_insights",
            "cost",
            list(here),
            list(there),
            "CloudWatch Contributor Insights is on only for the destination. Each event is charged.",
            None,
        )


def _auto_scaling(source: Definition, destination: Definition) -> Iterator[Finding]:
    here, there = source.beside.auto_scaling, destination.beside.auto_scaling
    commands = " && ".join(_scaling_command(table) for table in (source, destination) if table.provisioned)
    if isinstance(here, Unreadable) or isinstance(there, Unreadable):
        for finding in _unreadable("auto_scaling", here, there):
            yield dataclasses.replace(finding, fix=finding.fix or commands)
    # A table on demand scales by itself: there is nothing to miss.
    elif here != there and source.provisioned and destination.provisioned:
        less = any(there.get(name, [0, 0])[1] < high for name, (_, high) in here.items())
        yield Finding(
            "auto_scaling",
            "data" if less else "cost",
            here,
            there,
            "The destination scales up to less capacity than the source. Requests beyond it are throttled."
            if less
            else "Auto scaling differs. The destination may scale up to more capacity than the source.",
            commands,
        )


def _scaling_command(table: Definition) -> str:
    resource = table.arn.partition(":table/")[2]
    resources = [f"table/{resource}"]
    resources += [f"table/{resource}/index/{name}" for name in sorted(table.global_indexes)]
    return aws_cli.command(
        table,
        "application-autoscaling",
        "describe-scalable-targets",
        service_namespace="dynamodb",
        resource_ids=resources,
    )


def _unreadable(aspect: str, here: Any, there: Any) -> Iterator[Finding]:
    source, destination = (value if isinstance(value, Unreadable) else None for value in (here, there))
    values = [
        UNKNOWN if isinstance(each, Unreadable) else list(each) if isinstance(each, tuple) else each or None
        for each in (here, there)
    ]
    yield from unreadable_findings(aspect, source, destination, (values[0], values[1]))
