"""Failures after which a client does not try again, and the errors for its user."""

from __future__ import annotations

import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus, NegotiationError
from websockets.frames import Close
from websockets.http11 import Response

from tallylens.cloud_fallback.client.failures import permanent_error, permanent_failure
from tallylens.cloud_fallback.wire.constants import CloseCode
from tallylens.edge_runtime.errors import ProtocolError

URL = "wss://host/v1/stream"


def refused(status: int) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers()))


def closed(code: int) -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, ""), None)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (refused(400), "incompatible protocol version"),
        (refused(401), "it does not know this key"),
        (refused(403), "this key may not connect"),
        (refused(404), "not a tallylens server"),
        (closed(CloseCode.PROTOCOL_ERROR), "incompatible protocol version"),
        (closed(CloseCode.UNAUTHORIZED), "it does not know this key"),
        (closed(CloseCode.FORBIDDEN), "this key may not connect"),
        (closed(CloseCode.DUPLICATE_SESSION), "another connection has resumed the session"),
        (ssl.SSLCertVerificationError(), "its certificate cannot be trusted"),
        (ProtocolError("x"), "incompatible protocol version"),
        (NegotiationError(), "incompatible protocol version"),
    ],
    ids=repr,
)
def test_failures_that_another_attempt_would_not_change(error: Exception, problem: str) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    found = permanent_failure(URL, error)
    assert found is not None
    assert problem in str(found)


@pytest.mark.parametrize(
    "error",
    [refused(429), refused(503), OSError(), TimeoutError(), ConnectionClosedError(None, None)]
    + [
        closed(code)
        for code in (
            CloseCode.SERVER_FAULT,
            CloseCode.RESTART,
            CloseCode.FIRST_MESSAGE_TIMEOUT,
            CloseCode.NOT_READING,
            CloseCode.TOO_MANY_REQUESTS,
        )
    ],
    ids=repr,
)
def test_other_failures_are_tried_again(error: Exception) -> None:
    assert permanent_failure(URL, error) is None


def test_a_normal_end_is_no_failure() -> None:
    assert permanent_error(URL, CloseCode.NORMAL) is None
    assert permanent_error(URL, None) is None
