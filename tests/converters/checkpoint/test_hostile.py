"""Files that want more than to be read. Nothing of what they ask for may happen."""

from __future__ import annotations

import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallylens.converters.checkpoint import allowed, pickle_machine
from tallylens.converters.checkpoint.importer import load_checkpoint
from tallylens.converters.checkpoint.values import ITEM_TYPES, Storage, Tensor
from tallylens.edge_runtime.errors import (
    ModelError,
    TallyLensError,
    UnsafeModelError,
    UnsupportedModelError,
)
from tests.support.torch_checkpoint import Call, SmallNet, Thing, TorchFile

PROTO = b"\x80\x02"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(dotted: str) -> bytes:
    module, _, last = dotted.rpartition(".")
    return f"c{module}\n{last}\n".encode()


CONV = name("models.common.Conv")


class Watch:
    """Notes what the interpreter reports (PEP 578): imports, calls of exec, files, processes."""

    def __init__(self) -> None:
        self.events: list[str] | None = None
        sys.addaudithook(self._report)

    def _report(self, event: str, _: object) -> None:
        if self.events is not None and not event.startswith(("gc.", "object.")):
            self.events.append(event)


@pytest.fixture(scope="session")
def watch() -> Watch:
    return Watch()


@pytest.fixture
def nothing_runs(watch: Watch) -> Callable[[bytes], ModelError]:
    """Load a pickle that must be refused, and see that the interpreter did nothing for it."""

    def check(data: bytes) -> ModelError:
        machine = pickle_machine.PickleMachine("x.pt", lambda key: 64 if key == "0" else None)
        watch.events = []
        try:
            machine.load(data)
        except ModelError as error:
            caught = error
        else:
            pytest.fail("the pickle was accepted")
        finally:
            events, watch.events = watch.events, None
        assert events == []
        return caught

    return check


def test_the_watch_sees_what_a_real_unpickler_would_do(watch: Watch) -> None:
    watch.events = []
    pickle.loads(PROTO + name("os.getcwd") + b")R.")
    events, watch.events = watch.events, None
    assert "pickle.find_class" in events


CALLS = {
    "os.system": name("os.system") + text("touch sentinel") + b"\x85R.",
    "posix.system": name("posix.system") + text("touch sentinel") + b"\x85R.",
    "builtins.eval": name("builtins.eval") + text("1+1") + b"\x85R.",
    "builtins.exec": name("builtins.exec") + text("import this") + b"\x85R.",
    "__builtin__.eval": name("__builtin__.eval") + text("1+1") + b"\x85R.",
    "importlib.import_module": name("importlib.import_module") + text("this") + b"\x85R.",
    "pkgutil.resolve_name": name("pkgutil.resolve_name") + text("os:system") + b"\x85R.",
    "builtins.getattr": name("builtins.getattr") + CONV + text("__init__") + b"\x86R.",
    "operator.attrgetter": name("operator.attrgetter") + text("system") + b"\x85R.",
    "functools.partial": name("functools.partial") + CONV + b"\x85R.",
    "pickle.loads": name("pickle.loads") + text("cos\nsystem\n.") + b"\x85R.",
    "numpy.load": name("numpy.load") + text("/etc/passwd") + b"\x85R.",
    "runpy._run_code": name("runpy._run_code") + text("1") + b"\x85R.",
    "collections.namedtuple": name("collections.namedtuple") + text("x") + b"\x85R.",
    "models.common.os": name("models.common.os") + b")R.",
    "models.common.Conv.__init__": b"\x8c\x0dmodels.common" + b"\x8c\x0dConv.__init__" + b"\x93.",
    "stack global": text("os") + text("system") + b"\x93" + text("touch sentinel") + b"\x85R.",
}


@pytest.mark.parametrize("kind", CALLS)
def test_names_outside_the_list_are_refused_when_mentioned(kind: str, nothing_runs: Any) -> None:
    error = nothing_runs(PROTO + CALLS[kind])
    dotted = "os.system" if kind == "stack global" else kind
    assert dotted in error.problem
    assert "Do not use" in error.remedy or isinstance(error, UnsupportedModelError)


