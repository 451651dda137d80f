"""What the answers of servers mean."""

import pytest
import requests

from kerasplm.answers import MissingError, Told, ask, next_place
from kerasplm.errors import DownloadError
from tests.http_server import Served, serving, status


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        server.files["/f"] = Served(b"data")
        yield server


def content(server, path="/f"):
    """Ask once for a file."""
    with (
        requests.Session() as session,
        ask(session, server.url + path, {}) as (response, told),
    ):
        assert told.total == 4
        return response.raw.read()


@pytest.mark.parametrize(
    ("trick", "words"),
    [
        (status(400), "expected HTTP 200, found 400"),
        (status(204), "expected HTTP 200, found 204"),
        (status(300), "expected HTTP 200, found 300"),
        (status(401), "a login is asked for.* .HTTP 401"),
        (status(403), "a licence or a quota .HTTP 403"),
        (status(429, Retry_After="3600"), "come back in 3600 s .HTTP 429"),
        (status(503, Retry_After="Fri, 01 Jan 2100 00:00:00 GMT"), r"back in \d+ s"),
        (status(200, b"<html>", Content_Type="text/html; charset=x"), "a web page"),
        (status(200, b"<html>", Content_Type="Application/XHTML+xml"), "a web page"),
        (status(200, b"x", Content_Encoding="gzip"), "encoded .gzip"),
        (status(302, Location="ftp://127.0.0.1/f"), "expected http or https"),
        (status(302, Location="file:///etc/passwd"), "expected http or https"),
        (status(302, Location="/f"), "more than 10 redirects"),
    ],
)
def test_refusal(server, trick, words):
    server.files["/f"].tricks = [trick] * 30
    with pytest.raises(DownloadError, match=rf"^{server.url}/f: .*{words}"):
        content(server)
    assert len(server.seen) == (10 if "redirects" in words else 1)


@pytest.mark.parametrize("code", [404, 410])
def test_missing(server, code):
    server.files["/f"].tricks = [status(code)]
    with pytest.raises(MissingError, match=f"not there .HTTP {code}"):
        content(server)


def test_archive_that_is_called_encoded(server):
    """Such servers mean the file, whose name says that it is compressed."""
    server.files["/f.tar.gz"] = Served(b"data", headers={"Content-Encoding": "gzip"})
    with (
        requests.Session() as session,
        ask(session, server.url + "/f.tar.gz", {}) as (response, _),
    ):
        # read1 gives what has come, which may be a part.
        parts = iter(lambda: response.raw.read1(9, decode_content=False), b"")
        assert b"".join(parts) == b"data"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect(server, code):
    server.files["/r"] = Served(b"", tricks=[status(code, b"Found", Location="/f")])
    assert content(server, "/r") == b"data"


def test_redirect_never_leaves_https():
    start = "https://example.org/a"
    assert next_place("u", start, "/b?c") == "https://example.org/b?c"
    assert next_place("u", start, "//cdn.org/b") == "https://cdn.org/b"
    assert next_place("u", "http://a.org", "https://b.org/") == "https://b.org/"
    for location in ("http://example.org/b", "HTTP://example.org/b", "http://[::1"):
        with pytest.raises(DownloadError, match="redirected to"):
            next_place("u", start, location)


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://[::1", "ftp://a/b"])
def test_no_address(url):
    with (
        requests.Session() as session,
        pytest.raises(DownloadError, match="cannot be asked for"),
        ask(session, url, {}),
    ):
        pass


def test_two_answers_about_a_file():
    first = Told(10, "a", "f" * 64, "c")
    assert not first.contradicts(Told())
    assert not Told().contradicts(first)
    assert not first.contradicts(Told(10, "a", "f" * 64, "another commit"))
    for other in (Told(11), Told(version="b"), Told(sha256="0" * 64), Told(0)):
        assert first.contradicts(other)
        assert other.contradicts(first)
    assert Told().completed_by(first) == first
    assert Told(0, commit="d").completed_by(first) == Told(0, "a", "f" * 64, "d")
