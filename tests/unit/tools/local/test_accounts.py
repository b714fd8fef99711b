from __future__ import annotations

import configparser
import socket
from pathlib import Path

import pytest

from tools.local.accounts import LocalAws, is_ready
from tools.local.process import LocalError


def test_the_environment_leaves_nothing_of_the_callers(tmp_path: Path) -> None:
    base = {"PATH": "/bin", "AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "x", "NO_PROXY": "example.org"}
    environment = LocalAws(tmp_path, port=4566).environment(base)
    assert environment == {
        "PATH": "/bin",
        "AWS_CONFIG_FILE": f"{tmp_path}/aws/config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/aws/credentials",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "example.org,127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def test_both_profiles_have_a_region_of_their_own(tmp_path: Path) -> None:
    accounts = LocalAws(tmp_path, port=4566, source_region="eu-west-1", destination_region="us-east-2")
    accounts._write_aws_configuration()
    config, credentials = configparser.ConfigParser(), configparser.ConfigParser()
    config.read(tmp_path / "aws" / "config")
    credentials.read(tmp_path / "aws" / "credentials")
    assert config["profile source"]["region"] == "eu-west-1"
    assert config["profile destination"]["region"] == "us-east-2"
    assert config["profile destination"]["endpoint_url"] == "http://127.0.0.1:4566"
    assert credentials["source"]["aws_access_key_id"] == "111111111111"
    assert credentials["destination"]["aws_access_key_id"] == "222222222222"


def test_a_missing_environment_of_ministack_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"^/nowhere/python does not exist; .*LOCAL_PYTHON$"):
        LocalAws(tmp_path, python=Path("/nowhere/python")).start()


def test_accounts_that_do_not_come_up_say_why(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho some words\necho the reason\nexit 2\n")
    python.chmod(0o755)
    with pytest.raises(
        LocalError, match=r"^the accounts did not start: the reason \(see .*ministack\.log\)$"
    ):
        LocalAws(tmp_path, python=python).start()


def test_nobody_is_ready_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert not is_ready(f"http://127.0.0.1:{free.getsockname()[1]}")
