"""Puts a run into the journal, as control does, for the functions to find. Not measured."""

from __future__ import annotations

import json
import sys
import time

from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.dynamodb.sessions import own_session
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tools.benchmarks.environment import STREAM_ARN
from tools.benchmarks.service import JOURNAL
from tools.benchmarks.shapes import KEY_NAMES

_HOUR = 3600.0

if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    now = time.time()
    RunRecord(Store(DynamoDBClient(own_session()), JOURNAL)).create(
        Run(
            run_id="benchmark",
            stream_arn=STREAM_ARN,
            total_segments=task["segments"],
            started=now,
            phase=Phase(task["phase"]),
            phase_since=now,
            key_names=KEY_NAMES,
            slice=1,
            slice_ends=now + _HOUR,
            scan_began=now,
        )
    )