NAMES = [
    *(f"models.common.{kind}" for kind in allowed.MODULES),
    "yolov5.models.common.C3",
    "src.detector.models.yolo.DetectionModel",
    "yolo_pruned.ModelPruned",
    "some.project.blocks.NewBlock",
    "__main__.Options",
    "argparse.Namespace",
    "datetime.datetime",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.dtypes.Float64DType",
    "numpy.float64",
    "numpy.ndarray",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._abc.PurePosixPath",
    "pathlib._local.PosixPath",
    "torch.device",
    "torch.float16",
    "torch.nn.modules.loss.BCEWithLogitsLoss",
    "torch.optim.sgd.SGD",
    "ultralytics.utils.IterableSimpleNamespace",
]


@pytest.mark.parametrize(
    "dotted",
    [
        "numpy.f2py.compile",
        "numpy.testing._private.utils.runstring",
        "pathlib._local.PosixPath.write_text",
        "pathlib.os",
        "torch.hub.load",
        "torch.load",
        "types.FunctionType",
        "types.CodeType",
        "webbrowser.open",
        "system",
        "some.project.__class__",
        "pip._internal.cli.main.main",
    ],
)
def test_names_that_act_are_refused_when_mentioned(dotted: str, nothing_runs: Any) -> None:
    error = nothing_runs(PROTO + name(dotted) + b".")
    assert isinstance(error, UnsafeModelError) or dotted.startswith("torch.")


def test_a_function_of_a_project_may_be_mentioned_but_not_called(nothing_runs: Any) -> None:
    error = nothing_runs(PROTO + name("some.project.train") + b")R.")
    assert isinstance(error, UnsafeModelError)
    assert "calls some.project.train" in error.problem


def test_getattr_of_a_method_is_inert() -> None:
    """A segmentation head keeps `Detect.forward` as an attribute."""
    detect = name("models.yolo.Detect")
    value = load_pickle(PROTO + name("builtins.getattr") + detect + text("forward") + b"\x86R.")
    assert value.kind == "models.yolo.Detect.forward"


@pytest.mark.parametrize("owner", [text("os"), b"N", name("models.yolo.Detect") + b")\x81"])
def test_getattr_of_anything_but_a_class_is_refused(owner: bytes, nothing_runs: Any) -> None:
    nothing_runs(PROTO + name("builtins.getattr") + owner + text("system") + b"\x86R.")


OPCODES = {
    "INST": b"(" + text("x") + b"imodels.common\nConv\n.",
    "OBJ": b"(" + CONV + b"o.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\x00.",
    "EXT4": b"\x84\x01\x00\x00\x00.",
    "PERSID": b"Pstorage\n.",
    "NEWOBJ_EX": CONV + b")}\x92.",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 1) + b"x.",
    "NEXT_BUFFER": b"\x97.",
    "LONG4": b"\x8b" + struct.pack("<i", 4) + b"aaaa.",
    "STRING": b"S'os'\n.",
}


@pytest.mark.parametrize("kind", OPCODES)
def test_opcodes_that_torch_never_writes_are_refused(kind: str, nothing_runs: Any) -> None:
    error = nothing_runs(PROTO + OPCODES[kind])
    assert isinstance(error, UnsafeModelError)
    assert f"uses {kind}," in error.problem


REBUILD = name("torch._utils._rebuild_tensor_v2")
STORAGE = b"(" + text("storage") + name("torch.FloatStorage") + text("0") + text("cpu") + b"K\x10tQ"


def tensor(
    offset: bytes = b"K\x00", shape: bytes = b"K\x10\x85", strides: bytes = b"K\x01\x85"
) -> bytes:
    return REBUILD + b"(" + STORAGE + offset + shape + strides + b"\x89}tR."


def number(value: int) -> bytes:
    return b"\x8a" + bytes([9]) + value.to_bytes(9, "little", signed=True)


