"""STS on the loopback, and profiles that sign in there."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from tests.loopback import Answer, Request, serving

_ASSUMED = """\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::222222222222:assumed-role/copy/x</Arn><AssumedRoleId>A:x</AssumedRoleId>
</AssumedRoleUser><Credentials><AccessKeyId>KEY{number}</AccessKeyId><SecretAccessKey>x</SecretAccessKey>
<SessionToken>x</SessionToken><Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""

_REFUSED = """\
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code>
<Message>MultiFactorAuthentication failed with invalid MFA one time pass code.</Message>
</Error></ErrorResponse>"""


class Sts:
    """Assumes roles; takes an MFA code once, as AWS does.

    Attributes
    ----------
    requests
        The parameters of every AssumeRole, in the order they came.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, str]] = []
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def refuse(self, code: str) -> None:
        """Refuse this code, as one that was used."""
        self._used.add(code)

    def answer(self, body: bytes) -> tuple[int, str]:
        """Status and body."""
        request = dict(parse_qsl(body.decode()))
        assert request["Action"] == "AssumeRole", request
        code = request.get("TokenCode")
        with self._lock:
            self.requests.append(request)
            if code is not None and code in self._used:
                return 403, _REFUSED
            if code is not None:
                self._used.add(code)
            expiration = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
            return 200, _ASSUMED.format(number=len(self.requests), expiration=expiration)


@contextmanager
def serving_sts() -> Iterator[Sts]:
    """Serve STS on 127.0.0.1 while the body runs."""
    sts = Sts()

    def answer(request: Request) -> Answer:
        status, text = sts.answer(request.body)
        return Answer(status, text.encode(), {"Content-Type": "text/xml"})

    with serving(answer) as sts.url:
        yield sts


class CredentialProcess:
    """A ``credential_process`` that counts its runs.

    Parameters
    ----------
    directory
        Where its script and its count go.
    name
        Tells several of them apart.
    minutes
        How long its credentials live; ``None`` for credentials that do not expire.
    """

    def __init__(self, directory: Path, name: str = "one", minutes: int | None = 60) -> None:
        self._script = directory / f"{name}.py"
        self._count = directory / f"{name}.count"
        self.print(name, minutes)

    @property
    def command(self) -> str:
        """For the profile."""
        return f"{sys.executable} -I -S {self._script}"

    @property
    def runs(self) -> int:
        """How often it was run."""
        return len(self._count.read_text()) if self._count.exists() else 0

    def print(self, key: str, minutes: int | None) -> None:
        """Have it print credentials with this access key from now on."""
        found = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": "x", "SessionToken": "x"}
        if minutes is not None:
            found["Expiration"] = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        self.say(json.dumps(found))

    def say(self, output: str) -> None:
        """Have it print this from now on."""
        self._script.write_text(f"open({str(self._count)!r}, 'a').write('.')\nprint({output!r})\n")


def mfa_profile(name: str, sts_url: str) -> str:
    """A profile whose role asks for an MFA code."""
    return (
        f"[profile {name}]\nrole_arn = arn:aws:iam::222222222222:role/{name}\nsource_profile = {name}-user\n"
        f"mfa_serial = arn:aws:iam::111111111111:mfa/{name}\nservices = loopback-{name}\nregion = eu-west-1\n"
        f"[profile {name}-user]\naws_access_key_id = USER\naws_secret_access_key = x\n"
        f"[services loopback-{name}]\nsts =\n  endpoint_url = {sts_url}\n"
    )
