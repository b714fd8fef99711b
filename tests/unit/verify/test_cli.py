"""The command line, against DynamoDB in process (moto)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import verify.cli
from verify.cli import main, parser

ROOT = Path(__file__).parents[3]
TABLES = ["--source", "cities", "--source-region", "eu-west-1"]
TABLES += ["--destination", "cities", "--destination-region", "eu-central-1"]


def put(client: Any, pk: str, sk: int, **attributes: Any) -> None:
    client.put_item(TableName="cities", Item={"pk": {"S": pk}, "sk": {"N": str(sk)}, **attributes})


@pytest.fixture
def different(moto_tables: Any) -> None:
    source, destination = moto_tables()
    for n in range(30):
        for client in (source, destination):
            put(client, "same", n, set={"SS": ["a", "b"]}, blob={"B": b"\x00\xff"})
    put(source, "a", 1)
    put(source, "b", 1, deep={"M": {"zip": {"S": "secret"}}})
    put(destination, "b", 1, deep={"M": {"zip": {"S": "other secret"}}})
    put(destination, "c", 1)


def test_equal_tables_exit_0(moto_tables: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for client in moto_tables():
        for n in range(5):
            put(client, "a", n)
    assert main(TABLES) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Equal: 5 items compared, none differs.\n")
    assert err == ""


@pytest.mark.usefixtures("different")
def test_different_tables_exit_1_and_name_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TABLES, "--segments", "3"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("Different: 1 missing, 1 different, 1 extra.\n")
    assert "      deep.zip  value changed\n" in out
    assert "secret" not in out
    assert err == ""


@pytest.mark.usefixtures("different")
def test_values_only_with_show_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TABLES, "--show-values"]) == 1
    assert '"secret" -> "other secret"' in capsys.readouterr().out


@pytest.mark.usefixtures("different")
def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TABLES, "--format", "jsonl"]) == 1
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert records[:3] == [
        {
            "type": "difference",
            "kind": "missing",
            "key": {"pk": {"S": "a"}, "sk": {"N": "1"}},
            "moving": False,
        },
        {
            "type": "difference",
            "kind": "different",
            "key": {"pk": {"S": "b"}, "sk": {"N": "1"}},
            "paths": [{"path": ["deep", "zip"], "change": "value_changed"}],
            "moving": False,
        },
        {"type": "difference", "kind": "extra", "key": {"pk": {"S": "c"}, "sk": {"N": "1"}}, "moving": False},
    ]
    summary = records[3]
    assert len(records) == 4
    assert summary["type"] == "summary"
    assert summary["verdict"] == "different"
    assert (summary["source_items"], summary["destination_items"]) == (32, 32)
    assert (summary["missing"], summary["different"], summary["extra"]) == (1, 1, 1)
    assert set(summary["consumed_capacity"]) == {"source", "destination"}


@pytest.mark.parametrize(("kind", "content"), [("B", b"\x00\xff"), ("N", "-12.5"), ("S", "Z\u00fcrich")])
def test_keys_of_every_type_are_found_again(
    moto_tables: Any, kind: str, content: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # As sort keys: moto cannot scan a segment by a binary partition key.
    source, _ = moto_tables(keys=(("pk", "S"), ("id", kind)))
    source.put_item(TableName="cities", Item={"pk": {"S": "a"}, "id": {kind: content}})
    assert main([*TABLES, "--format", "jsonl"]) == 1
    record = json.loads(capsys.readouterr().out.splitlines()[0])
    assert record["kind"] == "missing"
    assert record["key"]["id"] == {kind: "AP8=" if kind == "B" else content}


def test_no_such_table_exits_2(moto_tables: Any, capsys: pytest.CaptureFixture[str]) -> None:
    moto_tables()
    assert main([*TABLES, "--destination", "nowhere"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "verify: error: destination: there is no table nowhere in eu-central-1 in this account; "
        "check --destination, --destination-region and --destination-profile\n"
    )


def test_another_key_schema_exits_2(moto_tables: Any, capsys: pytest.CaptureFixture[str]) -> None:
    moto_tables(other=(("pk", "S"), ("sk", "S")))
    assert main(TABLES) == 2
    assert "verify: error: the primary keys differ: pk (S), sk (N) at the source" in capsys.readouterr().err


def test_the_same_table_exits_2(moto_tables: Any, capsys: pytest.CaptureFixture[str]) -> None:
    moto_tables()
    assert main([*TABLES, "--destination-region", "eu-west-1"]) == 2
    assert "verify: error: source and destination are the same table" in capsys.readouterr().err


@pytest.mark.usefixtures("aws")
def test_no_region_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--source", "a", "--destination", "b"]) == 2
    assert "source: no AWS region; give --source-region" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--source", "a"], "give both --source and --destination"),
        ([*TABLES, "--segments", "0"], "'0' is not a number from 1 to 256"),
        ([*TABLES, "--segments", "many"], "'many' is not a number"),
        ([*TABLES, "--limit", "-1"], "--limit"),
        ([*TABLES, "--format", "xml"], "invalid choice: 'xml'"),
        ([*TABLES, "--sour", "a"], "unrecognized arguments: --sour"),
    ],
)
def test_wrong_flags_exit_2(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert error in capsys.readouterr().err


def test_an_unexpected_error_never_exits_1(
    moto_tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moto_tables()

    def broken(*args: Any, **options: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(verify.cli, "compare", broken)
    assert main(TABLES) == 2
    err = capsys.readouterr().err
    assert (
        err
        == "verify: error: ZeroDivisionError: a bug (unexpected; run again with --debug for the traceback)\n"
    )
    assert main([*TABLES, "--debug"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_broken_item_ends_as_trouble(
    moto_tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = moto_tables()
    put(source, "a", 1)

    def broken(item: Any) -> bytes:
        raise ValueError("DynamoDB has no attribute type 'X'")

    monkeypatch.setattr("verify.scan.digest", broken)
    assert main(TABLES) == 2
    assert "no attribute type 'X'" in capsys.readouterr().err


def test_unsettled_exits_3(
    moto_tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = moto_tables()
    put(source, "a", 1)
    # What the scan sees is not what the recheck sees.
    monkeypatch.setattr("verify.scan.digest", lambda item: b"before")
    assert main(TABLES) == 3
    assert capsys.readouterr().out.startswith("Unsettled: 1 missing")


def test_interrupted_exits_130(
    moto_tables: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moto_tables()

    def interrupted(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify.cli, "compare", interrupted)
    assert main(TABLES) == 130
    assert capsys.readouterr().err == "verify: interrupted\n"


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A `terraform` on PATH that prints what it is told, and a directory to run it in."""

    def prepare(outputs: Any) -> Path:
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir()
        text = json.dumps({name: {"value": value} for name, value in outputs.items()})
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        directory = tmp_path / "infra"
        directory.mkdir()
        return directory

    return prepare


