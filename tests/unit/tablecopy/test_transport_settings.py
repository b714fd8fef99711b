"""Calls that carry items go where botocore's own calls go, in the same way, under the same identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, EndpointResolutionError, SSLError
from botocore.session import Session

from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.dynamodb.http import DirectPool, ProxyPool, connection_pool
from tests.unit.tablecopy.arrivals import Arrival, World

TABLE = "cities"
THERE = "arn:aws:dynamodb:us-east-1:222222222222:table/cities"
ACCOUNT = "111111111111"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("certificates")).running() as world:
        yield world


@dataclass(frozen=True)
class Case:
    """A setting, and where calls arrive under it.

    Attributes
    ----------
    expected
        Members of the arrival that the setting is about.
    environment
        Variables; ``{plain}`` and the like stand for URLs and paths.
    endpoint
        ``endpoint_url`` given to both kinds of call.
    profile
        Lines of the profile in the shared configuration file.
    config
        Arguments of botocore's ``Config``.
    table
        How the calls name the table.
    """

    expected: Mapping[str, str | None]
    environment: Mapping[str, str] = field(default_factory=dict)
    endpoint: str | None = None
    profile: str = ""
    config: Callable[[World], Mapping[str, Any]] = lambda world: {}
    table: str = TABLE


PROXIED = {"HTTPS_PROXY": "{proxy}", "AWS_CA_BUNDLE": "{ca}"}


def connect(host: str, credentials: str | None = None) -> dict[str, str | None]:
    return {"server": "aws", "sni": host, "host": host, "via": f"CONNECT {host}:443 {credentials}"}


AWS = connect("dynamodb.us-east-1.amazonaws.com")
CASES = {
    "endpoint": Case({"server": "plain", "path": "/", "via": None}, endpoint="{plain}"),
    "path of the endpoint": Case({"server": "plain", "path": "/old"}, endpoint="{plain}/old"),
    "path that ends in a slash": Case({"server": "plain", "path": "/old/"}, endpoint="{plain}/old/"),
    "path with an escape": Case({"server": "plain", "path": "/a%20b"}, endpoint="{plain}/a%20b"),
    "AWS_ENDPOINT_URL": Case(
        {"server": "plain", "path": "/all"}, environment={"AWS_ENDPOINT_URL": "{plain}/all"}
    ),
    "AWS_ENDPOINT_URL_DYNAMODB": Case(
        {"server": "plain", "path": "/one"},
        environment={
            "AWS_ENDPOINT_URL": "{plain}/all",
            "AWS_ENDPOINT_URL_DYNAMODB": "{plain}/one",
        },
    ),
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": Case(
        AWS,
        environment={
            **PROXIED,
            "AWS_ENDPOINT_URL_DYNAMODB": "{plain}",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        },
    ),
    "endpoint_url of the profile": Case(
        {"server": "plain", "path": "/profile"}, profile="endpoint_url = {plain}/profile"
    ),
    "services of the profile": Case(
        {"server": "plain", "path": "/services"},
        profile="services = mine\n[services mine]\ndynamodb =\n  endpoint_url = {plain}/services",
    ),
    "IPv6": Case({"server": "ipv6", "path": "/old"}, endpoint="{ipv6}/old"),
    "HTTP_PROXY": Case(
        {"server": "proxy", "host": "dynamodb.test", "via": "POST http://dynamodb.test/old None"},
        environment={"HTTP_PROXY": "{proxy}"},
        endpoint="http://dynamodb.test/old",
    ),
    "NO_PROXY": Case(
        {"server": "plain", "via": None},
        environment={"HTTP_PROXY": "{proxy}", "NO_PROXY": "127.0.0.1"},
        endpoint="{plain}",
    ),
    "NO_PROXY for others": Case(
        {"server": "proxy"},
        environment={"HTTP_PROXY": "{proxy}", "NO_PROXY": ".example.com"},
        endpoint="{plain}",
    ),
    "HTTP_PROXY of an https endpoint": Case(
        {"server": "tls", "via": None},
        environment={"HTTP_PROXY": "{proxy}", "AWS_CA_BUNDLE": "{ca}"},
        endpoint="{tls}",
    ),
    "HTTPS_PROXY": Case(AWS, environment=PROXIED),
    "https_proxy": Case(AWS, environment={"https_proxy": "{proxy}", "AWS_CA_BUNDLE": "{ca}"}),
    "HTTPS_PROXY with a password": Case(
        connect("dynamodb.us-east-1.amazonaws.com", "Basic bWU6c2VjcmV0"),
        environment={"HTTPS_PROXY": "http://me:secret@{proxy_address}", "AWS_CA_BUNDLE": "{ca}"},
    ),
    "proxies": Case(
        AWS,
        environment={"AWS_CA_BUNDLE": "{ca}"},
        config=lambda world: {"proxies": {"https": world.proxy.url}},
    ),
    "proxies before HTTPS_PROXY": Case(
        AWS,
        environment={"HTTPS_PROXY": "http://127.0.0.1:1", "AWS_CA_BUNDLE": "{ca}"},
        config=lambda world: {"proxies": {"https": world.proxy.url}},
    ),
    "no proxies before HTTP_PROXY": Case(
        {"server": "plain"},
        environment={"HTTP_PROXY": "http://127.0.0.1:1"},
        endpoint="{plain}",
        config=lambda world: {"proxies": {}},
    ),
    "proxies_config": Case(
        AWS,
        environment={"AWS_CA_BUNDLE": "{ca}"},
        config=lambda world: {
            "proxies": {"https": world.tls_proxy.url},
            "proxies_config": {"proxy_ca_bundle": world.authority.bundle},
        },
    ),
    "AWS_CA_BUNDLE": Case({"server": "tls"}, environment={"AWS_CA_BUNDLE": "{ca}"}, endpoint="{tls}/old"),
    "REQUESTS_CA_BUNDLE": Case(
        {"server": "tls"}, environment={"REQUESTS_CA_BUNDLE": "{ca}"}, endpoint="{tls}"
    ),
    "AWS_CA_BUNDLE before REQUESTS_CA_BUNDLE": Case(
        {"server": "tls"},
        environment={"AWS_CA_BUNDLE": "{ca}", "REQUESTS_CA_BUNDLE": "{stranger}"},
        endpoint="{tls}",
    ),
    "ca_bundle of the profile": Case({"server": "tls"}, profile="ca_bundle = {ca}", endpoint="{tls}"),
    "client_cert": Case(
        {"server": "asking", "certificate": "((('commonName', 'client'),),)"},
        environment={"AWS_CA_BUNDLE": "{ca}"},
        endpoint="{asking}",
        config=lambda world: {"client_cert": world.client_cert},
    ),
    "client_cert and key in one file": Case(
        {"server": "asking", "certificate": "((('commonName', 'client'),),)"},
        environment={"AWS_CA_BUNDLE": "{ca}"},
        endpoint="{asking}",
        config=lambda world: {"client_cert": _joined(*world.client_cert)},
    ),
    "AWS_USE_FIPS_ENDPOINT": Case(
        connect("dynamodb-fips.us-east-1.amazonaws.com"),
        environment={**PROXIED, "AWS_USE_FIPS_ENDPOINT": "true"},
    ),
    "AWS_USE_DUALSTACK_ENDPOINT": Case(
        connect("dynamodb.us-east-1.api.aws"),
        environment={**PROXIED, "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    ),
    "FIPS of the profile": Case(
        connect("dynamodb-fips.us-east-1.amazonaws.com"),
        environment=PROXIED,
        profile="use_fips_endpoint = true",
    ),
    "account-based": Case(
        connect(f"{ACCOUNT}.ddb.us-east-1.amazonaws.com"),
        environment={**PROXIED, "AWS_ACCOUNT_ID": ACCOUNT},
    ),
    "account-based, required": Case(
        connect(f"{ACCOUNT}.ddb.us-east-1.amazonaws.com"),
        environment={**PROXIED, "AWS_ACCOUNT_ID": ACCOUNT, "AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"},
    ),
    "account-based, disabled": Case(
        AWS,
        environment={**PROXIED, "AWS_ACCOUNT_ID": ACCOUNT, "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"},
    ),
    "account-based, by the table's ARN": Case(
        connect("222222222222.ddb.us-east-1.amazonaws.com"),
        environment={**PROXIED, "AWS_ACCOUNT_ID": ACCOUNT},
        table=THERE,
    ),
    # Newer endpoint rules lead to the account, older ones do not.
    "account-based, dual-stack": Case(
        {"server": "aws"},
        environment={**PROXIED, "AWS_ACCOUNT_ID": ACCOUNT, "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    ),
    "AWS_SDK_UA_APP_ID": Case(
        {"server": "plain"}, environment={"AWS_SDK_UA_APP_ID": "mine"}, endpoint="{plain}"
    ),
    "user_agent_extra": Case(
        {"server": "plain"}, endpoint="{plain}", config=lambda world: {"user_agent_extra": "mine/1"}
    ),
}


class Calling:
    """Both kinds of call, made from equal sessions under a case's setting."""

    def __init__(self, case: Case, world: World, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        def filled(text: str) -> str:
            values = {
                "plain": world.plain.url,
                "tls": world.tls.url,
                "asking": world.asking.url,
                "proxy": world.proxy.url,
                "proxy_address": world.proxy.url.removeprefix("http://"),
                "ipv6": world.ipv6.url if world.ipv6 else "",
                "ca": world.authority.bundle,
                "stranger": world.stranger.bundle,
            }
            return text.format(**values)

        monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name, value in case.environment.items():
            monkeypatch.setenv(name, filled(value))
        if case.profile:
            path = directory / "config"
            path.write_text("[profile mine]\n" + filled(case.profile) + "\n")
            monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
            monkeypatch.setenv("AWS_PROFILE", "mine")
        self._table = case.table
        endpoint = filled(case.endpoint) if case.endpoint else None
        config = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 1}).merge(
            Config(**case.config(world))
        )
        self._client = Session().create_client("dynamodb", endpoint_url=endpoint, config=config)
        self._direct = DynamoDBClient(Session(), endpoint_url=endpoint, config=config, table=case.table)

    def describe(self) -> None:
        """A call that botocore sends itself."""
        self._client.describe_table(TableName=self._table)

    def scan(self) -> None:
        self._direct.send("Scan", b'{"TableName":"%b"}' % self._table.encode())

    def read(self) -> None:
        keys = b'{"Keys":[{"pk":{"S":"k"}}]}'
        self._direct.send("BatchGetItem", b'{"RequestItems":{"%b":%b}}' % (self._table.encode(), keys))

    def write(self) -> None:
        delete = b'[{"DeleteRequest":{"Key":{"pk":{"S":"k"}}}}]'
        self._direct.send("BatchWriteItem", b'{"RequestItems":{"%b":%b}}' % (self._table.encode(), delete))


