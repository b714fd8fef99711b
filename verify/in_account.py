"""``verify --in-account``: follows a comparison that runs in the source account, and reads its result."""

from __future__ import annotations

import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tablecopy.clock import Clock
from tablecopy.comparison.paths import ChangedPath
from tablecopy.control.status import VerificationStatus
from tablecopy_cli.common.control_function import ControlFunction, Found, FoundPage
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.verification_text import items_per_second, items_read, progress_parts
from verify.comparison.dead_letters import DeadLetters
from verify.comparison.differences import Change, PathChange
from verify.comparison.recheck import line_of
from verify.comparison.results import KINDS, Comparison, Difference, InAccount, Kind, SideResult
from verify.comparison.run import Differences
from verify.comparison.sorting import sort_lines
from verify.scan.table import Table
from verify.settings.compare import compare_definitions
from verify.settings.findings import Finding

_POLL_SECONDS = 3.0

# Lambda may throttle control, or the network may be away for a while: the comparison goes on.
_PATIENCE_SECONDS = 600.0

# The time between two rechecks is at least this (tablecopy.verifier.progress).
_LAG_SECONDS = 10.0

_RATE_SECONDS = 60.0


def follow(
    control: ControlFunction,
    on_progress: Callable[[str], None],
    clock: Clock,
    *,
    what: str = "comparison",
    command: str = "verify --in-account",
) -> VerificationStatus:
    """Wait for the end of the latest comparison in the account, and return its status.

    Parameters
    ----------
    on_progress
        Called with a line for people.
    what, command
        What it is called, and the command that begins or continues it.

    Raises
    ------
    UserError
        Control does not answer for ten minutes, or the comparison has failed or was interrupted.
    """
    answered = clock.now()
    rate = _Rate()
    while True:
        try:
            status = control.verification()
        except UserError as error:
            if not error.transient or clock.now() - answered > _PATIENCE_SECONDS:
                raise
        else:
            answered = clock.now()
            if not status:
                raise UserError(f"no {what} was started in the account. Run {command}")
            if status["state"] == "failed":
                raise UserError(f"the {what} in the account has failed: {status['reason']}")
            if status["state"] == "done":
                return status
            if not status["running"]:
                raise UserError(
                    f"the execution of the {what} in the account has ended before the {what}. To continue "
                    f"it, run {command}"
                )
            on_progress(", ".join(["in the account", *progress_parts(status, rate.update(status))]))
        clock.sleep(_POLL_SECONDS)


class _Rate:
    """Items of both tables per second, in the last minute."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, status: VerificationStatus) -> float | None:
        self._samples.append((status["now"], items_read(status)))
        while status["now"] - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()
        (began, before), (now, after) = self._samples[0], self._samples[-1]
        # Workers record what they have read every ten seconds, so a shorter time says nothing.
        return (
            (after - before) / (now - began) if now - began > _RATE_SECONDS / 2 else items_per_second(status)
        )


def result(
    control: ControlFunction,
    status: VerificationStatus,
    source: Table,
    destination: Table,
    dead_letters: DeadLetters,
) -> Comparison:
    """Return the result of a comparison that has ended, with the differences that it lists.

    Raises
    ------
    UserError
        Control does not return the differences.
    OSError
        They do not fit on the disk.
    """
    counts = Counter[Kind]({kind: status[kind] for kind in KINDS})
    differences, undecided, unlisted = _listed(control, source, dead_letters)
    counts.update(undecided)
    # Keys that were too many to be kept: nothing is known but that they differed.
    counts["changed"] += status["undecided"] - undecided.total()
    if dead_letters.others():
        # Iterating the differences finds the dead letters that belong to them.
        deque(differences, maxlen=0)
    return Comparison(
        SideResult(source.arn, status["source_items"], status["source_units"]),
        SideResult(destination.arn, status["destination_items"], status["destination_units"]),
        differences,
        counts,
        # Expired items do not count.
        unsettled=status["undecided"] - undecided["expired"],
        findings=_findings(source, destination),
        dead_letters=dead_letters.others(),
        open_dead_letters=dead_letters.count,
        generations=status["generation"],
        lag_seconds=_LAG_SECONDS,
        writes_stopped=status["writes_stopped"],
        in_account=InAccount(status["id"], status["segments"], status["segments_by_key"], unlisted),
        started=status["began"],
        seconds=status["ended"] - status["began"],
    )


def _listed(
    control: ControlFunction, source: Table, dead_letters: DeadLetters
) -> tuple[Differences, Counter[Kind], dict[int, int]]:
    """Save what the comparison lists, in the order of the keys; memory does not grow with it.

    Returns the differences, those that are undecided by kind, and the unlisted ones by segment.
    """
    folder = tempfile.TemporaryDirectory(prefix="verify-")
    path = Path(folder.name) / "differences.rows"
    undecided: Counter[Kind] = Counter()
    unlisted: dict[int, int] = {}
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for page in _pages(control):
            unlisted.update(page.unlisted)
            for difference in map(_difference, page.found):
                count += 1
                undecided[difference.kind] += not difference.standing
                yield line_of(source.keys.order(difference.key), difference)

    sort_lines(lines(), path)
    return Differences(path, count, dead_letters, folder), +undecided, unlisted


def _pages(control: ControlFunction) -> Iterator[FoundPage]:
    page = control.differences()
    yield page
    while page.following is not None:
        page = control.differences(page.following)
        yield page


def _difference(found: Found) -> Difference:
    difference, standing = found
    return Difference(
        difference.kind.value,
        difference.key,
        _paths(difference.paths),
        standing=standing,
        first_seen=difference.first_seen,
        last_seen=difference.last_seen,
        checks=difference.checks,
        expires=difference.expires,
        source_digest=difference.source,
        destination_digest=difference.destination,
    )


def _paths(paths: Sequence[ChangedPath]) -> tuple[PathChange, ...]:
    return tuple(
        PathChange(
            path.path,
            _change(path),
            path.source_type,
            path.destination_type,
            elements_added=path.only_destination,
            elements_removed=path.only_source,
        )
        for path in paths
    )


def _change(path: ChangedPath) -> Change:
    if path.destination_type is None:
        return "removed"
    if path.source_type is None:
        return "added"
    return "value_changed" if path.source_type == path.destination_type else "type_changed"


def _findings(source: Table, destination: Table) -> list[Finding]:
    if source.definition is None or destination.definition is None:
        return []
    return compare_definitions(source.definition, destination.definition)
