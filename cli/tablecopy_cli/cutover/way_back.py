"""The Terraform block of the copy in the other direction, which begins at the seal and scans nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tablecopy.text import timestamp
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.terraform import Copy
from tablecopy_cli.common.text import Verbatim


def way_back_lines(copy: Copy, sealed_at: float) -> Iterator[str]:
    """Yield the block, and until when it is of use.

    Parameters
    ----------
    copy
        The sealed copy.
    sealed_at
        When it was sealed, in seconds since the epoch.
    """
    old, new = copy.sides()
    yield (
        "To be able to go back, save this as main.tf in a new directory, and apply it. The writers do not "
        "have to wait for it:"
    )
    yield ""
    for line in _block(old, new, sealed_at):
        yield Verbatim(f"    {line}".rstrip())
    yield ""
    yield (
        "It copies every write since the seal back and scans nothing. It must begin within 12 hours of the "
        "seal. After that, remove begin_at_seal."
    )


def _block(old: Side, new: Side, sealed_at: float) -> Iterator[str]:
    yield 'module "rollback" {'
    yield "  # The same source and version as the block of the sealed copy."
    yield '  source = "..."'
    yield ""
    yield from _table("source_table", new)
    yield ""
    yield from _table("destination_table", old, create="false", allow_items="true")
    yield ""
    yield '  name         = "tableback"'
    yield f"  control      = {{ begin_at_seal = {json.dumps(timestamp(sealed_at))} }}"
    yield "  verification = { enabled = true }"
    yield "}"
    for output in ("tables", "control_function_name", "commands"):
        yield ""
        yield f'output "{output}" {{'
        yield f"  value = module.rollback.{output}"
        yield "}"


def _table(variable: str, side: Side, **settings: str) -> Iterator[str]:
    values = {
        "name": side.table_name,
        "region": side.region,
        "profile": side.profile,
        "role_arn": side.role_arn,
        "external_id": side.external_id,
    }
    given = {name: json.dumps(value) for name, value in values.items() if value} | settings
    width = max(map(len, given))
    yield f"  {variable} = {{"
    for name, value in given.items():
        yield f"    {name:<{width}} = {value}"
    yield "  }"
