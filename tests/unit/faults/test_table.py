"""The fault table, and its place in the documentation."""

from __future__ import annotations

from tests.e2e.faults.scenarios import all_faults
from tests.e2e.faults.table import BEGIN, DOCUMENT, END, FaultTable, documented, replaced


def test_every_fault_is_documented() -> None:
    missing = [fault for fault in all_faults() if fault not in documented(DOCUMENT.read_text())]
    assert not missing, f"not in {DOCUMENT.name}: {missing}; `make faults-table` writes the table anew"


def test_a_fault_has_one_row() -> None:
    assert len(set(all_faults())) == len(all_faults())


def test_the_table_takes_the_place_of_the_last_one() -> None:
    table = FaultTable()
    table.add("write cut", 3, "ready, equal")
    text = f"# Faults\n{BEGIN}\n\n| fault | n | outcome |\n|---|---:|---|\n| old | 1 | x |\n{END}\nend\n"
    written = replaced(text, table)
    assert documented(written) == {"write cut"}
    assert replaced(written, table) == written
    assert written.startswith("# Faults\n")
    assert written.endswith("end\n")
