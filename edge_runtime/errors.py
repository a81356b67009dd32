"""The exception tree of tallylens, one place for every room.

    TallyLensError                 exit status 1
    ├── UsageError                 2   the call itself is wrong
    ├── InputError                 3   a file, stream or message cannot be used
    │   ├── ModelError                 not a model that tallylens can run
    │   │   ├── UnsafeModelError       the file asks for more than data
    │   │   └── UnsupportedModelError  a sound file of another kind
    │   ├── RejectedError              what was made of the source is too far from it
    │   ├── SourceError                no frames can be read
    │   ├── StateError                 a saved count cannot be gone on with
    │   ├── TimestampError             time did not move forward
    │   └── ProtocolError              the other end of a connection said what it may not
    ├── UnavailableError           4   this machine lacks something
    │   ├── MissingExtraError          an optional package
    │   ├── NetworkError               a download did not go through
    │   └── CloudError                 the server cannot be reached, or refuses
    └── CoreError                  1   the native core reported a fault of ours

Every error carries its data as attributes and says what was wrong and what to do.
"""

from __future__ import annotations

import os


class TallyLensError(Exception):
    """What went wrong (`problem`) and what to do about it (`remedy`)."""

    exit_status = 1

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}. {remedy}.")


class TallyLensWarning(UserWarning):
    """Something was left out or may go wrong; the work goes on."""


class UsageError(TallyLensError):
    """An argument makes no sense, whatever the files hold."""

    exit_status = 2


class InputError(TallyLensError):
    """`path` (a file, folder, URL or name) cannot be used."""

    exit_status = 3

    def __init__(self, path: str | os.PathLike[str], problem: str, remedy: str) -> None:
        self.path = os.fspath(path)
        super().__init__(f"{self.path}: {problem}", remedy)


class ModelError(InputError):
    """The file is no model that tallylens can read, or a damaged one."""


class UnsafeModelError(ModelError):
    """The file asks for code to be run, or for more than a model needs; nothing of it was done."""


class UnsupportedModelError(ModelError):
    """The file is sound, but of an architecture or format that tallylens does not handle."""


class RejectedError(InputError):
    """`path` was made, but only `agreement` of its detections agree with the source's."""

    def __init__(self, path: str | os.PathLike[str], agreement: float, wanted: float) -> None:
        self.agreement = agreement
        self.wanted = wanted
        super().__init__(
            path,
            f"agrees with its source on {agreement:.3f} of the detections, less than {wanted:g}; "
            "it is kept under the name .rejected",
            "Give images from the camera's view, prune less or recover longer, or accept it with "
            f"--min-agreement {_just_below(agreement):g}",
        )


def _just_below(share: float) -> float:
    return int(100 * share) / 100


class SourceError(InputError):
    """No frames can be read from the source, or no longer."""


class StateError(InputError):
    """What was saved of a count is damaged, or of another count."""

    def __init__(self, problem: str, path: str | os.PathLike[str] = "saved state") -> None:
        super().__init__(
            path,
            f"the count cannot go on from it: {problem}",
            "Count from the beginning, or use the state of the same source, options and places",
        )


class TimestampError(InputError):
    """A frame's capture time is not later than the one before it (both in nanoseconds)."""

    def __init__(self, timestamp_ns: int, previous_ns: int) -> None:
        self.timestamp_ns = timestamp_ns
        self.previous_ns = previous_ns
        super().__init__(
            "frame",
            f"timestamp {timestamp_ns} ns is not later than the previous frame's {previous_ns} ns",
            "Give frames in capture order, each with its own timestamp",
        )


class ProtocolError(InputError):
    """A message that the protocol of docs/protocol.md does not know; nothing of it was done."""

    def __init__(self, problem: str) -> None:
        super().__init__("message", problem, "Follow docs/protocol.md, or update the older end")


class UnavailableError(TallyLensError):
    """This machine lacks what the call needs."""

    exit_status = 4


class MissingExtraError(UnavailableError):
    """The optional `package` is not installed; `extra` of tallylens brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed",
            f"Install it with: pip install 'tallylens[{extra}]'",
        )


class NetworkError(UnavailableError):
    """`url` could not be fetched."""

    def __init__(self, url: str, problem: str, remedy: str) -> None:
        self.url = url
        super().__init__(f"{url}: {problem}", remedy)


class CloudError(UnavailableError):
    """The server at `url` cannot be reached, or refuses; counting can go on without it."""

    def __init__(self, url: str, problem: str, remedy: str) -> None:
        self.url = url
        super().__init__(f"{url}: {problem}", remedy)


class CoreError(TallyLensError):
    """The native core returned `status`; a fault of tallylens, not of the input."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(
            f"the counting core failed ({message}, status {status})",
            "Please report it with the command that led here",
        )
