"""Changed copies of real checkpoints: nothing runs, no traceback, bounded time and memory.

    python benchmarks/mutations.py [FILE ...] [--count 1000] [--seed N] [--seconds S] [--json FILE]
                                   [--keep FOLDER]

Every file (default: all of checkpoints/wild in TALLYLENS_DATA) is changed `--count` times and read:
bytes anywhere, bytes of the pickle in a sound zip, other names and numbers in the
pickle, fields of the ONNX graph, cut ends, parts moved. A copy must be read or refused with one of
tallylens's errors in one printable line. A detector is written as ONNX. The interpreter's audit
hooks (PEP 578) report all that the reader does; a process has a limit on its memory. --seconds ends
the run early, --keep keeps the copies that failed. The exit status is 1 where there is one.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.load import load
from tallylens.edge_runtime.errors import TallyLensError

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
WILD = DATA / "checkpoints" / "wild"
SIZE = (64, 64)
MAX_SECONDS = 60
MAX_MEMORY = 2 << 30
NUMBERS = (0, 1, 2, 3, 7, 255, 256, 4096, 65_535, 1 << 20, (1 << 31) - 1)
ACTING = (
    *("os system", "posix system", "builtins eval", "builtins exec", "builtins getattr"),
    *("subprocess Popen", "importlib import_module", "torch load", "torch.hub load"),
    *("numpy load", "pathlib Path", "runpy run_path", "models.common Missing"),
)
# Reports of any reading of a file, and of numpy under it.
_HARMLESS = ("gc.", "object.", "builtins.id", "sys._getframe", "open", "numpy.", "code.__new__")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Watch:
    """Notes what the interpreter reports while something is read: imports, calls, processes."""

    def __init__(self) -> None:
        self.events: list[str] | None = None
        self.folder = ""
        sys.addaudithook(self._report)

    def _report(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.events is None:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int):
                return  # a descriptor, whose file was reported when it was opened
            if flags & _WRITES or not str(path).startswith(self.folder):
                self.events.append(f"open {path}")
        elif event == "compile" and arguments[1] == "<unknown>":
            pass  # ast.literal_eval of a class name: parsed, and never run
        elif not event.startswith(_HARMLESS):
            self.events.append(event)

    @contextmanager
    def over(self, folder: Path) -> Iterator[list[str]]:
        """The events of the block; files of `folder` may be read."""
        self.folder, self.events = str(folder), []
        events = self.events
        try:
            yield events
        finally:
            self.events = None


@dataclass
class Result:
    """How the copies of one file ended."""

    name: str
    copies: int = 0
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    memory_mb: float = 0.0

    def row(self) -> dict[str, Any]:
        """The columns of the table."""
        return {
            "file": self.name,
            "copies": self.copies,
            "read": self.read,
            "refused": self.refused.total(),
            "unsafe": self.refused["UnsafeModelError"],
            "failed": len(self.failures),
            "slowest s": round(self.slowest_s, 2),
            "peak MB": round(self.memory_mb),
        }


# Changes of bytes, whatever they mean.


def _bytes(data: bytes, chance: random.Random) -> bytes:
    """One to six bytes replaced."""
    start, width = chance.randrange(len(data)), chance.randint(1, 6)
    return data[:start] + chance.randbytes(width) + data[start + width :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data))]


def _moved(data: bytes, chance: random.Random) -> bytes:
    """A part of up to 64 bytes repeated, removed or put elsewhere."""
    start = chance.randrange(len(data))
    part, rest = data[start : start + chance.randint(1, 64)], data
    if chance.random() < 0.6:
        rest = data[:start] + data[start + len(part) :]
    if chance.random() < 0.6:
        position = chance.randrange(len(rest) or 1)
        rest = rest[:position] + part + rest[position:]
    return rest


def _numbers(data: bytes, chance: random.Random) -> bytes:
    """A pickled number replaced by another of the same width."""
    found = [(m.start(), m[0][:1]) for m in re.finditer(rb"K.|M..|J....", data, re.DOTALL)]
    if not found:
        return _bytes(data, chance)
    start, opcode = chance.choice(found)
    width = {b"K": 1, b"M": 2, b"J": 4}[opcode]
    number = chance.choice(NUMBERS) % (1 << 8 * width)
    return data[: start + 1] + number.to_bytes(width, "little") + data[start + 1 + width :]


def _names(data: bytes, chance: random.Random) -> bytes:
    """The name of a class replaced by another one of the file, or by one that acts."""
    found = list(re.finditer(rb"c([\w.]+)\n(\w+)\n", data))
    if not found:
        return _bytes(data, chance)
    old = chance.choice(found)
    new = chance.choice([b"%s\n%s" % one.groups() for one in found])
    if chance.random() < 0.5:
        new = chance.choice(ACTING).replace(" ", "\n").encode()
    return data[: old.start()] + b"c" + new + b"\n" + data[old.end() :]


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_bytes, _cut, _moved)
PICKLE_CHANGES = (_bytes, _moved, _numbers, _names)


def mutated_checkpoint(data: bytes, chance: random.Random) -> bytes:
    """A changed copy; the pickle's changes keep the zip sound, so that they are seen."""
    if chance.random() < 0.25:
        return chance.choice(CHANGES)(data, chance)
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    pickles = [one.filename for one in source.infolist() if one.filename.endswith("data.pkl")]
    with zipfile.ZipFile(target, "w") as copy:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == pickles[0]:
                for _ in range(chance.randint(1, 2)):
                    content = chance.choice(PICKLE_CHANGES)(content, chance)
            copy.writestr(zipfile.ZipInfo(info.filename), content, info.compress_type)
    return target.getvalue()


