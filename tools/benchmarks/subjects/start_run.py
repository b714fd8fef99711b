"""Puts a run into the journal, as control does, for the functions to find. Not measured."""

from __future__ import annotations

import json
import sys
import time

from tablecopy.handlers.context import journal, settings
from tablecopy.journal.run import Phase, Run, RunRecord
from tools.benchmarks.environment import STREAM_ARN
from tools.benchmarks.shapes import KEY_NAMES

_HOUR = 3600.0

if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    now = time.time()
    RunRecord(journal(settings())).create(
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
