"""Pairing rows: whatever their order and their number, in little memory, and never by half."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from tablecopy_cli.common.errors import UserError
from tests.unit.verify.world import ROOT
from verify.comparison.match import MEMORY_BYTES, count_lines, pair
from verify.comparison.spill import number_of_files
from verify.scan.processes import Stopped
from verify.scan.work import BlockFile, rows

SEED = 7

# Rows are split as soon as there are some.
LITTLE = 2_000

Row = tuple[str, ...]


def written(path: Path, lines: Sequence[Row]) -> Path:
    blocks = BlockFile(path)
    for start in range(0, len(lines), 100):
        blocks.append(
            "".join("\t".join(row) + "\n" for row in lines[start : start + 100]).encode(),
            {"rows": len(lines)},
        )
    blocks.append(b"", {"rows": 0})
    blocks.close()
    return path


def found_in(to: Path) -> list[Row]:
    """The results, and nothing that was on its way beside them."""
    found = [tuple(row.decode().split("\t")) for path in to.iterdir() for row in rows(path)]
    assert count_lines(to) == len(found)
    assert not to.with_suffix(".new").exists()
    assert not to.with_suffix(".split").exists()
    return sorted(found)


def paired(
    tmp_path: Path,
    source: Sequence[Row],
    destination: Sequence[Row],
    memory: int = MEMORY_BYTES,
    processes: int = 1,
) -> list[Row]:
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    pair(
        [written(place / "s", source)],
        [written(place / "d", destination)],
        place / "to",
        seed=SEED,
        memory=memory,
        processes=processes,
    )
    return found_in(place / "to")


def many(count: int, prefix: str = "k") -> list[Row]:
    return [(f'"{prefix}{n:06d}"', f'"{n % 7}"', f"{n:032x}", "") for n in range(count)]


@pytest.mark.parametrize("memory", [MEMORY_BYTES, 10])
def test_only_what_does_not_pair_is_written(tmp_path: Path, memory: int) -> None:
    source = [('"a"', '"1"', "x1", ""), ('"b"', '"1"', "x2", ""), ('"c"', "-", "x3", "99")]
    destination = [('"b"', '"1"', "y2", ""), ('"a"', '"1"', "x1", ""), ('"a"', '"2"', "x1", "7")]
    assert paired(tmp_path, source, destination, memory) == [
        ('"a"', '"2"', "", "x1", "7"),
        ('"b"', '"1"', "x2", "y2", ""),
        ('"c"', "-", "x3", "", "99"),
    ]


keys = st.tuples(st.sampled_from(['"a"', '"#"', "-1", "7", '"\\t"']), st.sampled_from(["-", '"é"', "1"]))
tables = st.dictionaries(keys, st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["", "5", "6"])))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(tables, tables, st.sampled_from([MEMORY_BYTES, 300, 1]))
def test_it_finds_what_a_dictionary_would(
    tmp_path: Path,
    source: dict[Row, Row],
    destination: dict[Row, Row],
    memory: int,
) -> None:
    expected = []
    for key in source.keys() | destination.keys():
        mine, theirs = source.get(key, ("", "")), destination.get(key, ("", ""))
        # The digest decides. The time to live is the source's if that has one.
        if mine[0] != theirs[0]:
            expected.append((*key, mine[0], theirs[0], mine[1] or theirs[1]))
    found = paired(
        tmp_path,
        [(*key, *rest) for key, rest in source.items()],
        [(*key, *rest) for key, rest in destination.items()],
        memory,
    )
    assert found == sorted(expected)


@pytest.mark.parametrize("memory", [MEMORY_BYTES, 10])
def test_keys_that_look_like_the_files_own_marks(tmp_path: Path, memory: int) -> None:
    keys = ['"#"', '"\'"', '"\\""', '"a,b"', '"\\\\"', '"NULL"', '"\\t"', '"\\n"', '"é"', '""']
    source = [(key, "-", "x", "") for key in keys]
    assert paired(tmp_path, source, list(reversed(source)), memory) == []
    assert len(paired(tmp_path, source, [], memory)) == len(keys)


@pytest.mark.parametrize("memory", [MEMORY_BYTES, 10])
def test_several_files_and_empty_ones(tmp_path: Path, memory: int) -> None:
    files = [written(tmp_path / str(n), [(f'"{n}"', "-", "x", "")] if n else []) for n in range(4)]
    to = tmp_path / "it's here"
    pair(files[:2], files[2:], to, seed=SEED, memory=memory)
    assert len(found_in(to)) == 3


@pytest.mark.parametrize("memory", [MEMORY_BYTES, 400_000])
def test_diverging_orders_and_disjoint_keys(tmp_path: Path, memory: int) -> None:
    found = many(20_000)
    shuffled = found.copy()
    random.Random(1).shuffle(shuffled)
    assert paired(tmp_path, found, shuffled, memory) == []
    assert len(paired(tmp_path, found, many(20_000, "z"), memory)) == 40_000


def test_keys_of_kilobytes(tmp_path: Path) -> None:
    # The longest keys that DynamoDB takes, each character six in JSON.
    row = ('"' + "\\u0001" * 2048 + '"', '"' + "\\u0002" * 1024 + '"', "x", "")
    for memory in (MEMORY_BYTES, LITTLE):
        assert paired(tmp_path, [row], [row], memory) == []
        assert len(paired(tmp_path, [row], [(*row[:2], "y", "")], memory)) == 1


def test_rows_that_no_hash_can_part_are_paired_all_the_same(tmp_path: Path) -> None:
    row = ('"k"', "-", "x", "")
    assert paired(tmp_path, [row] * 500, [row] * 500, LITTLE) == []
    assert paired(tmp_path, [row] * 500, [], LITTLE) == [('"k"', "-", "x", "", "")]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    files = [written(tmp_path / "s", many(40_000))], [written(tmp_path / "d", many(40_000)[::-1])]
    with traced() as peak:
        pair(*files, tmp_path / "to", seed=SEED, memory=200_000)
        assert peak() < 2_000_000
    assert found_in(tmp_path / "to") == []
    # What the test would see without the limit.
    with traced() as peak:
        pair(*files, tmp_path / "again", seed=SEED)
        assert peak() > 5_000_000


def test_a_file_that_memory_does_not_hold_is_split_again(tmp_path: Path) -> None:
    # All keys have one remainder, so the first split puts all rows into one file.
    keys = (f'"{n}"' for n in range(1_000_000) if xxh3_64_intdigest(b'"%d"\t-' % n, SEED) % 31 == 0)
    source = [(key, "-", f"{n:032x}", "") for n, key in enumerate(islice(keys, 20_000))]
    files = [written(tmp_path / "s", source)], [written(tmp_path / "d", source[::-1][1:])]
    size = sum(path.stat().st_size for side in files for path in side)
    memory = size * 5 // 118
    assert number_of_files(size, memory) == 31
    with traced() as peak:
        pair(*files, tmp_path / "to", seed=SEED, memory=memory)
        assert peak() < 1_500_000
    assert found_in(tmp_path / "to") == [(*source[-1][:3], "", "")]


LIMITED = """
import resource, sys
from pathlib import Path
from verify.comparison.match import count_lines, pair

