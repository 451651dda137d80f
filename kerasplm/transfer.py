"""Fetch one file over HTTP: resumed, retried, checked."""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import requests
import urllib3

from kerasplm import answers
from kerasplm.answers import PassingError, Told
from kerasplm.archive import MAX_BYTES
from kerasplm.errors import DownloadError
from kerasplm.files import write_text
from kerasplm.progress import Reporter

# In a row; one that brings new bytes is the first of a new row. The pause doubles
# from one to the next.
ATTEMPTS = 5
BACKOFF = 1.0  # seconds
_CHUNK = 2**16
_MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Expected:
    """The checksum that a file must have.

    Args:
        sha256: In hex, or empty if nobody knows it.
        reason: Who says so, and what to do if the file differs.
    """

    sha256: str = ""
    reason: str = "of the catalogue"


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A complete file, as it stands in the marker of a cached folder.

    Args:
        url: Where it came from.
        size: In bytes.
        sha256: In hex.
        version: ETag or time of the last change, if told.
        commit: Hugging Face's revision, if told.
    """

    url: str
    size: int
    sha256: str
    version: str = ""
    commit: str = ""


@dataclasses.dataclass(frozen=True)
class Transfer:
    """One file on its way.

    The partial file is `path` + ".part", with what the server told beside it. It is
    continued, now or in a later process, if the file is known to be still the same.

    Args:
        session: Of requests.
        url: Of the file, http or https.
        path: Where to; its folder exists.
        reporter: Shows the progress.
        expected: The checksum, if known; it goes before what the server tells.
        limit: Largest size in bytes.
        copies: How often the disk must have room for the whole file.
    """

    session: requests.Session
    url: str
    path: Path
    reporter: Reporter
    expected: Expected
    limit: int = MAX_BYTES
    copies: int = 1

    def run(self) -> tuple[Fetched, bool]:
        """Fetch the file; a wrong checksum deletes it and fetches it once more.

        Returns:
            The facts about the file, and whether its checksum was known beforehand.

        Raises:
            MissingError: The server has no such file.
            DownloadError: It cannot be fetched, is too large, or is another file.
        """
        for again in (True, False):
            told, expected = self._persist(), self.expected
            if told.sha256 and not expected.sha256:
                expected = Expected(told.sha256, "told by the server")
            size, found = self._part.stat().st_size, digest(self._part)
            if expected.sha256 in ("", found):
                break
            self._discard()
            if not again:
                raise DownloadError(
                    f"{self.url}: expected sha256 {expected.sha256} "
                    f"({expected.reason}), found {found}"
                )
            self.reporter.say(f"{self.path.name}: wrong checksum; fetched once more")
        os.replace(self._part, self.path)
        self._discard()
        self.reporter.end(self.path.name, size)
        done = Fetched(self.url, size, found, told.version, told.commit)
        return done, bool(expected.sha256)

    def _persist(self) -> Told:
        """Go on until the partial file is whole; only new bytes earn new attempts."""
        failures, best = 0, self._have()
        while True:
            try:
                return self._attempt()
            except PassingError as error:
                have = self._have()
                failures = 1 if have > best else failures + 1
                best = max(best, have)
                if failures >= ATTEMPTS:
                    kept = f"; {have} bytes are kept for the next call" if have else ""
                    raise DownloadError(
                        f"{self.url}: {error}; gave up after {ATTEMPTS} attempts{kept}"
                    ) from error
                wait = error.wait
                if wait is None:
                    wait = BACKOFF * 2 ** (failures - 1)
                self.reporter.say(
                    f"{self.path.name}: {error}; next attempt in {wait:.0f} s"
                )
                time.sleep(wait)

    def _attempt(self) -> Told:
        have, before = self._have(), self._notes()
        # Bytes of two versions must never be joined: where no version and no checksum
        # is known, the file is begun again.
        if not (before.version or before.sha256 or self.expected.sha256):
            have = 0
        if have and have == before.total:
            return before  # stopped between the last byte and the check
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            if before.version:
                headers["If-Range"] = before.version
        with answers.ask(self.session, self.url, headers) as (response, told):
            if response.status_code == 200:
                # First gone, then begun: old bytes never meet new notes.
                self._discard()
                have = 0
            elif (
                have
                and answers.starts_at(response) == have
                and not told.contradicts(before)
            ):
                told = told.completed_by(before)
            else:
                self._discard()
                raise PassingError(
                    f"expected the file from byte {have}, found another one or another "
                    f"place (HTTP {response.status_code})",
                    0.0,
                )
            self._check_size(told.total, have)
            self._write_notes(told)
            self.reporter.begin(self.path.name, have, told.total)
            have = self._copy(response, have)
        if told.total is not None and have != told.total:
            raise PassingError(f"the connection ended at byte {have} of {told.total}")
        return told

    def _copy(self, response: requests.Response, have: int) -> int:
        with self._part.open("ab" if have else "wb") as out:
            try:
                # read1 gives what has come: none of it is lost when the rest stalls.
                while chunk := response.raw.read1(_CHUNK, decode_content=False):
                    have += len(chunk)
                    if have > self.limit:
                        self._discard()
                        raise DownloadError(
                            f"{self.url}: larger than {self.limit} bytes: refused"
                        )
                    out.write(chunk)
                    self.reporter.advance(len(chunk))
            except urllib3.exceptions.ReadTimeoutError as error:
                raise PassingError(
                    f"no byte for {answers.READ_TIMEOUT:g} s after byte {have}"
                ) from error
            except urllib3.exceptions.HTTPError as error:
                raise PassingError(
                    f"the connection broke after byte {have} ({error})"
                ) from error
        return have

    def _check_size(self, total: int | None, have: int) -> None:
        if total is None:
            return
        if total > self.limit:
            raise DownloadError(
                f"{self.url}: {total} bytes, more than {self.limit}: refused"
            )
        free = shutil.disk_usage(self.path.parent).free
        need = total * self.copies - have
        if need > free:
            raise DownloadError(
                f"{self.url}: needs {need / _MIB:.0f} MiB in {self.path.parent}, free "
                f"are {free / _MIB:.0f} MiB"
            )

    @property
    def _part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    @property
    def _notes_file(self) -> Path:
        return self.path.with_name(self.path.name + ".part.json")

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _notes(self) -> Told:
        try:
            return Told(**json.loads(self._notes_file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Told()  # the partial file is then begun again

    def _write_notes(self, told: Told) -> None:
        write_text(self._notes_file, json.dumps(dataclasses.asdict(told)))

    def _discard(self) -> None:
        self._part.unlink(missing_ok=True)
        self._notes_file.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
