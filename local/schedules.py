"""Creating a schedule twice with one client token is creating it once, as in AWS.

SDKs repeat a request whose answer was lost; ministack refuses the second one because of the first.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any


def accept_repeated_creation(scheduler: ModuleType) -> None:
    """Have ministack answer a repeated CreateSchedule as it answered the first."""
    create = scheduler._create_schedule
    tokens: dict[str, str] = {}

    def create_schedule(name: str, body: dict[str, Any]) -> Any:
        arn = scheduler._schedule_arn(body.get("GroupName", "default"), name)
        token = body.get("ClientToken")
        answer = create(name, body)
        if answer[0] == 409 and token and tokens.get(arn) == token:
            return scheduler._json_resp(200, {"ScheduleArn": arn})
        if answer[0] == 200 and token:
            tokens[arn] = token
        return answer

    scheduler._create_schedule = create_schedule  # type: ignore[attr-defined]