def mutated_onnx(data: bytes, chance: random.Random) -> bytes:
    """A changed copy; half of them are sound protobufs with other contents."""
    if chance.random() < 0.5:
        return chance.choice(CHANGES)(data, chance)
    import onnx

    model = onnx.ModelProto.FromString(data)
    for _ in range(chance.randint(1, 2)):
        chance.choice((_node, _shape, _tensor, _property))(model, chance)
    changed: bytes = model.SerializeToString()
    return changed


def _node(model: Any, chance: random.Random) -> None:
    """Another operator, attribute or input."""
    node = chance.choice(model.graph.node)
    other = chance.choice(model.graph.node)
    kind = chance.randrange(5)
    if kind == 0:
        node.op_type = chance.choice((other.op_type, "Loop", "If", "X" * 300))
    elif kind == 1 and node.attribute:
        attribute = chance.choice(node.attribute)
        attribute.i = chance.choice((*NUMBERS, -1, -(1 << 62), 1 << 62))
        if attribute.ints:
            attribute.ints[chance.randrange(len(attribute.ints))] = attribute.i
    elif kind == 2 and node.input and other.output:
        node.input[chance.randrange(len(node.input))] = other.output[0]
    elif kind == 3 and node.input:
        node.input.pop()
    else:
        model.graph.node.remove(node)


def _shape(model: Any, chance: random.Random) -> None:
    """Another size of an input or output."""
    value = chance.choice((*model.graph.input, *model.graph.output))
    dims = value.type.tensor_type.shape.dim
    if dims:
        chance.choice(dims).dim_value = chance.choice((*NUMBERS, -1, 1 << 62))


def _tensor(model: Any, chance: random.Random) -> None:
    """Another shape, type, source or content of the weights."""
    if not model.graph.initializer:
        return
    tensor = chance.choice(model.graph.initializer)
    kind = chance.randrange(4)
    if kind == 0 and tensor.dims:
        axis = chance.randrange(len(tensor.dims))
        tensor.dims[axis] = chance.choice((*NUMBERS, -1, 1 << 40))
    elif kind == 1:
        tensor.data_type = chance.randrange(24)
    elif kind == 2:
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", chance.choice(("/etc/passwd", "../x", "weights.data"))
        tensor.data_location = 1
    elif tensor.raw_data:
        tensor.raw_data = _bytes(tensor.raw_data, chance)


