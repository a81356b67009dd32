"""Reasons why a server refuses a client, as errors for its user.

Another attempt changes nothing, unless the server has accepted this client before: then somebody
may repair what broke.
"""

from __future__ import annotations

import ssl

from ...edge_runtime.errors import CloudError, ProtocolError
from ..wire.constants import CloseCode

_INCOMPATIBLE = ("incompatible protocol version", "Update the older of client and server")
_UNKNOWN_KEY = ("it does not know this key", "Check TALLYLENS_API_KEY and the server's key file")
_FORBIDDEN = ("this key may not connect", "Ask for a key with the scope")
_OF_STATUS = {
    400: _INCOMPATIBLE,
    401: _UNKNOWN_KEY,
    403: _FORBIDDEN,
    404: ("not a tallylens server", "Check the address given with --cloud"),
}
_OF_CODE = {
    CloseCode.PROTOCOL_ERROR: _INCOMPATIBLE,
    CloseCode.UNAUTHORIZED: _UNKNOWN_KEY,
    CloseCode.FORBIDDEN: _FORBIDDEN,
    CloseCode.DUPLICATE_SESSION: (
        "another connection has resumed the session",
        "Run one client per session",
    ),
}


def permanent_error(url: str, code: int | None) -> CloudError | None:
    """The error of a close code after which connecting again would change nothing."""
    return CloudError(url, *_OF_CODE[CloseCode(code)]) if code in _OF_CODE else None


def permanent_failure(url: str, error: Exception) -> CloudError | None:
    """The error of a failed connection, where another attempt would change nothing."""
    from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError

    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return permanent_error(url, error.rcvd.code)
    if isinstance(error, InvalidStatus):
        why = _OF_STATUS.get(error.response.status_code)
        return CloudError(url, *why) if why else None
    if isinstance(error, ssl.SSLCertVerificationError):
        return CloudError(
            url,
            f"its certificate cannot be trusted ({error.verify_message})",
            "Give the CA's certificate with --ca",
        )
    if isinstance(error, (ProtocolError, NegotiationError)):
        return CloudError(url, *_INCOMPATIBLE)
    return None


def refuses_session(error: Exception) -> bool:
    """Whether a failed connection may be due to the session that the client wanted to resume."""
    from websockets.exceptions import ConnectionClosed

    codes = (CloseCode.PROTOCOL_ERROR, CloseCode.DUPLICATE_SESSION)
    if isinstance(error, ConnectionClosed):
        return error.rcvd is not None and error.rcvd.code in codes
    return isinstance(error, ProtocolError)
