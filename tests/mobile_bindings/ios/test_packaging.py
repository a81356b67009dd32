"""The pod, the script that builds its binary, the sample's project and the package agree."""

from __future__ import annotations

import plistlib
import re
import subprocess
from pathlib import Path

from tallylens.edge_runtime.version import __version__

REPOSITORY = Path(__file__).parents[3]
IOS = REPOSITORY / "mobile_bindings" / "ios"
MANIFEST = (REPOSITORY / "Package.swift").read_text(encoding="utf-8")
POD = (IOS / "TallyLens.podspec").read_text(encoding="utf-8")
PROJECT = (IOS / "Sample" / "project.yml").read_text(encoding="utf-8")
PRODUCTS = ("TallyLens", "TallyLensCoreML", "TallyLensCamera")
SCRIPT = IOS / "scripts" / "xcframework.sh"


def platform() -> str:
    """The oldest iOS of the package."""
    found = re.search(r"\.iOS\(\.v(\d+)\)", MANIFEST)
    assert found
    return f"{found[1]}.0"


def test_the_pod_is_of_this_version_and_system() -> None:
    assert f'spec.version = "{__version__}"' in POD
    assert f'spec.ios.deployment_target = "{platform()}"' in POD
    assert 'spec.license = { :type => "Apache-2.0"' in POD


def test_the_sample_is_of_this_package_and_system() -> None:
    assert f'    iOS: "{platform()}"' in PROJECT
    assert re.findall(r"product: (\w+)", PROJECT) == list(PRODUCTS)
    assert all(f'.library(name: "{name}"' in MANIFEST for name in PRODUCTS)
    package, *sources = re.findall(r"path: (\S+)", PROJECT)
    assert (IOS / "Sample" / package).resolve() == REPOSITORY
    # The model is made when the app is built.
    there = [one for one in sources if one != "yolov5n.mlpackage"]
    assert len(there) == 2
    assert all((IOS / "Sample" / one).exists() for one in there)
    assert "NSCameraUsageDescription: Counts" in PROJECT


def test_the_sample_without_a_project_is_the_same() -> None:
    package = (IOS / "Sample" / "Package.swift").read_text(encoding="utf-8")
    assert f'.iOS("{platform()}")' in package
    assert re.findall(r'\.product\(name: "(\w+)"', package) == list(PRODUCTS)


def test_the_script_changes_what_is_in_the_package() -> None:
    subprocess.run(["sh", "-n", str(SCRIPT)], check=True)
    # The lines that its perl replaces: one product, and plain imports of the C modules.
    assert '.library(name: "TallyLens", targets: ["TallyLens"])' in MANIFEST
    sources = [file.read_text("utf-8") for file in (IOS / "Sources").rglob("*.swift")]
    imports = {line for text in sources for line in text.splitlines() if "import C" in line}
    assert {"import CTally", "import CZlib"} <= imports
    assert not {line for line in imports if re.match(r"\w+ import C(Tally|Zlib)", line)}


def test_the_privacy_manifest_names_nothing() -> None:
    manifest = plistlib.loads((IOS / "PrivacyInfo.xcprivacy").read_bytes())
    assert manifest == {
        "NSPrivacyTracking": False,
        "NSPrivacyTrackingDomains": [],
        "NSPrivacyCollectedDataTypes": [],
        "NSPrivacyAccessedAPITypes": [],
    }
