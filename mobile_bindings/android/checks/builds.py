"""Builds of the native library with CMake, and of the Kotlin modules, when they changed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from . import places, tools

# Warnings are errors, the public API is explicit, and nothing of Java above 8 is used: Android has
# neither java.lang.ref.Cleaner (before API 33) nor the covariant calls of ByteBuffer.
LIBRARY = ("-Werror", "-Xexplicit-api=strict", "-Xjdk-release=8", "-jvm-target", "1.8")
DESKTOP = ("-Werror", "-Xjdk-release=17", "-jvm-target", "17")


def native(build_type: str = "Release", flags: str = "") -> Path:
    """libtallylens.so for this machine."""
    folder = places.BUILD / f"jni-{build_type.lower()}{'-sanitized' if flags else ''}"
    environment = {**os.environ, "JAVA_HOME": str(tools.java_home())}
    configure = ["cmake", "-S", places.JNI, "-B", folder, "-G", "Ninja"]
    # That of an earlier configuration may have been in an environment that is gone.
    configure += [f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja') or 'ninja'}"]
    configure += [f"-DCMAKE_BUILD_TYPE={build_type}", f"-DCMAKE_C_FLAGS={flags}"]
    configure += ["-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]  # for clang-tidy
    tools.run([*configure, f"-DCMAKE_CXX_FLAGS={flags}"], env=environment)
    tools.run(["cmake", "--build", folder, "--target", "tallylens"], env=environment)
    return folder / "libtallylens.so"


def kotlin(
    name: str,
    sources: Iterable[Path],
    options: Iterable[str],
    *,
    classpath: Iterable[Path] = (),
    friends: Iterable[Path] = (),
) -> Path:
    """A jar of Kotlin (and Java) sources; compiled again only when something changed."""
    files = sorted(file for folder in sources for file in _sources(folder))
    friends, classpath = list(friends), [*tools.runtime_jars(), *classpath, *friends]
    arguments = ["-no-stdlib", "-no-reflect", "-module-name", name, *options]
    arguments += ["-cp", os.pathsep.join(map(str, classpath))]
    if friends:
        arguments.append("-Xfriend-paths=" + ",".join(map(str, friends)))
    jar = places.BUILD / f"{name}.jar"
    stamp = places.BUILD / f"{name}.sha256"
    digest = _digest([*files, *friends], arguments)
    if jar.is_file() and stamp.is_file() and stamp.read_text() == digest:
        return jar
    places.BUILD.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    java = tools.java_home() / "bin" / "java"
    compiler = [java, "-Xmx1g", "-cp", tools.compiler_jar()]
    tools.run(
        [*compiler, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", *arguments, "-d", jar, *files]
    )
    stamp.write_text(digest)
    return jar


def _sources(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    return [file for file in folder.rglob("*") if file.suffix in (".kt", ".java")]


def _digest(files: Iterable[Path], arguments: Iterable[str]) -> str:
    digest = hashlib.sha256("\0".join(arguments).encode())
    for file in files:
        digest.update(str(file).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def core() -> Path:
    """tallylens-core.jar."""
    return kotlin("tallylens-core", [places.CORE / "src" / "main" / "kotlin"], LIBRARY)


def desktop() -> Path:
    """tallylens-jvm.jar."""
    sources = [places.JVM / "src" / "main" / "kotlin"]
    return kotlin("tallylens-jvm", sources, (*DESKTOP, "-Xexplicit-api=strict"), friends=[core()])


def test_jar(others: Iterable[Path]) -> Path:
    """The tests of all modules, which also see the jars `others`."""
    junit = [tools.debian_jar("junit4.jar"), tools.debian_jar("hamcrest-core.jar")]
    sources = [module / "src" / "test" / "kotlin" for module in places.MODULES]
    modules = [core(), desktop()]
    classpath = [*junit, *others]
    return kotlin("tallylens-tests", sources, DESKTOP, classpath=classpath, friends=modules)


# The demo's street as a frame file.
STREET = places.BUILD / "demo.tlfr"


def street() -> Path:
    """The demo's street as raw frames, made once."""
    if not STREET.is_file():
        tools.python("-m", "tests.support.frame_file", "demo", STREET)
    return STREET


# A heap that neither grows nor shrinks, so that the resident memory shows what native code keeps.
STEADY = ("-Xms96m", "-Xmx96m", "-XX:+AlwaysPreTouch", "-XX:MaxDirectMemorySize=64m")


def java_command(library: Path, *options: str, others: Iterable[Path] = ()) -> list[str | Path]:
    """The start of a command that runs something of the modules or tests on the JVM."""
    jars = [core(), desktop(), *others, *tools.runtime_jars()]
    jars += [tools.debian_jar("junit4.jar"), tools.debian_jar("hamcrest-core.jar")]
    if (places.BUILD / "tallylens-tests.jar").is_file():
        jars.insert(0, places.BUILD / "tallylens-tests.jar")
    command: list[str | Path] = [tools.java_home() / "bin" / "java", *options]
    command += [f"-Dtallylens.library={library}"]
    command += [f"-Dtallylens.litert={tools.litert()}"]
    command += [f"-Dtallylens.conformance={places.CONFORMANCE}"]
    command += [f"-Dtallylens.repository={places.REPOSITORY}"]
    command += [f"-Dtallylens.street={STREET}"]
    return [*command, "-cp", os.pathsep.join(map(str, jars))]