@pytest.mark.parametrize("name", CASES)
def test_both_kinds_of_call_arrive_alike(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = CASES[name]
    if name == "IPv6" and world.ipv6 is None:
        pytest.skip("this machine has no IPv6 on its loopback interface")
    calling = Calling(case, world, monkeypatch, tmp_path)
    noted = world.arrivals(calling.describe, calling.scan, calling.read, calling.write)
    assert len(noted) == 4
    described, *carried = noted
    assert {member: getattr(described, member) for member in case.expected} == case.expected
    assert carried == [described] * 3


def test_the_cases_tell_wrong_ways_apart(world: World) -> None:
    # What the comparison is worth: each member differs somewhere.
    for member in ("server", "path", "host", "sni", "via", "certificate"):
        assert member in Arrival.__dataclass_fields__
        assert any(member in case.expected for case in CASES.values()), member


def test_an_endpoint_that_needs_an_account_is_not_called_without_one(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment = {**PROXIED, "AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"}
    calling = Calling(Case({}, environment), world, monkeypatch, tmp_path)
    for call in (calling.describe, calling.scan):
        with pytest.raises(EndpointResolutionError, match=r"[Aa]ccount"):
            world.arrivals(call)
    assert world.noted == []


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("bundle", ["stranger", "default"])
def test_a_certificate_of_someone_else_is_refused_with_its_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxied: bool, bundle: str
) -> None:
    environment = {} if bundle == "default" else {"AWS_CA_BUNDLE": "{stranger}"}
    if proxied:
        environment["HTTPS_PROXY"] = "{proxy}"
    calling = Calling(Case({}, environment, endpoint="{tls}"), world, monkeypatch, tmp_path)
    for call in (calling.describe, calling.scan):
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            world.arrivals(call)
    assert world.noted == []


@pytest.mark.parametrize("path", ["/nope/ca.pem", "empty", "directory"])
def test_a_bundle_that_cannot_be_read_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    if path == "empty":
        path = str(tmp_path / "empty.pem")
        Path(path).touch()
    elif path == "directory":
        path = str(tmp_path)
    calling = Calling(Case({}, {"AWS_CA_BUNDLE": path}, endpoint="{tls}"), world, monkeypatch, tmp_path)
    with pytest.raises(BotoCoreError):
        calling.describe()
    with pytest.raises(BotoCoreError, match=path):
        calling.scan()


def test_a_server_that_asks_for_a_certificate_gets_none(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = Case({}, {"AWS_CA_BUNDLE": "{ca}"}, endpoint="{asking}")
    calling = Calling(case, world, monkeypatch, tmp_path)
    for call in (calling.describe, calling.scan):
        with pytest.raises(BotoCoreError):
            world.arrivals(call)
    assert world.noted == []


def test_without_a_proxy_nothing_of_botocore_is_between(monkeypatch: pytest.MonkeyPatch) -> None:
    # The benchmarks are measured on this way.
    session = Session()
    plain = session.create_client("dynamodb", endpoint_url="http://127.0.0.1:1")
    secure = session.create_client("dynamodb", endpoint_url="https://127.0.0.1:1")
    assert isinstance(connection_pool(session, plain), DirectPool)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:2")
    assert isinstance(connection_pool(session, plain), ProxyPool)
    assert isinstance(connection_pool(session, secure), DirectPool)


def _joined(certificate: str, key: str) -> str:
    joined = Path(certificate).with_name("joined.pem")
    joined.write_text(Path(key).read_text() + Path(certificate).read_text())
    return str(joined)
