"""The checks that keep a different ministack from being changed blindly."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.local import launcher

DYNAMODB = """
import threading
_tables = _ttl_settings = _stream_records = _resource_policies = {}
def _put_resource_policy(data): ...
def _delete_resource_policy(data): ...
def _remove_item(table, pk_val, sk_val): ...
def _emit_stream_event(table_name, event_name, old_item, new_item, replicate=True): ...
done = threading.Event()
reaper = threading.Thread(target=done.wait, args=(10,), daemon=True, name="dynamodb-ttl-reaper")
other = threading.Thread(target=done.wait, args=(10,), daemon=True, name="other")
reaper.start()
other.start()
"""
CLOUDWATCH = """
_alarms = {}
def _describe_alarms(params, cbor_data, is_cbor, is_json=False): ...
def _put_metric_alarm(params, cbor_data, is_cbor, is_json=False): ...
def _xml(status, root_tag, inner): ...
"""
SCHEDULER = """
_SCHEDULE_TICK_INTERVAL = 10
"""
IAM_ACTIONS = """
def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id): ...
def _lambda_action(method, path): return "ByPath"
"""
IAM_EVALUATOR = """
def _resolve_condition_key(key, ctx): ...
def enforce(access_key_id, iam_action, service, region, resource_arn="*", service_context=None): ...
def evaluate_resource_policy(doc, ctx): ...
def resolve_principal(access_key_id, account_id): ...
class EvalContext: ...
"""
RESPONSES = """
def request_scope(account_id, region): ...
def error_response_json(code, message): ...
"""
MODULES = {
    "services/dynamodb.py": DYNAMODB,
    "services/lambda_svc.py": "def _poll_dynamodb_streams(): return True\n",
    "services/cloudwatch.py": CLOUDWATCH,
    "services/scheduler.py": SCHEDULER,
    "services/dynamodb_streams.py": "def _decode_iterator(token): ...\n",
    "core/iam_actions.py": IAM_ACTIONS,
    "core/iam_evaluator.py": IAM_EVALUATOR,
    "services/iam.py": "_roles = {}\n",
    "core/responses.py": RESPONSES,
}


class FakeMinistack:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for name, text in MODULES.items():
            self.write(name, text)
        metadata = directory / "ministack-9.9.9.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: ministack\nVersion: 9.9.9\n")

    def write(self, name: str, text: str) -> None:
        path = self._directory / "ministack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        assert old in MODULES[name]
        self.write(name, MODULES[name].replace(old, new))


@pytest.fixture
def ministack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMinistack]:
    monkeypatch.syspath_prepend(tmp_path)
    yield FakeMinistack(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "ministack"]:
        del sys.modules[name]


def test_the_expected_parts_are_replaced_and_only_the_reaper_is_held_back(ministack: FakeMinistack) -> None:
    dynamodb = launcher._import_dynamodb_without_its_reaper()
    assert dynamodb.other.is_alive()
    assert not dynamodb.reaper.is_alive()
    dynamodb.done.set()
    launcher._replace_parts(dynamodb)
    assert sys.modules["ministack.services.lambda_svc"]._poll_dynamodb_streams() is False
    assert sys.modules["ministack.services.scheduler"]._SCHEDULE_TICK_INTERVAL == 1
    action = sys.modules["ministack.core.iam_actions"]._lambda_action
    assert action("PUT", "/2015-03-31/event-source-mappings/1") == "UpdateEventSourceMapping"
    assert action("GET", "/2016-08-19/account-settings/") == "GetAccountSettings"
    assert action("GET", "/2015-03-31/functions/event-source-mappings") == "ByPath"
    assert threading.Thread.start.__module__ == "threading"


@pytest.mark.parametrize(
    ("module", "old", "new", "named"),
    [
        ("services/dynamodb.py", "reaper.start()", "", "dynamodb-ttl-reaper"),
        ("services/dynamodb.py", "pk_val, sk_val", "key", "_remove_item"),
        ("services/dynamodb.py", ", replicate=True", "", "_emit_stream_event"),
        ("services/dynamodb.py", "_ttl_settings", "_ttl", "_ttl_settings"),
        ("services/lambda_svc.py", "_poll_dynamodb_streams", "_poll_streams", "_poll_dynamodb_streams"),
        ("services/cloudwatch.py", "_describe_alarms(params, ", "_describe_alarms(", "_describe_alarms"),
        ("services/cloudwatch.py", "_xml", "_answer", "_xml"),
        ("services/scheduler.py", "_SCHEDULE_TICK_INTERVAL", "_INTERVAL", "_SCHEDULE_TICK_INTERVAL"),
        ("core/iam_actions.py", "_lambda_action(method", "_lambda_action(verb", "_lambda_action"),
        ("core/responses.py", "(account_id, region)", "(region)", "request_scope"),
    ],
)
def test_another_ministack_is_refused_in_one_line(
    ministack: FakeMinistack, capsys: pytest.CaptureFixture[str], module: str, old: str, new: str, named: str
) -> None:
    ministack.change(module, old, new)
    assert launcher.main([]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("local: error: ministack 9.9.9 is not as expected: ")
    assert named in line
    assert line.endswith("install ministack==1.5.33")
