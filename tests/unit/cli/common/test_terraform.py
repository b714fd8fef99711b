"""Terraform outputs: what a directory says, and one clear line when it says nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.terraform import Copy, read_copies, read_copy, read_outputs

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
    assert Copy(".", None, {"tables": {"source": source, "destination": destination}}).sides() == (
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
    with pytest.raises(UserError, match="outputs of the copy in infra have no `tables`"):
        Copy("infra", None, outputs).sides()


def test_tables_without_a_name() -> None:
    tables = {"source": {"table_name": None}, "destination": {"table_name": "b"}}
    with pytest.raises(UserError, match="does not name the source table"):
        Copy("infra", None, {"tables": tables}).sides()


class TestCopies:
    """Several copies in one state, by the output ``copies``."""

    ORDERS: ClassVar[dict[str, Any]] = {
        "control_function_name": "orders-control",
        "commands": {"status": "x"},
    }
    CARTS: ClassVar[dict[str, Any]] = {"control_function_name": None, "commands": {"status": None}}

    @pytest.fixture
    def several(self, terraform: Fake) -> Path:
        return terraform(as_outputs(copies={"orders": self.ORDERS, "carts": self.CARTS}))

    def test_each_is_found_by_name(self, several: Path) -> None:
        assert [copy.name for copy in read_copies(several)] == ["carts", "orders"]
        orders = read_copy(several, "orders")
        assert (orders.control_function, orders.is_disabled) == ("orders-control", False)

    def test_without_a_name_one_line_lists_them(self, several: Path) -> None:
        with pytest.raises(UserError, match=r"has 2 copies\. Pass --copy with one of carts, orders"):
            read_copy(several, None)

    def test_an_unknown_name_is_one_line_with_the_known_ones(self, several: Path) -> None:
        with pytest.raises(UserError, match=r'no copy "basket"\. Pass --copy with one of carts, orders'):
            read_copy(several, "basket")

    def test_the_only_one_needs_no_name(self, terraform: Fake) -> None:
        only = terraform(as_outputs(copies={"orders": self.ORDERS}))
        assert read_copy(only, None) == read_copy(only, "orders")

    def test_a_disabled_one_has_no_control_function(self, several: Path) -> None:
        with pytest.raises(UserError, match=r'copy "carts" in .* is disabled'):
            _ = read_copy(several, "carts").control_function

    def test_the_outputs_of_the_root_module_are_one_copy_without_a_name(self, terraform: Fake) -> None:
        directory = terraform(as_outputs(**self.ORDERS))
        assert read_copies(directory) == [Copy(str(directory), None, self.ORDERS)]
        with pytest.raises(UserError, match='Remove --copy "orders"'):
            read_copy(directory, "orders")

    @pytest.mark.parametrize("value", [None, [], "x", {"orders": 1}, {}])
    def test_another_output_of_that_name(self, terraform: Fake, value: Any) -> None:
        with pytest.raises(UserError, match="output `copies`"):
            read_copies(terraform(as_outputs(copies=value)))
