"""What the figures were measured on."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from tools.benchmarks.cores import CORES


def machine() -> str:
    """CPU, cores and versions; nothing that names the machine's owner."""
    return (
        f"{_cpu()}, {CORES} cores, {platform.system()}, Python {platform.python_version()}, "
        f"boto3 {version('boto3')}, botocore {version('botocore')}"
    )


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = (line.split(":", 1) for line in information.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in lines}
        name = fields.get("model name", platform.machine())
        speed = f" {float(fields['cpu MHz']) / 1000:.1f} GHz" if "cpu MHz" in fields else ""
        return f"{name}{speed}"
    return platform.processor() or platform.machine()
