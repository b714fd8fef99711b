"""Compare two DynamoDB tables item by item.

>>> from sides import Side
>>> from verify import Table, compare
>>> old = Side("source", table_name="orders", region="eu-west-1", profile="old")
>>> new = Side("destination", table_name="orders", region="eu-west-1", profile="new")
>>> result = compare(Table.connect(old), Table.connect(new))  # doctest: +SKIP
>>> result.verdict  # doctest: +SKIP
'equal'
"""

from verify.compare import Comparison, Progress, Verdict, compare
from verify.differences import Difference, PathChange
from verify.keys import KeySchema
from verify.scan import Table

__all__ = [
    "Comparison",
    "Difference",
    "KeySchema",
    "PathChange",
    "Progress",
    "Table",
    "Verdict",
    "compare",
]
