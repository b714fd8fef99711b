"""What can go wrong with a call."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from tests.e2e.faults import processes
from tests.e2e.faults.call import Json
from tests.e2e.faults.exchange import Answer, Exchange


class Fault(Protocol):
    """Does something to a call. What it leaves undone happens as usual."""

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        """Spoil the exchange; False if there was nothing to spoil, so that it does not count."""
        ...


@dataclass(frozen=True)
class Refuse:
    """An error instead of the answer; the call has no effect."""

    code: str
    status: int = 400

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        exchange.answer(Answer.error(self.status, self.code, "injected"))
        return True


def throttle(code: str = "ProvisionedThroughputExceededException") -> Refuse:
    """Too many requests, as DynamoDB and the other services say it."""
    return Refuse(code)


@dataclass(frozen=True)
class FailAfterEffect:
    """A 500 for a call that did take effect."""

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        exchange.pass_on()
        exchange.answer(Answer.error(500, "InternalServerError", "injected"))
        return True


@dataclass(frozen=True)
class Unprocessed:
    """A BatchWriteItem of which ``share`` (over 0, up to 1) is handed back; the rest is written."""

    share: float

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        table, requests = exchange.call.table, exchange.call.write_requests()
        if exchange.call.operation != "BatchWriteItem" or not requests:
            return False
        back = sorted(draw.sample(range(len(requests)), max(1, round(self.share * len(requests)))))
        taken = [request for index, request in enumerate(requests) if index not in back]
        document: Json = {"UnprocessedItems": {}}
        if taken:
            answer = exchange.pass_on_instead({**exchange.call.body, "RequestItems": {table: taken}})
            if answer.status != 200:
                exchange.answer(answer)
                return False
            document |= _document_of(answer)
        document["UnprocessedItems"] = {table: [requests[index] for index in back]}
        exchange.answer(Answer.of(document))
        return True


@dataclass(frozen=True)
class RefuseKey:
    """A ValidationException for every BatchWriteItem that holds this key, as for a bad index key."""

    key: Json

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        if not exchange.call.holds_key(self.key):
            return False
        message = "One or more parameter values were invalid: Type mismatch for Index Key (injected)"
        exchange.answer(Answer.error(400, "ValidationException", message))
        return True


@dataclass(frozen=True)
class Slow:
    """An answer that takes its time."""

    seconds: float

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        answer = exchange.pass_on()
        time.sleep(self.seconds)
        exchange.answer(answer)
        return True


@dataclass(frozen=True)
class CutBefore:
    """A connection cut, or reset, before the call got anywhere."""

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        exchange.cut(reset=draw.random() < 0.5)
        return True


@dataclass(frozen=True)
class CutAfter:
    """A connection cut, or reset, after the call took effect: its answer is lost."""

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        exchange.pass_on()
        exchange.cut(reset=draw.random() < 0.5)
        return True


@dataclass(frozen=True)
class Truncate:
    """An answer that ends too early: fewer bytes than promised, or a promise that was cut as well."""

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        answer = exchange.pass_on()
        half = Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers)
        if draw.random() < 0.5:
            exchange.answer(half)
        else:
            exchange.answer(half, of_length=len(answer.body))
        exchange.cut()
        return True


@dataclass
class Expire:
    """Sessions that are over: every call is refused until the caller has assumed its role anew.

    ``sessions`` counts how many different ones it ends before it lets the next one be.
    """

    sessions: int = 1
    _ended: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        key = exchange.call.access_key
        with self._lock:
            if key not in self._ended and len(self._ended) >= self.sessions:
                return False
            self._ended.add(key)
        message = "The security token included in the request is expired"
        exchange.answer(Answer.error(400, "ExpiredTokenException", message))
        return True


@dataclass(frozen=True)
class Kill:
    """The end of the calling process, before the call has an effect or after it."""

    after_effect: bool = False

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        try:
            caller = exchange.caller
        except processes.NoProcess:
            return False
        if self.after_effect:
            exchange.pass_on()
        processes.kill(caller)
        exchange.cut()
        return True


@dataclass
class Freeze:
    """A process that stops in the middle of a call until it is woken.

    Before the effect: the call is lost, as a connection does not outlive a long sleep. After it: the
    answer is there when the caller wakes.

    Attributes
    ----------
    seconds
        When to wake it; None leaves that to `wake`.
    process
        Which it was.
    frozen
        Set once the process has stopped.
    """

    after_effect: bool = False
    seconds: float | None = None
    process: int = 0
    frozen: threading.Event = field(default_factory=threading.Event)
    _woken: threading.Event = field(default_factory=threading.Event)

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        try:
            caller = self.process = exchange.caller
            processes.freeze(caller)
        except (processes.NoProcess, ProcessLookupError):
            return False
        if self.after_effect:
            exchange.answer(exchange.pass_on())
        self.frozen.set()
        self._woken.wait(self.seconds)
        if not self.after_effect:
            exchange.cut()
        processes.thaw(caller)
        return True

    def wake(self) -> None:
        """Let the process go on."""
        self._woken.set()


@dataclass
class Catch:
    """Calls that should not have been made: refused, and their processes noted."""

    callers: list[int] = field(default_factory=list)

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        self.callers.append(exchange.caller)
        exchange.answer(Answer.error(400, "AccessDeniedException", "caught"))
        return True


@dataclass
class Hold:
    """A call that waits, without effect, until it is let go."""

    held: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)

    def inject(self, exchange: Exchange, draw: random.Random) -> bool:
        self.held.set()
        self._released.wait()
        return True

    def release(self) -> None:
        """Let the call through."""
        self._released.set()


def _document_of(answer: Answer) -> Json:
    document: Json = json.loads(answer.body)
    return document
