"""One file over HTTP, from servers of good and bad manners."""

import hashlib
import json
import random
import shutil
from types import SimpleNamespace

import pytest
import requests

from kerasplm import answers, transfer
from kerasplm.errors import DownloadError
from kerasplm.progress import Reporter
from kerasplm.transfer import Expected, Transfer
from tests.http_server import Served, cut, serving, status

DATA = random.Random(0).randbytes(256000)
OTHER = DATA[::-1]
SHA256 = hashlib.sha256(DATA).hexdigest()
HALF = len(DATA) // 2


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transfer, "BACKOFF", 0.01)
    monkeypatch.setattr(transfer, "ATTEMPTS", 3)
    monkeypatch.setattr(answers, "READ_TIMEOUT", 0.25)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with serving() as server:
        server.files["/f"] = Served(DATA)
        yield server


@pytest.fixture
def get(server, tmp_path):
    """Fetch /f, check the bytes and that nothing else is left."""

    def get(path="/f", data=DATA, **options):
        expected = options.pop("expected", Expected())
        with requests.Session() as session, Reporter(False) as reporter:
            done, known = Transfer(
                session,
                server.url + path,
                tmp_path / "f",
                reporter,
                expected,
                **options,
            ).run()
        assert (tmp_path / "f").read_bytes() == data
        assert [file.name for file in tmp_path.iterdir()] == ["f"]
        assert done.sha256 == hashlib.sha256(data).hexdigest()
        assert done.size == len(data)
        assert done.url == server.url + path
        return done, known

    return get


def test_whole(get, server):
    # The hash of git that Hugging Face tells of small files is no checksum.
    server.files["/f"].headers = {"X-Linked-Etag": f'"{"a" * 40}"'}
    done, known = get()
    assert done.version == server.files["/f"].tag
    assert not known
    assert server.seen == [("/f", "")]


def test_empty_file(get, server):
    server.files["/f"].data = b""
    get(data=b"")


def test_file_without_a_length(get, server):
    def trick(handler, served):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        handler.wfile.write(head)
        for piece in (DATA[:HALF], DATA[HALF:], b""):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    server.files["/f"].tricks = [trick]
    get()


@pytest.mark.parametrize("stall", [False, True])
def test_resumed_where_it_stopped(get, server, stall):
    server.files["/f"].tricks = [cut(HALF, stall), cut(10, stall)]
    get()
    assert server.asked("/f") == ["", f"bytes={HALF}-", f"bytes={HALF + 10}-"]


def test_new_bytes_earn_new_attempts(get, server):
    server.files["/f"].tricks = [cut(1000) for _ in range(10)]
    get()
    assert len(server.seen) == 11


@pytest.mark.parametrize(
    ("served", "second"), [({"ranges": False}, f"bytes={HALF}-"), ({"etag": None}, "")]
)
def test_begun_again(get, server, served, second):
    """No ranges; or no version, which says whether two halves belong together."""
    server.files["/f"] = Served(DATA, tricks=[cut(HALF)], **served)
    get()
    assert server.asked("/f") == ["", second]


def test_time_of_the_last_change_stands_in_for_a_weak_etag(get, server):
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    server.files["/f"] = Served(DATA, etag='W/"x"', headers={"Last-Modified": date})
    server.files["/f"].tricks = [cut(HALF)]
    assert get()[0].version == date
    assert server.asked("/f") == ["", f"bytes={HALF}-"]


def test_known_checksum_allows_resuming_without_a_version(get, server):
    server.files["/f"].etag = None
    server.files["/f"].tricks = [cut(HALF)]
    assert get(expected=Expected(SHA256))[1]
    assert server.asked("/f") == ["", f"bytes={HALF}-"]


@pytest.mark.parametrize("if_range", [True, False])
def test_file_changes_between_two_halves(get, server, if_range):
    def trick(handler, served):
        cut(HALF)(handler, served)
        served.data = OTHER

    server.files["/f"].if_range = if_range
    server.files["/f"].tricks = [trick]
    get(data=OTHER)
    # One that heeds If-Range sends the new file at once.
    assert server.asked("/f") == ["", f"bytes={HALF}-"] + [""] * (not if_range)


def test_checksum_told_at_first_holds_to_the_end(get, server):
    def trick(handler, served):
        served.headers = {"X-Linked-Etag": "0" * 64}
        cut(HALF)(handler, served)
        served.headers = {}

    server.files["/f"].tricks = [trick]
    get()
    assert server.asked("/f") == ["", f"bytes={HALF}-", ""]


def test_file_shrinks_below_the_partial_one(get, server):
    def trick(handler, served):
        cut(HALF)(handler, served)
        served.data, served.if_range = DATA[:100], False

    server.files["/f"].tricks = [trick]
    get(data=DATA[:100])
    assert server.asked("/f") == ["", f"bytes={HALF}-", ""]


def test_answer_from_another_place_is_not_joined(get, server):
    wrong = status(206, DATA[:HALF], Content_Range=f"bytes 0-{HALF - 1}/{len(DATA)}")
    server.files["/f"].tricks = [cut(HALF), wrong]
    get()
    assert server.asked("/f") == ["", f"bytes={HALF}-", ""]


def test_less_than_asked_for_is_a_step(get, server):
    some = DATA[HALF : HALF + 10]
    place = f"bytes {HALF}-{HALF + 9}/{len(DATA)}"
    server.files["/f"].tricks = [cut(HALF), status(206, some, Content_Range=place)]
    get()
    assert server.asked("/f") == ["", f"bytes={HALF}-", f"bytes={HALF + 10}-"]


def interrupted(tmp_path, server, count=HALF, **notes):
    (tmp_path / "f.part").write_bytes(DATA[:count])
    notes = {"total": len(DATA), "version": server.files["/f"].tag} | notes
    (tmp_path / "f.part.json").write_text(json.dumps(notes))


