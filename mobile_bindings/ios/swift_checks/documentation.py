"""Documentation: a comment on every public symbol, and the snippets of the guide."""

from __future__ import annotations

import json
import re

from step_runner.outcome import Outcome, require

from . import tools

GUIDE = tools.REPOSITORY / "docs" / "guides" / "ios.md"
SWIFT = re.compile(r"^```swift\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Made by the compiler, or required by a protocol of the standard library that documents them.
SYNTHESIZED = {"==(_:_:)", "!=(_:_:)", "hash(into:)", "hashValue", "init(rawValue:)", "rawValue"}
SYNTHESIZED |= {"RawValue", "AllCases", "allCases", "encode(to:)", "init(from:)"}


def snippets() -> str:
    """The Swift of the guide as one file that compiles."""
    found = SWIFT.findall(GUIDE.read_text(encoding="utf-8"))
    imports = sorted({line for text in found for line in text.splitlines() if _imports(line)})
    bodies = ["\n".join(line for line in text.splitlines() if not _imports(line)) for text in found]
    return "\n".join([*imports, *bodies]) + "\n"


def _imports(line: str) -> bool:
    return line.startswith("import ")


def documented() -> Outcome:
    """Every public symbol of TallyLens and TallyLensLiteRT has a comment."""
    tools.package("build")
    return of_modules("package", "TallyLens", "TallyLensLiteRT")


def of_modules(scratch: str, *modules: str) -> Outcome:
    """Every public symbol of these modules, built in the folder `scratch`, has a comment."""
    built = tools.BUILD / scratch / "debug"
    outcome = Outcome()
    for module in modules:
        folder = tools.BUILD / "symbols" / module
        folder.mkdir(parents=True, exist_ok=True)
        command = [tools.swift("swift-symbolgraph-extract"), "-module-name", module]
        command += ["-I", built / "Modules", "-target", _target(), "-output-dir", folder]
        for target, include in (
            ("CTally", "edge_runtime/core/include"),
            ("CLiteRT", "mobile_bindings/native/include"),
        ):
            generated = built / f"{target}.build" / "module.modulemap"
            if generated.is_file():
                command += ["-Xcc", f"-fmodule-map-file={generated}"]
                command += ["-Xcc", f"-I{tools.REPOSITORY / include}"]
        zlib = tools.IOS / "Sources" / "CZlib" / "module.modulemap"
        tools.run([*command, "-Xcc", f"-fmodule-map-file={zlib}"])
        outcome += _comments(module, (folder / f"{module}.symbols.json").read_text("utf-8"))
    return outcome


def _comments(module: str, text: str) -> Outcome:
    symbols = json.loads(text)["symbols"]
    own = [
        symbol
        for symbol in symbols
        if symbol.get("location") and symbol["names"]["title"] not in SYNTHESIZED
    ]
    outcome = require(bool(own), f"no symbols of {module}")
    for symbol in own:
        path = ".".join(symbol["pathComponents"])
        outcome += require(bool(symbol.get("docComment")), f"{module}: {path} has no comment")
    return outcome


def _target() -> str:
    shown: str = json.loads(tools.run([tools.swift("swiftc"), "-print-target-info"]))["target"][
        "triple"
    ]
    return shown
