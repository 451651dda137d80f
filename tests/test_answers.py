"""What answers of servers mean; where no server is needed."""

import pytest
import requests

from kerasplm.answers import Told, ask, next_place
from kerasplm.errors import DownloadError


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
