"""The number of states explored is shown at the end of the test run."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each configuration explored."""
    explored = [
        text
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, text in report.user_properties
        if name == "explored"
    ]
    if explored:
        terminalreporter.write_sep("-", "states explored")
        for text in explored:
            terminalreporter.write_line(str(text))
