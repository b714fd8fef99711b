"""Compare two DynamoDB tables item by item.

>>> from tablecopy_cli.common.accounts import Side
>>> from verify import Options, Table, compare
>>> old = Side("source", table_name="orders", region="eu-west-1", profile="old")
>>> new = Side("destination", table_name="orders", region="eu-west-1", profile="new")
>>> result = compare(Table.connect(old), Table.connect(new), Options(writes_stopped=True))  # doctest: +SKIP
>>> result.verdict  # doctest: +SKIP
'equal'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.comparison.differences import PathChange
    from verify.comparison.options import Options
    from verify.comparison.results import Comparison, Difference, Progress, Sample, SideResult
    from verify.comparison.run import compare
    from verify.scan.identity import KeySchema
    from verify.scan.table import Filter, Table
    from verify.scan.work import WorkDirectory
    from verify.settings.findings import Finding

_MODULES = (
    "verify.comparison.differences",
    "verify.comparison.options",
    "verify.comparison.results",
    "verify.comparison.run",
    "verify.scan.identity",
    "verify.scan.table",
    "verify.scan.work",
    "verify.settings.findings",
)

__all__ = [
    "Comparison",
    "Difference",
    "Filter",
    "Finding",
    "KeySchema",
    "Options",
    "PathChange",
    "Progress",
    "Sample",
    "SideResult",
    "Table",
    "WorkDirectory",
    "compare",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: the command line answers --help without what a comparison needs.
    if name in __all__:
        for module in map(import_module, _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
