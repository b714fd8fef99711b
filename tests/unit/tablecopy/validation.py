"""Checks requests against botocore's model of DynamoDB, which the product's transport does not ask."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator


@functools.cache
def model() -> ServiceModel:
    return botocore.session.Session().get_service_model("dynamodb")


def check(operation: str, body: bytes) -> None:
    """Fail if DynamoDB could not read ``body`` as a request of ``operation`` (spelled ``"Scan"``)."""
    shape = model().operation_model(operation).input_shape
    request = json.loads(body, parse_constant=_no_json)
    report = ParamValidator().validate(_decoded(request, shape), shape)
    assert not report.has_errors(), f"{operation} is not valid: {report.generate_report()}"


def _decoded(value: Any, shape: Shape) -> Any:
    """``value`` as botocore takes it: binaries are base64 on the wire, and bytes to its validator."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        return {
            name: _decoded(each, members[name]) if name in members else each for name, each in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_decoded(each, shape.member) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _decoded(each, shape.value) for name, each in value.items()}
    if shape.type_name == "blob":
        assert isinstance(value, str), f"a binary is {value!r}, not base64 text"
        return base64.b64decode(value, validate=True)
    return value


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
