"""The ways in which `mutants` breaks the product: exact texts, and what each is replaced by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A change of one file of the package.

    Attributes
    ----------
    file
        Path within the package.
    changes
        Texts, each of which the file has once, and what replaces them.
    """

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]


def one(name: str, file: str, old: str, new: str) -> Mutation:
    """Return a mutation that replaces one text."""
    return Mutation(name, file, ((old, new),))


_LEASES = "journal/leases.py"
_BATCHES = "journal/applied_batches.py"
_LETTERS = "journal/dead_letters.py"
_RUN = "journal/run.py"
_SEGMENTS = "journal/segments.py"
_STORE = "journal/store.py"
_REPLICATOR = "data/replicator.py"
_WRITER = "data/writer.py"
_BACKFILL = "data/backfill.py"
_SLICES = "data/slices.py"
_REDRIVE = "data/dead_letters.py"
_RECONCILER = "control/reconciler.py"
_HANDLER = "handlers/reconciler.py"
_PROOF = "control/stream/proof.py"
_PARTS = "control/stream/parts.py"
_LINEAGE = "control/stream/lineage.py"

JOURNAL = (
    one(
        "no lease is ever alive",
        _LEASES,
        "return [name for page in pages for name in page]",
        "return []",
    ),
    one(
        "a lease ends with its deadline by the holder's clock",
        _LEASES,
        "GRACE_SECONDS = 5.0",
        "GRACE_SECONDS = -30.0",
    ),
    one(
        "a lease is taken over while its holder may write",
        _LEASES,
        'condition="attribute_not_exists(pk) OR deadline < :ended OR lease_owner = :me",',
        'condition="attribute_not_exists(pk) OR deadline > :ended OR lease_owner = :me",',
    ),
    one(
        "a lease is released although a write may still land",
        _LEASES,
        "        except UnsettledWrite:\n            raise\n",
        "        except UnsettledWrite:\n            self._clear(kind, what, owner)\n            raise\n",
    ),
    one(
        "leases are looked for in one partition of many",
        _LEASES,
        "pages = map_with(pool, self._alive, _partitions(kind))",
        "pages = map_with(pool, self._alive, _partitions(kind)[:1])",
    ),
    one(
        "a batch is named by its sequence number alone",
        _BATCHES,
        "hashlib.sha256(event_id.encode()).digest()[:_DIGEST_BYTES]",
        'hashlib.sha256(b"").digest()[:_DIGEST_BYTES]',
    ),
    one(
        "a recorded batch gets shorter",
        _BATCHES,
        'condition="attribute_not_exists(pk) OR reach < :reach",',
        'condition="attribute_not_exists(pk) OR reach <> :reach",',
    ),
    one(
        "the record of a batch that had no answer counts as written",
        _BATCHES,
        'raise UnsettledWrite(f"the record of an applied batch may still be written: {error}") from error',
        "return",
    ),
    one(
        "the rest of a batch that is cut shorter is not recorded",
        _BATCHES,
        "self.put(AppliedBatch(rest[0], batch.last, records=0, puts=0, deletes=0), rest)",
        "del rest",
    ),
    one(
        "the rest of a batch is counted again",
        _BATCHES,
        "self.put(AppliedBatch(rest[0], batch.last, records=0, puts=0, deletes=0), rest)",
        "self.put(AppliedBatch(rest[0], batch.last, len(rest), batch.puts, batch.deletes), rest)",
    ),
    one(
        "records of batches are removed after a minute",
        _BATCHES,
        "KEEP_SECONDS = 2 * 86_400",
        "KEEP_SECONDS = 0",
    ),
    one(
        "a late settle removes a newer dead letter",
        _LETTERS,
        '                    condition="#version = :version",\n'
        '                    names={"#version": "version"},\n'
        '                    values={":version": number(version)},\n',
        "",
    ),
    one(
        "the run does not know that there are dead letters",
        _LETTERS,
        "        if number != self._number:\n",
        "        if number < 0:\n",
    ),
    one(
        "dead letters are not counted",
        _LETTERS,
        "return self._store.count(self._PK)",
        "return 0",
    ),
    one(
        "any writer may save the run",
        _RUN,
        'condition = "#version = :known AND run_id = :run"',
        'condition = "(#version = :known AND run_id = :run OR attribute_exists(pk))"',
    ),
    one(
        "a run replaces that of a new journal",
        _RUN,
        'condition = "#version = :known AND run_id = :run"',
        'condition = "#version = :known AND (run_id = :run OR attribute_exists(pk))"',
    ),
    one(
        "all runs share their segments",
        _SEGMENTS,
        'return f"segment#{run}" if run else "segment"',
        'return "segment"',
    ),
    one(
        "a worker saves progress where its segment is missing",
        _SEGMENTS,
        "        if segment.version:\n            return segment\n",
        "        if not segment.version:\n            return segment\n",
    ),
    one(
        "the journal is read eventually consistently",
        _STORE,
        '{"TableName": self._table, "Key": {"pk": text(pk), "sk": text(sk)}, "ConsistentRead": True},',
        '{"TableName": self._table, "Key": {"pk": text(pk), "sk": text(sk)}, "ConsistentRead": False},',
    ),
    one(
        "only the first page of a query is read",
        _STORE,
        '            if "LastEvaluatedKey" not in page:\n                return\n',
        "            return\n",
    ),
)