TRICKS = {
    "reduce of a module class": CONV + b")R.",
    "reduce of a record": CONV + b")\x81)R.",
    "reduce of text": text("os.system") + b")R.",
    "reduce without a tuple": name("collections.OrderedDict") + b"]R.",
    "odd arguments of an allowed name": REBUILD + text("x") + b"\x85R.",
    "parameter of a class": name("torch._utils._rebuild_parameter") + CONV + b"\x89}\x87R.",
    "ordered dict of a class": name("collections.OrderedDict") + CONV + b"\x85R.",
    "bytes in another encoding": name("_codecs.encode") + text("x") + text("zip") + b"\x86R.",
    "object of a function": REBUILD + b")\x81.",
    "object of a record": CONV + b")\x81)\x81.",
    "build on a class": CONV + b"}" + text("__reduce__") + text("x") + b"sb.",
    "build with slots on a class": CONV + b"N}" + text("__call__") + CONV + b"s\x86b.",
    "build on a function": REBUILD + b"}" + text("__code__") + b"Nsb.",
    "build on a list": b"]}" + text("append") + b"Nsb.",
    "build a module from a tuple": CONV + b")\x81" + b"N}\x86b.",
    "memo of nothing": b"h\x05.",
    "key that is a class": b"}" + CONV + b"Ns.",
    "key that is a tuple": b"})Ns.",
    "append to a class": CONV + b"Na.",
    "items of a list": b"]NNs.",
    "stack underflow": b"0.",
    "mark underflow": b"t.",
    "tuple underflow": b"N\x87.",
    "no end": b"N",
    "storage of another word": STORAGE.replace(b"storage", b"Storage") + b".",
    "storage id that is not a tuple": b"NQ.",
    "storage of a module": STORAGE.replace(b"torch\nFloatStorage", b"models.common\nConv") + b".",
    "storage that is missing": STORAGE.replace(text("0"), text("1")) + b".",
    "storage in a parent folder": STORAGE.replace(text("0"), text("../../etc/passwd")) + b".",
    "storage larger than its member": STORAGE.replace(b"K\x10", b"K\x11") + b".",
    "storage of negative size": STORAGE.replace(b"K\x10", b"J\xff\xff\xff\xff") + b".",
    "storage of huge size": STORAGE.replace(b"K\x10", number(1 << 62)) + b".",
    "tensor beyond its storage": tensor(offset=b"K\x01"),
    "tensor too long": tensor(shape=b"K\x11\x85"),
    "negative offset": tensor(offset=b"J\xff\xff\xff\xff"),
    "negative stride": tensor(strides=b"J\xff\xff\xff\xff\x85"),
    "negative size": tensor(shape=b"J\xff\xff\xff\xff\x85"),
    "huge stride": tensor(strides=number(1 << 62) + b"\x85"),
    "product of sizes overflows": tensor(
        shape=number(1 << 33) + number(1 << 33) + b"\x86", strides=b"K\x01K\x01\x86"
    ),
    "size of text": tensor(shape=text("x") + b"\x85"),
    "size that is true": tensor(shape=b"\x88\x85"),
    "ranks that differ": tensor(strides=b"K\x01K\x01\x86"),
    "nine dimensions": tensor(shape=b"(" + b"K\x01" * 9 + b"t", strides=b"(" + b"K\x01" * 9 + b"t"),
}


@pytest.mark.parametrize("kind", TRICKS)
def test_tricks_with_allowed_names_are_refused(kind: str, nothing_runs: Any) -> None:
    nothing_runs(PROTO + TRICKS[kind])


def load_pickle(data: bytes) -> Any:
    return pickle_machine.PickleMachine("x.pt", lambda key: 64 if key == "0" else None).load(data)


def test_special_attribute_names_stay_plain_keys() -> None:
    keys = ("__class__", "__dict__", "__setstate__", "__reduce__", "__getattr__")
    state = b"}(" + b"".join(text(key) + CONV for key in keys) + b"u"
    first = load_pickle(PROTO + CONV + b")\x81" + state + b"b.")
    assert set(first.state) == set(keys)
    assert type(first).__name__ == "Record"
    assert load_pickle(PROTO + CONV + b")\x81.").state == {}


