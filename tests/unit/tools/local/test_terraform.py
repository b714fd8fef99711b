from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.local import terraform
from tools.local.terraform import (
    PROVIDER,
    Terraform,
    TerraformError,
    find_terraform,
    has_provider,
    terraform_environment,
)


@pytest.fixture(autouse=True)
def no_providers_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(terraform, "ADD_ON_PLACES", (str(tmp_path / "opt"),))
    monkeypatch.chdir(tmp_path)


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "XDG_DATA_DIRS": str(tmp_path / "share"), **more}


def unpack_provider(mirror: Path, version: str = "5.100.0", system: str | None = None) -> Path:
    package = mirror / PROVIDER / version / (system or terraform._platform())
    package.mkdir(parents=True)
    (package / f"terraform-provider-aws_v{version}_x5").touch()
    return mirror


def fake_terraform(directory: Path, script: str) -> dict[str, str]:
    directory.mkdir(exist_ok=True)
    binary = directory / "terraform"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}", "HOME": str(directory)}


VERSION = """if [ "$1" = version ]; then echo '{"terraform_version": "1.11.4"}'; exit 0; fi"""


def test_a_missing_terraform_is_one_clear_line() -> None:
    with pytest.raises(
        TerraformError, match=r"^terraform is not on the PATH; install version 1\.11 or later$"
    ):
        find_terraform({"PATH": "/nowhere"})


@pytest.mark.parametrize(("version", "suitable"), [("1.10.5", False), ("1.11.0", True), ("2.0.0-rc1", True)])
def test_an_old_terraform_is_refused(tmp_path: Path, version: str, suitable: bool) -> None:
    env = fake_terraform(tmp_path / "bin", f"""echo '{{"terraform_version": "{version}"}}'""")
    if suitable:
        assert find_terraform(env) == tmp_path / "bin" / "terraform"
    else:
        with pytest.raises(TerraformError, match=r"is 1\.10; install Terraform 1\.11 or later"):
            find_terraform(env)


def test_something_else_called_terraform_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TerraformError, match="does not tell its version"):
        find_terraform(fake_terraform(tmp_path / "bin", "echo hello"))


@pytest.mark.parametrize(
    ("version", "system", "suitable"),
    [
        ("5.100.0", None, True),
        ("6.2.0", None, True),
        ("5.99.1", None, False),
        ("5.100.0", "plan9_mips", False),
        ("notes", None, False),
    ],
)
def test_a_suitable_provider(tmp_path: Path, version: str, system: str | None, suitable: bool) -> None:
    assert has_provider(unpack_provider(tmp_path, version, system)) is suitable


def test_a_version_directory_alone_is_no_provider(tmp_path: Path) -> None:
    (tmp_path / PROVIDER / "5.100.0" / terraform._platform()).mkdir(parents=True)
    assert not has_provider(tmp_path)


@pytest.mark.parametrize(
    "place",
    [
        "terraform.d/plugins",
        "home/.terraform.d/plugins",
        "home/.local/share/terraform/plugins",
        "share/terraform/plugins",
        "opt",
        "opt/tf-plugins",
        "opt/vendor/terraform/plugins",
    ],
)
def test_a_mirror_is_found_and_used(tmp_path: Path, place: str) -> None:
    mirror = unpack_provider(tmp_path / place)
    result = terraform_environment(environment(tmp_path), tmp_path / "state")
    written = Path(result["TF_CLI_CONFIG_FILE"]).read_text()
    assert f'path    = "{mirror}"' in written
    assert 'include = ["registry.terraform.io/hashicorp/aws"]' in written


def test_a_named_mirror_goes_first(tmp_path: Path) -> None:
    unpack_provider(tmp_path / "opt" / "tf-plugins")
    named = unpack_provider(tmp_path / "named")
    env = environment(tmp_path, TF_PLUGIN_DIR=str(named))
    result = terraform_environment(env, tmp_path / "state")
    assert f'path    = "{named}"' in Path(result["TF_CLI_CONFIG_FILE"]).read_text()


def test_a_named_mirror_without_the_provider_is_an_error(tmp_path: Path) -> None:
    env = environment(tmp_path, TF_PLUGIN_DIR=str(tmp_path))
    with pytest.raises(TerraformError, match=r"^TF_PLUGIN_DIR=.* holds no .* 5\.100 or later for"):
        terraform_environment(env, tmp_path / "state")


