"""Whom to act as: the roles of the copy, and strangers whom their own account allows what it can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.e2e.permissions.roles import Json, Role
from tests.e2e.permissions.stage import Stage
from tests.e2e.permissions.steps import batch, first_look, first_start, worker
from tests.e2e.permissions.tracking import rechecks
from tests.e2e.permissions.verification import comparison
from tools.local.accounts import LocalAws

_NAME = "stranger"

# After these steps a process of the function is there.
_INVOKED_BY = {
    "reconciler": first_look,
    "control": first_start,
    "backfill": worker,
    "replicator": batch,
    "verifier": comparison,
    "tracker": rechecks,
}


def function_session(stage: Stage, role: Role) -> boto3.Session:
    """A session of a function's role."""
    assert not _INVOKED_BY[role.kind](stage, role)
    return stage.session(role.kind)


def destination_session(stage: Stage, function: Role, destination: Role, external_id: str) -> boto3.Session:
    """A session of a role of the destination account, as a function assumes it."""
    sts = stage.client(function_session(stage, function), "sts")
    return _assumed(stage.stand.copy.aws, sts, destination.arn, ExternalId=external_id)


@contextmanager
def stranger_role(aws: LocalAws, account: str, statements: list[Json]) -> Iterator[str]:
    """A role of that account that is none of the copy's, with these statements as its policy; its ARN."""
    iam = aws.session(account).client("iam")
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
    }
    created = iam.create_role(RoleName=_NAME, AssumeRolePolicyDocument=json.dumps(_policy([trust])))
    try:
        iam.put_role_policy(RoleName=_NAME, PolicyName="own", PolicyDocument=json.dumps(_policy(statements)))
        yield created["Role"]["Arn"]
    finally:
        iam.delete_role_policy(RoleName=_NAME, PolicyName="own")
        iam.delete_role(RoleName=_NAME)


@contextmanager
def stranger(aws: LocalAws, account: str, statements: list[Json]) -> Iterator[boto3.Session]:
    """A session of such a role."""
    with stranger_role(aws, account, statements) as arn:
        yield _assumed(aws, aws.session(account).client("sts"), arn)


def assume(stage: Stage, session: boto3.Session, arn: str, **more: str) -> str:
    """Assume a role for this session; what it is refused with, empty when it is not."""
    try:
        stage.client(session, "sts").assume_role(RoleArn=arn, RoleSessionName="permissions", **more)
    except ClientError as error:
        return str(error)
    return ""


def _assumed(aws: LocalAws, sts: Any, arn: str, **more: str) -> boto3.Session:
    credentials = sts.assume_role(RoleArn=arn, RoleSessionName="permissions", **more)["Credentials"]
    return boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=aws.regions[arn.split(":")[4]],
    )


def _policy(statements: list[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": statements}
