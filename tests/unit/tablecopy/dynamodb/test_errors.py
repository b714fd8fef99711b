"""Every error that AWS's models list for what the code calls has one meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import SSLError

from tablecopy.dynamodb import errors
from tablecopy.dynamodb.errors import KINDS, Kind
from tests.unit.tablecopy.fakes import client_error

ROOT = Path(__file__).parents[4]
SERVICES = ("dynamodb", "dynamodbstreams", "lambda", "stepfunctions", "sqs", "sts")
# The packages that call AWS.
PACKAGES = ("lambda/tablecopy", "verify", "cli/tablecopy_cli")

# Common to all services, or of DynamoDB and in none of its models.
COMMON = {
    "AccessDeniedException": Kind.DENIED,
    "ExpiredTokenException": Kind.EXPIRED,
    "IncompleteSignatureException": Kind.UNRECOGNIZED,
    "InvalidSignatureException": Kind.UNRECOGNIZED,
    "MissingAuthenticationTokenException": Kind.UNRECOGNIZED,
    "ServiceUnavailable": Kind.TRANSIENT,
    "InternalFailure": Kind.TRANSIENT,
    "ThrottlingException": Kind.THROTTLED,
    "UnrecognizedClientException": Kind.NEW_SESSION,
    "ValidationException": Kind.REJECTED,
}


def _calls() -> dict[tuple[str, str], set[str]]:
    """The errors of each operation whose name, in botocore's or the API's spelling, is in the code."""
    code = "\n".join(
        path.read_text() for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
    )
    words = set(re.findall(r"\w+", code))
    session = botocore.session.Session()
    found = {}
    of_a_table = set(session.get_service_model("dynamodb").operation_names)
    for service in SERVICES:
        model = session.get_service_model(service)
        # A resource policy is called for a table only, and Lambda has operations of the same names.
        others = of_a_table if service == "lambda" else set()
        for name in model.operation_names:
            if name not in others and (name in words or xform_name(name) in words):
                errors = model.operation_model(name).error_shapes
                found[service, name] = {shape.error_code for shape in errors}
    return found


CALLS = _calls()


def _modelled() -> Iterator[tuple[str, str, str]]:
    for (service, operation), codes in CALLS.items():
        for code in sorted(codes):
            yield service, operation, code


def test_the_operations_are_found_in_the_code() -> None:
    assert {
        ("dynamodb", "Scan"),
        ("dynamodb", "BatchWriteItem"),
        ("dynamodb", "BatchGetItem"),
        ("dynamodb", "PutItem"),
        ("dynamodb", "DescribeTable"),
        ("dynamodbstreams", "GetRecords"),
        ("lambda", "UpdateEventSourceMapping"),
        ("lambda", "ListEventSourceMappings"),
        ("lambda", "Invoke"),
        ("stepfunctions", "StartExecution"),
        ("sqs", "GetQueueAttributes"),
    } <= set(CALLS)


@pytest.mark.parametrize(("service", "operation", "code"), list(_modelled()))
def test_every_error_of_the_model_is_classified(service: str, operation: str, code: str) -> None:
    assert code in KINDS, (
        f"{service} {operation} may answer {code}: give it a kind in tablecopy/dynamodb/errors.py"
    )


def test_no_error_has_two_kinds() -> None:
    codes = [code for names in errors.CODES.values() for code in names.split()]
    assert sorted(codes) == sorted(set(codes))


def test_what_the_model_says_is_retryable_is_retried() -> None:
    session = botocore.session.Session()
    for service, operation in CALLS:
        for shape in session.get_service_model(service).operation_model(operation).error_shapes:
            if "retryable" in shape.metadata:
                assert errors.is_transient(client_error(shape.error_code)), shape.error_code


@pytest.mark.parametrize(("code", "kind"), COMMON.items())
def test_common_errors(code: str, kind: Kind) -> None:
    assert errors.kind(client_error(code)) is kind


def test_a_write_held_by_another_replica_is_tried_again() -> None:
    error = client_error("ReplicatedWriteConflictException")
    assert errors.is_transient(error)
    assert not errors.is_throttled(error)
    assert not errors.is_rejected(error)


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (499, False), (500, True), (503, True)])
def test_an_unknown_error_is_judged_by_its_status(status: int, retryable: bool) -> None:
    assert errors.is_transient(client_error("SomethingNew", status)) is retryable


@pytest.mark.parametrize(
    ("reason", "untrusted"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer", True),
        ("EOF occurred in violation of protocol", False),
    ],
)
def test_a_refused_certificate_stays_refused(reason: str, untrusted: bool) -> None:
    error = SSLError(endpoint_url="https://dynamodb", error=OSError(reason))
    assert errors.is_untrusted(error) is untrusted
