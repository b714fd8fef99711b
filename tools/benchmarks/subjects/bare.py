"""An interpreter that has imported boto3 and does nothing."""

from __future__ import annotations

import boto3  # noqa: F401

from tools.benchmarks.meter import measure

if __name__ == "__main__":
    measure([lambda: 1])
