"""The ways in which `mutants` breaks the comparison in the account."""

from __future__ import annotations

from tools.simulation.mutations import Mutation, one

_KEYS = "verifier/keys.py"
_PROGRESS = "verifier/progress.py"
_RECHECK = "verifier/recheck.py"
_WORKER = "verifier/worker.py"
_PART = "verifier/part.py"
_LAG = "verifier/lag.py"
_WINDOW = "comparison/window.py"
_ITEMS = "comparison/items.py"
_SCAN = "data/scan.py"
_RECORDS = "journal/verifications.py"
_COMMANDS = "control/verification.py"

READING = (
    one(
        "what does not meet is not read by key",
        _RECHECK,
        "        there = destination.read([key for key, _ in befores.values()], until)\n",
        "        there: dict[Key, Json] = {}\n",
    ),
    one("keys are read eventually consistently", _KEYS, '"ConsistentRead": True', '"ConsistentRead": False'),
    one(
        "tables are scanned eventually consistently",
        _SCAN,
        '"ConsistentRead": True',
        '"ConsistentRead": False',
    ),
    one(
        "keys that had no capacity count as missing",
        _KEYS,
        "                left = rest\n",
        "                left = []\n",
    ),
    one(
        "a budget counts for each worker",
        _WORKER,
        "total / readers if total",
        "total if total",
    ),
    one(
        "a provisioned table has no ceiling",
        "verifier/tables.py",
        "* _CEILING_PART",
        "* 0",
    ),
    one(
        "every key is read by key",
        _WORKER,
        "0 if compared.by_key else WINDOW_BYTES",
        "0",
    ),
)

PAIRING = (
    one(
        "the window forgets what does not fit",
        _WINDOW,
        "            self._leave(side, next(iter(mine.keyed)))\n            self._left += not ends\n",
        "            waiting = mine.keyed.pop(next(iter(mine.keyed)))\n"
        "            mine.waiting_bytes -= waiting.size\n"
        "            mine.settle(waiting.position, waiting.item)\n",
    ),
    one(
        "what one table has behind the end of the other is dropped",
        _WINDOW,
        "            if source.ended and destination.ended:\n                return None\n",
        "            return None\n",
    ),
    one(
        "what was overtaken is left out of a save",
        _WINDOW,
        "        for side in Side:\n            self._leave_behind(side)\n",
        "",
    ),
    one(
        "items that meet count as equal",
        _WINDOW,
        "        if are_equal(item, there.item):",
        "        if True:",
    ),
    one(
        "another spelling is a difference",
        _ITEMS,
        "value == other[name] or canonical(value) == canonical(other[name]) for name, value in one.items()",
        "value == other[name] for name, value in one.items()",
    ),
    one(
        "an attribute that one item lacks is no difference",
        _ITEMS,
        "    if one.keys() != other.keys():\n        return False\n",
        "    if not one.keys() & other.keys():\n        return False\n",
    ),
    one(
        "sort keys do not tell keys apart",
        _ITEMS,
        "        return tuple([_spelled(item[name]) for name in self.names])",
        "        return tuple([_spelled(item[name]) for name in self.names[:1]])",
    ),
)

SAVING = (
    one(
        "the place is saved before what it passes is judged",
        _WORKER,
        "        source, destination = self._window.cut()\n        self._judge(until)\n",
        "        source, destination = self._window.cut()\n",
    ),
    one(
        "what was counted and saved is counted again",
        _WORKER,
        "        self._counted = self._window.equal\n",
        "",
    ),
    one(
        "a later invocation begins again and counts again",
        _WORKER,
        "                keys = (self._base.source_key, self._base.destination_key)\n",
        "                keys: tuple[Json | None, Json | None] = (None, None)\n",
    ),
    one(
        "one side goes on behind the other's place",
        _WORKER,
        "            destination_key=destination.key or self._base.destination_key,\n",
        "            destination_key=source.key or self._base.destination_key,\n",
    ),
    one(
        "a segment that was not read to its end counts as read",
        _WORKER,
        "            scanned=is_scanned,\n",
        "            scanned=True,\n",
    ),
    one(
        "two workers of a segment both count",
        "journal/store.py",
        '        put: Json = {"TableName": self._table, "Item": item}\n        if record.version == 0:',
        '        put: Json = {"TableName": self._table, "Item": item}\n        if record.version < 0:',
    ),
    one(
        "differences are listed and not counted",
        _PART,
        '        missing=compared.missing + kinds["missing"],\n',
        "",
    ),
    one(
        "what was found is not listed",
        _PART,
        "counted, listed, kept, rechecking=rechecking",
        "counted, [], kept, rechecking=rechecking",
    ),
    one(
        "values are kept in the journal",
        _RECHECK,
        "            listed_paths(paths),\n            _digest(source),",
        "            listed_paths(paths),\n            None if source is None else str(source),",
    ),
)

