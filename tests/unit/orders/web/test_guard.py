"""What has no place at the door is refused there: in one form, in bounded time and memory."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from eventlab.errors import InvalidSetting, PortInUse
from eventlab.orders.store import Store
from eventlab.orders.web import OrderApi, guard, heads, serve
from eventlab.orders.web.access import Access
from eventlab.orders.web.limits import Buckets
from eventlab.waiting import wait_until
from tests.unit.orders.web.conftest import ORDER, Shop, stocked
from tests.unit.orders.web.test_rest import assert_problem
from tests.unit.refusals import refused

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def local(served):
    """An HTTP client that has the token."""
    headers = {"Authorization": f"Bearer {served.token_file.read_text()}"}
    with httpx.Client(base_url=served.url, headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def stranger(served):
    """An HTTP client that has no token."""
    with httpx.Client(base_url=served.url) as client:
        yield client


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic Og=="},
        {"Authorization": b"Bearer \xff\xfe"},
        {"Cookie": "token={token}"},
    ],
)
@pytest.mark.parametrize("path", ["/orders", "/orders/O-1", "/products", "/metrics", "/nothing"])
def test_without_the_token_nothing_is_told(stranger, path, header):
    """68: 401 with how to ask; not even what there is and what not."""
    answer = stranger.get(path, headers=header)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_token_is_in_no_address(served, stranger):
    """S3: it would be in histories and logs."""
    token = served.token_file.read_text()
    assert_problem(stranger.get("/orders", params={"token": token, "access_token": token}), 401)
    assert_problem(stranger.get(f"/orders?{token}"), 401)


def test_a_token_is_compared_in_constant_time(monkeypatch):
    """S3: by the one function that is made for it, whatever was given."""
    compared = []
    monkeypatch.setattr(
        "eventlab.orders.web.access.secrets.compare_digest",
        lambda one, other: bool(compared.append((one, other))),
    )
    assert not any(Access().knows(given) for given in ("", "x", None, 7, "é", "\udcff"))
    assert len(compared) == 6


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:8001"}, 403),  # another server of this machine
        ({"Origin": "file://127.0.0.1:8000"}, 403),
    ],
)
def test_pages_of_others_may_not_ask(local, headers, status):
    """S3: a name that was rebound to this machine, or a page of another origin."""
    assert_problem(local.get("/orders", headers=headers), status)
    assert_problem(local.get("/", headers=headers), status)


def test_the_page_itself_may_ask(served, local):
    """And there is no header that would let others read the answer."""
    answer = local.get("/orders", headers={"Origin": served.url})
    assert answer.status_code == 200
    assert not any(name.startswith("access-control-") for name in answer.headers)


def test_no_preflight_is_granted(served, local):
    """S3: no CORS, for nobody."""
    asked = {"Origin": served.url, "Access-Control-Request-Method": "POST"}
    answer = local.options("/orders", headers=asked)
    assert_problem(answer, 405)
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[]", JSON, 400),
        (b"null", JSON, 400),
        (b'{"customer_id": "C-1", "customer_id": "C-2", "items": []}', JSON, 400),
        (b'{"customer_id": NaN}', JSON, 400),
        (b'{"customer_id": 1e999}', JSON, 400),
        (b'{"customer_id": ' + b"9" * 5000 + b"}", JSON, 400),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b'{"customer_id": "\\ud800"}', JSON, 400),
        (b" " * (guard.MOST_BYTES + 1), JSON, 413),
        (json.dumps(ORDER).encode(), {"content-type": "text/plain"}, 415),
        (json.dumps(ORDER).encode(), {"content-type": "application/x-www-form-urlencoded"}, 415),
        (json.dumps(ORDER).encode(), {}, 415),
    ],
)
@pytest.mark.parametrize("path", ["/orders", "/orders/O-1/refund"])
def test_a_body_that_is_none_is_refused(open_shop, local, path, body, headers, status):
    """69: what two programs could read in two ways, what is too deep, too large, or no JSON."""
    begun = time.monotonic()
    assert_problem(local.post(path, content=body, headers=headers), status)
    assert time.monotonic() - begun < 2
    assert open_shop.events() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/orders/", 404),
        ("GET", "/orders/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/page.css%00", 404),
        ("GET", "/orders/O%0d%0aX-Evil:%201", 422),
        ("GET", "/orders/%ff", 422),
        ("GET", "/orders/" + "x" * 65, 422),
        ("POST", "/orders/O-1/payments/again", 404),
        ("PUT", "/orders", 405),
        ("DELETE", "/orders/O-1", 405),
        ("HEAD", "/orders", 405),
        ("TRACE", "/orders", 405),
        ("NONSENSE", "/orders", 405),
    ],
)
def test_what_there_is_not_is_a_problem(local, method, path, status):
    """70, 71, 73: unknown routes and methods, ways out of a path, a newline in an id."""
    answer = local.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "x-evil" not in answer.headers


def test_a_mistake_of_ours_tells_nothing(small_shop, monkeypatch):
    """500 without a traceback, and the next request is answered."""

    def broken(*args):
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("eventlab.orders.web.views.orders_page", broken)
    with small_shop.client() as client:
        told = assert_problem(client.get("/orders"), 500)
        assert told == {"type": "about:blank", "title": "Internal Server Error", "status": 500}
        assert client.get("/products").status_code == 200


def test_who_asks_too_often_waits(small_shop):
    """429 says for how long; health is still told; another client is not in the way."""
    shop = Shop(small_shop.store, rate=0.5)
    with shop.client() as client:
        assert client.get("/products").status_code == 200
        answer = client.get("/products")
        assert_problem(answer, 429)
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        assert client.get("/health/live").status_code == 200


def test_a_bucket_fills_again():
    """A client gets `rate` a second and twice as many at once, whatever others do."""
    now = [0.0]
    buckets = Buckets(10, clock=lambda: now[0])
    assert [buckets.wait("a") for _ in range(20)] == [0.0] * 20
    assert buckets.wait("a") == pytest.approx(0.1)
    assert buckets.wait("b") == 0
    now[0] = 0.55
    assert [buckets.wait("a") > 0 for _ in range(6)] == [False] * 5 + [True]
    for number in range(10_000):
        buckets.wait(f"client {number}")
    assert len(buckets._full) <= 4096


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 1e9, "50", None])
def test_a_rate_is_a_number_of_requests(small_shop, rate):
    """With none at all nobody could ask, and nobody could be told when to."""
    with refused(InvalidSetting, "rate"):
        OrderApi(small_shop.store, rate=rate)


def test_an_answer_that_does_not_come_is_a_503(small_shop, monkeypatch):
    """74: in its time, whatever it waits for."""
    monkeypatch.setattr(guard, "ANSWER_WITHIN", 0.2)
    over = threading.Event()
    monkeypatch.setattr("eventlab.orders.web.views.orders_page", lambda *args: over.wait(20))
    with small_shop.client() as client:
        try:
            answer = client.get("/orders")
        finally:
            over.set()
        assert_problem(answer, 503)
        assert "no answer within" in answer.json()["detail"]
        assert client.get("/products").status_code == 200


def test_no_more_than_some_are_answered_at_once(local, monkeypatch):
    """503 with Retry-After, instead of a queue without an end."""
    monkeypatch.setattr(guard, "MOST_REQUESTS", 0)
    answer = local.get("/products")
    assert_problem(answer, 503)
    assert answer.headers["retry-after"].isdigit()


def test_a_database_that_is_locked_is_a_503(tmp_path, monkeypatch):
    """74: in its time, with Retry-After; what is only read does not wait for it."""
    monkeypatch.setattr("eventlab.orders.store.database.PATIENCE", 0.2)
    with Store(tmp_path / "other.db") as kept:
        shop = Shop(stocked(kept))
        with shop.client() as client:
            with kept.transaction():  # SQLite has one writer
                answer = client.post("/orders", json=ORDER)
                assert client.get("/orders").status_code == 200
            assert_problem(answer, 503, type="store-away")
            assert answer.headers["retry-after"] == "2"
            assert client.post("/orders", json=ORDER).status_code == 202


def test_a_database_that_is_gone_is_not_ready(tmp_path):
    """74: readiness asks it; being alive is something else."""
    with Store(tmp_path / "other.db") as kept:
        shop = Shop(stocked(kept))
        with shop.client() as client:
            assert client.get("/health/ready").json() == {"status": "pass", "sql": True}
            kept.close()
            (tmp_path / "other.db").unlink()
            (tmp_path / "other.db").mkdir()
            answer = client.get("/health/ready")
            assert (answer.status_code, answer.json()) == (503, {"status": "fail", "sql": False})
            assert_problem(client.get("/orders"), 503, type="store-away")
            assert client.get("/health/live").status_code == 200


def raw(server, *parts: bytes) -> bytes:
    """Send bytes as no client would, and return what comes back until the end.

    A server that has answered does not read the rest: then the connection ends with a reset.
    """
    answer = b""
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"".join(parts))
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer


def head(server, *lines: str) -> bytes:
    token = server.token_file.read_text()
    about = [f"Host: {server.host}:{server.port}", f"Authorization: Bearer {token}"]
    return "\r\n".join(["POST /orders HTTP/1.1", *about, *lines, "", ""]).encode()


def test_a_body_that_comes_too_slowly_is_a_408(served, monkeypatch):
    """69: it says how many bytes it has, and sends fewer; nobody waits for longer than told."""
    monkeypatch.setattr(guard, "BODY_WITHIN", 0.3)
    begun = time.monotonic()
    answer = raw(
        served, head(served, "Content-Type: application/json", "Content-Length: 100"), b"{"
    )
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert time.monotonic() - begun < 8


HEALTH = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize("first", [b"", HEALTH + b"\r\n"])
@pytest.mark.parametrize("part", [b"G", HEALTH, b""])
def test_a_head_that_does_not_come_is_not_waited_for(served, monkeypatch, first, part):
    """69: nothing, or a part of it, also of the second one; the connection is closed."""
    monkeypatch.setattr(heads, "WITHIN", 0.3)
    with socket.create_connection((served.host, served.port), timeout=20) as connection:
        if first:
            connection.sendall(first)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        begun = time.monotonic()
        connection.sendall(part)
        while connection.recv(65536):
            pass
    assert time.monotonic() - begun < (4 if part or not first else 8)  # uvicorn's own: 5 seconds


def test_a_head_that_comes_byte_by_byte_has_no_more_time(served, monkeypatch):
    """69: a byte now and then would hold a connection for ever."""
    monkeypatch.setattr(heads, "WITHIN", 0.3)
    with socket.create_connection((served.host, served.port), timeout=20) as connection:
        connection.settimeout(0.02)

        def ended():
            try:
                connection.sendall(b"G")
                return connection.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_until(ended, 4, "It is still listened to.")


def test_many_who_say_nothing_are_not_in_the_way(served, local):
    """69: 200 of them, and others are answered; more than there is room for are sent away."""
    with contextlib.ExitStack() as idle:
        for _ in range(200):
            idle.enter_context(socket.create_connection((served.host, served.port), timeout=20))
        begun = time.monotonic()
        assert local.get("/products").status_code == 200
        assert httpx.get(f"{served.url}/health/live").status_code == 200
        assert time.monotonic() - begun < 2


def test_more_connections_than_there_is_room_for_are_closed(served, monkeypatch):
    """A process has so many files, and needs some for its database and for Kafka."""
    monkeypatch.setattr(heads, "MOST_CONNECTIONS", 0)
    assert raw(served) == b""


@pytest.mark.parametrize("length", ["104857600", "99999999999999999999"])
def test_a_body_that_says_it_is_large_is_not_waited_for(served, length):
    """69: 100 MB are refused by their length, before one byte of them."""
    answer = raw(
        served, head(served, "Content-Type: application/json", f"Content-Length: {length}")
    )
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_of_no_known_length_is_cut_off(served):
    """69: chunks are counted as they come."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    lines = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    answer = raw(served, head(served, *lines), chunk, chunk, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: -1",),
        ("Content-Length: many",),
        ("Content-Length: 2", "Content-Length: 3"),
        ("X: a\x00b",),
    ],
)
def test_what_is_no_http_is_a_400(served, lines):
    """69, 73: the server itself refuses it; lengths that disagree could smuggle a request."""
    assert raw(served, head(served, *lines), b"{}").startswith(b"HTTP/1.1 400 ")


