from __future__ import annotations

import subprocess
import sys

import pytest

import tallylens

HEAVY = ("numpy", "cv2", "tensorflow", "onnx", "onnx_ir", "onnxruntime", "ai_edge_litert", "rich")


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python holds after running `code`."""
    script = f"import sys\n{code}\nprint('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return {line.partition(".")[0] for line in done.stderr.split()}


def test_importing_the_package_takes_nothing_heavy_with_it() -> None:
    assert modules_after("import tallylens; tallylens.__version__").isdisjoint(HEAVY)


def test_errors_and_their_tree_are_light() -> None:
    assert modules_after("from tallylens import TallyLensError").isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["count", "--help"], ["count"]])
def test_help_takes_nothing_heavy_with_it(arguments: list[str]) -> None:
    code = (
        "from tallylens.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "assert 'tallylens.commands.count' in sys.modules"
    )
    assert modules_after(code).isdisjoint(HEAVY)


def test_python_dash_m_runs_the_command_line() -> None:
    command = [sys.executable, "-m", "tallylens", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"tallylens {tallylens.__version__}\n"
    assert done.stderr == ""


@pytest.mark.parametrize("name", tallylens.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tallylens, name) is not None
    assert name in dir(tallylens)


def test_all_is_sorted_and_without_repeats() -> None:
    assert tallylens.__all__ == sorted(set(tallylens.__all__))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'tallylens' has no attribute 'Conuter'"):
        getattr(tallylens, "Conuter")  # noqa: B009
    with pytest.raises(ImportError):
        exec("from tallylens import Conuter")


def test_one_error_tree() -> None:
    public = [getattr(tallylens, name) for name in tallylens.__all__ if name.endswith("Error")]
    assert len(public) == 16
    assert all(issubclass(one, tallylens.TallyLensError) for one in public)
    assert {one.exit_status for one in public} == {1, 2, 3, 4}
