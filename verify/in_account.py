"""``verify --in-account``: follows a comparison that runs in the source account, and reads its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from tablecopy.clock import Clock
from tablecopy.comparison.paths import ChangedPath
from tablecopy.control.status import VerificationStatus
from tablecopy.text import count_text, duration_text
from tablecopy_cli.common.control_function import ControlFunction, Found
from tablecopy_cli.common.errors import UserError
from verify.comparison.dead_letters import DeadLetters
from verify.comparison.differences import Change, PathChange
from verify.comparison.results import KINDS, Comparison, Difference, Kind, SideResult
from verify.scan.table import Table
from verify.settings.compare import compare_definitions
from verify.settings.findings import Finding

_POLL_SECONDS = 3.0

# Lambda may throttle control, or the network may be away for a while: the comparison goes on.
_PATIENCE_SECONDS = 600.0

# The time between two rechecks is at least this (tablecopy.verifier.progress).
_LAG_SECONDS = 10.0


def follow(
    control: ControlFunction, on_progress: Callable[[str], None], total: int, clock: Clock
) -> VerificationStatus:
    """Wait for the end of the latest comparison in the account, and return its status.

    Parameters
    ----------
    on_progress
        Called with a line for people.
    total
        Items of both tables, as DynamoDB estimates them; 0 if unknown.

    Raises
    ------
    UserError
        Control does not answer for ten minutes, or the comparison has failed.
    """
    answered = clock.now()
    while True:
        try:
            status = control.verification()
        except UserError as error:
            if not error.transient or clock.now() - answered > _PATIENCE_SECONDS:
                raise
        else:
            answered = clock.now()
            if not status:
                raise UserError("no comparison was started in the account. Run verify --in-account")
            if status["state"] == "failed":
                raise UserError(f"the comparison in the account has failed: {status['reason']}")
            if status["state"] == "done":
                return status
            on_progress(", ".join(_progress(status, total)))
        clock.sleep(_POLL_SECONDS)


def result(
    control: ControlFunction,
    status: VerificationStatus,
    source: Table,
    destination: Table,
    dead_letters: DeadLetters,
) -> Comparison:
    """Return the result of a comparison that has ended, with the differences that it lists."""
    differences = [_difference(record, dead_letters) for record in _listed(control)]
    counts = Counter[Kind]({kind: status[kind] for kind in KINDS})
    still_changing = [difference for difference in differences if not difference.standing]
    counts.update(difference.kind for difference in still_changing)
    # Keys that were too many to be kept: nothing is known but that they differed.
    counts["changed"] += status["undecided"] - len(still_changing)
    return Comparison(
        SideResult(source.arn, status["source_items"], status["source_units"]),
        SideResult(destination.arn, status["destination_items"], status["destination_units"]),
        differences,
        counts,
        unsettled=status["undecided"],
        unlisted=sum(counts.values()) - len(differences),
        findings=_findings(source, destination),
        dead_letters=dead_letters.others(),
        open_dead_letters=dead_letters.count,
        generations=status["generation"],
        lag_seconds=_LAG_SECONDS,
        writes_stopped=status["writes_stopped"],
        in_account=True,
        by_key=status["segments_by_key"] > 0,
        started=status["began"],
        seconds=status["ended"] - status["began"],
    )


def _listed(control: ControlFunction) -> Iterator[Found]:
    segment: int | None = 0
    while segment is not None:
        found, segment = control.differences(segment)
        yield from found


def _difference(found: Found, dead_letters: DeadLetters) -> Difference:
    difference, standing = found
    return Difference(
        difference.kind.value,
        difference.key,
        tuple(_path(path) for path in difference.paths),
        standing=standing,
        first_seen=difference.first_seen,
        last_seen=difference.last_seen,
        checks=difference.checks,
        source_digest=difference.source,
        destination_digest=difference.destination,
        dead_letter=dead_letters.of(difference.key),
    )


def _path(path: ChangedPath) -> PathChange:
    if path.destination_type is None:
        change: Change = "removed"
    elif path.source_type is None:
        change = "added"
    else:
        change = "value_changed" if path.source_type == path.destination_type else "type_changed"
    return PathChange(path.path, change, path.source_type, path.destination_type)


def _findings(source: Table, destination: Table) -> list[Finding]:
    if source.definition is None or destination.definition is None:
        return []
    return compare_definitions(source.definition, destination.definition)


def _progress(status: VerificationStatus, total: int) -> Iterator[str]:
    if status["state"] == "requested":
        yield "starting in the account"
        return
    if status["state"] == "rechecking":
        yield f"recheck {status['generation']}"
        yield f"{count_text(status['undecided'], 'key')} may be changes in progress"
        return
    items = status["source_items"] + status["destination_items"]
    seconds = max(1.0, status["now"] - status["began"])
    rate = items / seconds
    segments = count_text(status["segments"], "segment")
    yield f"comparing in the account: {status['segments_done']} of {segments}"
    if rate and total > items:
        yield f"{duration_text((total - items) / rate)} left"
    yield count_text(items, "item")
    yield f"{rate:,.0f} items/s"
    yield f"{status['source_units'] + status['destination_units']:,.0f} read units"
    different = sum(status[kind] for kind in KINDS if kind != "expired") + status["undecided"]
    yield f"{count_text(different, 'difference')} so far"
