"""Runs Terraform, with a provider from this machine if there is one."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.local.process import LocalError

OLDEST_TERRAFORM = (1, 11)
OLDEST_PROVIDER = (5, 100)
PROVIDER = "registry.terraform.io/hashicorp/aws"
# Where software that does not belong to the system is unpacked, and how far below it is worth looking.
ADD_ON_PLACES = ("/opt", "/usr/local", "/usr/share", "/usr/lib", "/var/lib")
ADD_ON_DEPTH = 3
INTERRUPTED_SECONDS = 60
OutputLine = Callable[[str], None]


class TerraformError(LocalError):
    """A Terraform command failed.

    Attributes
    ----------
    output : str
        Everything it wrote.
    """

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output
        # A test that fails with it shows the whole of it.
        if output:
            self.add_note(output)


def find_terraform(environment: Mapping[str, str]) -> Path:
    """The terraform binary on the path.

    Raises
    ------
    TerraformError
        There is none, or it is too old.
    """
    wanted = ".".join(map(str, OLDEST_TERRAFORM))
    binary = shutil.which("terraform", path=environment.get("PATH"))
    if binary is None:
        raise TerraformError(f"terraform is not on the PATH; install version {wanted} or later")
    answer = subprocess.run(
        [binary, "version", "-json"], env=dict(environment), capture_output=True, text=True, check=False
    )
    found = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)[^"]*"', answer.stdout)
    if found is None:
        raise TerraformError(f"{binary} does not tell its version; install Terraform {wanted} or later")
    if (int(found[1]), int(found[2])) < OLDEST_TERRAFORM:
        raise TerraformError(f"{binary} is {found[1]}.{found[2]}; install Terraform {wanted} or later")
    return Path(binary)


def terraform_environment(environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The environment to run Terraform in.

    A mirror with a suitable provider on this machine is used; without one Terraform does what it always
    does. A configuration of the user's own that says where providers come from stays in force, unless
    ``TF_PLUGIN_DIR`` names a mirror.

    Parameters
    ----------
    environment : mapping
        What to build on.
    directory : Path
        Takes the configuration file that is written if a mirror is used.

    Raises
    ------
    TerraformError
        ``TF_PLUGIN_DIR`` names a directory that holds no suitable provider.
    """
    result = dict(environment)
    own = _own_configuration(environment)
    if own is None:
        # Terraform complains about a file that is not there at every command.
        result.pop("TF_CLI_CONFIG_FILE", None)
    settings = own.read_text(errors="replace") if own else ""
    if "TF_PLUGIN_DIR" in environment:
        mirror = Path(environment["TF_PLUGIN_DIR"]).expanduser()
        if not has_provider(mirror):
            wanted = ".".join(map(str, OLDEST_PROVIDER))
            raise TerraformError(
                f"TF_PLUGIN_DIR={mirror} holds no {PROVIDER} of {wanted} or later for {_platform()}"
            )
    elif "provider_installation" in settings:
        return result
    else:
        found = find_mirror(environment)
        if found is None:
            return result
        mirror = found
    if "provider_installation" in settings:
        settings = ""
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "terraform.rc"
    configuration.write_text(f"{settings}\n{_installation(mirror)}")
    result["TF_CLI_CONFIG_FILE"] = str(configuration)
    return result


def find_mirror(environment: Mapping[str, str]) -> Path | None:
    """A directory of unpacked providers that holds a suitable one, or None."""
    for candidate in _candidates(environment):
        if has_provider(candidate):
            return candidate.resolve()
    return None


def has_provider(mirror: Path) -> bool:
    """Whether the AWS provider is there, unpacked, for this machine, and new enough."""
    for package in mirror.glob(f"{PROVIDER}/*/{_platform()}"):
        version = re.match(r"(\d+)\.(\d+)", package.parent.name)
        is_new_enough = version is not None and (int(version[1]), int(version[2])) >= OLDEST_PROVIDER
        if is_new_enough and any(package.glob("terraform-provider-aws*")):
            return True
    return False


def trust_installed_providers(directory: Path) -> None:
    """Let Terraform use the providers that ``init`` has installed in a directory without a check.

    Otherwise, each command hashes the AWS provider, which has 700 MB, to compare it with the lock file that
    ``init`` has written. Terraform does not check a provider whose entry has no hashes.
    """
    lock = directory / ".terraform.lock.hcl"
    if lock.exists():
        lock.write_text(re.sub(r"\n *hashes = \[[^]]*\]", "", lock.read_text()))