def test_it_listens_on_loopback_alone(served):
    """S1: and on one port."""
    mine = psutil.Process().net_connections("inet")
    ports = [
        c.laddr for c in mine if c.status == psutil.CONN_LISTEN and c.laddr.port == served.port
    ]
    assert [address.ip for address in ports] == ["127.0.0.1"]


def test_another_host_is_reached_only_when_it_is_named(small_shop, caplog):
    """S1: it is said, and then its name may be used."""
    names = ("shop.example",)
    with (
        caplog.at_level(logging.WARNING),
        serve(small_shop.api, host="0.0.0.0", names=names) as server,
    ):
        address = f"http://127.0.0.1:{server.port}/health/live"
        assert httpx.get(address).status_code == 200
        assert httpx.get(address, headers={"Host": "shop.example"}).status_code == 200
        assert httpx.get(address, headers={"Host": "evil.example"}).status_code == 421
    assert "other machines reach it" in caplog.text


def test_the_token_file_is_private_and_ends_with_the_server(small_shop, home):
    """S3, S9: 256 bits in a file of the user, gone afterwards; another start has another token."""
    tokens = []
    for _ in range(2):
        api = OrderApi(small_shop.store)
        with serve(api) as server:
            assert stat.S_IMODE(server.token_file.stat().st_mode) == 0o600
            assert stat.S_IMODE(server.token_file.parent.stat().st_mode) == 0o700
            tokens.append(server.token_file.read_text())
        assert not server.token_file.exists()
    assert len(set(tokens)) == 2
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)


