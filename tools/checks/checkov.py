"""What checkov finds in the Terraform: ``python -m tools.checks.checkov PATH_OF_CHECKOV``.

checkov passes over a file that it cannot parse, and what the file declares may then be anything. So it is not
enough that nothing was found: everything must have been looked at.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
# Nothing is downloaded, and only what users get is looked at.
_ARGUMENTS = (
    *("--framework", "terraform", "--skip-download", "--download-external-modules", "false"),
    *("--skip-path", r"\.venv", "--skip-path", r"\.terraform", "--skip-path", r"\.demo"),
    *("--skip-path", "tests", "--skip-path", "build", "--compact", "--output", "json"),
)
# What checkov has checks for, and what of it has none.
_CHECKED = re.compile(r'^(?:resource "(aws_\w+)"|data "(aws_iam_policy_document)")', re.MULTILINE)
_WITHOUT_CHECKS = {"aws_cloudwatch_dashboard"}
_NO_REASON = "No comment provided"


@dataclass(frozen=True)
class Report:
    """What one run of checkov found.

    ``found`` are lines to show, ``looked_at`` the files of which anything was checked, by their path in the
    repository.
    """

    found: list[str]
    looked_at: set[str]
    summary: str

    @classmethod
    def parse(cls, text: str) -> Report:
        """From checkov's JSON.

        Raises
        ------
        ValueError
            It is not what checkov writes of Terraform.
        """
        try:
            report = json.loads(text)
            results, summary = report["results"], report["summary"]
            passed, failed, skipped = (results[f"{kind}_checks"] for kind in ("passed", "failed", "skipped"))
            found = {_line(check, check["check_name"]) for check in failed}
            found |= {
                _line(check, "is skipped without a reason")
                for check in skipped
                if check["check_result"].get("suppress_comment", _NO_REASON) == _NO_REASON
            }
            paths = [path.removeprefix(f"{REPOSITORY}/") for path in results["parsing_errors"]]
            found |= {f"{path}: checkov cannot parse it, and so passes over it" for path in paths}
            return cls(
                sorted(found),
                {check["file_path"].lstrip("/") for check in (*passed, *failed, *skipped)},
                f"checkov: {len(passed)} checks of {summary['resource_count']} resources passed, "
                f"{len(skipped)} are answered by a reason, {len(failed)} failed",
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"checkov's report has no {error}") from None


def _line(check: dict[str, Any], what: str) -> str:
    path, (first, _) = check["file_path"].lstrip("/"), check["file_line_range"]
    return f"{path}:{first}: {check['check_id']}: {what}"


def missed(files: Iterable[Path], looked_at: set[str], repository: Path = REPOSITORY) -> list[str]:
    """The files that hold something to check and were not looked at."""
    return [
        f"{path}: checkov has not looked at it"
        for file in files
        if (path := str(file.relative_to(repository))) not in looked_at
        and {match[1] or match[2] for match in _CHECKED.finditer(file.read_text())} - _WITHOUT_CHECKS
    ]


def run(checkov: str) -> str:
    """What checkov writes; it ends with 1 if it has found something, and then says so."""
    command = [checkov, "--directory", str(REPOSITORY), *_ARGUMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode not in (0, 1) or not done.stdout:
        raise ValueError(f"checkov ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def main(arguments: list[str], ask: Callable[[str], str] = run) -> int:
    """Show what is found.

    Returns
    -------
    int
        0 if nothing is, 1 if something is or was not looked at, 2 if checkov did not work.
    """
    try:
        report = Report.parse(ask(arguments[0]))
    except (OSError, ValueError) as error:
        print(
            f"tools.checks.checkov: error: {error}; `rm -r .venv-checkov` has make install it anew",
            file=sys.stderr,
        )
        return 2
    files = [
        *REPOSITORY.glob("*.tf"),
        *REPOSITORY.glob("modules/*/*.tf"),
        *REPOSITORY.glob("examples/*/*.tf"),
    ]
    found = report.found + missed(sorted(files), report.looked_at)
    print("\n".join([*found, report.summary]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
