"""Where things are: the repository, what is built, and what is kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ANDROID = Path(__file__).resolve().parent.parent
MOBILE = ANDROID.parent
REPOSITORY = MOBILE.parent
CONFORMANCE = MOBILE / "conformance"
NATIVE = MOBILE / "native"
CORE = ANDROID / "tallylens-core"
JVM = ANDROID / "tallylens-jvm"
MODULES = (CORE, JVM, ANDROID / "tallylens-android")
JNI = CORE / "src" / "main" / "cpp"
BUILD = Path(os.environ.get("TALLYLENS_ANDROID_BUILD", ANDROID / "build"))
PYTHON = sys.executable


def cache() -> Path:
    """The folder for downloads."""
    home = os.environ.get("TALLYLENS_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = base / ("android-tools" if home else "tallylens/android-tools")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