def test_several_apis_share_a_token_that_is_given(small_shop, home):
    """Behind one address any of them may be asked; one that is too short to be safe is refused."""
    token = "0123456789abcdef" * 2
    for _ in range(2):
        with serve(OrderApi(small_shop.store, token=token)) as server:
            headers = {"Authorization": f"Bearer {token}"}
            assert httpx.get(f"{server.url}/orders", headers=headers).status_code == 200
    for short in ("", "secret", token[:-1], "é" * 32):
        with refused(InvalidSetting, len(short)) as told:
            OrderApi(small_shop.store, token=short)
        assert not short or short not in str(told.value)


def test_a_file_that_was_put_there_is_not_written_into(home, tmp_path):
    """S9: a link to somewhere else is replaced, not followed."""
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "token"
    elsewhere.write_text("mine")
    path.symlink_to(elsewhere)
    Access().write(path)
    assert elsewhere.read_text() == "mine"
    assert not path.is_symlink()


def test_the_token_is_in_no_log_and_no_repr(small_shop, caplog):
    """S3, S10: whatever is asked, at the most talkative level."""
    with caplog.at_level(logging.DEBUG), serve(small_shop.api) as server:
        token = server.token_file.read_text()
        headers = {"Authorization": f"Bearer {token}"}
        for path in ("/orders", "/nothing", "/orders?limit=0", "/metrics"):
            answer = httpx.get(server.url + path, headers=headers)
            assert token not in answer.text + str(answer.headers)
        told = [repr(server), repr(small_shop.api), repr(small_shop.api.access), server.link()]
    assert token not in caplog.text + "".join(told) + repr(vars(server))


