"""tally.h and what it includes are the only contract: C and C++, and the binding covers all."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tallylens.edge_runtime.core.native import ffi, lib, names, options, struct
from tallylens.edge_runtime.version import __version__

REPOSITORY = Path(__file__).resolve().parents[3]
CORE = REPOSITORY / "edge_runtime" / "core"
HEADERS = sorted((CORE / "include").glob("*.h"))
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(CORE / "include")]

TEXT = re.sub(
    r"/\*.*?\*/", "", "".join(one.read_text(encoding="utf-8") for one in HEADERS), flags=re.DOTALL
)
STATUSES = (
    "ok",
    "invalid_argument",
    "buffer_too_small",
    "out_of_order",
    "out_of_memory",
    "internal",
    "bad_state",
    "unsupported_size",
    "bad_model",
    "unsupported_model",
)
# (result, name, arguments) of every function.
FUNCTIONS = re.findall(r"TALLY_API\s+([\w\s]+\*?)\s*\b(tally_\w+)\s*\(([^)]*)\)\s*;", TEXT)
NAMES = [name for _, name, _ in FUNCTIONS]


def compiler(*names: str) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    pytest.skip(f"no compiler here (looked for {', '.join(names)})")


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def arguments(text: str) -> list[str]:
    return [] if text.strip() == "void" else [part.strip() for part in text.split(",")]


def is_pointer(argument: str) -> bool:
    return "*" in argument


def test_the_header_names_every_part_of_the_core() -> None:
    exported = re.findall(r"^TALLY_API ", TEXT, flags=re.MULTILINE)
    assert len(NAMES) == len(set(NAMES)) == len(exported)
    for kind in METHODS:
        assert {f"tally_{kind}_{what}" for what in ("create", "destroy", "error")} <= set(NAMES)


@pytest.mark.parametrize(
    ("names", "standard", "suffix"),
    [(("gcc", "clang", "cc"), "c11", ".c"), (("g++", "clang++", "c++"), "c++17", ".cpp")],
    ids=["C11", "C++17"],
)
def test_each_header_compiles_alone(
    tmp_path: Path, names: tuple[str, ...], standard: str, suffix: str
) -> None:
    for header in HEADERS:
        source = tmp_path / f"{header.stem}{suffix}"
        include = f'#include "{header.name}"\n'
        source.write_text(f"{include}{include}int main(void) {{ return 0; }}\n")
        run(compiler(*names), f"-std={standard}", *STRICT, "-fsyntax-only", source)


def test_one_header_includes_all() -> None:
    included = re.findall(r'^#include "(.+)"$', (HEADERS[0].with_name("tally.h")).read_text(), re.M)
    assert sorted(["tally.h", *included]) == [header.name for header in HEADERS]


def c_program() -> str:
    """Calls every function with NULL for every pointer and 0 for every value."""
    checks = []
    for result, name, text in FUNCTIONS:
        values = ["NULL" if is_pointer(a) else "0" for a in arguments(text)]
        call = f"{name}({', '.join(values)})"
        if result.strip() == "tally_status":
            checks.append(f'if ({call} != TALLY_INVALID_ARGUMENT) bad("{name}");')
        elif result.strip() == "void":
            checks.append(f"{call};")
        elif name.startswith("tally_region_") or name == "tally_event_region_kind":
            there = name == "tally_region_kind"  # the others: NULL, or an event without a region
            checks.append(f'if (({call} != NULL) != {int(there)}) bad("{name}");')
        else:
            checks.append(f'if ({call} == NULL || *{call} == 0) bad("{name}");')
    body = "\n  ".join(checks)
    return f"""#include <stdio.h>