RECHECKING = (
    one(
        "a key that differs is not read again",
        _RECHECK,
        "            judged.open.append(self._difference(key, source, destination))",
        "            judged.standing.append(self._difference(key, source, destination))",
    ),
    one(
        "open keys are not read again",
        _PROGRESS,
        "        if is_last or not any(segment.open for segment in segments):",
        "        if True:",
    ),
    one(
        "a change on its way is a difference",
        _RECHECK,
        "            elif before.first_seen + _CLOCK_SECONDS < applied_to:",
        "            elif True:",
    ),
    one(
        "a key that still moves is a difference",
        _RECHECK,
        "            if not unmoved:",
        "            if False:",
    ),
    one(
        "the copy counts as up to date when it was looked at",
        _LAG,
        "seen = summary.looked_at - LOOK_SECONDS",
        "seen = summary.looked_at + 5 * LOOK_SECONDS",
    ),
    one(
        "what the copy has not applied is not asked for",
        _LAG,
        "return min(seen, summary.unapplied_since) if summary.unapplied_since else seen",
        "return seen",
    ),
    one(
        "an expired item that is gone is missing",
        _RECHECK,
        "    if expires is not None:\n",
        "    if expires is not None and expires < 0:\n",
    ),
    one(
        "a key of both scans is counted twice",
        _RECHECK,
        "            if each.source is not None or self._keys.of(each.key) not in here\n",
        "",
    ),
    one(
        "the lists of a generation are lost",
        _RECORDS,
        "            open_chunks=compared.next_chunks,\n",
        "            open_chunks=0,\n",
    ),
    one(
        "a generation begins again in each invocation",
        _WORKER,
        "found, at = Judged(), self._base.rechecked",
        "found, at = Judged(), 0",
    ),
)

DECIDING = (
    one(
        "it ends before all segments are read",
        _PROGRESS,
        "        if left := sum(not segment.scanned for segment in segments):",
        "        if left := 0:",
    ),
    one(
        "workers that get nowhere are started for ever",
        _PROGRESS,
        "_FUTILE_ROUNDS = 3",
        "_FUTILE_ROUNDS = 10**9",
    ),
    one(
        "a failure has no reason",
        _PROGRESS,
        "return replace(verification, state=State.FAILED, reason=reason,",
        'return replace(verification, state=State.FAILED, reason="",',
    ),
    one(
        "a second request starts a second execution",
        _COMMANDS,
        "        if self._is_running(latest):\n",
        "        if False:\n",
    ),
    one(
        "an execution that was stopped is not continued",
        _COMMANDS,
        "            self._start(following)\n        return self.status()",
        "        return self.status()",
    ),
    one(
        "what waits does not fit into an invocation",
        _WORKER,
        "        self._window.bound(int(min(WINDOW_BYTES, units * UNIT_BYTES)), self._most_waiting)\n",
        "",
    ),
)

VERIFICATION: tuple[Mutation, ...] = READING + PAIRING + SAVING + RECHECKING + DECIDING
"""What `mutants` breaks and the seeds of comparisons find."""

_UNIT = "tests/unit/tablecopy"

ANSWERED = {
    "a generation begins again in each invocation": f"{_UNIT}/verifier/test_worker.py",
    "a failure has no reason": f"{_UNIT}/verifier/test_progress.py",
    "what waits does not fit into an invocation": f"{_UNIT}/verifier/test_worker.py",
    "workers that get nowhere are started for ever": f"{_UNIT}/verifier/test_progress.py",
    "a key that still moves is a difference": f"{_UNIT}/verifier/test_recheck.py",
    "what the copy has not applied is not asked for": f"{_UNIT}/verifier/test_lag.py",
}
"""Mutants that no seed finds, each with the tests that do."""