DATA = (
    one(
        "the replicator holds no lease",
        _REPLICATOR,
        "            with self._leases.hold(REPLICATOR, _name(records[0]), owner, deadline):\n"
        "                return _answer(records, self._apply(records, deadline))",
        "            return _answer(records, self._apply(records, deadline))",
    ),
    one(
        "the replicator writes in every phase",
        _REPLICATOR,
        "if run is None or run.phase not in REPLICATING:",
        "if run is None:",
    ),
    one(
        "the replicator acknowledges what it must not apply yet",
        _REPLICATOR,
        "            return _answer(records, 0)\n",
        "            return _answer(records, len(records))\n",
    ),
    one(
        "the replicator acknowledges everything",
        _REPLICATOR,
        "    if applied == len(records):\n",
        "    if applied >= 0:\n",
    ),
    one(
        "the replicator does not look for its batch among the applied ones",
        _REPLICATOR,
        "        if earlier is not None:\n",
        "        if earlier is not None and earlier.records < 0:\n",
    ),
    one(
        "a batch that reaches beyond an applied one is acknowledged as a whole",
        _REPLICATOR,
        "return sum(int(_sequence_number(record)) <= int(batch.last) for record in records)",
        "return len(records)",
    ),
    one(
        "the first change of a key wins",
        _REPLICATOR,
        "        last[token] = record\n",
        "        last.setdefault(token, record)\n",
    ),
    one(
        "deletes are not applied",
        _REPLICATOR,
        "    return [_change(token, firsts[token], record) for token, record in last.items()]",
        "    return [\n        _change(token, firsts[token], record)\n"
        "        for token, record in last.items()\n"
        '        if record["eventName"] != "REMOVE"\n    ]',
    ),
    one(
        "TTL's deletes are not applied",
        _REPLICATOR,
        "    return [_change(token, firsts[token], record) for token, record in last.items()]",
        "    return [\n        _change(token, firsts[token], record)\n"
        "        for token, record in last.items()\n"
        '        if "userIdentity" not in record\n    ]',
    ),
    one(
        "an applied dead letter stays",
        _REPLICATOR,
        "                if change.token not in left_alone and name(change.token) in letters:\n",
        "                if change.token in left_alone and name(change.token) in letters:\n",
    ),
    one(
        "records that are about to expire are applied",
        _REPLICATOR,
        "        if expiring:\n",
        "        if expiring < 0:\n",
    ),
    one(
        "records from before the copy are applied",
        _REPLICATOR,
        "        if early:\n",
        "        if early < 0:\n",
    ),
    one(
        "unprocessed writes count as written",
        _WRITER,
        "        if not unprocessed:\n            return (), consumed\n",
        "        if unprocessed is not None:\n            return (), consumed\n",
    ),
    one(
        "unprocessed writes that are spelled in another way count as written",
        _WRITER,
        "        left = [request for request in pending if self._token(request) in tokens]\n"
        "        if len(left) < len(unprocessed):\n            raise _Unmatched(consumed)\n",
        "        sent = {encode(request) for request in unprocessed}\n"
        "        left = [request for request in pending if request in sent]\n",
    ),
    one(
        "a write without an answer counts as written",
        _WRITER,
        '            log.event("destination_no_answer", error=type(error).__name__, writes=len(pending))\n',
        '            log.event("destination_no_answer", error=type(error).__name__, writes=len(pending))\n'
        "            left = ()\n",
    ),
    one(
        "no one waits for a write without an answer",
        _WRITER,
        "            self._open_until = max(self._open_until, self._machine.now() + SETTLE_SECONDS)\n",
        "            self._open_until = self._machine.now()\n",
    ),
    one(
        "writes are sent until the function's deadline",
        _WRITER,
        "WRITE_MARGIN_SECONDS = 15.0",
        "WRITE_MARGIN_SECONDS = 0.0",
    ),
    one(
        "a rejected item takes the others of its batch with it",
        _WRITER,
        "                as_halves = len(pending) > 1\n                if not as_halves:\n",
        "                as_halves = False\n                if not as_halves:\n",
    ),
    one(
        "a rejected item is dropped without a dead letter",
        _WRITER,
        "            self._on_rejected(rejected)\n",
        "            del rejected\n",
    ),
    one(
        "the checkpoint passes pages that are not written",
        _BACKFILL,
        "            if any(unwritten):\n                raise OutOfTime\n",
        "",
    ),
    one(
        "the checkpoint is saved when a page is read",
        _BACKFILL,
        "            unwritten = self.results(page.writes)\n            if any(unwritten):\n"
        "                raise OutOfTime\n",
        "",
    ),
    one(
        "the checkpoint skips a page",
        _BACKFILL,
        "        start = pages.segment.checkpoint\n",
        "        start = scan.read(pages.segment.checkpoint, pages.limit()).last_key\n",
    ),
    one(
        "items of a page are counted twice",
        _BACKFILL,
        "                items=self.segment.items + page.items,\n",
        "                items=self.segment.items + 2 * page.items,\n",
    ),
    one(
        "a segment is scanned from its beginning in each slice",
        _BACKFILL,
        "        start = pages.segment.checkpoint\n",
        "        start = None\n",
    ),
    one(
        "the scan reads eventually consistently",
        "data/scan.py",
        '            "ConsistentRead": True,\n            "Segment": segment,\n',
        '            "ConsistentRead": False,\n            "Segment": segment,\n',
    ),
    one(
        "a worker does not look at the phase",
        _SLICES,
        "        return run.phase is Phase.SLICE and SliceId(run.run_id, run.slice) == self\n",
        "        return True\n",
    ),
    one(
        "a worker takes the slice of another run for its own",
        _SLICES,
        "SliceId(run.run_id, run.slice) == self",
        "run.slice == self.number",
    ),
    one(
        "writes go on after an error has ended their use",
        _WRITER,
        "            self._writer.end_by(self._machine.now())\n",
        "            pass\n",
    ),
    one(
        "a worker holds no lease",
        _SLICES,
        "        with self._leases.hold(BACKFILL, task, owner, deadline):\n"
        "            run = self._run.read()\n",
        "        if deadline:\n            run = self._run.read()\n",
    ),
    one(
        "the redrive writes the image of the dead letter",
        _REDRIVE,
        '        item: Json | None = answer.get("Item")\n',
        '        item: Json | None = json.loads(self._letters.image(letter.token) or "null")\n',
    ),
    one(
        "the redrive settles a dead letter that is rejected again",
        _REDRIVE,
        "            self._letters.put(again)\n            return False\n",
        "            del again\n",
    ),
)

