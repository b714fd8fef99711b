"""Compare two DynamoDB tables item by item.

>>> from sides import Side
>>> from verify import Options, Table, compare
>>> old = Side("source", table_name="orders", region="eu-west-1", profile="old")
>>> new = Side("destination", table_name="orders", region="eu-west-1", profile="new")
>>> result = compare(Table.connect(old), Table.connect(new), Options(writes_stopped=True))  # doctest: +SKIP
>>> result.verdict  # doctest: +SKIP
'equal'
"""

from verify.compare import compare
from verify.differences import PathChange
from verify.findings import Finding
from verify.keys import KeySchema
from verify.options import Options
from verify.progress import Progress
from verify.results import Comparison, Difference, Sample, SideResult
from verify.table import Filter, Table
from verify.work import WorkDirectory

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
