"""Requests made of the OpenAPI document (schemathesis): no fault of the server, no other status."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.support.people import forget_tries, somebody
from tests.support.video_server import VideoServer

pytestmark = pytest.mark.slow
EXAMPLES = 8
# A stream does not end, and an account that is deleted ends the test.
LEFT_OUT = {("get", "/v1/events"), ("delete", "/v1/account"), ("delete", "/v1/sessions/current")}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["key", "session"])
def test_requests_made_of_the_document(idle_server: VideoServer, how: str) -> None:
    forget_tries(idle_server.videos)
    person = somebody(idle_server)
    body = {"name": "all", "scopes": ["videos", "account"]}
    key = person.request("POST", "/v1/keys", json=body).json()["key"]
    headers = idle_server.headers(key) if how == "key" else person.headers()
    document = idle_server.client.get("/v1/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    tried, problems = 0, []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]
        if (operation.method, operation.path) in LEFT_OUT:
            continue
        tried += 1
        try:
            _try(operation, idle_server, headers)
        except FailureGroup as group:
            problems += [f"{operation.label}: {one}" for one in group.exceptions]
    assert not problems, "\n".join(problems)
    assert tried >= 35
    assert person.request("GET", "/v1/account").status_code == 200


def _try(operation: Any, server: VideoServer, headers: dict[str, str]) -> None:
    """Make requests of one route."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def request(case: Any) -> None:
        case.call_and_validate(
            base_url=f"http://127.0.0.1:{server.port}",
            headers=headers,
            checks=[not_a_server_error, status_code_conformance],
            timeout=70,
        )

    request()