def test_a_code_is_worth_the_token_once(small_shop, monkeypatch):
    """The link of a browser: used, or old, it is worth nothing; at most a few wait."""
    with small_shop.client(Accept="*/*") as client:
        codes = [small_shop.api.access.code() for _ in range(30)]
        assert_problem(client.post("/session", json={"code": codes[0]}), 403)
        answer = client.post("/session", json={"code": codes[-1]})
        token = answer.json()["token"]
        assert small_shop.api.access.knows(token)
        assert "set-cookie" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        for code in (codes[-1], "", None, 7, "é", {"code": 1}):
            assert_problem(client.post("/session", json={"code": code}), 403)
        monkeypatch.setattr("eventlab.orders.web.access.CODE_LIVES", -1.0)
        assert_problem(client.post("/session", json={"code": small_shop.api.access.code()}), 403)


def test_every_answer_says_how_a_browser_has_to_take_it(stranger):
    """S8: no script but ours, no frame around it, no guess of its type, no copy kept."""
    for path in ("/", "/page.js", "/page.css", "/docs", "/openapi.json", "/orders", "/nothing"):
        headers = stranger.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_loads_nothing_from_elsewhere_and_sets_no_html(stranger):
    """S8: it works without a network, and an event cannot bring a script in."""
    texts = {path: stranger.get(path).text for path in ("/", "/page.css", "/page.js")}
    texts["/socketio.js"] = stranger.get("/socketio.js").text
    docs = stranger.get("/docs").text
    for path, text in texts.items():
        code = re.sub(r"^\s*//.*$", "", text, flags=re.M)
        assert not re.search(r"https?://|//[a-z]", code.replace("${scheme}://", "")), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
    assert "<script" not in docs
    assert not re.search(r"\son\w+=|javascript:|style=", texts["/"])