def test_resumed_after_an_earlier_process(get, server, tmp_path):
    interrupted(tmp_path, server)
    get()
    assert server.asked("/f") == [f"bytes={HALF}-"]


def test_stopped_before_the_last_step(get, server, tmp_path):
    interrupted(tmp_path, server, len(DATA))
    get()
    assert server.seen == []


def test_partial_file_longer_than_the_file(get, server, tmp_path):
    interrupted(tmp_path, server)
    with (tmp_path / "f.part").open("ab") as file:
        file.write(DATA)
    get()


def test_stopped_between_new_notes_and_new_bytes(get, tmp_path, server, monkeypatch):
    interrupted(tmp_path, server, version='"old"')
    (tmp_path / "f.part").write_bytes(OTHER[:HALF])

    def stop(*args):
        raise KeyboardInterrupt

    copy = Transfer._copy
    monkeypatch.setattr(Transfer, "_copy", stop)
    with pytest.raises(KeyboardInterrupt):
        get()
    monkeypatch.setattr(Transfer, "_copy", copy)
    get()


@pytest.mark.parametrize("notes", [None, "{", '{"other": 1}', "[]"])
def test_partial_file_without_usable_notes_begins_again(get, server, tmp_path, notes):
    (tmp_path / "f.part").write_bytes(OTHER[:HALF])
    if notes is not None:
        (tmp_path / "f.part.json").write_text(notes)
    get()
    assert server.asked("/f") == [""]


def test_truncated_every_time(get, server, tmp_path):
    server.files["/f"].tricks = [cut(HALF), *[cut(0) for _ in range(9)]]
    with pytest.raises(DownloadError, match=rf"byte {HALF}.*3 attempts; {HALF} bytes"):
        get()
    assert len(server.seen) == 3
    assert (tmp_path / "f.part").read_bytes() == DATA[:HALF]
    server.files["/f"].tricks = []
    get()
    assert server.asked("/f")[-1] == f"bytes={HALF}-"


def test_server_claims_more_bytes_than_it_has(get, server):
    server.files["/f"].ranges = False
    server.files["/f"].tricks = [cut(len(DATA), length=len(DATA) + 5)] * 9
    with pytest.raises(DownloadError, match="gave up after 3 attempts"):
        get()


def test_server_claims_fewer_bytes_than_it_has(get, server):
    server.files["/f"].tricks = [cut(len(DATA), length=100)] * 9
    with pytest.raises(DownloadError, match=f"expected sha256 {SHA256}"):
        get(expected=Expected(SHA256))


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_passing_problem(get, server, code):
    server.files["/f"].tricks = [status(code)]
    get()
    assert len(server.seen) == 2


@pytest.mark.parametrize("code", [416, 503])
def test_lasting_problem_of_the_server(get, server, code):
    server.files["/f"].tricks = [status(code)] * 9
    with pytest.raises(DownloadError, match=rf"HTTP {code}.*gave up after 3 attempts"):
        get()
    assert len(server.seen) == 3


@pytest.mark.parametrize("value", ["0", "7", "date", "nonsense"])
def test_retry_after(get, server, value, monkeypatch):
    waits = []
    monkeypatch.setattr(transfer, "time", SimpleNamespace(sleep=waits.append))
    header = "Sun, 06 Nov 1994 08:49:37 GMT" if value == "date" else value
    server.files["/f"].tricks = [status(429, Retry_After=header)]
    get()
    assert waits == [{"7": 7.0, "nonsense": 0.01}.get(value, 0.0)]


def test_redirects_of_hugging_face(get, server):
    """Checksum and commit come with the redirect; the ETag behind it is no checksum."""
    server.files["/f"].etag = f'"{"0" * 64}"'
    server.files["/r"] = Served(b"")
    headers = {"X_Linked_Etag": f'"{SHA256}"', "X_Repo_Commit": "abc"}
    server.files["/r"].tricks = [
        status(302, b"Found", Location="/f", **headers),
        status(307, Location=server.url + "/f", **headers),
    ]
    server.files["/f"].tricks = [cut(HALF)]
    done, known = get("/r")
    assert known
    assert done.commit == "abc"
    assert server.asked("/r") == server.asked("/f") == ["", f"bytes={HALF}-"]


def test_corrupt_bytes_are_fetched_once_more(get, server):
    server.files["/f"].tricks = [lambda h, s: status(200, OTHER)(h, s)]
    get(expected=Expected(SHA256))
    assert len(server.seen) == 2


@pytest.mark.parametrize("told", [False, True])
def test_wrong_checksum(get, server, tmp_path, told):
    server.files["/f"].data = OTHER
    expected = Expected("" if told else SHA256)
    if told:
        server.files["/f"].headers = {"X-Linked-Etag": f'"{SHA256}"'}
    found = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(DownloadError, match=rf"{SHA256} \(.*, found {found}"):
        get(expected=expected)
    assert len(server.seen) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("announced", [True, False])
def test_too_large(get, server, tmp_path, announced):
    if not announced:
        server.files["/f"].tricks = [
            lambda h, s: (h.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + DATA), h.finish())
        ]
    with pytest.raises(DownloadError, match=r"1000.*refused"):
        get(limit=1000)
    assert list(tmp_path.iterdir()) == []


def test_full_disk(get, monkeypatch):
    free = SimpleNamespace(free=2**20 + 2 * len(DATA) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    get(copies=2)
    free.free = 2 * len(DATA) - 1
    with pytest.raises(DownloadError, match="needs 0 MiB in .*, free are 0 MiB"):
        get(copies=2)


def test_nobody_answers(get, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match="no connection .*gave up after 3"):
        get()