directory = Path(sys.argv[1])
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, [pages * resource.getpagesize() + 40_000_000] * 2)
pair([directory / "s"], [directory / "d"], directory / "to", seed=1, memory=4_000_000)
assert count_lines(directory / "to") == 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux limits a process's address space")
def test_forty_megabytes_pair_as_many_rows_as_the_disk_holds(tmp_path: Path) -> None:
    # 72 MB, and 150 MB in memory.
    for name in ("s", "d"):
        with open(tmp_path / name, "wb") as file:
            file.writelines(b'"k%d"\t"%08d"\t%032x\t\n' % (n, n, n) for n in range(600_000 + (name == "d")))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "lambda", ROOT / "cli")))}
    subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], env=environ, check=True)


def test_processes_share_the_files(tmp_path: Path) -> None:
    source = many(5_000)
    changed = [
        (key, sort, "x", "") if n % 500 == 0 else (key, sort, digest, "")
        for n, (key, sort, digest, _) in enumerate(source)
    ]
    found = paired(tmp_path, source, changed[::-1], LITTLE, processes=2)
    assert found == [(*source[n][:3], "x", "") for n in range(0, 5_000, 500)]
    assert multiprocessing.active_children() == []


class Pairing:
    """Two tables that differ in one item, paired in several goes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.to = directory / "to"
        found = many(3_000)
        self.files = {
            "source": [written(directory / "s0", found[::2]), written(directory / "s1", found[1::2])],
            "destination": [written(directory / "d0", found[1:]), written(directory / "d1", [])],
        }
        self.spent: list[str] = []

    def run(self, **options: object) -> None:
        options = {"memory": LITTLE, "spent": self.forget, **options}
        pair(self.files["source"], self.files["destination"], self.to, seed=SEED, **options)  # type: ignore[arg-type]

    def forget(self, side: str) -> None:
        """Nothing reads these rows again."""
        self.spent.append(side)
        for path in self.files[side]:
            path.write_bytes(b"")

    def check(self) -> None:
        assert found_in(self.to) == [(*many(1)[0][:3], "", "")]

    @property
    def unfinished(self) -> list[str]:
        return sorted(
            path.name for path in self.directory.rglob("*") if path.suffix == ".new" or path.name == "again"
        )


@pytest.fixture
def pairing(tmp_path: Path) -> Pairing:
    return Pairing(tmp_path)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_what_was_split_is_not_split_again(pairing: Pairing, side: str) -> None:
    def fail(now: str) -> None:
        pairing.forget(now)
        if now == side:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pairing.run(spent=fail)
    assert not pairing.to.exists()
    pairing.run()
    pairing.check()


def test_a_stop_leaves_nothing_half_split(pairing: Pairing) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        pairing.run(stop=stop)
    assert (pairing.spent, pairing.unfinished) == ([], [])
    pairing.run()
    pairing.check()


@pytest.mark.parametrize("memory", [MEMORY_BYTES, LITTLE])
def test_a_full_disk_gets_its_space_back(pairing: Pairing, memory: int) -> None:
    pairing.files["destination"] = []
    with limited_files(1_000), pytest.raises(OSError, match="File too large"):
        pairing.run(memory=memory)
    assert (pairing.spent, pairing.unfinished) == ([], [])
    pairing.run(memory=memory)
    assert len(found_in(pairing.to)) == 3_000


def test_a_disk_that_is_full_of_results_gets_their_space_back(pairing: Pairing) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(side: str) -> None:
        pairing.forget(side)
        if side == "destination":
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))

    pairing.files["destination"] = []
    with limited_files(before[0]), pytest.raises(OSError, match="File too large"):
        pairing.run(spent=fill)
    assert pairing.unfinished == []
    pairing.run()
    assert len(found_in(pairing.to)) == 3_000


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_process_that_is_killed_is_told_of(pairing: Pairing, after: int) -> None:
    """It splits the source, or the destination, or pairs."""
    # While the directory is held, no process begins its work, so none has ended when it is killed.
    holder = os.open(pairing.directory / "lock.helpers", os.O_RDWR | os.O_CREAT)

    def hold() -> None:
        if len(pairing.spent) == after:
            fcntl.flock(holder, fcntl.LOCK_EX)

    def spent(side: str) -> None:
        pairing.forget(side)
        hold()

    def kill() -> None:
        if len(pairing.spent) == after:
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, signal.SIGKILL)

    hold()
    with pytest.raises(UserError, match=r"^A process of this comparison was ended by signal 9"):
        pairing.run(processes=2, spent=spent, tick=kill)
    os.close(holder)
    assert (len(pairing.spent), pairing.unfinished) == (after, [])
    pairing.run(processes=2)
    pairing.check()


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Count the memory of Python's objects; yields what returns its peak in bytes."""
    with tempfile.TemporaryDirectory() as warm:
        # What is imported on first use would count.
        paired(Path(warm), many(100), [], LITTLE)
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Have files end at a size, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
