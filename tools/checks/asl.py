"""Whether AWS accepts a state machine's definition, by the rules of the States Language.

``CreateStateMachine`` refuses a definition for each of these, and for more. The npm package asl-validator,
where it is installed, adds its JSON schema.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

VALIDATOR = Path(__file__).parent / "node" / "node_modules" / ".bin" / "asl-validator"
# https://states-language.net/spec.html: the fields that a state of each type has to have.
_REQUIRED = {
    "Task": {"Resource"},
    "Choice": {"Choices"},
    "Wait": set(),
    "Pass": set(),
    "Succeed": set(),
    "Fail": set(),
    "Parallel": {"Branches"},
    "Map": {"ItemProcessor"},
}
# What a label may hold: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html.
_LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"\x00-\x1f\x7f-\x9f]{1,40}")
_NAME_LENGTH = 80
_LONGEST = 99_999_999
_LONGEST_DELAY = 31_622_400


def problems(definition: Json) -> list[str]:
    """One line for each rule that the definition breaks."""
    names, labels = Counter[str](), Counter[str]()
    found = list(_scope(definition, "the machine", names, labels))
    found += [f"{name}: the state name appears {count} times" for name, count in names.items() if count > 1]
    found += [f"{label}: the label appears {count} times" for label, count in labels.items() if count > 1]
    return found


def by_validator(definition: Json, validator: Path = VALIDATOR) -> list[str] | None:
    """What asl-validator prints of a definition it refuses; None where it, or node, is not installed."""
    if not validator.exists() or shutil.which("node") is None:
        return None
    command = [str(validator), "--json-definition", json.dumps(definition)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).strip()]


def _scope(scope: Json, where: str, names: Counter[str], labels: Counter[str]) -> Iterator[str]:
    states: dict[str, Json] = scope.get("States", {})
    start = scope.get("StartAt", "")
    if start not in states:
        yield f"{where}: StartAt {start!r} is not one of its states"
    reached, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name in states and name not in reached:
            reached.add(name)
            waiting += _targets(states[name])
    yield from (f"{name}: no state leads to it" for name in states if name not in reached)
    if not any(state.get("End") or state.get("Type") in {"Succeed", "Fail"} for state in states.values()):
        yield f"{where}: no state ends it"
    for name, state in states.items():
        names[name] += 1
        yield from _state(name, state, states)
        if "Label" in state:
            labels[state["Label"]] += 1
            if not _LABEL.fullmatch(state["Label"]):
                yield f"{name}: Label {state['Label']!r} is longer than 40 or holds a character AWS refuses"
        for inner in (*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])):
            yield from _scope(inner, name, names, labels)


def _targets(state: Json) -> list[str]:
    rules = [*state.get("Choices", []), *state.get("Catch", [])]
    return [
        *(rule.get("Next", "") for rule in rules),
        *(state[key] for key in ("Next", "Default") if key in state),
    ]


def _state(name: str, state: Json, states: Json) -> Iterator[str]:
    type_ = state.get("Type", "")
    if len(name) > _NAME_LENGTH:
        yield f"{name}: the name is longer than {_NAME_LENGTH}"
    if type_ not in _REQUIRED:
        yield f"{name}: Type {type_!r} does not exist"
        return
    yield from (f"{name}: {field} is missing" for field in sorted(_REQUIRED[type_] - state.keys()))
    yield from (
        f"{name}: {target!r} is not a state beside it" for target in _targets(state) if target not in states
    )
    leaves = ("Next" in state) + bool(state.get("End"))
    if leaves != (type_ not in {"Choice", "Succeed", "Fail"}):
        yield f"{name}: needs exactly one of Next and End, or neither in a Choice, Succeed or Fail"
    if type_ == "Task" and not str(state.get("Resource", "")).startswith("arn:"):
        yield f"{name}: Resource is not an ARN"
    if not 1 <= state.get("TimeoutSeconds", 1) <= _LONGEST:
        yield f"{name}: TimeoutSeconds is not from 1 to {_LONGEST}"
    for number, retry in enumerate(state.get("Retry", []), 1):
        yield from (
            f"{name}: retry {number}: {what}" for what in _retry(retry, last=number == len(state["Retry"]))
        )


def _retry(retry: Json, *, last: bool) -> Iterator[str]:
    errors = retry.get("ErrorEquals", [])
    if not errors:
        yield "ErrorEquals is missing"
    if "States.ALL" in errors and (len(errors) > 1 or not last):
        yield "States.ALL stands alone, in the last retry"
    if not 0 <= retry.get("MaxAttempts", 3) <= _LONGEST:
        yield f"MaxAttempts is not from 0 to {_LONGEST}"
    if not 1 <= retry.get("IntervalSeconds", 1) <= _LONGEST:
        yield f"IntervalSeconds is not from 1 to {_LONGEST}"
    if (
        not retry.get("IntervalSeconds", 1)
        < retry.get("MaxDelaySeconds", _LONGEST_DELAY - 1)
        < _LONGEST_DELAY
    ):
        yield f"MaxDelaySeconds is not between IntervalSeconds and {_LONGEST_DELAY}"
    if retry.get("BackoffRate", 2.0) < 1:
        yield "BackoffRate is less than 1"
    if retry.get("JitterStrategy", "NONE") not in {"NONE", "FULL"}:
        yield "JitterStrategy is neither NONE nor FULL"