class Terraform:
    """Terraform in one directory.

    Parameters
    ----------
    directory : Path
        Holds the root module.
    environment : mapping
        See `terraform_environment`.
    variables : mapping, optional
        Values of the root module's variables.
    on_line : callable, optional
        Gets each line Terraform writes, as it is written.

    Raises
    ------
    TerraformError
        From every method, if the command fails; and at once if there is no suitable binary.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        variables: Mapping[str, Any] | None = None,
        on_line: OutputLine | None = None,
    ) -> None:
        self.directory = directory
        # Terraform reads them from here for every command, so that a destroy sees what the apply saw.
        self.environment = {
            **environment,
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            **{f"TF_VAR_{name}": _as_variable(value) for name, value in (variables or {}).items()},
        }
        self._on_line = on_line
        self._binary = find_terraform(environment)

    def init(self, *arguments: str) -> str:
        """``terraform init``. Later commands trust what it has installed."""
        output = self.run("init", "-input=false", *arguments)
        trust_installed_providers(self.directory)
        return output

    def apply(self, *arguments: str) -> str:
        """``terraform apply`` without asking."""
        return self.run("apply", "-input=false", "-auto-approve", *arguments)

    def destroy(self, *arguments: str) -> str:
        """``terraform destroy`` without asking."""
        return self.run("destroy", "-input=false", "-auto-approve", *arguments)

    def plan(self, *arguments: str) -> bool:
        """``terraform plan``.

        Returns
        -------
        bool
            Whether there is anything to change.
        """
        code, output = self._execute("plan", "-input=false", "-detailed-exitcode", *arguments)
        if code not in (0, 2):
            raise _failed("plan", output)
        return code == 2

    def output(self, *arguments: str) -> dict[str, Any]:
        """The root module's outputs by name."""
        process = subprocess.run(
            self._command("output", "-json", *arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode != 0:
            raise _failed("output", process.stderr)
        return {name: output["value"] for name, output in json.loads(process.stdout).items()}

    def run(self, *arguments: str) -> str:
        """Any command, and everything it wrote."""
        code, output = self._execute(*arguments)
        if code != 0:
            raise _failed(arguments[0], output)
        return output

    def _command(self, *arguments: str) -> list[str]:
        return [str(self._binary), f"-chdir={self.directory}", *arguments]

    def _execute(self, *arguments: str) -> tuple[int, str]:
        lines: list[str] = []
        with subprocess.Popen(
            self._command(*arguments, "-no-color"),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Away from the terminal's Ctrl-C: Terraform takes a second interrupt for an order to drop
            # everything, its state included.
            process_group=0,
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    if self._on_line:
                        self._on_line(line.rstrip("\n"))
                process.wait()
            except BaseException:
                _end(process)
                raise
        return process.returncode, "".join(lines)


def _end(process: subprocess.Popen[str]) -> None:
    """Let Terraform finish what it is at and write its state, then go."""
    process.terminate()
    try:
        # Reads on, too: Terraform would die of writing to a pipe that nobody reads.
        process.communicate(timeout=INTERRUPTED_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _failed(command: str, output: str) -> TerraformError:
    errors = [line.strip("│╷╵ \n") for line in output.splitlines() if "Error:" in line]
    return TerraformError(f"terraform {command} failed: {errors[0] if errors else 'see its output'}", output)


def _as_variable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _own_configuration(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("TF_CLI_CONFIG_FILE")
    path = Path(named) if named else Path(environment.get("HOME", "/")) / ".terraformrc"
    return path if path.is_file() else None


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME", "/"))
    yield Path("terraform.d/plugins")
    yield home / ".terraform.d" / "plugins"
    yield from (Path(place) / "terraform" / "plugins" for place in _data_places(environment, home))
    for place in ADD_ON_PLACES:
        yield from _below(Path(place))


def _data_places(environment: Mapping[str, str], home: Path) -> Iterable[str | Path]:
    yield environment.get("XDG_DATA_HOME") or home / ".local" / "share"
    yield from (environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "io.terraform"
        yield "/Library/Application Support/io.terraform"


def _below(place: Path) -> Iterator[Path]:
    for depth in range(ADD_ON_DEPTH + 1):
        for found in sorted(place.glob("*/" * depth + PROVIDER)):
            yield found.parents[PROVIDER.count("/")]


def _installation(mirror: Path) -> str:
    return f"""provider_installation {{
  filesystem_mirror {{
    path    = {json.dumps(str(mirror.resolve()))}
    include = ["{PROVIDER}"]
  }}
  direct {{
    exclude = ["{PROVIDER}"]
  }}
}}
"""


def _platform() -> str:
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}_{architecture}"
