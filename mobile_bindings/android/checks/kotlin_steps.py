"""Steps for the Kotlin modules: Android types, the documentation's snippets, the public API."""

from __future__ import annotations

import os
import re
from pathlib import Path

from step_runner.outcome import Outcome, require

from . import builds, places, stubs, tools

GUIDE = places.REPOSITORY / "docs" / "guides" / "android.md"
IMPORTS = """
import android.Manifest
import android.graphics.Bitmap
import android.media.ImageReader
import android.os.Bundle
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.core.content.ContextCompat
import io.tallylens.*
import io.tallylens.android.*
import io.tallylens.cloud.*
import java.util.concurrent.Executors
"""


def android_types() -> Path:
    """A folder with the classes of Android that are used, compiled."""
    folder = places.BUILD / "stubs"
    classes = places.BUILD / "stub-classes"
    stubs.write(folder)
    files = [*folder.rglob("*.java"), *(places.ANDROID / "stubs").rglob("*.java")]
    javac = tools.java_home() / "bin" / "javac"
    annotations = tools.kotlin_jar("annotations")
    tools.run([javac, "-nowarn", "-cp", annotations, "-d", classes, *files])
    return classes


def android_jar() -> Path:
    """tallylens-android.jar, against the stubs."""
    return builds.kotlin(
        "tallylens-android",
        [places.ANDROID / "tallylens-android" / "src" / "main" / "kotlin"],
        builds.LIBRARY,
        classpath=[android_types(), tools.kotlin_jar("annotations"), builds.core(), *OKHTTP],
    )


OKHTTP = [tools.JARS / "okhttp.jar", tools.JARS / "okio.jar"]


def cloud_jars() -> list[Path]:
    """The module with OkHttp, and OkHttp itself."""
    return [android_jar(), *(tools.debian_jar(jar.name) for jar in OKHTTP)]


def test_jars() -> list[Path]:
    """All that the tests need beside the modules without Android."""
    return [*cloud_jars(), android_types()]


def tests() -> Path:
    """The tests of the modules."""
    return builds.test_jar(test_jars())


def android() -> Outcome:
    """The Android module compiles against android.jar's signatures without a warning."""
    return require(android_jar().is_file(), "no jar")


def sample() -> Outcome:
    """The sample compiles against android.jar's signatures."""
    types = [android_types(), tools.kotlin_jar("annotations"), builds.core(), android_jar()]
    sources = [places.ANDROID / "sample" / "src" / "main" / "kotlin"]
    # Compose's compiler plugin changes the code that is made, not what is accepted here.
    sources.append(places.ANDROID / "stubs" / "compose")
    return require(builds.kotlin("sample", sources, builds.LIBRARY, classpath=types).is_file(), "")


def guide() -> Outcome:
    """The Kotlin snippets of docs/guides/android.md compile."""
    found = re.findall(r"^```kotlin\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.S | re.M)
    source = places.BUILD / "guide" / "Guide.kt"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(IMPORTS + "\n".join(found), encoding="utf-8")
    options = ("-Werror", "-Xjdk-release=8", "-jvm-target", "1.8")
    types = [android_types(), tools.kotlin_jar("annotations"), builds.core(), android_jar()]
    jar = builds.kotlin("guide", [source], options, classpath=[*types, *OKHTTP])
    lines = max(block.count("\n") for block in found)
    return require(jar.is_file() and len(found) >= 3, f"{len(found)} snippets") + require(
        lines <= 40, f"the first snippet has {lines} lines"
    )


def api() -> Outcome:
    """The public API is the one in api/; TALLYLENS_WRITE_API=1 writes it there."""
    jars = {"tallylens-core": builds.core(), "tallylens-android": android_jar()}
    outcome = Outcome()
    for name, jar in jars.items():
        file = places.ANDROID / name / "api" / f"{name}.api"
        shown = _public(jar)
        if os.environ.get("TALLYLENS_WRITE_API"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(shown, encoding="utf-8")
        declared = file.read_text(encoding="utf-8") if file.is_file() else ""
        changed = set(shown.splitlines()) ^ set(declared.splitlines())
        outcome += require(not changed, f"{name}: undeclared change: {sorted(changed)[:20]}")
    return outcome


def _public(jar: Path) -> str:
    listed = tools.run([tools.java_home() / "bin" / "jar", "tf", jar]).splitlines()
    classes = sorted(
        line.removesuffix(".class").replace("/", ".")
        for line in listed
        if line.endswith(".class")
        and "/internal/" not in line
        and not re.search(r"\$\d|\$\$", line)
    )
    types = os.pathsep.join(map(str, [jar, *tools.runtime_jars(), builds.core()]))
    javap = tools.java_home() / "bin" / "javap"
    shown = tools.run([javap, "-protected", "-cp", types, *classes])
    kept = [
        line.rstrip()
        for line in shown.splitlines()
        if not line.startswith("Compiled from")
        and "$" not in line.split("(")[0].split()[-1]
        and "DefaultConstructorMarker" not in line  # nobody can call these
    ]
    return "\n".join(kept) + "\n"
