"""Steps for the native library: sanitizers, size and symbols for arm64, old versions of LiteRT."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from step_runner.outcome import Outcome, require

from . import builds, kotlin_steps, places, tools
from .android_syntax import native_sources, own_includes

MISUSE = ("io.tallylens.MisuseTest", "io.tallylens.CounterTest")
INSTRUMENTED = "-Dtallylens.instrumented=1"
# Of the core's and the engine's code with the C++ runtime, as the AAR carries it.
MAX_ARM64_BYTES = 400 << 10
PAGE = 0x4000
# Beside the one that is installed; the range is in native/litert_api.cpp.
OLD_LITERT = ("2.1.5", "2.1.6")
TOO_OLD_LITERT = "2.1.0"


SANITIZERS = "-fsanitize=address,undefined"
SANITIZED = f"{SANITIZERS} -fno-sanitize-recover=undefined -fno-omit-frame-pointer"


def sanitized() -> Outcome:
    """Misuse on a build with ASan and UBSan: no finding. A JVM's leaks hide those of a library."""
    library = builds.native("RelWithDebInfo", SANITIZED)
    kotlin_steps.tests()
    # ASan looks for __cxa_throw when it starts, before the JVM loads the C++ runtime.
    names = ("libasan.so", "libstdc++.so")
    found = [tools.run(["g++", f"-print-file-name={name}"]).strip() for name in names]
    preload = " ".join(str(Path(name).resolve()) for name in found)
    command = builds.java_command(library, *builds.STEADY, INSTRUMENTED)
    environment = {
        **os.environ,
        "LD_PRELOAD": preload,
        # The JVM handles SIGSEGV itself, and never frees what it needs to its end: see `leaks`.
        "ASAN_OPTIONS": "handle_segv=0:allow_user_segv_handler=1:detect_leaks=0:exitcode=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    output = _output([*command, "org.junit.runner.JUnitCore", *MISUSE], environment)
    return (
        require("OK (" in output, output[-6000:])
        + require("runtime error" not in output, "UBSan: " + output[-3000:])
        + require("ERROR: AddressSanitizer" not in output, "ASan: " + output[-3000:])
    )


HANDLES = ("counter", "detector", "governor", "offload", "link", "waiting", "late", "bins")


def leaks() -> Outcome:
    """The functions for Java without a JVM: no leak, and a handle that does leak is seen."""
    library = builds.native("RelWithDebInfo", SANITIZED)
    program = library.with_name("leaks")
    java = tools.java_home() / "include"
    source = places.CORE / "src" / "test" / "cpp" / "leaks.cpp"
    command = ["g++", "-std=c++17", "-g", "-Wall", "-Wextra", "-Werror", *SANITIZERS.split()]
    command += [f"-I{java}", f"-I{java / 'linux'}", source, library]
    tools.run([*command, f"-Wl,-rpath,{library.parent}", "-o", program])
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1"}
    whole = _output([program], environment)
    outcome = require(whole == "", whole[-3000:])
    for kind in HANDLES:
        seen = "LeakSanitizer: detected memory leaks" in _output([program, kind], environment)
        outcome += require(seen, f"a {kind} that is not freed is not seen")
    return outcome


def _output(command: Sequence[str | Path], environment: dict[str, str]) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    return done.stdout + done.stderr


def misuse() -> Outcome:
    """Misuse in a JVM of its own, whose resident memory then stays within 2 MiB."""
    kotlin_steps.tests()
    command = builds.java_command(builds.native(), *builds.STEADY)
    words = [str(word) for word in [*command, "org.junit.runner.JUnitCore", MISUSE[0]]]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    return require("OK (" in done.stdout, (done.stdout + done.stderr)[-4000:])


def tidy() -> Outcome:
    """clang-tidy finds nothing in the functions for Java and in the engine."""
    program = tools.beside_python("clang-tidy")
    sources = [file for folder in (places.JNI, places.NATIVE) for file in folder.glob("*.cpp")]
    library = builds.native()
    headers = f"--header-filter={places.MOBILE}/.*"
    command = [program, "-p", library.parent, "--quiet", headers, *sorted(sources)]
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return require(done.returncode == 0, done.stdout[-6000:] or done.stderr[-2000:])


def xcheck() -> Outcome:
    """Misuse with -Xcheck:jni: no warning."""
    kotlin_steps.tests()
    command = builds.java_command(builds.native(), *builds.STEADY, "-Xcheck:jni", INSTRUMENTED)
    words = [str(word) for word in [*command, "org.junit.runner.JUnitCore", *MISUSE]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    warnings = [line for line in output.splitlines() if "WARNING" in line and "JNI" in line]
    return require("OK (" in output, output[-4000:]) + require(not warnings, "\n".join(warnings))


def arm64() -> Outcome:
    """Built for arm64 with -Os: size, page alignment and exported symbols."""
    compiler = shutil.which("aarch64-linux-gnu-g++")
    if compiler is None:
        raise tools.MissingToolError("no arm64 compiler: apt-get install g++-aarch64-linux-gnu")
    library = places.BUILD / "arm64" / "libtallylens.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    java = tools.java_home() / "include"
    flags = "-std=c++17 -Os -shared -fPIC -s -fvisibility=hidden -fvisibility-inlines-hidden"
    flags += " -ffunction-sections -fdata-sections -ffp-contract=off -flto=auto"
    flags += " -fno-asynchronous-unwind-tables -static-libstdc++"
    flags += f" -static-libgcc -Wl,--gc-sections,--exclude-libs,ALL -Wl,-z,max-page-size={PAGE}"
    command: list[object] = [
        compiler,
        *flags.split(),
        f"-Wl,--version-script={places.JNI / 'exports.txt'}",
    ]
    command += [*own_includes(), f"-I{java}", f"-I{java / 'linux'}", "-o", library]
    tools.run([*command, *native_sources(), "-ldl"])
    return _size(library) + _pages(library) + _symbols(library)


def _size(library: Path) -> Outcome:
    size = sum(map(int, tools.run(["aarch64-linux-gnu-size", library]).splitlines()[1].split()[:3]))
    outcome = require(size <= MAX_ARM64_BYTES, f"{size} bytes, at most {MAX_ARM64_BYTES}")
    return outcome + Outcome(notes=(f"arm64, -Os, stripped, static STL: {size / 1024:.0f} KiB",))


def _pages(library: Path) -> Outcome:
    lines = tools.run(["readelf", "-lW", library]).splitlines()
    alignments = {int(line.split()[-1], 16) for line in lines if line.strip().startswith("LOAD")}
    return require(alignments == {PAGE}, f"LOAD segments are aligned to {alignments}")


def _symbols(library: Path) -> Outcome:
    shown = tools.run(["nm", "-D", "--defined-only", library]).splitlines()
    names = {line.split()[-1] for line in shown}
    others = {name for name in names if name != "JNI_OnLoad" and not name.startswith("tally_")}
    return require("JNI_OnLoad" in names and not others, f"exported: {sorted(others)}")


def litert_versions() -> Outcome:
    """The tested versions of LiteRT give the same bits; one that is too old is refused."""
    frames = builds.street()
    newest = _trace(frames, tools.litert())
    outcome = require(len(newest) > 200, f"{len(newest)} frames")
    for version in OLD_LITERT:
        same = _trace(frames, tools.litert(version)) == newest
        outcome += require(same, f"LiteRT {version} gives other results")
    try:
        _trace(frames, tools.litert(TOO_OLD_LITERT))
    except subprocess.CalledProcessError as error:
        return outcome + require("LiteRT that is too old" in error.stderr, error.stderr)
    return outcome + require(False, f"LiteRT {TOO_OLD_LITERT} is not refused")


def _trace(frames: Path, litert: Path) -> list[str]:
    """Detections and events of each frame, without the times that they took."""
    trace = places.BUILD / "litert.jsonl"
    command = [*builds.java_command(builds.native()), "io.tallylens.jvm.CountMainKt", frames]
    model = places.REPOSITORY / "sdk" / "built_in" / "tallylens-demo-int8.tflite"
    tools.run([*command, model, "--litert", litert, "--trace", trace, "--line", "0,0.6,1,0.6"])
    lines = trace.read_text(encoding="utf-8").splitlines()
    return [re.sub(r'"(host_)?nanos":-?\d+', "", line) for line in lines]


def same_as_python() -> Outcome:
    """The JVM's detections, events and report of the demo's street are Python's."""
    model = places.REPOSITORY / "sdk" / "built_in" / "tallylens-demo-int8.tflite"
    regions = ["--line", "0,0.6,1,0.6", "--zone", "0.2,0.4,0.8,0.4,0.8,1,0.2,1"]
    script = places.REPOSITORY / "benchmarks" / "android.py"
    shown = tools.python(script, "demo", model, *regions, "--runs", "1", "--json")
    result = json.loads(shown)
    note = f"{result['detections']} detections and {result['events']} events compared"
    return require(result["identical"] and result["events"] > 5, shown) + Outcome(notes=(note,))


def cloud() -> Outcome:
    """A real server through a link with faults: the counts are those of a local detector."""
    kotlin_steps.tests()
    command = [*builds.java_command(builds.native(), others=kotlin_steps.cloud_jars())]
    words = [str(word) for word in command]
    shown = tools.python("-m", "tests.support.android_cloud", json.dumps(words), places.BUILD)
    result = json.loads(shown)
    outcome = Outcome(notes=tuple(result["notes"]))
    for name, problem in result["runs"].items():
        outcome += require(not problem, f"{name}: {problem}")
    return outcome


def killed() -> Outcome:
    """kill -9 at random moments: every state resumes, and nothing is counted twice."""
    kotlin_steps.tests()
    command = [*builds.java_command(builds.native(), others=kotlin_steps.cloud_jars())]
    command += ["io.tallylens.jvm.KillMainKt"]
    words = json.dumps([str(word) for word in command])
    result = json.loads(tools.python("-m", "tests.support.android_kill", words, places.BUILD))
    total, truth, lost = result["total"], result["truth"], result["lost_s"]
    # One person crosses each second; one who was in view at a kill may be lost with it.
    least = truth - lost - result["killed"]
    # The first process has nothing to resume, and those that were killed before the first save.
    return (
        require(result["resumed"] >= result["killed"] - 2, f"resumed {result['resumed']} times")
        + require(least <= total <= truth, f"{total} of {truth} counted, {lost} s lost")
        + Outcome(notes=(f"{total} of {truth} counted after {result['killed']} kills",))
    )
