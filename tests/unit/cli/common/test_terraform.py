"""Terraform outputs: what a directory says, and one clear line when it says nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tablecopy_cli.common import Side, UserError
from tablecopy_cli.common.terraform import read_outputs, tables_of

Fake = Callable[..., Path]


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    """Put a `terraform` on PATH that prints and exits as told; returns a directory to read."""

    def prepare(stdout: str = "", stderr: str = "", code: int = 0) -> Path:
        program = tmp_path / "terraform"
        (tmp_path / "out").write_text(stdout)
        (tmp_path / "err").write_text(stderr)
        program.write_text(
            f'#!/bin/sh\necho "$@" > {tmp_path}/args\ncat {tmp_path}/out\n'
            f"cat {tmp_path}/err >&2\nexit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    return prepare


def as_outputs(**values: Any) -> str:
    return json.dumps({name: {"sensitive": False, "value": value} for name, value in values.items()})


def test_outputs_are_read_from_the_directory(terraform: Fake) -> None:
    directory = terraform(as_outputs(name="x", tables={"source": 1}))
    assert read_outputs(directory) == {"name": "x", "tables": {"source": 1}}
    assert (directory / "args").read_text().split() == [f"-chdir={directory}", "output", "-no-color", "-json"]


def test_the_sides_of_the_output_tables() -> None:
    source = {
        "table_name": "a",
        "region": "eu-west-1",
        "profile": "old",
        "role_arn": None,
        "external_id": None,
    }
    destination = {
        "table_name": "b",
        "region": "eu-north-1",
        "role_arn": "arn:aws:iam::1:role/r",
        "external_id": "x1",
    }
    assert tables_of({"tables": {"source": source, "destination": destination}}, ".") == (
        Side("source", table_name="a", region="eu-west-1", profile="old"),
        Side(
            "destination",
            table_name="b",
            region="eu-north-1",
            role_arn="arn:aws:iam::1:role/r",
            external_id="x1",
        ),
    )


def test_no_directory() -> None:
    with pytest.raises(UserError, match="there is no directory /nowhere"):
        read_outputs("/nowhere")


def test_no_terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot run terraform \(No such file or directory\); install it or"):
        read_outputs(tmp_path)


def test_no_state(terraform: Fake) -> None:
    with pytest.raises(UserError, match="has no applied Terraform state; run `terraform apply`"):
        read_outputs(terraform("{}"))


def test_an_error_of_terraform_is_one_line(terraform: Fake) -> None:
    stderr = "╷\n│ Error: Backend initialization required\n│ \n│ Reason: long story\n╵\n"
    directory = terraform(stderr=stderr, code=1)
    with pytest.raises(UserError) as caught:
        read_outputs(directory)
    assert "cannot read the outputs" in str(caught.value)
    assert ": Backend initialization required; " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["no json", "[]", '{"a": 1}'])
def test_something_else_than_outputs(terraform: Fake, text: str) -> None:
    with pytest.raises(UserError, match="printed something else than outputs"):
        read_outputs(terraform(text))


@pytest.mark.parametrize(
    "outputs", [{"other": 1}, {"tables": None}, {"tables": {"source": {}}}, {"tables": "x"}]
)
def test_outputs_without_tables(outputs: Any) -> None:
    with pytest.raises(UserError, match="outputs of infra have no `tables`"):
        tables_of(outputs, "infra")


def test_tables_without_a_name() -> None:
    with pytest.raises(UserError, match="names no source table"):
        tables_of({"tables": {"source": {"table_name": None}, "destination": {"table_name": "b"}}}, "infra")