def test_a_sentinel_file_is_never_written(torch_file: TorchFile, tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    calls = [
        Call("os.system", f"touch {sentinel}"),
        Call("builtins.exec", f"open({str(sentinel)!r}, 'w')"),
        Call("subprocess.check_call", ["touch", str(sentinel)]),
        Thing("subprocess.Popen", {"args": ["touch", str(sentinel)]}),
    ]
    for call in calls:
        path = torch_file.save(tmp_path / "evil.pt", {"model": call})
        with pytest.raises(UnsafeModelError, match="nothing was run"):
            load_checkpoint(path)
    assert not sentinel.exists()


def test_hostile_names_cannot_write_to_the_terminal() -> None:
    with pytest.raises(UnsafeModelError) as caught:
        load_pickle(PROTO + b"cos\x1b[2J\nsystem\x07" + b"x" * 500 + b"\n.")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.slow
def test_a_million_entries_are_quick_or_refused() -> None:
    with pytest.raises(UnsafeModelError, match="more than 2000000 steps"):
        load_pickle(PROTO + b"](" + b"N" * 2_100_000 + b"e.")


@pytest.mark.slow
def test_deep_nesting_is_harmless() -> None:
    for opening, closing in ((b"]", b"a"), (b"N\x85", b"")):
        depth = 200_000
        value = load_pickle(PROTO + opening * depth + closing * (depth - 1) + b".")
        assert type(value) in (list, tuple)
        del value


def test_tuples_that_double_are_never_walked() -> None:
    doubling = b"N" + b"q\x00h\x00\x86" * 200
    assert type(load_pickle(PROTO + doubling + b".")) is tuple
    with pytest.raises(UnsafeModelError, match="key that is neither"):
        load_pickle(PROTO + b"}" + doubling + b"Ns.")


def test_a_tensor_that_repeats_its_storage_is_not_unfolded() -> None:
    view = Tensor(Storage("torch.FloatStorage", "0", 4), 0, (1 << 20, 1 << 20), (0, 0))
    with pytest.raises(ValueError, match="larger than its storage"):
        view.read(b"\0" * 16)


def test_a_module_that_contains_itself_ends(small_net: SmallNet, tmp_path: Path) -> None:
    def looped(net: Any) -> Any:
        module = net.file.module("torch.nn.modules.container.Sequential")
        module.state["_modules"] = {str(index): module for index in range(30)}
        return module, None

    path = small_net.file.save(tmp_path / "x.pt", {"model": small_net.model(looped)})
    with pytest.raises(ModelError):
        load_checkpoint(path)


def test_weights_used_again_and_again_are_refused(small_net: SmallNet, tmp_path: Path) -> None:
    def repeated(net: Any) -> Any:
        module, _ = net.conv(4, 4)
        return net.file.module("torch.nn.modules.container.Sequential", [module] * 900), None

    path = small_net.file.save(tmp_path / "x.pt", {"model": small_net.model(repeated)})
    with pytest.raises(UnsafeModelError, match="more often than it holds them"):
        load_checkpoint(path)


def test_every_allowed_name_is_inert() -> None:
    """Mentioning, making and calling what is known or inert gives data or an error."""
    for dotted in sorted({*NAMES, *allowed.REBUILDERS, *ITEM_TYPES}):
        assert not allowed.is_acting(dotted)
        for use in (b"", b")R", b")\x81", b"NR", text("touch sentinel") + b"\x85R"):
            try:
                value = load_pickle(PROTO + name(dotted) + use + b".")
            except ModelError:
                continue
            assert type(value).__name__ in ("Name", "Record", "dict", "set", "tuple", "bytes")


# The zip around it.


def rewrite(path: Path, change: Any) -> Path:
    path.write_bytes(change(path.read_bytes()))
    return path


def test_truncated_anywhere(small_checkpoint: Path) -> None:
    whole = small_checkpoint.read_bytes()
    for length in range(0, len(whole), 37):
        small_checkpoint.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="truncated or damaged"):
            load_checkpoint(small_checkpoint)


