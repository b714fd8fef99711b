"""The window pairs two scans exactly, whatever their order, their pages and their spelling.

What it leaves as candidates is judged here by a plain dictionary of each table.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tablecopy.comparison.items import KeySchema, Side, are_equal
from tablecopy.comparison.window import Candidate, Window
from tablecopy.dynamodb.client import Json

KEYS = KeySchema(["pk"])
Table = list[Json]


@dataclass
class Result:
    """What a comparison has counted."""

    equal: int = 0
    changed: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    extra: set[str] = field(default_factory=set)
    reads: int = 0


def expected(source: Table, destination: Table) -> Result:
    here, there = ({item["pk"]["S"]: item for item in table} for table in (source, destination))
    both = here.keys() & there.keys()
    changed = {key for key in both if here[key] != there[key]}
    return Result(len(both) - len(changed), changed, here.keys() - there.keys(), there.keys() - here.keys())


class Comparison:
    """Two scans through windows that end in the middle, as those of a worker that is killed."""

    def __init__(self, source: Table, destination: Table, rng: random.Random, limit: int) -> None:
        self._tables = (source, destination)
        self._by_key = tuple({item["pk"]["S"]: item for item in table} for table in self._tables)
        self._rng = rng
        self._limit = limit
        self.result = Result()

    def run(self, *, respells: bool = False) -> Result:
        places = [0, 0]
        while True:
            window = Window(KEYS, self._limit)
            at = list(places)
            lives = self._rng.choice([2, 5, 1000])
            while (side := window.behind()) is not None and lives:
                lives -= 1
                page = self._tables[side][at[side] : at[side] + self._rng.randint(0, 8)]
                at[side] += len(page)
                last = at[side] == len(self._tables[side])
                raw = [self._spelled(item, respells) for item in page]
                if window.spelled_alike and self._rng.random() < 0.9:
                    window.add(side, raw, last=last)
                else:
                    window.add_decoded(
                        side, [json.loads(item) for item in raw], sum(map(len, raw)), last=last
                    )
                if not self._give_up(window):
                    break
            is_over = side is None
            killed = self._rng.random() < 0.3 and not is_over
            if killed:
                # Nothing of it was saved.
                continue
            cut = window.cut()
            self._judge(window.take())
            self.result.equal += window.equal
            for each in Side:
                settled = self._tables[each][places[each] : places[each] + cut[each].items]
                assert cut[each].key == (KEYS.attributes(settled[-1]) if settled else None)
                places[each] += cut[each].items
            if is_over:
                assert places == [len(table) for table in self._tables]
                return self.result

    def _give_up(self, window: Window) -> bool:
        """Give up what the window has to; False if the worker's time was up in the middle of it."""
        while window.give_up(self._rng.choice([1, 3, 100])):
            if self._rng.random() > 0.9:
                return False
        return True

    def _spelled(self, item: Json, respells: bool) -> bytes:
        names = list(item)
        if respells:
            self._rng.shuffle(names)
        return json.dumps({name: item[name] for name in names}).encode()

    def _judge(self, candidates: Sequence[Candidate]) -> None:
        for candidate in candidates:
            key = candidate.key["pk"]["S"]
            here, there = (by_key.get(key) for by_key in self._by_key)
            self.result.reads += (candidate.source is None) + (candidate.destination is None)
            if candidate.source is None and here is not None:
                continue
            if here is None:
                found = self.result.extra
            elif there is None:
                found = self.result.missing
            elif are_equal(here, there):
                self.result.equal += 1
                continue
            else:
                found = self.result.changed
            assert key not in found
            found.add(key)


def table(rng: random.Random, size: int) -> Table:
    return [{"pk": {"S": f"k{number}"}, "n": {"N": str(rng.randint(0, 3))}} for number in range(size)]


def changed_copy(rng: random.Random, source: Table, changes: float) -> Table:
    copy: Table = []
    for item in source:
        draw = rng.random() / changes if changes else 1.0
        if draw < 0.3:
            continue
        if draw < 0.6:
            copy.append({"pk": {"S": f"x{item['pk']['S']}"}})
        copy.append({**item, "n": {"N": "9"}} if 0.6 <= draw < 1 else item)
    return copy


@settings(deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.integers(0, 60),
    st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    st.sampled_from(["same", "near", "any"]),
    st.sampled_from([0, 40, 300, 100_000]),
    st.booleans(),
)
def test_every_key_is_counted_once_whatever_the_scans_return(
    rng: random.Random, size: int, changes: float, order: str, limit: int, respells: bool
) -> None:
    source = table(rng, size)
    destination = changed_copy(rng, source, changes)
    if order == "any":
        rng.shuffle(destination)
    elif order == "near":
        destination = [
            item for _, item in sorted(enumerate(destination), key=lambda at: at[0] + 3 * rng.random())
        ]
    found = Comparison(source, destination, rng, limit).run(respells=respells)
    right = expected(source, destination)
    assert (found.equal, found.changed, found.missing, found.extra) == (
        right.equal,
        right.changed,
        right.missing,
        right.extra,
    )


