"""Ask a web server for a file: redirects, statuses, what the headers tell.

Source: RFC 9110 (Range, If-Range, Retry-After). Hugging Face answers for a large file
with a redirect that carries its sha256 (`X-Linked-Etag`) and the commit
(`X-Repo-Commit`); the storage behind it has an ETag of its own, which is no checksum
even where it looks like one. Small files have a git hash as `X-Linked-Etag`.
"""

import contextlib
import dataclasses
import datetime
import email.utils
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import requests

from kerasplm._version import VERSION
from kerasplm.errors import DownloadError

# In seconds; the read timeout is the longest silence of a server.
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
LONGEST_WAIT = 60.0
_REDIRECTS = 10
_NUMBER = re.compile(r"[0-9]{1,18}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REFUSED = {
    401: "a login is asked for, or there is nothing of that name",
    403: "the server refuses it: a login, a licence or a quota",
}


class MissingError(DownloadError):
    """The server does not have the file."""


class PassingError(Exception):
    """What may be over at the next attempt.

    Args:
        reason: For the user.
        wait: Seconds that the server asks for, if it does.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclasses.dataclass(frozen=True)
class Told:
    """What a server told about a file; kept beside the partial file.

    Args:
        total: Size in bytes, if told.
        version: The strong ETag, else the time of the last change: what If-Range
            takes; empty if the server told neither.
        sha256: Of Hugging Face's large files, else empty.
        commit: Hugging Face's revision, else empty.
    """

    total: int | None = None
    version: str = ""
    sha256: str = ""
    commit: str = ""

    def contradicts(self, other: "Told") -> bool:
        """Whether the two are about different contents."""
        return any(
            a not in ("", None) and b not in ("", None) and a != b
            for a, b in (
                (self.total, other.total),
                (self.version, other.version),
                (self.sha256, other.sha256),
            )
        )

    def completed_by(self, older: "Told") -> "Told":
        """Take from an older answer what this one leaves open."""
        return Told(
            older.total if self.total is None else self.total,
            self.version or older.version,
            self.sha256 or older.sha256,
            self.commit or older.commit,
        )


@contextlib.contextmanager
def ask(
    session: requests.Session, url: str, headers: dict[str, str]
) -> Iterator[tuple[requests.Response, Told]]:
    """Ask for a file, following redirects; the headers of each of them count.

    Args:
        session: Of requests.
        url: Of the file, http or https.
        headers: Range and If-Range, if any.

    Raises:
        MissingError: The server has no such file.
        DownloadError: It will not give it, or gives something else.
        PassingError: It may give it later.
    """
    sha256 = commit = ""
    place = url
    for _ in range(_REDIRECTS):
        try:
            response = session.get(
                place,
                headers={
                    "User-Agent": f"kerasplm/{VERSION}",
                    "Accept-Encoding": "identity",
                    **headers,
                },
                stream=True,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise DownloadError(f"{url}: no safe connection ({error})") from error
        except requests.Timeout as error:
            raise PassingError("no answer in time") from error
        except requests.ConnectionError as error:
            raise PassingError(f"no connection ({_reason(error)})") from error
        except (requests.RequestException, ValueError) as error:
            raise DownloadError(f"{url}: cannot be asked for ({error})") from error
        with response:
            linked = response.headers.get("X-Linked-Etag", "").strip('"').lower()
            sha256 = sha256 or (linked if _SHA256.fullmatch(linked) else "")
            commit = commit or response.headers.get("X-Repo-Commit", "")
            if response.is_redirect:
                place = next_place(url, place, response.headers["Location"])
                continue
            _check_status(url, response)
            yield response, _told(response, sha256, commit)
            return
    raise DownloadError(f"{url}: more than {_REDIRECTS} redirects")


def next_place(url: str, place: str, location: str) -> str:
    """Return where a redirect leads.

    Args:
        url: Of the file, for the message.
        place: That answered.
        location: What it answered, possibly relative.

    Raises:
        DownloadError: It leads from https to http, or to no web address.
    """
    try:
        target = urljoin(place, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise DownloadError(f"{url}: redirected to {location!r}: no address") from error
    wanted = ("https",) if urlsplit(place).scheme == "https" else ("http", "https")
    if scheme not in wanted:
        raise DownloadError(
            f"{url}: redirected to {target.split('?')[0]}; expected "
            + " or ".join(wanted)
        )
    return target


def starts_at(response: requests.Response) -> int | None:
    """Return the first byte that a partial answer holds."""
    found = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _check_status(url: str, response: requests.Response) -> None:
    status = response.status_code
    if status in (404, 410):
        raise MissingError(f"{url}: not there (HTTP {status})")
    if status in _REFUSED:
        raise DownloadError(f"{url}: {_REFUSED[status]} (HTTP {status})")
    if status in (408, 429) or status >= 500:
        wait = _retry_after(response.headers.get("Retry-After", ""))
        if wait is not None and wait > LONGEST_WAIT:
            raise DownloadError(
                f"{url}: the server asks to come back in {wait:.0f} s (HTTP {status})"
            )
        busy = "too many requests" if status == 429 else "the server has a problem"
        raise PassingError(f"{busy} (HTTP {status})", wait)
    if status not in (200, 206, 416):
        raise DownloadError(f"{url}: expected HTTP 200, found {status}")
    if status == 416:
        return
    kind = response.headers.get("Content-Type", "").lower()
    if kind.startswith(("text/html", "application/xhtml")):
        raise DownloadError(
            f"{url}: expected a file, found a web page (a login, a quota or a notice): "
            "open it in a browser"
        )
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    # Some servers call a .tar.gz file "encoded"; its bytes are the file then.
    if encoding != "identity" and not urlsplit(url).path.endswith("gz"):
        raise DownloadError(
            f"{url}: expected the bytes of the file, found them encoded ({encoding})"
        )


def _told(response: requests.Response, sha256: str, commit: str) -> Told:
    headers = response.headers
    etag = headers.get("ETag", "")
    version = headers.get("Last-Modified", "") if etag[:2] in ("", "W/") else etag
    total = headers.get("Content-Length", "")
    if response.status_code == 206:
        total = headers.get("Content-Range", "").rpartition("/")[2]
    number = int(total) if _NUMBER.fullmatch(total) else None
    return Told(number, version, sha256, commit)


def _retry_after(value: str) -> float | None:
    """Read seconds or a date."""
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, (date - datetime.datetime.now(datetime.UTC)).total_seconds())


def _reason(error: Exception) -> str:
    """Return the innermost cause: requests wraps it several times."""
    inner = error.args[0] if error.args else error
    text = str(getattr(inner, "reason", inner))
    return re.sub(r"<[^>]*>: |\w+Connection\([^)]*\): ", "", text)