def _property(model: Any, chance: random.Random) -> None:
    """Other names, strides or opset."""
    if model.metadata_props and chance.random() < 0.7:
        entry = chance.choice(model.metadata_props)
        entry.value = chance.choice(
            ("{" * 1000, "[" + "'a'," * 90_000 + "]", "__import__('os').system('x')", "")
        )
    else:
        model.opset_import[0].version = chance.choice((0, 1, 8, 9, 13, 26, 27, 1 << 40))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A changed copy of a checkpoint or an ONNX file."""
    change = mutated_checkpoint if data.startswith(b"PK") else mutated_onnx
    return change(data, chance) or b"\0"


# Reading the copies.


def attempt(path: Path, watch: Watch) -> tuple[str, str]:
    """("read" or the error's class, what is wrong with that or "")."""
    with watch.over(path.parent) as events:
        try:
            graph = load(path, input_size=SIZE)
            outcome, text = "read", ""
        except TallyLensError as error:
            outcome, text = type(error).__name__, str(error)
        except Exception:
            return "traceback", traceback.format_exc(limit=-4)
    if events:
        return outcome, f"the reader did more than read: {sorted(set(events))[:5]}"
    if not text.isprintable() or len(text) > 4000:
        return outcome, f"no line to print: {text[:300]!r}"
    if outcome == "read":
        try:
            emit_onnx(graph)
        except TallyLensError as error:
            return type(error).__name__, ""
        except Exception:
            return "traceback", traceback.format_exc(limit=-4)
    return outcome, ""


class TooLongError(Exception):
    """The reader has used up its time."""


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TooLongError


def run(source: Path, watch: Watch, options: argparse.Namespace) -> Result:
    """Read changed copies of `source`; the first, unchanged, imports what reading needs."""
    data, result = source.read_bytes(), Result(source.name)
    chance = random.Random(f"{options.seed} {source.name}")
    ends = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"copy{source.suffix}"
        path.write_bytes(data)
        for beside in source.parent.glob(f"{source.name}.data"):  # weights of an ONNX file
            shutil.copy(beside, temporary)
        b"x".decode("cp437")  # the names of a zip's members
        attempt(path, watch)
        signal.signal(signal.SIGALRM, _too_long)
        while result.copies < options.count and time.monotonic() < ends:
            copy = mutated(data, chance)
            path.write_bytes(copy)
            start = time.perf_counter()
            signal.alarm(MAX_SECONDS)
            outcome, wrong = attempt(path, watch)
            signal.alarm(0)
            result.slowest_s = max(result.slowest_s, time.perf_counter() - start)
            result.copies += 1
            result.read += outcome == "read"
            if outcome != "read":
                result.refused[outcome] += 1
            if wrong:
                result.failures.append(f"copy {result.copies}: {wrong}")
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{result.copies}-{source.name}").write_bytes(copy)
    result.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return result


def in_a_process(source: Path, options: argparse.Namespace) -> Result:
    """`run` in a process of limited memory."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        with os.fdopen(reader, "rb") as answers:
            answer = answers.read()
        _, status = os.waitpid(child, 0)
        if not answer:
            return Result(source.name, failures=[f"the process ended with {status}"])
        fields = json.loads(answer)
        return Result(**fields | {"refused": Counter(fields["refused"])})
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
        warnings.simplefilter("ignore")
        answer = json.dumps(vars(run(source, Watch(), options))).encode()
        with os.fdopen(writer, "wb") as answers:
            answers.write(answer)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def show(results: list[Result]) -> None:
    """The table, and every failure."""
    table = Table(title="changed copies", title_justify="left")
    for key in Result("").row():
        table.add_column(key)
    for result in results:
        table.add_row(*map(str, result.row().values()))
    Console(width=140).print(table)
    for result in results:
        for failure in result.failures:
            print(f"{result.name}: {failure}")


def main() -> int:
    """Change, read, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="copies of each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9, help="at most for each file")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    files = options.files or sorted(
        path for path in WILD.iterdir() if path.suffix in (".pt", ".onnx", ".torchscript")
    )
    results = []
    for number, path in enumerate(files, 1):
        results.append(in_a_process(path, options))
        lines = [f"{number}/{len(files)} {results[-1].row()}", *results[-1].failures]
        print("\n".join(lines), file=sys.stderr, flush=True)
    show(results)
    if options.json:
        options.json.write_text(json.dumps([vars(one) for one in results], indent=2))
    return int(any(one.failures for one in results))


if __name__ == "__main__":
    sys.exit(main())