def read_through(source: Table, destination: Table, page: int, other_page: int) -> Window:
    """A window through which both tables have gone, in pages of these sizes."""
    window = Window(KEYS)
    at = [0, 0]
    while (side := window.behind()) is not None:
        rows = (source, destination)[side]
        end = at[side] + (page, other_page)[side]
        window.add(side, [json.dumps(item).encode() for item in rows[at[side] : end]], last=end >= len(rows))
        at[side] = end
        give_up(window)
    return window


def give_up(window: Window) -> None:
    while window.give_up(100):
        pass


def test_the_same_order_in_other_pages_reads_nothing_by_key() -> None:
    source = table(random.Random(1), 1000)
    window = read_through(source, source, 100, 37)
    assert (window.equal, window.take()) == (1000, [])


def test_only_what_is_on_one_side_is_read_by_key() -> None:
    source = table(random.Random(1), 1000)
    destination = source[:300] + source[450:] + [{"pk": {"S": "x"}}]
    candidates = read_through(source, destination, 100, 100).take()
    assert sum(each.destination is None for each in candidates) == 150
    assert [each.key for each in candidates if each.source is None] == [{"pk": {"S": "x"}}]


def test_items_in_another_spelling_meet_without_being_read_again() -> None:
    source = [{"pk": {"N": str(n)}, "v": {"N": "1"}} for n in range(200)]
    destination = [{"v": {"N": "1.0"}, "pk": {"N": f"{n}.0"}} for n in range(200)]
    window = read_through(source, destination, 20, 30)
    assert (window.equal, window.take()) == (200, [])


def test_what_waits_is_bounded() -> None:
    source = table(random.Random(1), 2000)
    limit = 2000
    window = Window(KEYS, limit)
    left = 0
    for start in range(0, 2000, 50):
        page = [json.dumps(item).encode() for item in source[start : start + 50]]
        window.add(Side.SOURCE, page, last=False)
        give_up(window)
        left += len(window.take())
    waiting = 2000 - left
    assert 0 < waiting * len(json.dumps(source[0])) < limit + 200


def test_what_waits_is_bounded_by_its_number() -> None:
    window = Window(KEYS)
    window.bound(1_000_000, 30)
    window.add(Side.SOURCE, [json.dumps(item).encode() for item in table(random.Random(1), 100)], last=False)
    assert window.give_up(50)
    assert window.candidates == 50
    assert not window.give_up(50)
    assert window.candidates == 70


def test_items_are_given_up_a_few_at_a_time_and_can_be_saved_in_between() -> None:
    source = table(random.Random(1), 100)
    window = Window(KEYS)
    window.add(Side.DESTINATION, [], last=True)
    window.add(Side.SOURCE, [json.dumps(item).encode() for item in source], last=True)
    for settled in range(10, 110, 10):
        assert window.give_up(10) == (settled < 100)
        place, _ = window.cut()
        assert (place.items, place.key) == (settled, KEYS.attributes(source[settled - 1]))
        assert len(window.take()) == 10


def unmatched(count: int) -> Window:
    """A window that holds as many items of both tables, none of which meet."""
    window = Window(KEYS)
    for side, letter in ((Side.SOURCE, b"a"), (Side.DESTINATION, b"b")):
        window.add(side, [b'{"pk":{"S":"%s%d"}}' % (letter, n) for n in range(count)], last=False)
    return window


def test_scans_that_do_not_meet_are_read_by_key_from_then_on() -> None:
    window = unmatched(200)
    window.bound(1_000_000, 150)
    give_up(window)
    window.check_alignment(0.1, 101)
    assert not window.by_key
    window.check_alignment(0.1, 100)
    assert window.by_key
    window.add(Side.SOURCE, [b'{"pk":{"S":"c"}}'], last=False)
    give_up(window)
    assert len(window.take()) == 401


def test_what_fits_into_the_window_waits_although_nothing_meets() -> None:
    window = unmatched(200)
    give_up(window)
    window.check_alignment(0.1, 1)
    assert not window.by_key
    assert window.take() == []


def test_scans_of_which_some_meet_go_on_waiting() -> None:
    window = Window(KEYS)
    window.bound(1_000_000, 20)
    for side in Side:
        window.add(side, [b'{"pk":{"S":"%d"}}' % (n * (1 + side)) for n in range(100)], last=False)
    give_up(window)
    window.check_alignment(0.1, 10)
    assert not window.by_key
