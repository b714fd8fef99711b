"""Sends the head of an answer together with its body, as AWS's endpoints do.

Hypercorn writes the head first and the body afterwards. The AWS SDK for Go, in Terraform's provider,
sometimes closes the connection between the two and repeats its request. The first request has taken effect
by then, so a creation that is repeated fails because the resource exists.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


def send_whole_answers(protocol: ModuleType) -> None:
    """Hold the head of each answer back until its body, or its end, is there.

    Parameters
    ----------
    protocol
        ``hypercorn.protocol.h11``.
    """
    h11 = importlib.import_module("h11")
    raw_data = importlib.import_module("hypercorn.events").RawData

    async def send(self: Any, event: Any) -> None:
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            # As hypercorn has it: whoever broke the protocol gets no answer.
            if self.connection.their_state != h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response):
            self.held_head = data
            return
        whole, self.held_head = getattr(self, "held_head", b"") + data, b""
        if whole:
            await self.send(raw_data(data=whole))

    protocol.H11Protocol._send_h11_event = send
