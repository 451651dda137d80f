"""A real HTTP server for tests, with good and bad manners."""

import contextlib
import dataclasses
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass
class Served:
    """A file, and how the server gives it.

    Args:
        data: Its bytes.
        ranges: Whether Range is understood.
        if_range: Whether If-Range is.
        etag: None sends none.
        headers: Sent besides.
        tricks: What the next requests get instead, one each; None is no trick.
        gate: What the server waits for in the middle of the file.
    """

    data: bytes
    ranges: bool = True
    if_range: bool = True
    etag: str | None = ""
    headers: dict = dataclasses.field(default_factory=dict)
    tricks: list = dataclasses.field(default_factory=list)
    gate: threading.Event | None = None

    @property
    def tag(self):
        if self.etag == "":
            return f'"{hashlib.md5(self.data).hexdigest()}"'
        return self.etag


def status(code, body=b"", **headers):
    """Answer with a status; `_` in the names of headers means `-`."""

    def trick(handler, served):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return trick


def cut(count, stall=False, length=None):
    """Announce the file (or `length` bytes), send `count` bytes, close or stall."""

    def trick(handler, served):
        start = handler.head(served, length)
        handler.wfile.write(served.data[start : start + count])
        handler.wfile.flush()
        if stall:
            handler.server.stopping.wait(20)
        handler.close_connection = True

    return trick


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        served = self.server.files.get(self.path)
        self.server.seen.append((self.path, self.headers.get("Range", "")))
        trick = served.tricks.pop(0) if served and served.tricks else None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if served is None:
                status(404)(self, None)
            elif trick:
                trick(self, served)
            else:
                self.whole(served)

    def whole(self, served):
        start = self.head(served)
        if start is None:
            return
        middle = max(start, len(served.data) // 2)
        self.wfile.write(served.data[start:middle])
        if served.gate:
            self.wfile.flush()
            served.gate.wait(60)
        self.wfile.write(served.data[middle:])

    def head(self, served, length=None):
        """Send the status and the headers; return the first byte to send."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        size, start, code, extra = len(served.data), 0, 200, {}
        strong = [served.tag, served.headers.get("Last-Modified")]
        same = self.headers.get("If-Range", served.tag) in strong
        if asked and served.ranges and (same or not served.if_range):
            start, code = int(asked[1]), 206
            if start >= size:
                status(416, Content_Range=f"bytes */{size}")(self, served)
                return None
            extra["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        extra["Content-Length"] = str(size - start if length is None else length)
        if served.tag is not None:
            extra["ETag"] = served.tag
        self.send_response(code)
        for name, value in (extra | served.headers).items():
            self.send_header(name, value)
        self.end_headers()
        return start

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    """Serves `files` (path: Served) and remembers in `seen` what was asked for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.stopping = threading.Event()
        self.files, self.seen = {}, []

    def handle_error(self, request, client_address):
        pass  # a client that goes away in the middle is part of the tests

    def asked(self, path):
        """Return the Range headers of the requests for a path."""
        return [ranges for name, ranges in self.seen if name == path]


@contextlib.contextmanager
def serving():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