CONTROL = (
    one(
        "a run whose mapping was deleted gets ready",
        _HANDLER,
        "                    lambda run: mapping.lost(),\n",
        "",
    ),
    one(
        "the replicator begins while workers write",
        _RECONCILER,
        "        if workers:\n            return self._wait(",
        "        if workers < 0:\n            return self._wait(",
    ),
    one(
        "a slice begins while the replicator writes",
        _RECONCILER,
        "waits_for = self._replicator_may_write()\n        if waits_for:\n            self._observe",
        'waits_for = ""\n        if waits_for:\n            self._observe',
    ),
    one(
        "a run is ready before all changes are applied",
        _RECONCILER,
        "        if backlog.quiet and not obstacle and not slices_left:\n",
        "        if not obstacle and not slices_left:\n",
    ),
    one(
        "the other child of a split is not waited for",
        _PROOF,
        "math.inf if self.has_no_other_child(row) else",
        "math.inf if self.is_finished(row) else",
    ),
    one(
        "a request to seal outlives what was ready",
        _RECONCILER,
        "reason=waits_for, seal_requested_at=0.0, **window)",
        "reason=waits_for, **window)",
    ),
    one(
        "shards of a reader that does not answer count as empty",
        _PARTS,
        "                left += mine\n                continue\n",
        "                for reader in mine:\n"
        "                    reader.read_at, reader.is_new = self._machine.now(), True\n"
        "                continue\n",
    ),
    one(
        "a reader measures time by its own clock",
        _PARTS,
        '        self._machine.follow(request["now"])\n',
        "",
    ),
    one(
        "a shard moves on although its keys are not noted",
        _PARTS,
        "                    if not (reader.notes and reader.notes.is_pending)\n",
        "",
    ),
    one(
        "all children count as known although one has no row",
        _LINEAGE,
        " and all(map(rows.is_known, children))",
        "",
    ),
    one(
        "siblings count as known although one has no row",
        _LINEAGE,
        "        if all(self._rows.is_saved(row.shard_id) for row in known.values()",
        "        if all(True for row in known.values()",
    ),
)