def test_what_comes_from_the_document_is_escaped_in_its_page():
    """S8: the page of the API is made of text."""
    from eventlab.orders.web.page import described

    told = {"summary": "<script>alert(1)</script>", "responses": {"2<0": {}}}
    page = described({"info": {"title": "<b>", "description": "&"}, "paths": {"/<": {"get": told}}})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "2&lt;0" in page


@pytest.mark.parametrize("port", [-1, 65536, "80", True, None, 1.5])
def test_what_is_no_port_is_refused(small_shop, port):
    with refused(InvalidSetting, port):
        serve(small_shop.api, port=port)


def test_a_port_that_is_taken_is_named(small_shop, served):
    """And nothing is left of the attempt."""
    before = threading.active_count()
    with refused(PortInUse, served.port):
        serve(OrderApi(small_shop.store), port=served.port)
    assert threading.active_count() == before


@pytest.mark.parametrize("kept", [None, "shop.db", 7])
def test_what_is_no_store_is_refused(kept):
    with refused(InvalidSetting, kept):
        OrderApi(kept)


PROGRAM = """
import signal, sys
from eventlab.orders.store import Store
from eventlab.orders.web import OrderApi, Server

server = Server(OrderApi(Store(sys.argv[1])))
handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
print(server.url, server.token_file, flush=True)
server.run()
assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
print("stopped", server.token_file.exists(), flush=True)
"""


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_in_the_foreground_a_signal_ends_it_cleanly(tmp_path, home, ends):
    """It stops listening, its token file goes, and the program goes on after it."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "shop.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        url, _, token_file = program.stdout.readline().strip().partition(" ")
        alive = lambda: httpx.get(f"{url}/health/live").status_code == 200  # noqa: E731
        wait_until(lambda: attempted(alive), 20, "It does not answer.")
        assert stat.S_IMODE(Path(token_file).stat().st_mode) == 0o600
        program.send_signal(ends)
        assert program.stdout.readline() == "stopped False\n"
        assert program.wait(10) == 0


def attempted(act):
    """Return what it returns; False while nobody listens."""
    try:
        return act()
    except httpx.TransportError:
        return False


def test_nothing_is_left_of_a_server(small_shop):
    """S1: no thread, no socket, no file."""
    threads, files = threading.active_count(), psutil.Process().num_fds()
    with serve(OrderApi(small_shop.store)) as server:
        token = server.token_file.read_text()
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/orders", headers=headers).status_code == 200
    assert threading.active_count() == threads
    small_shop.store.close()
    assert psutil.Process().num_fds() <= files
