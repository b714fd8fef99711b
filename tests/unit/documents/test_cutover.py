"""The page of the cutover and Terraform's commands are the adviser's, in its order."""

from __future__ import annotations

import re

import pytest

from tablecopy_cli.advice import CUTOVER, Commands, Repaired, Situation, cutover_steps, next_steps
from tablecopy_cli.advice.parts import repair_steps
from tools.docs_tables.__main__ import REPOSITORY

TTL = "aws dynamodb update-time-to-live"
STEPS = cutover_steps(Commands(outputs={"time_to_live": TTL}))
PAGE = (REPOSITORY / "docs/cutover.md").read_text()
SECTION = PAGE.partition("\n## Cut over with a comparison while nothing writes\n")[2].partition("\n## ")[0]
CUTOVER_TEXT, _, REPAIR_TEXT = SECTION.partition("\n### ")


def numbered(text: str) -> list[str]:
    """The items of the numbered list, each on one line."""
    found = re.split(r"^\d+\. ", text, flags=re.MULTILINE)[1:]
    return [" ".join(item.partition("\n\n")[0].split()) for item in found]


def test_the_page_has_every_step_in_its_order() -> None:
    assert len(numbered(CUTOVER_TEXT)) == len(CUTOVER) == len(STEPS)


@pytest.mark.parametrize(
    ("item", "step"), list(zip(numbered(CUTOVER_TEXT), STEPS, strict=True)), ids=list(CUTOVER)
)
def test_a_step_of_the_page(item: str, step: object) -> None:
    text, command = step.text, step.command  # type: ignore[attr-defined]
    bold = re.match(r"\*\*(.+?)\*\*", item)
    assert bold is not None
    assert text.startswith(bold[1].rstrip("."))
    if command == TTL:
        assert "`commands.time_to_live`" in item
    elif command:
        first = re.search(r"`((?:tablecopy|verify) [^`]+)`", item)
        assert first is not None
        assert f"{first[1]} ".startswith(f"{command} ")


def test_the_repair_of_the_page() -> None:
    steps = repair_steps("PLAN", Commands())
    shown = re.findall(r"^\d+\. `(verify repair [^`]+)`", REPAIR_TEXT, re.MULTILINE)
    assert shown == [step.command for step in steps]


def test_a_dry_run_leads_to_the_repair_of_the_page() -> None:
    dry = Repaired("PLAN", applied=False, counts={"would": 1}, writes_stopped=True)
    (step,) = next_steps(Situation(repaired=dry))
    assert step.command == repair_steps("PLAN", Commands())[-1].command


def test_terraform_prints_the_commands_in_the_same_order() -> None:
    text = (REPOSITORY / "modules/copy/commands.tf").read_text()
    block = re.search(r"cutover_with_a_comparison = .*?compact\(\[(.*?)\]\)", text, re.DOTALL)
    assert block is not None
    written = [
        re.sub(r"\$\{local\.(?:operate\.)?(\w+)\}", r"\1", line.strip().strip('",')).replace(
            "local.operate.", ""
        )
        for line in block[1].strip().splitlines()
    ]
    named = [word.replace("watch ", "tablecopy watch ").replace("local.", "") for word in written]
    assert named == ["tablecopy watch --until ready", "verify --writes-stopped", "seal", "time_to_live"]
    assert [step.command for step in STEPS if step.command] == [
        *named[:2],
        "tablecopy seal",
        TTL,
    ]