MUTATIONS = (*JOURNAL, *DATA, *CONTROL)
"""All mutations."""

_UNIT = "tests/unit/tablecopy"

ANSWERED = {
    "a worker saves progress where its segment is missing": f"{_UNIT}/journal/test_segments.py",
    "writes go on after an error has ended their use": f"{_UNIT}/data/test_writer_pool.py",
    "the record of a batch that had no answer counts as written": f"{_UNIT}/journal/test_applied_batches.py",
    "only the first page of a query is read": f"{_UNIT}/journal/test_store.py",
    "a recorded batch gets shorter": f"{_UNIT}/journal/test_applied_batches.py",
    "a late settle removes a newer dead letter": f"{_UNIT}/journal/test_dead_letters.py",
    "the run does not know that there are dead letters": f"{_UNIT}/journal/test_dead_letters.py",
    "an applied dead letter stays": f"{_UNIT}/data/test_replicator.py",
    "records that are about to expire are applied": f"{_UNIT}/data/test_replicator.py",
    "any writer may save the run": f"{_UNIT}/journal/test_run.py",
    "a run replaces that of a new journal": f"{_UNIT}/journal/test_run.py",
    "all runs share their segments": f"{_UNIT}/journal/test_segments.py",
    "a worker takes the slice of another run for its own": f"{_UNIT}/data/test_backfill.py",
    "the scan reads eventually consistently": f"{_UNIT}/data/test_scan.py",
    "a worker does not look at the phase": f"{_UNIT}/data/test_backfill.py",
    "the redrive settles a dead letter that is rejected again": f"{_UNIT}/data/test_redrive.py",
    "shards of a reader that does not answer count as empty": f"{_UNIT}/control/stream/test_parts.py",
    "a reader measures time by its own clock": f"{_UNIT}/control/stream/test_parts.py",
    "a shard moves on although its keys are not noted": f"{_UNIT}/control/stream/test_parts.py",
    "all children count as known although one has no row": f"{_UNIT}/control/stream/test_lineage.py",
    "siblings count as known although one has no row": f"{_UNIT}/control/stream/test_lineage.py",
}
"""Mutants that no seed finds, each with the tests that do."""