OUTPUTS = {
    "tables": {
        "source": {"table_name": "cities", "region": "eu-west-1", "profile": None, "role_arn": None},
        "destination": {"table_name": "cities", "region": "eu-central-1", "external_id": None},
    }
}


@pytest.mark.usefixtures("different")
def test_tables_from_the_terraform_outputs(terraform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = terraform(OUTPUTS)
    assert main(["--from-terraform", str(directory)]) == 1
    monkeypatch.chdir(directory)
    assert main([]) == 1


@pytest.mark.usefixtures("different")
def test_flags_win_over_the_terraform_outputs(terraform: Any, capsys: pytest.CaptureFixture[str]) -> None:
    directory = terraform(OUTPUTS)
    assert main(["--from-terraform", str(directory), "--destination-region", "eu-north-1"]) == 2
    assert "destination: there is no table cities in eu-north-1" in capsys.readouterr().err


def test_no_arguments_and_no_state_exits_2(
    terraform: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(terraform({}))
    assert main([]) == 2
    assert capsys.readouterr().err == (
        "verify: error: no tables given (--source and --destination), and this directory has no applied "
        "Terraform state; run `terraform apply` or name another directory with --from-terraform\n"
    )


def test_python_dash_m_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "verify", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: verify ")


def test_every_flag_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
    flags = {flag for action in parser()._actions for flag in action.option_strings if flag.startswith("--")}
    documented = set(re.findall(r"--[a-z][a-z-]+", text))
    assert flags - documented == {"--help"}
    assert documented - flags == set()
