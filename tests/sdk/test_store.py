from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tallylens import store
from tallylens.edge_runtime.errors import InputError, NetworkError, UnavailableError
from tallylens.edge_runtime.files import sha256

CONTENT = b"the weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TALLYLENS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A release whose address nobody answers."""
    release = store.Release("tiny", "http://127.0.0.1:1/tiny.pt", SHA256, len(CONTENT), "MIT")
    monkeypatch.setitem(store.RELEASES, "tiny", release)
    return "tiny"


def test_the_official_yolov5n_is_known() -> None:
    model = store.find_model("yolov5n")
    assert store.RELEASES["yolov5n"].url.endswith("/v7.0/yolov5n.pt")
    assert model.license == "AGPL-3.0"
    assert not model.present
    assert not model.built_in


def test_the_built_in_model_is_listed_with_its_file() -> None:
    assert [model.name for model in store.list_models()] == ["demo", "yolov5n"]
    demo = store.find_model("demo")
    assert demo.present
    assert demo.built_in
    assert demo.path == store.resolve("demo") == store.pull("demo")
    assert demo.size == demo.path.stat().st_size


@pytest.mark.realdata
def test_its_sha256_is_that_of_the_official_file(data: Path) -> None:
    release = store.RELEASES["yolov5n"]
    official = data / "models" / "yolov5n.pt"
    assert sha256(official) == release.sha256
    assert official.stat().st_size == release.size


def test_home_is_the_cache_folder_unless_it_is_chosen(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.home() == home
    monkeypatch.delenv("TALLYLENS_HOME")
    assert store.home().name == "tallylens"


def test_pull_without_a_network_says_where_to_put_the_file(home: Path, tiny: str) -> None:
    with pytest.raises(NetworkError) as caught:
        store.pull(tiny)
    assert str(home / "models" / "tiny.pt") in caught.value.remedy


def test_pull_keeps_a_file_that_is_right(tiny: str) -> None:
    target = store.model_path(tiny)
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    assert store.pull(tiny) == target


def test_pull_fetches_again_where_the_file_is_wrong(tiny: str) -> None:
    target = store.model_path(tiny)
    target.parent.mkdir(parents=True)
    target.write_bytes(b"half")
    with pytest.raises(NetworkError):
        store.pull(tiny)


@pytest.mark.parametrize("name", ["yolov9", "../../etc/passwd", ""])
def test_unknown_names_are_no_paths(name: str) -> None:
    with pytest.raises(InputError, match="no model of that name"):
        store.pull(name)


def test_resolve_prefers_an_existing_file(tmp_path: Path) -> None:
    model = tmp_path / "own.onnx"
    model.write_bytes(b"x")
    assert store.resolve(model) == model
    assert store.resolve(str(model)) == model


def test_resolve_takes_a_package_but_no_other_folder(tmp_path: Path) -> None:
    package = tmp_path / "own.mlpackage"
    package.mkdir()
    assert store.resolve(package) == package
    with pytest.raises(InputError, match="no such file"):
        store.resolve(tmp_path)


def test_resolve_finds_what_was_put_by_hand(tiny: str) -> None:
    with pytest.raises(UnavailableError, match="not downloaded yet") as caught:
        store.resolve(tiny)
    assert caught.value.remedy.startswith("Download it with: tallylens models pull tiny")
    store.model_path(tiny).parent.mkdir(parents=True)
    store.model_path(tiny).write_bytes(CONTENT)
    assert store.resolve(tiny) == store.model_path(tiny)


def test_a_conversion_is_named_by_content_options_and_version(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy, other = (tmp_path / name for name in ("a b.pt", "copy.pt", "other.pt"))
    source.write_bytes(CONTENT)
    copy.write_bytes(CONTENT)
    other.write_bytes(b"other weights")

    def key(path: Path, options: dict[str, object]) -> str:
        return store.cached(path, options).stem.rpartition("-")[2]

    first = store.cached(source, {"quantize": "int8", "imgsz": [384, 640]})
    assert first.parent == home / "converted"
    assert first.name.startswith("a_b-")
    assert first.suffix == ".tflite"
    assert store.cached(source, {"imgsz": [384, 640], "quantize": "int8"}) == first
    assert key(source, {"n": 1}) == key(copy, {"n": 1})
    keys = {key(source, {}), key(other, {}), key(source, {"n": 1})}
    monkeypatch.setattr(store, "__version__", "999")
    keys.add(key(source, {}))
    assert len(keys) == 4


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        store.cached(tmp_path / "none.pt", {})


def test_replacing_shows_the_file_only_when_it_is_whole(home: Path) -> None:
    target = home / "converted" / "m.tflite"
    with store.replacing(target) as temporary:
        temporary.write_bytes(CONTENT)
        assert temporary.suffix == ".tflite"
        assert not target.exists()
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_replacing_leaves_nothing_after_a_failure(home: Path) -> None:
    target = home / "converted" / "m.tflite"

    def interrupted() -> None:
        with store.replacing(target) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(target.parent.iterdir()) == []


def test_replacing_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(UnavailableError, match="cannot be written to"),
        store.replacing(tmp_path / "file" / "m"),
    ):
        pass


def test_two_that_convert_at_once_do_not_meet(home: Path) -> None:
    target = home / "converted" / "m.tflite"
    with store.replacing(target) as late:
        late.write_bytes(b"a" * 1000)
        with store.replacing(target) as early:
            early.write_bytes(b"b" * 2000)
        assert target.read_bytes() == b"b" * 2000
        late.write_bytes(b"a" * 3000)
    assert target.read_bytes() == b"a" * 3000
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(this is a folder\), and no model of that name"):
        store.resolve(tmp_path)
