"""Differences of secondary indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tablecopy_cli.common.items import is_plain, quoted
from tablecopy_cli.common.text import escaped
from verify.settings import aws_cli
from verify.settings.describe import Definition, Index
from verify.settings.findings import Finding
from verify.settings.throughput import ThroughputFix, throughput_findings

_AGAIN = "Delete the index on the destination and create it again with the source's definition."
_LOCAL_AGAIN = (
    "A local index can only be created with its table. Create the destination table again and copy again."
)


def index_findings(source: Definition, destination: Definition) -> Iterator[Finding]:
    """Compare the global and the local indexes of two tables."""
    for kind, here, there in (
        ("global_index", source.global_indexes, destination.global_indexes),
        ("local_index", source.local_indexes, destination.local_indexes),
    ):
        for name in sorted({*here, *there}):
            aspect = f"{kind} {escaped(name)}"
            if name not in there:
                yield _missing(aspect, here[name], destination, local=kind == "local_index")
            elif name not in here:
                yield _extra(aspect, there[name], destination, local=kind == "local_index")
            else:
                again = _LOCAL_AGAIN if kind == "local_index" else _AGAIN
                yield from _key_and_projection(aspect, here[name], there[name], again)
                yield from throughput_findings(
                    here[name], there[name], ThroughputFix(destination, name), prefix=f"{aspect}: "
                )


def _missing(aspect: str, index: Index, destination: Definition, *, local: bool) -> Finding:
    return Finding(
        aspect,
        "data",
        _as_json(index),
        None,
        "The destination lacks this index. Queries of the index fail.",
        _LOCAL_AGAIN if local else _creation(index, destination),
    )


def _extra(aspect: str, index: Index, destination: Definition, *, local: bool) -> Finding:
    text = (
        "Only the destination has this index. Its writes and its storage are charged, and items whose "
        "attributes do not match its key are rejected."
    )
    if local:
        # Developer Guide, Local secondary indexes, Item collection size limit.
        text += " Items beyond 10 GB with the same partition key are also rejected."
    removal = aws_cli.update_table(
        destination, global_secondary_index_updates=[{"Delete": {"IndexName": index.name}}]
    )
    return Finding(aspect, "cost", None, _as_json(index), text, _LOCAL_AGAIN if local else removal)


def _creation(index: Index, destination: Definition) -> str:
    create: dict[str, Any] = {
        "IndexName": index.name,
        "KeySchema": aws_cli.key_schema(index),
        "Projection": aws_cli.projection(index.projected),
    }
    if destination.provisioned:
        # An index of an on-demand source has no units of its own. The table's units are a start.
        create["ProvisionedThroughput"] = aws_cli.units(index.provisioned or destination.provisioned)
    elif index.maximum and (index.maximum.read is not None or index.maximum.write is not None):
        create["OnDemandThroughput"] = aws_cli.maximum(index.maximum)
    return aws_cli.update_table(
        destination,
        attribute_definitions=aws_cli.attributes(index),
        global_secondary_index_updates=[{"Create": create}],
    )


def _key_and_projection(aspect: str, source: Index, destination: Index, again: str) -> Iterator[Finding]:
    if source.key != destination.key:
        yield Finding(
            f"{aspect}: key",
            "data",
            _as_json(source)["key"],
            _as_json(destination)["key"],
            "The key of the index differs. Queries of the index fail or return other items.",
            again,
        )
    lacking, more = _beyond(source, destination), _beyond(destination, source)
    if not lacking and not more:
        return
    if lacking:
        text = f"The index on the destination lacks {lacking}. Queries do not return them."
    else:
        text = f"The index on the destination also holds {more}. This costs more storage and writes."
    yield Finding(
        f"{aspect}: projection",
        "data" if lacking else "cost",
        _as_json(source)["projection"],
        _as_json(destination)["projection"],
        text,
        again,
    )


def _beyond(index: Index, other: Index) -> str:
    """Name the attributes that `index` holds and `other` does not; empty where there are none."""
    if other.projected is None:
        return ""
    if index.projected is None:
        return "all other attributes"
    names = sorted(index.projected - other.projected)
    return ", ".join(name if is_plain(name) else quoted(name) for name in names)


def _as_json(index: Index) -> Mapping[str, Any]:
    return {
        "key": [{"name": name, "type": kind, "role": role} for name, kind, role in index.key],
        "projection": "ALL" if index.projected is None else sorted(index.projected),
    }
