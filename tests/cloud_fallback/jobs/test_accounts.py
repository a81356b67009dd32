"""Tests of accounts, sessions, keys and limits on guessing over HTTP."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.people import (
    PASSWORD,
    SAME_SITE,
    forget_tries,
    mails,
    newest_mail,
    post,
    register,
    sign_in,
    somebody,
    token_of,
)
from tests.support.video_server import VideoServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server(idle_server: VideoServer) -> Iterator[VideoServer]:
    forget_tries(idle_server.videos)
    yield idle_server
    idle_server.client.cookies.clear()


def test_registering_and_signing_in(server: VideoServer) -> None:
    email = "ada@example.org"
    answer = post(server, "/v1/accounts", email=" Ada@Example.org ", password=PASSWORD)
    assert (answer.status_code, answer.json()) == (202, {"detail": "an e-mail is on its way"})
    text = newest_mail(server, email, 1)
    refused = post(server, "/v1/sessions", email=email, password=PASSWORD)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-verified")
    verified = post(server, "/v1/accounts/verify", token=token_of(text))
    assert verified.status_code == 204
    opened = post(server, "/v1/sessions", email=email, password=PASSWORD)
    assert opened.status_code == 201
    cookie = opened.headers["set-cookie"]
    assert re.fullmatch(
        r"__Host-session=[\w-]{43}; Path=/; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax", cookie
    )
    headers = {"Cookie": cookie.partition(";")[0]}
    account = server.client.get("/v1/account", headers=headers).json()
    assert account["email"] == email
    assert account["csrf"] == opened.json()["csrf"]
    assert account["plan"]["name"] == "free"
    assert (account["plan"]["videos"], account["plan"]["jobs_at_once"]) == (5, 1)


def test_only_the_owner_of_the_server_can_read_links(server: VideoServer) -> None:
    register(server, "owner@example.org")
    folder = server.videos / "mail"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())]
    assert modes == [0o700, *[0o600] * (len(modes) - 1)]
    assert stat.S_IMODE((server.videos / "link-secret").stat().st_mode) == 0o600


def test_no_password_token_or_key_is_stored_or_logged(server: VideoServer) -> None:
    person = somebody(server)
    key = person.request("POST", "/v1/keys", json={"name": "program"}).json()["key"]
    server.client.get("/v1/account", headers=server.headers(key))
    secrets = (PASSWORD, key, person.cookie.partition("=")[2])
    files = [path for path in server.videos.glob("tallylens.db*") if path.is_file()]
    contents = [path.read_bytes() for path in files] + [server.log().encode()]
    assert files
    for secret in secrets:
        assert not any(secret.encode() in content for content in contents)


def test_answers_do_not_tell_who_has_an_account(server: VideoServer) -> None:
    register(server, "known@example.org")
    for path in ("/v1/accounts", "/v1/passwords"):
        extra = {"password": PASSWORD} if path == "/v1/accounts" else {}
        answers = [
            post(server, path, email=email, **extra)
            for email in ("known@example.org", f"unknown{len(path)}@example.org")
        ]
        assert answers[0].status_code == answers[1].status_code == 202
        assert answers[0].content == answers[1].content
    wrong = [
        post(server, "/v1/sessions", email=email, password="wrong wrong wrong")
        for email in ("known@example.org", "nobody@example.org")
    ]
    assert [one.status_code for one in wrong] == [401, 401]
    assert wrong[0].content == wrong[1].content
    assert "already" in newest_mail(server, "known@example.org", 2)
    assert "token=" not in mails(server, "known@example.org")[1]
    assert len(mails(server, "unknown12@example.org")) == 1
    assert mails(server, "unknown13@example.org") == []


def test_both_kinds_of_accounts_are_locked_alike(server: VideoServer) -> None:
    register(server, "locked@example.org")
    for email in ("locked@example.org", "missing@example.org"):
        answers = [
            post(server, "/v1/sessions", email=email, password="wrong wrong wrong")
            for _ in range(6)
        ]
        assert [one.status_code for one in answers] == [401] * 5 + [429]
        assert 1 <= int(answers[5].headers["retry-after"]) <= 30
        assert answers[5].headers["ratelimit-policy"] == '"sign-in";q=5;w=86400'
        assert answers[5].headers["ratelimit"].startswith('"sign-in";r=0;t=')
    # The right password does not help before the time is over.
    assert (
        post(server, "/v1/sessions", email="locked@example.org", password=PASSWORD).status_code
        == 429
    )


def test_many_guesses_at_once_are_not_more_than_one_after_the_other(server: VideoServer) -> None:
    register(server, "many@example.org")

    def guess(number: int) -> int:
        email = "many@example.org"
        return post(server, "/v1/sessions", email=email, password=f"guess {number} x").status_code

    with ThreadPoolExecutor(12) as threads:
        statuses = sorted(threads.map(guess, range(12)))
    assert statuses == [401] * 5 + [429] * 7


def test_a_link_works_once(server: VideoServer) -> None:
    token = register(server, "once@example.org")
    again = post(server, "/v1/accounts/verify", token=token)
    assert (again.status_code, again.json()["detail"][:21]) == (422, "the link is not valid")
    for broken in (token[:-1] + ("A" if token[-1] != "A" else "B"), "", "x" * 900, "a.b.c"):
        assert post(server, "/v1/accounts/verify", token=broken).status_code == 422
        answer = post(server, "/v1/passwords/reset", token=broken, password=PASSWORD)
        assert answer.status_code == 422
    # A link for one purpose is invalid for another.
    answer = post(server, "/v1/passwords/reset", token=token, password=PASSWORD)
    assert answer.status_code == 422


def test_a_new_password_ends_all_sessions(server: VideoServer) -> None:
    person = somebody(server, "forgetful@example.org")
    other = sign_in(server, person.email)
    assert post(server, "/v1/passwords", email=person.email).status_code == 202
    token = token_of(newest_mail(server, person.email, 2))
    new = "another horse battery"
    assert post(server, "/v1/passwords/reset", token=token, password=new).status_code == 204
    assert post(server, "/v1/passwords/reset", token=token, password=new).status_code == 422
    for one in (person, other):
        assert one.request("GET", "/v1/account").status_code == 401
    answer = post(server, "/v1/sessions", email=person.email, password=PASSWORD)
    assert answer.status_code == 401
    assert sign_in(server, person.email, new).request("GET", "/v1/account").status_code == 200


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"email": "nobody", "password": PASSWORD}, "email"),
        ({"email": "a@b", "password": PASSWORD}, "email"),
        ({"email": "a@example.org\r\nBcc: b@example.org", "password": PASSWORD}, "email"),
        ({"email": "a@example.org, b@example.org", "password": PASSWORD}, "email"),
        ({"email": "a@example.org", "password": "short"}, "password"),
        ({"email": "abcdefghijk@example.org", "password": "abcdefghijk"}, "password"),
        ({"email": "a@example.org", "password": "aaaaaaaaaaaaaaa"}, "password"),
        ({"email": "a@example.org", "password": "x" * 129}, "password"),
    ],
)
def test_what_cannot_be_registered(server: VideoServer, document: Any, kind: str) -> None:
    answer = post(server, "/v1/accounts", **document)
    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{kind}")


def test_a_request_of_another_site_changes_nothing(server: VideoServer) -> None:
    person = somebody(server)
    cookie = {"Cookie": person.cookie}
    token = {"X-CSRF-Token": person.csrf}
    host = f"127.0.0.1:{server.port}"
    refused: list[dict[str, str]] = [
        {},
        token,
        SAME_SITE,
        {**SAME_SITE, "X-CSRF-Token": "x" * 43},
        {**token, "Sec-Fetch-Site": "cross-site"},
        {**token, "Sec-Fetch-Site": "same-site"},
        {**token, "Origin": "https://evil.example"},
        {**token, "Origin": "null"},
        {**token, "Origin": f"http://{host}.evil.example"},
        {**token, "Sec-Fetch-Site": "cross-site", "Origin": f"http://{host}"},
    ]
    for headers in refused:
        for method, path in (("POST", "/v1/keys"), ("DELETE", "/v1/sessions/current")):
            answer = server.client.request(
                method, path, headers={**cookie, **headers}, json={"name": "x"}
            )
            assert answer.status_code == 403, (headers, answer.text)
    assert person.request("GET", "/v1/keys").json() == {"keys": []}
    for more in (SAME_SITE, {"Origin": f"http://{host}"}):
        headers = {**cookie, **token, **more}
        answer = server.client.post("/v1/keys", headers=headers, json={"name": "x"})
        assert answer.status_code == 201


def test_the_token_of_another_session_is_refused(server: VideoServer) -> None:
    one, other = somebody(server), somebody(server)
    answer = one.request(
        "POST", "/v1/keys", headers={"X-CSRF-Token": other.csrf}, json={"name": "x"}
    )
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/csrf")


def test_signing_out(server: VideoServer) -> None:
    person = somebody(server)
    answer = person.request("DELETE", "/v1/sessions/current")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert person.request("GET", "/v1/account").status_code == 401


def test_another_site_cannot_sign_a_browser_in(server: VideoServer) -> None:
    person = somebody(server)
    answer = server.client.post(
        "/v1/sessions",
        json={"email": person.email, "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_key_of_an_account(server: VideoServer) -> None:
    person = somebody(server)
    made = person.request("POST", "/v1/keys", json={"name": "program", "days": 30})
    assert made.status_code == 201
    key, document = made.json()["key"], made.json()
    assert key.startswith("tlk_")
    headers = server.headers(key)
    account = server.client.get("/v1/account", headers=headers).json()
    assert (account["email"], "csrf" in account) == (person.email, False)
    listed = person.request("GET", "/v1/keys").json()["keys"]
    assert [(one["id"], one["name"]) for one in listed] == [(document["id"], "program")]
    assert listed[0]["used"] is not None
    assert key not in person.request("GET", "/v1/keys").text
    # It may upload, and not make more keys.
    for method, path in (
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("DELETE", f"/v1/keys/{document['id']}"),
    ):
        answer = server.client.request(method, path, headers=headers, json={"name": "x"})
        assert answer.status_code == 403, answer.text
    upload = server.client.post(
        "/v1/uploads", headers={**headers, "Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    )
    assert upload.status_code == 201
    assert person.request("DELETE", f"/v1/keys/{document['id']}").status_code == 204
    assert person.request("DELETE", f"/v1/keys/{document['id']}").status_code == 404
    assert server.client.get("/v1/account", headers=headers).status_code == 401


def test_a_key_that_manages_the_account(server: VideoServer) -> None:
    person = somebody(server)
    body = {"name": "admin", "scopes": ["videos", "account"]}
    key = person.request("POST", "/v1/keys", json=body).json()["key"]
    made = server.client.post("/v1/keys", headers=server.headers(key), json={"name": "x"})
    assert made.status_code == 201
    # The answer is not kept, so that it cannot be given again.
    headers = {**server.headers(key), "Idempotency-Key": "one"}
    assert server.client.post("/v1/keys", headers=headers, json={"name": "x"}).status_code == 400


def test_the_account_of_the_key_file_has_no_keys_of_its_own(server: VideoServer) -> None:
    assert server.post("/v1/keys", json={"name": "x"}).status_code == 403
    account = server.get("/v1/account").json()
    assert (account["email"], account["plan"]["name"]) == (None, "unlimited")


def test_sessions_survive_a_restart_and_no_key_ends_one(server: VideoServer) -> None:
    person = somebody(server)
    assert server.client.delete("/v1/sessions/current", headers=server.headers()).status_code == 409
    assert server.process is not None
    server.process.terminate()
    server.process.wait()
    server.start()
    assert person.request("GET", "/v1/account").status_code == 200
    assert (server.videos / "link-secret").stat().st_size == 32


def test_five_videos_are_free_and_what_is_canceled_is_not_used(server: VideoServer) -> None:
    person = somebody(server)

    def announce() -> Any:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
        return person.request("POST", "/v1/uploads", headers=headers)

    def upload() -> str:
        location = announce().headers["location"]
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
        }
        sent = person.request("PATCH", location, headers=headers, content=b"bytes")
        assert sent.status_code == 204
        return f"job_{location[-26:]}"

    def left() -> int:
        return int(person.request("GET", "/v1/usage").json()["videos"]["left"])

    jobs = [upload() for _ in range(5)]
    assert left() == 0
    refused = announce()
    assert (refused.status_code, refused.json()["type"]) == (402, "/problems/payment-required")
    assert refused.json()["detail"] == "the 5 videos of the plan free are used"
    # A job that was canceled before its first frame is not used, and its retry is.
    assert person.request("POST", f"/v1/jobs/{jobs[0]}/cancel").status_code == 202
    assert left() == 1
    sixth = upload()
    assert (left(), announce().status_code) == (0, 402)
    assert person.request("POST", f"/v1/jobs/{jobs[0]}/retry").status_code == 402
    assert person.request("POST", f"/v1/jobs/{sixth}/cancel").status_code == 202
    assert person.request("POST", f"/v1/jobs/{jobs[0]}/retry").status_code == 202
    assert left() == 0
    # An upload that is not complete is reserved too, and two may be open.
    assert person.request("POST", f"/v1/jobs/{jobs[1]}/cancel").status_code == 202
    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(one.status_code for one in threads.map(lambda _: announce(), range(8)))
    assert statuses == [201] + [402] * 7
