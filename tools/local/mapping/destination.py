"""Where a mapping sends word of the records it gave up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from tools.local.mapping.permissions import Permissions

logger = logging.getLogger(__name__)


class FailureDestination:
    """SQS queues and SNS topics.

    Parameters
    ----------
    sqs
        Client of the function's account, to look up a queue's URL.
    acting_as
        Makes a client of a service, ``"sqs"`` or ``"sns"``, that acts in the name of a role: Lambda sends in
        that of the function's.
    permissions : Permissions
        Asked whether the function's role may send there.
    """

    def __init__(self, sqs: Any, acting_as: Callable[[str, str], Any], permissions: Permissions) -> None:
        self._sqs = sqs
        self._acting_as = acting_as
        self._permissions = permissions

    def deliver(self, destination_arn: str, role_arn: str, message: str) -> None:
        """Send a message, unless the role may not: then that is logged, and the message is lost.

        Raises
        ------
        ClientError, BotoCoreError
            It could not be sent now.
        """
        service = destination_arn.split(":")[2]
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(service)
        if action is None:
            logger.error("PROBLEM: %s is no supported failure destination: %s", service, destination_arn)
            return
        if self._permissions.missing(role_arn, [action], destination_arn):
            logger.error("PROBLEM: %s is not allowed %s on %s", role_arn, action, destination_arn)
            return
        client = self._acting_as(service, role_arn)
        if service == "sqs":
            client.send_message(QueueUrl=self._queue_url(destination_arn), MessageBody=message)
        else:
            client.publish(TopicArn=destination_arn, Message=message)

    def _queue_url(self, arn: str) -> str:
        account, name = arn.split(":")[4:6]
        url: str = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        return url
