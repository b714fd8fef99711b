"""Compare two DynamoDB tables item by item.

>>> from tablecopy_cli.common.accounts import Side
>>> from verify import Options, Table, compare
>>> old = Side("source", table_name="orders", region="eu-west-1", profile="old")
>>> new = Side("destination", table_name="orders", region="eu-west-1", profile="new")
>>> result = compare(Table.connect(old), Table.connect(new), Options(writes_stopped=True))  # doctest: +SKIP
>>> result.verdict  # doctest: +SKIP
'equal'
"""

from verify.comparison.differences import PathChange
from verify.comparison.options import Options
from verify.comparison.results import Comparison, Difference, Progress, Sample, SideResult
from verify.comparison.run import compare
from verify.scan.identity import KeySchema
from verify.scan.table import Filter, Table
from verify.scan.work import WorkDirectory
from verify.settings.findings import Finding

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
