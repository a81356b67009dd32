"""The names in `Stubs/` against Apple's: the generated metadata of pyobjc's wheels for macOS.

Every constant, function and enumeration of C in the stubs has to be there, with its value. Of
methods the metadata has those only whose types Python cannot see; they are listed in `SELECTORS`.
"""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

from step_runner.outcome import Outcome, require

from . import tools

WHEELS = {
    "CoreML": ("pyobjc-framework-CoreML", "CoreML/_metadata.py"),
    "CoreVideo": ("pyobjc-framework-Quartz", "Quartz/CoreVideo/_metadata.py"),
    "CoreMedia": ("pyobjc-framework-CoreMedia", "CoreMedia/_metadata.py"),
    "AVFoundation": ("pyobjc-framework-AVFoundation", "AVFoundation/_metadata.py"),
    # Without a stub: Linux has a Foundation, whose websockets do not run.
    "Foundation": ("pyobjc-framework-Cocoa", "Foundation/_metadata.py"),
}
VERSION = "12.2.2"
# Enumerations of Swift, with the start of their constants' names in C.
ENUMS = {
    "CoreML": {
        "MLMultiArrayDataType": "MLMultiArrayDataType",
        "MLComputeUnits": "MLComputeUnits",
    },
    "AVFoundation": {"Position": "AVCaptureDevicePosition"},
}
# Cases whose names are abbreviations in C.
CASES = {"cpuOnly": "CPUOnly", "cpuAndGPU": "CPUAndGPU", "cpuAndNeuralEngine": "CPUAndNeuralEngine"}
CASES |= {"int32": "Int32", "float32": "Float32", "float16": "Float16"}
CONSTANTS = {
    "CoreML": ("MLModelCreatorDefinedKey",),
    "AVFoundation": (
        "AVMediaTypeVideo",
        "AVCaptureDeviceTypeBuiltInWideAngleCamera",
        "AVCaptureSessionPreset1280x720",
        "AVCaptureSessionWasInterruptedNotification",
    ),
}
SELECTORS = {
    "CoreML": (
        ("MLModel", "loadContentsOfURL:configuration:completionHandler:"),
        ("MLModel", "compileModelAtURL:completionHandler:"),
        ("MLModel", "predictionFromFeatures:options:error:"),
        ("MLModel", "predictionFromFeatures:options:completionHandler:"),
        ("MLComputePlan", "loadContentsOfURL:configuration:completionHandler:"),
        ("MLMultiArray", "initWithShape:dataType:error:"),
        ("MLDictionaryFeatureProvider", "initWithDictionary:error:"),
    ),
    "AVFoundation": (
        ("AVCaptureDevice", "requestAccessForMediaType:completionHandler:"),
        ("AVCaptureDeviceInput", "initWithDevice:error:"),
        ("AVCaptureSession", "canAddInput:"),
        ("AVCaptureSession", "canAddOutput:"),
        ("AVCaptureSession", "isRunning"),
        ("AVCaptureVideoDataOutput", "setAlwaysDiscardsLateVideoFrames:"),
        ("NSObject", "captureOutput:didOutputSampleBuffer:fromConnection:"),
        ("NSObject", "captureOutput:didDropSampleBuffer:fromConnection:"),
    ),
    "Foundation": (
        ("NSURLSessionConfiguration", "setAllowsCellularAccess:"),
        ("NSURLSessionConfiguration", "setAllowsExpensiveNetworkAccess:"),
        ("NSURLSessionWebSocketTask", "receiveMessageWithCompletionHandler:"),
        ("NSURLSessionWebSocketTask", "sendMessage:completionHandler:"),
        ("NSURLSessionWebSocketTask", "sendPingWithPongReceiveHandler:"),
        ("NSObject", "URLSession:webSocketTask:didOpenWithProtocol:"),
        ("NSObject", "URLSession:webSocketTask:didCloseWithCode:reason:"),
        ("NSObject", "URLSession:task:didCompleteWithError:"),
        (
            "NSObject",
            "URLSession:task:willPerformHTTPRedirection:newRequest:completionHandler:",
        ),
    ),
}


def names() -> Outcome:
    """All names of all stubs."""
    outcome = Outcome()
    for module in WHEELS:
        apple = metadata(module)
        file = tools.IOS / "Stubs" / module / f"{module}.swift"
        if file.is_file():
            stub = file.read_text(encoding="utf-8")
            outcome += _values(stub, apple) + _functions(stub, apple) + _enums(module, stub, apple)
        for name in CONSTANTS.get(module, ()):
            outcome += require(f"${name}$" in apple or f"${name}@" in apple, f"no constant {name}")
        for owner, selector in SELECTORS.get(module, ()):
            there = re.search(rf'b"{owner}",\s*b"{re.escape(selector)}"', apple)
            outcome += require(there is not None, f"no {owner} {selector}")
    return outcome


def metadata(module: str) -> str:
    """The metadata of a module in its wheel, downloaded once."""
    package, member = WHEELS[module]
    folder = tools.cache() / "pyobjc"
    stem = package.lower().replace("-", "_")
    found = next(folder.glob(f"{stem}-{VERSION}-*.whl"), None)
    if found is None:
        options = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
        options += ["--platform", "macosx_10_9_universal2", "-d", str(folder)]
        try:
            tools.run([tools.PYTHON, "-m", "pip", "download", *options, f"{package}=={VERSION}"])
        except subprocess.CalledProcessError as error:
            raise tools.MissingToolError(
                f"{package} {VERSION} cannot be downloaded: {error.stdout[-300:]}"
            ) from error
        found = next(folder.glob(f"{stem}-{VERSION}-*.whl"))
    with zipfile.ZipFile(Path(found)) as archive:
        return archive.read(member).decode("utf-8")


def _values(stub: str, apple: str) -> Outcome:
    """Constants `let kName: Type = value`; numbers also by their value."""
    outcome = Outcome()
    for name, value in re.findall(r"^public let (k\w+): \w+ = (\S+)$", stub, re.MULTILINE):
        if value.startswith('"'):
            outcome += require(re.search(rf"\${name}[$@]", apple) is not None, f"no {name}")
        else:
            number = int(value.replace("_", ""), 0)
            outcome += require(f"${name}@{number}$" in apple, f"{name} is not {number}")
    return outcome


def _functions(stub: str, apple: str) -> Outcome:
    outcome = Outcome()
    for name in re.findall(r"^public func (\w+)\(", stub, re.MULTILINE):
        outcome += require(f'"{name}": (' in apple, f"no function {name}")
    return outcome


def _enums(module: str, stub: str, apple: str) -> Outcome:
    outcome = Outcome()
    for enum, prefix in ENUMS.get(module, {}).items():
        body = re.search(rf"public enum {enum}: Int.*?\n\s*}}", stub, re.DOTALL)
        cases = re.findall(r"case (\w+) = (\d+)", body.group(0)) if body else []
        outcome += require(bool(cases), f"no cases of {enum}")
        for case, value in cases:
            name = prefix + CASES.get(case, case[0].upper() + case[1:])
            pattern = rf'[$"]{name}@{value}[$"]'
            outcome += require(re.search(pattern, apple) is not None, f"{name} is not {value}")
    return outcome