def test_without_a_mirror_terraform_does_what_it_always_does(tmp_path: Path) -> None:
    env = environment(tmp_path)
    assert terraform_environment(env, tmp_path / "state") == env


def test_a_configuration_that_is_missing_is_not_passed_on(tmp_path: Path) -> None:
    env = environment(tmp_path, TF_CLI_CONFIG_FILE=str(tmp_path / "missing"))
    assert "TF_CLI_CONFIG_FILE" not in terraform_environment(env, tmp_path / "state")


def test_a_configuration_that_says_where_providers_come_from_stays_in_force(tmp_path: Path) -> None:
    unpack_provider(tmp_path / "opt" / "tf-plugins")
    own = tmp_path / "own.tfrc"
    own.write_text("provider_installation {\n  direct {}\n}\n")
    env = environment(tmp_path, TF_CLI_CONFIG_FILE=str(own))
    assert terraform_environment(env, tmp_path / "state") == env


def test_other_settings_of_the_users_are_kept(tmp_path: Path) -> None:
    unpack_provider(tmp_path / "opt" / "tf-plugins")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".terraformrc").write_text('plugin_cache_dir = "/cache"\n')
    result = terraform_environment(environment(tmp_path), tmp_path / "state")
    written = Path(result["TF_CLI_CONFIG_FILE"]).read_text()
    assert 'plugin_cache_dir = "/cache"' in written
    assert "filesystem_mirror" in written


def test_commands_stream_their_output_and_fail_with_one_line(tmp_path: Path) -> None:
    fail = 'if [ "$2" = apply ]; then echo "│ Error: no table"; exit 1; fi'
    env = fake_terraform(tmp_path / "bin", f'{VERSION}\necho "$@"\necho "$TF_VAR_source"\n{fail}')
    lines: list[str] = []
    tf = Terraform(tmp_path, env, {"source": {"table_name": "music"}}, lines.append)
    assert tf.init() == "".join(f"{line}\n" for line in lines)
    assert lines == [f"-chdir={tmp_path} init -input=false -no-color", '{"table_name": "music"}']
    with pytest.raises(TerraformError) as failure:
        tf.apply()
    assert str(failure.value) == "terraform apply failed: Error: no table"
    # pytest prints the notes of an error that ends a test.
    assert failure.value.__notes__ == [failure.value.output]
    assert "music" in failure.value.output


def test_what_init_has_installed_is_not_hashed_again(tmp_path: Path) -> None:
    lock = tmp_path / ".terraform.lock.hcl"
    written = 'provider "aws" {\n  version = "5.100.0"\n  hashes = [\n    "h1:abc=",\n    "zh:def",\n  ]\n}\n'
    init = f"""if [ "$2" = init ]; then echo '{written}' > {lock}; fi"""
    Terraform(tmp_path, fake_terraform(tmp_path / "bin", f"{VERSION}\n{init}")).init()
    assert " ".join(lock.read_text().split()) == 'provider "aws" { version = "5.100.0" }'


@pytest.mark.parametrize(("code", "changes"), [(0, False), (2, True)])
def test_a_plan_tells_whether_anything_changes(tmp_path: Path, code: int, changes: bool) -> None:
    tf = Terraform(tmp_path, fake_terraform(tmp_path / "bin", f"{VERSION}\nexit {code}"))
    assert tf.plan() is changes


def test_a_plan_that_fails(tmp_path: Path) -> None:
    tf = Terraform(tmp_path, fake_terraform(tmp_path / "bin", f"{VERSION}\nexit 1"))
    with pytest.raises(TerraformError, match="see its output"):
        tf.plan()


def test_outputs_by_name(tmp_path: Path) -> None:
    answer = '{"tables": {"sensitive": false, "type": "string", "value": {"source": "music"}}}'
    tf = Terraform(
        tmp_path, fake_terraform(tmp_path / "bin", f"{VERSION}\necho warning >&2\necho '{answer}'")
    )
    assert tf.output() == {"tables": {"source": "music"}}


def test_an_interrupted_command_is_ended(tmp_path: Path) -> None:
    on_interrupt = f"trap 'echo more; touch {tmp_path}/ended; exit 1' TERM"
    script = f"{VERSION}\n{on_interrupt}\necho started\nwhile :; do sleep 0.05; done"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    tf = Terraform(tmp_path, fake_terraform(tmp_path / "bin", script), on_line=interrupt)
    with pytest.raises(KeyboardInterrupt):
        tf.apply()
    assert (tmp_path / "ended").exists()
