"""The exceptions of tallylens, in one tree.

    TallyLensError                 exit status 1
    ├── UsageError                 2   an argument is invalid
    ├── InputError                 3   unusable file, stream or message
    │   ├── ModelError                 not a model that tallylens can run
    │   │   ├── UnsafeModelError       the file requests more than data
    │   │   └── UnsupportedModelError  a valid file of an unsupported kind
    │   ├── RejectedError              a converted model differs too much from its source
    │   ├── SourceError                no frames can be read
    │   ├── StateError                 a saved count cannot be resumed
    │   ├── TimestampError             a timestamp does not increase
    │   └── ProtocolError              an invalid message from the peer
    ├── UnavailableError           4   this machine lacks something
    │   ├── MissingExtraError          an optional package
    │   ├── NetworkError               a download failed
    │   └── CloudError                 the server cannot be reached, or refuses
    └── CoreError                  1   the native core reported a bug of tallylens

Every error carries its data as attributes; its message names the cause and the remedy.
"""

from __future__ import annotations

import os


class TallyLensError(Exception):
    """Base of all errors: the cause (`problem`) and what to do about it (`remedy`)."""

    exit_status = 1

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}. {remedy}.")


class TallyLensWarning(UserWarning):
    """Base of all warnings: something was skipped or may go wrong; the work continues."""


class UsageError(TallyLensError):
    """An argument is invalid, whatever the content of files."""

    exit_status = 2


class InputError(TallyLensError):
    """`path` (a file, folder, URL or name) cannot be used."""

    exit_status = 3

    def __init__(self, path: str | os.PathLike[str], problem: str, remedy: str) -> None:
        self.path = os.fspath(path)
        super().__init__(f"{self.path}: {problem}", remedy)


class ModelError(InputError):
    """The file is damaged, or not a model that tallylens can read."""


class UnsafeModelError(ModelError):
    """The file asks to run code, or for more than a model needs; nothing of it was executed."""


class UnsupportedModelError(ModelError):
    """The file is valid, but of an architecture or format that tallylens does not support."""


class RejectedError(InputError):
    """`path` was written, but only the fraction `agreement` of its detections matches its source.

    `wanted` is the minimum that was asked for.
    """

    def __init__(self, path: str | os.PathLike[str], agreement: float, wanted: float) -> None:
        self.agreement = agreement
        self.wanted = wanted
        super().__init__(
            path,
            f"detection agreement with its source is {agreement:.3f}, below the minimum of "
            f"{wanted:g}; the file is kept under the name .rejected",
            "Use images from the camera's view, prune less or recover longer, or accept it with "
            f"--min-agreement {_just_below(agreement):g}",
        )


def _just_below(fraction: float) -> float:
    return int(100 * fraction) / 100


class SourceError(InputError):
    """No frames can be read from the source, at first or from some frame on."""


class StateError(InputError):
    """A saved count is damaged, or was saved by another count."""

    def __init__(self, problem: str, path: str | os.PathLike[str] = "saved state") -> None:
        self.reason = problem
        super().__init__(
            path,
            f"the count cannot be resumed: {problem}",
            "Start over with a new state file, or resume with the same source, options and regions",
        )


class TimestampError(InputError):
    """A frame's capture time is not later than the one before it (both in nanoseconds)."""

    def __init__(self, timestamp_ns: int, previous_ns: int) -> None:
        self.timestamp_ns = timestamp_ns
        self.previous_ns = previous_ns
        super().__init__(
            "frame",
            f"timestamp {timestamp_ns} ns is not later than the previous frame's {previous_ns} ns",
            "Pass frames in capture order, each with its own timestamp",
        )


class ProtocolError(InputError):
    """A message that is invalid by docs/protocol.md; it was not acted on."""

    def __init__(self, problem: str) -> None:
        super().__init__("message", problem, "Follow docs/protocol.md, or update the older peer")


class UnavailableError(TallyLensError):
    """This machine lacks something that the call needs."""

    exit_status = 4


class MissingExtraError(UnavailableError):
    """The optional `package` is not installed; the extra `extra` of tallylens installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed",
            f"Install it with: pip install 'tallylens[{extra}]'",
        )


class NetworkError(UnavailableError):
    """`url` could not be downloaded."""

    def __init__(self, url: str, problem: str, remedy: str) -> None:
        self.url = url
        super().__init__(f"{url}: {problem}", remedy)


class CloudError(UnavailableError):
    """The server at `url` cannot be reached, or refuses; counting can continue without it."""

    def __init__(self, url: str, problem: str, remedy: str) -> None:
        self.url = url
        super().__init__(f"{url}: {problem}", remedy)


class CoreError(TallyLensError):
    """The native core returned `status`, which is a bug of tallylens, not a fault of the input."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(
            f"the counting core failed ({message}, status {status})",
            "Please report it with the command that caused it",
        )
