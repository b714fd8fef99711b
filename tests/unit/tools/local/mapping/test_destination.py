from __future__ import annotations

import pytest

from tests.unit.tools.local.mapping.fakes import QUEUE, ROLE, FakeIam, FakeSns, FakeSqs, HandClock
from tools.local.mapping.destination import FailureDestination
from tools.local.mapping.permissions import Permissions

TOPIC = "arn:aws:sns:eu-west-1:111111111111:failures"


class Sent:
    def __init__(self) -> None:
        self.iam, self.sqs, self.sns = FakeIam(), FakeSqs(), FakeSns()
        self.acted_as: list[str] = []
        permissions = Permissions(self.iam, HandClock())
        self.destination = FailureDestination(self.sqs, self.acting_as, permissions)

    def acting_as(self, service: str, role_arn: str) -> FakeSqs | FakeSns:
        self.acted_as.append(role_arn)
        return {"sqs": self.sqs, "sns": self.sns}[service]


def test_a_queue_and_a_topic() -> None:
    sent = Sent()
    sent.destination.deliver(QUEUE, ROLE, '{"a": 1}')
    sent.destination.deliver(TOPIC, ROLE, '{"a": 2}')
    assert sent.sqs.messages == [{"a": 1}]
    assert sent.sns.messages == [(TOPIC, {"a": 2})]
    assert sent.acted_as == [ROLE, ROLE]


@pytest.mark.parametrize(("arn", "action"), [(QUEUE, "sqs:SendMessage"), (TOPIC, "sns:Publish")])
def test_the_role_needs_the_permission(arn: str, action: str, caplog: pytest.LogCaptureFixture) -> None:
    sent = Sent()
    sent.iam.denied = {action}
    sent.destination.deliver(arn, ROLE, "{}")
    assert sent.sqs.messages == []
    assert sent.sns.messages == []
    assert action in caplog.text


def test_other_services_are_named(caplog: pytest.LogCaptureFixture) -> None:
    Sent().destination.deliver("arn:aws:s3:::bucket", ROLE, "{}")
    assert "s3 is no supported failure destination" in caplog.text