def test_compressed_members_are_refused(torch_file: TorchFile, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("best/data.pkl", torch_file.pickled({}))
        archive.writestr("best/data/0", b"\0" * 50_000_000)
    with pytest.raises(UnsafeModelError, match="compressed members"):
        load_checkpoint(path)


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlap.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("best/data.pkl", b"x" * 5000)
        archive.writestr("best/data/0", b"x" * 5000)

    def move(data: bytes) -> bytes:
        entry = data.rindex(b"PK\x01\x02")
        return data[: entry + 42] + struct.pack("<I", 0) + data[entry + 46 :]

    with pytest.raises(UnsafeModelError, match="overlap"):
        load_checkpoint(rewrite(path, move))


def test_a_directory_that_claims_too_much_is_not_read(small_checkpoint: Path) -> None:
    def claim(data: bytes) -> bytes:
        return data[:-10] + struct.pack("<I", 1 << 30) + data[-6:]

    with pytest.raises(UnsafeModelError, match="far too many members"):
        load_checkpoint(rewrite(small_checkpoint, claim))


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ({"readme.md": b""}, ModelError, "not one that torch.save wrote"),
        ({"images.npy": b""}, UnsupportedModelError, "an archive of NumPy arrays"),
        ({"model.weights.h5": b""}, UnsupportedModelError, "a Keras model"),
        ({"x.mlpackage/Data/model.mlmodel": b""}, UnsupportedModelError, "zipped Core ML package"),
        ({"runs/weights/best.pt": b""}, UnsupportedModelError, "a checkpoint in it: unpack it"),
        ({"frames/1.JPG": b""}, UnsupportedModelError, "images or texts"),
        ({"a/data.pkl": b"", "b/data.pkl": b""}, ModelError, "not one that torch.save wrote"),
        ({"a/b/data.pkl": b""}, ModelError, "not one that torch.save wrote"),
        ({"a/data.pkl": b"", "a/code/x.py": b""}, UnsupportedModelError, "TorchScript"),
        ({"a/data.pkl": b"", "a/byteorder": b"big"}, UnsupportedModelError, "big-endian"),
        ({"a/data.pkl": b""}, ModelError, "pickle is damaged"),
        ({"a/data.pkl": b"not a pickle"}, ModelError, "."),
        ({"a/data.pkl": b"", "a/" + "x" * 400: b""}, UnsafeModelError, "overlong"),
    ],
)
def test_other_zips(
    tmp_path: Path, members: dict[str, bytes], error: type[ModelError], message: str
) -> None:
    path = tmp_path / "other.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(error, match=message) as caught:
        load_checkpoint(path)
    assert ("Do not use" in caught.value.remedy) == (error is UnsafeModelError)


def test_a_compressed_zip_of_other_things_is_no_threat(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "golden.npz", images=np.zeros(1000))
    with pytest.raises(UnsupportedModelError, match="an archive of NumPy arrays"):
        load_checkpoint(tmp_path / "golden.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_repeated_member_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
        archive.writestr("a/data.pkl", b"N.")
    with pytest.raises(UnsafeModelError, match="repeats a member name"):
        load_checkpoint(path)


def test_a_damaged_weight_is_noticed(small_checkpoint: Path) -> None:
    with zipfile.ZipFile(small_checkpoint) as archive:
        offset = archive.getinfo("best/data/0").header_offset + 60

    def flip(data: bytes) -> bytes:
        return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]

    with pytest.raises(ModelError, match="member of the zip is damaged"):
        load_checkpoint(rewrite(small_checkpoint, flip))


FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def complaint(call: Callable[[], object]) -> str:
    """The message of the one error that may happen, nothing where all went well."""
    try:
        call()
    except TallyLensError as error:
        return str(error)
    return ""


@pytest.mark.slow
@FUZZ
@given(place=st.floats(0, 0.9999), value=st.binary(min_size=1, max_size=6))
def test_a_mutated_pickle_gives_a_graph_or_one_of_our_errors(
    small_net: SmallNet, tmp_path: Path, place: float, value: bytes
) -> None:
    file = small_net.file
    file.members.clear()
    data = file.pickled({"model": small_net.model(lambda net: net.conv(4, 4))})
    start = int(place * len(data))
    mutated = data[:start] + value + data[start + len(value) :]
    path = file.save_pickle(tmp_path / "fuzz.pt", mutated)
    assert complaint(lambda: load_checkpoint(path, input_size=(64, 64))).isprintable()


@pytest.mark.slow
@FUZZ
@given(place=st.floats(0, 0.9999), value=st.binary(min_size=1, max_size=6))
def test_a_mutated_file_gives_a_graph_or_one_of_our_errors(
    small_checkpoint: Path, tmp_path: Path, place: float, value: bytes
) -> None:
    data = small_checkpoint.read_bytes()
    start = int(place * len(data))
    path = tmp_path / "fuzz.pt"
    path.write_bytes(data[:start] + value + data[start + len(value) :])
    assert complaint(lambda: load_checkpoint(path, input_size=(64, 64))).isprintable()


@FUZZ
@given(st.binary(max_size=300))
def test_random_pickles_give_our_errors(data: bytes) -> None:
    assert complaint(lambda: load_pickle(PROTO + data)).isprintable()
