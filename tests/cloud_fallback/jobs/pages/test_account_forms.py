"""The forms of an account over HTTP: what they refuse, and whom."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.people import PASSWORD, Person, forget_tries, somebody, upload
from tests.support.video_server import VideoServer, wait_until

pytestmark = pytest.mark.slow
EVENTS = {"job.done": "1", "job.failed": "1", "job.cancelled": "1", "job.late": "1"}


@pytest.fixture
def person(idle_server: VideoServer) -> Person:
    forget_tries(idle_server.videos)
    return somebody(idle_server)


def send(person: Person, path: str, **fields: str) -> Any:
    """Send a form as the browser of somebody does."""
    given = {"csrf": person.csrf, **fields}
    headers = {"Cookie": person.cookie, "Sec-Fetch-Site": "same-origin"}
    return person.server.client.post(path, headers=headers, data=given)


def webhook_of(person: Person) -> str:
    answer = person.request("POST", "/v1/webhooks", json={"url": "https://hooks.example/"})
    return str(answer.json()["id"])


def test_every_form_needs_the_token_of_the_session(person: Person) -> None:
    hook = webhook_of(person)
    key = person.request("POST", "/v1/keys", json={"name": "program"}).json()["id"]
    forms: dict[str, dict[str, str]] = {
        "/account/keys": {"name": "another"},
        f"/account/keys/{key}/delete": {},
        "/account/webhooks": {"url": "https://hooks.example/", **EVENTS},
        f"/account/webhooks/{hook}": {"disabled": "1"},
        f"/account/webhooks/{hook}/rotate": {},
        f"/account/webhooks/{hook}/delete": {"sure": "1"},
        "/account/webhooks/deliveries/dlv_0/redeliver": {},
        "/account/delete": {"sure": "1", "password": PASSWORD},
    }
    before = person.request("GET", "/v1/webhooks").json()
    for path, fields in forms.items():
        assert send(person, path, **{**fields, "csrf": ""}).status_code == 403, path
        elsewhere = {"Cookie": person.cookie, "Sec-Fetch-Site": "cross-site"}
        data = {**fields, "csrf": person.csrf}
        answer = person.server.client.post(path, headers=elsewhere, data=data)
        assert answer.status_code == 403, path
    assert person.request("GET", "/v1/webhooks").json() == before
    assert len(person.request("GET", "/v1/keys").json()["keys"]) == 1
    assert person.request("GET", "/v1/account").status_code == 200


def test_what_webhooks_refuse(person: Person) -> None:
    refused: tuple[tuple[dict[str, str], str], ...] = (
        ({"url": "http://hooks.example/", **EVENTS}, "The URL is not https://HOST/PATH"),
        ({"url": "https://127.0.0.1/", **EVENTS}, "The address 127.0.0.1 is not public"),
        ({"url": "https://hooks.example:8443/", **EVENTS}, "The port 8443 is not allowed"),
        ({"url": "https://hooks.example/"}, "No event is checked"),
    )
    for fields, problem in refused:
        answer = send(person, "/account/webhooks", **fields)
        assert answer.status_code == 422
        assert problem in answer.text
    assert person.request("GET", "/v1/webhooks").json() == {"webhooks": []}


def test_things_of_others_are_not_found(person: Person) -> None:
    hook, other = webhook_of(person), somebody(person.server)
    assert other.request("GET", f"/account/webhooks/{hook}").status_code == 404
    forms: dict[str, dict[str, str]] = {
        f"/account/webhooks/{hook}": {"disabled": "1"},
        f"/account/webhooks/{hook}/rotate": {},
        f"/account/webhooks/{hook}/delete": {"sure": "1"},
        "/account/webhooks/deliveries/dlv_0/redeliver": {},
    }
    for path, fields in forms.items():
        answer = send(other, path, **fields)
        assert (answer.status_code, "There is no such" in answer.text) == (404, True), path
    assert person.request("GET", f"/v1/webhooks/{hook}").json()["disabled"] is None


def test_a_delivery_is_listed_and_sent_again(person: Person) -> None:
    hook = person.request("POST", "/v1/webhooks", json={"url": "https://localhost/"}).json()["id"]
    assert person.request("POST", f"/v1/jobs/{upload(person)}/cancel").status_code == 202
    # Refused, whichever of this machine's addresses the name has; the next attempt is 5 s later.
    told = r"Waiting after \d attempts?, next attempt .+: refused: the address \S+ is not public"
    path = f"/account/webhooks/{hook}"
    wait_until(
        lambda: re.search(told, person.request("GET", path).text) is not None,
        "the page lists no delivery",
    )
    text = person.request("GET", path).text
    assert "<b>job.cancelled</b>" in text
    action = re.search(r'action="(/account/webhooks/deliveries/\w+/redeliver)"', text)
    assert action is not None
    answer = send(person, action[1])
    assert (answer.status_code, answer.headers["location"]) == (303, path)


def test_a_form_works_once(person: Person) -> None:
    hook = webhook_of(person)
    forms: dict[str, dict[str, str]] = {
        "/account/keys": {"name": "program"},
        "/account/webhooks": {"url": "https://hooks.example/", **EVENTS},
        f"/account/webhooks/{hook}/rotate": {},
    }
    for path, fields in forms.items():
        sent = [send(person, path, once=path, **fields).status_code for _ in range(2)]
        assert sent == [200, 409], path
    assert len(person.request("GET", "/v1/keys").json()["keys"]) == 1
    assert len(person.request("GET", "/v1/webhooks").json()["webhooks"]) == 2


def test_deletion_is_asked_twice_and_guesses_are_limited(person: Person) -> None:
    text = person.request("GET", "/account/delete").text
    assert person.email in text
    statuses = [
        send(person, "/account/delete", password=PASSWORD).status_code,
        *[
            send(person, "/account/delete", sure="1", password=f"wrong {n}").status_code
            for n in range(5)
        ],
    ]
    assert statuses == [422] + [403] * 5
    # The right password does not help before the time is over.
    answer = send(person, "/account/delete", sure="1", password=PASSWORD)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert person.request("GET", "/v1/account").status_code == 200
    forget_tries(person.server.videos)
    answer = send(person, "/account/delete", sure="1", password=PASSWORD)
    assert (answer.status_code, "The account is deleted" in answer.text) == (200, True)
    ended = answer.headers.get_list("set-cookie")
    assert [one.partition("=")[0] for one in ended] == ["__Host-session", "__Host-key"]
    assert person.request("GET", "/v1/account").status_code == 401


def test_a_key_of_the_key_file_deletes_nothing(idle_server: VideoServer) -> None:
    assert idle_server.get("/account/delete").status_code == 403
    text = idle_server.get("/account").text
    assert "key file of the server" in text
    assert "Delete the account" not in text
    assert "Add a webhook" in text
