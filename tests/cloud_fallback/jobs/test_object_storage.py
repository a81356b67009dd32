"""Tests of videos in an object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tallylens.cloud_fallback.jobs.object_storage import ObjectStorage
from tallylens.cloud_fallback.jobs.storage import StorageGoneError
from tallylens.edge_runtime.errors import UsageError
from tests.support.object_store import ObjectStore
from tests.support.video_server import VideoServer, wait_until

VIDEO = "vid_01M8ASMNY8ACDDZETMQAVF8SHF"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    store = ObjectStore()
    store.start()
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    yield store
    store.stop()


def test_a_file_goes_there_and_back(bucket: ObjectStore, tmp_path: Path) -> None:
    storage = ObjectStorage("s3://bucket/here", tmp_path / "copies")
    content = bytes(range(256)) * (1 << 16)
    path = tmp_path / "file"
    path.write_bytes(content)
    storage.put(VIDEO, path)
    assert list(bucket.objects) == [f"/bucket/here/videos/{VIDEO[4:]}"]
    with storage.local(VIDEO) as copy:
        assert copy.read_bytes() == content
    assert not copy.exists()
    for _ in range(2):
        storage.delete(VIDEO)
    assert bucket.objects == {}
    with pytest.raises(FileNotFoundError), storage.local(VIDEO):
        pass


def test_a_folder_as_a_store(tmp_path: Path) -> None:
    storage = ObjectStorage(f"file://{tmp_path / 'store'}", tmp_path / "copies")
    path = tmp_path / "file"
    path.write_bytes(b"content")
    storage.put(VIDEO, path)
    with storage.local(VIDEO) as copy:
        assert copy.read_bytes() == b"content"
    for _ in range(2):
        storage.delete(VIDEO)


@pytest.mark.slow
def test_a_store_that_is_gone(bucket: ObjectStore, tmp_path: Path) -> None:
    storage = ObjectStorage("s3://bucket", tmp_path / "copies")
    bucket.stop()
    with pytest.raises(StorageGoneError, match="the object store fails"):
        storage.delete(VIDEO)


@pytest.mark.parametrize("url", ["ftp://host/x", "bucket", "memory://", "http://host/"])
def test_other_stores_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        ObjectStorage(url, tmp_path)
    assert str(error.value) == (
        "the store is not a URL of an object store. Use s3://BUCKET/FOLDER."
    )


@pytest.mark.slow
def test_a_job_waits_for_its_store(
    video_server: Callable[..., VideoServer], bucket: ObjectStore, crossing: Path
) -> None:
    server = video_server("--store", "s3://bucket/here")
    job = server.upload(crossing)
    # The job is there once the store has the file, which the answer does not wait for.
    wait_until(lambda: server.get(f"/v1/jobs/{job}").status_code == 200, "the store has no file")
    first = server.wait(job)
    assert (first["state"], first["frames"]) == ("done", 30)
    file = f"/bucket/here/videos/{first['video'][4:]}"
    assert bucket.objects[file] == crossing.read_bytes()
    assert not (server.videos / "files" / first["video"][4:]).exists()
    bucket.stop()
    again = server.post(f"/v1/videos/{first['video']}/jobs", json={"any_class": True}).json()["id"]
    wait_until(lambda: server.job(again)["attempt"] > 0, "nobody tried")
    wait_until(lambda: server.job(again)["state"] == "queued", server.log())
    bucket.start()
    assert server.wait(again)["state"] == "done"
    headers = server.headers()
    assert server.client.delete(f"/v1/videos/{first['video']}", headers=headers).status_code == 204
    assert file not in bucket.objects