#include "tally.h"
static int failures = 0;
static void bad(const char* name) {{ puts(name); failures += 1; }}
int main(void) {{
  {body}
  return failures;
}}
"""


def build_c(folder: Path, text: str) -> None:
    """Compile a C program as C11 with the core, as `folder/program`."""
    c, cpp = compiler("gcc", "clang", "cc"), compiler("g++", "clang++", "c++")
    source, built = folder / "program.c", folder / "program.o"
    source.write_text(text)
    run(c, "-std=c11", *STRICT, "-c", source, "-o", built)
    sources = sorted((CORE / "src").glob("*.cpp"))
    options = ("-std=c++17", "-O0", "-I", str(CORE / "include"))
    run(cpp, *options, built, *sources, "-o", folder / "program")


@pytest.mark.slow
def test_a_c_program_gets_statuses_for_nulls(tmp_path: Path) -> None:
    build_c(tmp_path, c_program())
    assert run(tmp_path / "program") == ""


def build_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(REPOSITORY)  # where setuptools runs it
    spec = importlib.util.spec_from_file_location("build_ffi", CORE / "build_ffi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_binding_declares_every_function(monkeypatch: pytest.MonkeyPatch) -> None:
    build = build_module(monkeypatch)
    declared = build.declarations(build.interface())
    assert "TALLY_API" not in declared
    assert "#" not in declared
    assert "/*" not in declared
    for name in NAMES:
        assert re.search(rf"\b{name}\(", declared), name


def test_the_built_core_offers_exactly_the_header() -> None:
    constants = re.findall(r"\b(TALLY_[A-Z0-9_]+) = \d", TEXT)
    assert len(constants) > 20
    assert sorted(dir(lib)) == sorted([*NAMES, *constants])
    for name in constants:
        value = re.search(rf"\b{name} = (\d+)", TEXT)
        assert value is not None
        assert getattr(lib, name) == int(value[1])


def test_header_library_and_package_have_one_version() -> None:
    (header,) = re.findall(r'^#define TALLY_VERSION "(.*)"$', TEXT, flags=re.MULTILINE)
    assert header == __version__ == ffi.string(lib.tally_version()).decode()


# Functions of handles that need no pointer, or take NULL for nothing.
WITHOUT_POINTERS = {
    "tally_counter_update",
    "tally_counter_reset",
    "tally_counter_withhold",
    "tally_bins_compact",
    "tally_counter_conclude",
    "tally_governor_learn",
    "tally_governor_set_thermal",
    "tally_governor_set_headroom",
    "tally_offload_computed",
    "tally_link_welcomed",
    "tally_link_sent",
    "tally_link_answered",
    "tally_link_lost",
    "tally_waiting_start",
    "tally_waiting_wait",
    "tally_waiting_compute",
    "tally_waiting_saved",
}
# How many of the others each handle has.
METHODS = {
    "preprocessor": 1,
    "decoder": 1,
    "counter": 21,
    "governor": 4,
    "sampler": 3,
    "offload": 3,
    "link": 2,
    "waiting": 1,
    "late": 2,
    "bins": 3,
}


@pytest.mark.parametrize("kind", METHODS)
def test_a_live_handle_refuses_nulls_and_says_why(kind: str) -> None:
    out = ffi.new(f"tally_{kind} **")
    create = getattr(lib, f"tally_{kind}_create")
    if kind == "preprocessor":
        assert create(out) == lib.TALLY_OK
    else:
        assert create(options(kind), out, ffi.NULL, 0) == lib.TALLY_OK
    handle = ffi.gc(out[0], getattr(lib, f"tally_{kind}_destroy"))
    tried = 0
    for result, name, text in FUNCTIONS:
        first, *others = arguments(text) or [""]
        if result.strip() != "tally_status" or not first.startswith(f"tally_{kind}* "):
            continue
        if name in WITHOUT_POINTERS:
            continue
        rest = [ffi.NULL if is_pointer(a) else 1 for a in others]
        assert getattr(lib, name)(handle, *rest) == lib.TALLY_INVALID_ARGUMENT, name
        assert ffi.string(getattr(lib, f"tally_{kind}_error")(handle)), name
        tried += 1
    assert tried == METHODS[kind]


def test_statuses_have_names_and_texts() -> None:
    for status, name in enumerate(STATUSES):
        assert getattr(lib, f"TALLY_{name.upper()}") == status
        assert len(ffi.string(lib.tally_status_text(status))) > 5
    assert names(lib.tally_status_name) == STATUSES
    for unknown in (-1, len(STATUSES)):
        assert lib.tally_status_name(unknown) == lib.tally_status_text(unknown) == ffi.NULL


def test_reasons_have_names_and_texts() -> None:
    numbers = {name: getattr(lib, name) for name in dir(lib) if name.startswith("TALLY_REASON_")}
    assert len(set(numbers.values())) == len(numbers) > 20
    for name, number in numbers.items():
        assert f"TALLY_REASON_{ffi.string(lib.tally_reason_name(number)).decode()}".upper() == name
        assert len(ffi.string(lib.tally_reason_text(number))) > 5
    for unknown in (-1, 1 + max(numbers.values())):
        assert lib.tally_reason_name(unknown) == lib.tally_reason_text(unknown) == ffi.NULL


def test_names_of_regions_and_events() -> None:
    assert names(lib.tally_region_kind) == ("line", "zone")
    assert names(lib.tally_region_total_name, b"line") == ("in", "out")
    assert names(lib.tally_region_total_name, b"zone") == ("now", "entered", "left")
    assert names(lib.tally_region_value_name, b"line") == ("nearest",)
    assert names(lib.tally_region_value_name, b"zone") == ("mean_dwell_s", "max_dwell_s")
    assert lib.tally_region_total_name(b"queue", 0) == ffi.NULL
    kinds = names(lib.tally_event_kind_name)
    for number, kind in enumerate(kinds):
        assert getattr(lib, f"TALLY_{kind.upper()}") == number
    regions = [lib.tally_event_region_kind(number) for number in range(len(kinds))]
    assert [r != ffi.NULL and ffi.string(r).decode() for r in regions] == [
        False, "line", "line", "zone", "zone", False,
    ]  # fmt: skip


# ---- struct_size -----------------------------------------------------------------------------

SIZED = re.findall(r"typedef struct (tally_\w+) \{\s*uint32_t struct_size;", TEXT)


@pytest.mark.slow
def test_a_c_program_counts_and_meets_structs_of_other_versions(tmp_path: Path) -> None:
    build_c(tmp_path, (Path(__file__).parent / "c_test.c").read_text(encoding="utf-8"))
    assert run(tmp_path / "program") == "c: 0 failed\n"


def test_structs_that_can_grow() -> None:
    assert set(SIZED) == {
        "tally_image",
        "tally_tensor",
        "tally_head",
        "tally_decoder_options",
        "tally_counter_options",
        "tally_region_options",
        "tally_diagnostics",
        "tally_governor_options",
        "tally_governor_state",
        "tally_sampler_options",
        "tally_sampler_state",
        "tally_offload_options",
        "tally_offload_facts",
        "tally_offload_static_facts",
        "tally_link_options",
        "tally_link_state",
        "tally_waiting_options",
        "tally_late_options",
        "tally_bins_options",
        "tally_model_tensor",
    }


@pytest.mark.parametrize("kind", [kind for kind in (*METHODS, "region") if kind != "preprocessor"])
def test_defaults_are_filled_as_far_as_the_struct_goes(kind: str) -> None:
    given, whole = struct(f"{kind}_options"), options(kind)
    fill = getattr(lib, f"tally_{kind}_defaults")
    last, field = ffi.typeof(given).item.fields[-1]
    given.struct_size = field.offset
    assert fill(given) == lib.TALLY_OK
    assert given.struct_size == field.offset
    for name, _ in ffi.typeof(given).item.fields[1:-1]:
        assert getattr(given, name) == getattr(whole, name), name
    value = getattr(given, last)
    assert not any(value) if isinstance(value, ffi.CData) else value == 0
    for size in (0, field.offset + 1, ffi.sizeof(f"tally_{kind}_options") + 4):
        given.struct_size = size
        assert fill(given) == lib.TALLY_UNSUPPORTED_SIZE


@pytest.mark.parametrize(("size", "status"), [(0, 7), (1 << 20, 7), (8, 1)])
def test_sizes_of_images_and_heads(size: int, status: int) -> None:
    """Fields that an earlier version lacks are 0 or NULL, and then out of bounds."""
    preprocessor, decoder = ffi.new("tally_preprocessor **"), ffi.new("tally_decoder **")
    letterbox, found = ffi.new("tally_letterbox *"), ffi.new("tally_detection[]", 300)
    assert lib.tally_preprocessor_create(preprocessor) == lib.TALLY_OK
    assert lib.tally_decoder_create(options("decoder"), decoder, ffi.NULL, 0) == lib.TALLY_OK
    letterbox.gain_x = letterbox.gain_y = 1
    image, tensor = struct("image"), struct("tensor")
    image.struct_size = size
    head = struct("head")
    head.struct_size = size
    run_image, run_head = lib.tally_preprocessor_run, lib.tally_decoder_run
    assert run_image(preprocessor[0], image, tensor, letterbox) == status
    count = ffi.new("int32_t *")
    assert run_head(decoder[0], head, 1, letterbox, found, 300, count) == status
    lib.tally_preprocessor_destroy(preprocessor[0])
    lib.tally_decoder_destroy(decoder[0])
