"""A record of a stream, ready to be sent to a function."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Record:
    """One change of one item.

    Attributes
    ----------
    sequence_number : str
        Its place in the shard; numbers compare as integers.
    key : str
        The item's key as text: equal for two records exactly if they are of the same item.
    created : float
        ``ApproximateCreationDateTime``, whole seconds since the epoch.
    text : str
        The record as JSON, as it stands in the function's event.
    size : int
        Length of that text in bytes.
    """

    sequence_number: str
    key: str
    created: float
    text: str
    size: int

    @classmethod
    def from_stream(cls, raw: dict[str, Any], stream_arn: str) -> Self:
        """Make a record from one of ``GetRecords``, parsed from JSON and nothing more.

        Values stay as they came over the wire: binary is base64 text, numbers are text. An event differs
        in two places: it names the stream, and spells the members of ``userIdentity`` in lower case.
        """
        event = dict(raw)
        if identity := event.pop("userIdentity", None):
            event["userIdentity"] = {"principalId": identity["PrincipalId"], "type": identity["Type"]}
        event["eventSourceARN"] = stream_arn
        change = raw["dynamodb"]
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        return cls(
            sequence_number=change["SequenceNumber"],
            key=json.dumps(change["Keys"], sort_keys=True),
            created=float(change["ApproximateCreationDateTime"]),
            text=text,
            size=len(text.encode()),
        )
