"""All steps by name, in their order."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from step_runner.outcome import Outcome, require

from . import apple, coverage, documentation, jpeg, runs, sanitizers, tools
from .cloud import cloud
from .names import names

SUMMARY = re.compile(r"Executed (\d+) tests?, with (\d+) failures?")
VECTOR_FILES = (
    "counting.json",
    "ignored.json",
    "preprocess.json",
    "decode.json",
    "metadata.json",
    "governor.json",
)
VECTORS = re.compile(r"^vectors (\S+?)(?: (\w+))?: (\d+) cases$", re.MULTILINE)
PROTOCOL = ("frames", "messages", "session")


def build() -> Outcome:
    """The package builds from its root without a warning, and can be a dependency."""
    output = tools.package("build")
    manifest = (tools.REPOSITORY / "Package.swift").read_text(encoding="utf-8")
    return require("warning:" not in output, output[-6000:]) + require(
        "unsafeFlags" not in manifest, "unsafeFlags make a package unusable as a dependency"
    )


def unit_tests() -> Outcome:
    """The unit tests, and as many conformance vectors as the files have."""
    images = tools.BUILD / "jpeg"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir(parents=True)
    output = tools.package("test", environment={**os.environ, "TALLYLENS_JPEG": str(images)})
    found = SUMMARY.findall(output)
    ran, failed = map(int, found[-1]) if found else (0, 1)
    outcome = Outcome(ran - failed, failed, (output[-6000:],) if failed else ())
    told = {(file, key): int(count) for file, key, count in VECTORS.findall(output)}
    outcome += jpeg.decoded(images)
    return outcome + require(told == expected_vectors(), f"vectors that ran: {told}")


def expected_vectors() -> dict[tuple[str, str], int]:
    """The number of cases in each file of vectors."""
    counts = {}
    for name in VECTOR_FILES:
        document = json.loads((tools.CONFORMANCE / name).read_text(encoding="utf-8"))
        counts[(name, "")] = len(document["cases"])
    offload = json.loads((tools.CONFORMANCE / "offload.json").read_text(encoding="utf-8"))
    for key, cases in offload.items():
        if key != "version":
            counts[("offload.json", key)] = len(cases)
    for name in (f"protocol/{name}.json" for name in PROTOCOL):
        document = json.loads((tools.CONFORMANCE / name).read_text(encoding="utf-8"))
        counts[(name, "")] = len(document["vectors"])
    return counts


def outside() -> Outcome:
    """A package elsewhere depends on this one, by its path and by a tag of a clone."""
    clone = tools.BUILD / "clone" / "tallylens"
    shutil.rmtree(clone.parent, ignore_errors=True)
    tools.run(["git", "clone", "-q", "--depth", "1", f"file://{tools.REPOSITORY}", clone])
    tools.run(["git", "-C", clone, "tag", "0.0.1"])
    outcome = Outcome()
    for name, where in (
        ("path", f'path: "{clone}"'),
        ("tag", f'url: "file://{clone}", exact: "0.0.1"'),
    ):
        folder = tools.BUILD / f"outside-{name}"
        (folder / "Sources").mkdir(parents=True, exist_ok=True)
        (folder / "Package.swift").write_text(OUTSIDE.replace("WHERE", where), encoding="utf-8")
        main = 'import TallyLens\nprint(try Counter(classNames: ["car"]).report.warnings[0])\n'
        (folder / "Sources" / "main.swift").write_text(main, encoding="utf-8")
        output = tools.package("run", "-q", folder=folder, scratch=f"outside-{name}-build")
        outcome += require("no frame was read" in output, output[-3000:])
    return outcome


OUTSIDE = """// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "outside",
    dependencies: [.package(WHERE)],
    targets: [
        .executableTarget(
            name: "outside", dependencies: [.product(name: "TallyLens", package: "tallylens")],
            path: "Sources")
    ]
)
"""


def apple_targets() -> Outcome:
    """The Apple targets and the guide over stubs: no warning, their tests, and all branches."""
    folder = apple.prepare(documentation.snippets())
    options = ["--enable-code-coverage", "-Xswiftc", "-warnings-as-errors"]
    places = ":".join(str(place) for place in recordings())
    variables = {**os.environ, "TALLYLENS_RECORDINGS": places}
    # These need Apple's Core ML; here they compile.
    options += ["--skip", "RealModelTests"]
    output = tools.package(
        "test", *options, folder=folder, scratch="apple-build", environment=variables
    )
    found = SUMMARY.findall(output)
    ran, failed = map(int, found[-1]) if found else (0, 1)
    return (
        require("warning:" not in output, output[-6000:])
        + Outcome(ran - failed, failed, (output[-6000:],) if failed else ())
        + coverage.branches(folder)
        + documentation.of_modules("apple-build", *coverage.TARGETS)
    )


def recordings() -> list[Path]:
    """Recorded heads of a float16 and a W8A8 package, made once; see record.py."""
    data = Path(os.environ.get("TALLYLENS_DATA", tools.REPOSITORY.parent / "shared" / "data"))
    checkpoint, video = data / "models" / "yolov5n.pt", data / "videos" / "street.mp4"
    if not checkpoint.is_file():
        raise tools.MissingToolError(f"no {checkpoint}: set TALLYLENS_DATA")
    folders = []
    for form in ("fp16", "int8"):
        folder = tools.cache() / f"recording-{form}"
        folders.append(folder)
        if (folder / "recording.json").is_file():
            continue
        convert = [tools.PYTHON, "-m", "tallylens", "convert", checkpoint, "--to", "coreml"]
        convert += ["--quantize", form, "--no-verify", "-o", folder / "package"]
        tools.run([*convert, *(["--calibration", video] if form == "int8" else [])])
        package = next((folder / "package").glob("*.mlpackage"))
        tools.python("-m", "swift_checks.record", package, video, folder, cwd=tools.IOS)
    return folders


def lines() -> Outcome:
    """The two Apple targets stay small: what can be tested elsewhere is elsewhere."""
    files = [
        file
        for target in ("TallyLensCoreML", "TallyLensCamera")
        for file in (tools.IOS / "Sources" / target).glob("*.swift")
    ]
    count = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    return require(0 < count <= MAX_APPLE_LINES, f"{count} lines, more than {MAX_APPLE_LINES}")


MAX_APPLE_LINES = 650

STEPS: dict[str, Callable[[], Outcome]] = {
    "build": build,
    "unit-tests": unit_tests,
    "same-as-python": runs.same_as_python,
    "wide": runs.wide,
    "killed": runs.killed,
    "states": runs.states,
    "live": runs.live,
    "outside": outside,
    "names": names,
    "apple": apple_targets,
    "lines": lines,
    "documentation": documentation.documented,
    "cloud": cloud,
    "thread-sanitizer": sanitizers.thread,
    "address-sanitizer": sanitizers.address,
}
# Each builds everything once more: run when they are named.
ON_DEMAND = ("thread-sanitizer", "address-sanitizer")
