"""Forms with files (multipart/form-data), received into one temporary file whatever their size.

The framework's own reader keeps a file open for each file of a form, takes any text encoding that Python knows, and
gives what has arrived of a form whose end never came.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from index.errors import StorageFull
from service.api.errors import InvalidValue, MalformedBody, UnsupportedBody

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FILES = 1000
MAX_FIELDS = 10
MAX_FIELD_BYTES = 4000
_IN_MEMORY_BYTES = 256_000
"""Forms up to this size never touch the disk."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a form: its name as it was sent, and where its bytes lie among those of all files."""

    name: str
    start: int
    size: int


class Form:
    """A form that has arrived as a whole. `close` it when done."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[SentFile] = []
        self._hash = hashlib.sha256()
        self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  # closed by `close`

    def append(self, data: bytes) -> None:
        """Keep bytes of the file that is arriving."""
        self._spool.write(data)
        self._hash.update(data)

    def end_file(self, name: str) -> None:
        """Say that a file has arrived: all that was kept since the one before."""
        start = self.files[-1].start + self.files[-1].size if self.files else 0
        self.files.append(SentFile(name, start, self._spool.tell() - start))

    def digest(self) -> str:
        """Give a hash of what was sent, which does not depend on the boundary between the parts."""
        parts = sorted(self.fields.items()), [(file.name, file.size) for file in self.files], self._hash.hexdigest()
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def read(self, file: SentFile, max_bytes: int) -> bytes:
        """Give the bytes of a file, at most so many. For one thread at a time, once all has arrived."""
        self._spool.seek(file.start)
        return self._spool.read(min(file.size, max_bytes))

    def close(self) -> None:
        """Remove the temporary file."""
        self._spool.close()


async def read_form(request: Request) -> Form:
    """Receive the form that is the body of a request.

    Raises:
        UnsupportedBody: The body is no multipart/form-data, in another encoding than UTF-8, or compressed.
        MalformedBody: It is not what its header Content-Type says, or ends in the middle.
        InvalidValue: It has too many parts, one without a name, or a field that is too long.
        StorageFull: It cannot be kept on the disk.
    """
    form = Form()
    try:
        parser = _FormParser(_boundary(request), form)
        async for chunk in request.stream():
            await run_in_threadpool(parser.write, chunk)
        parser.end()
    except BaseException:
        form.close()
        raise
    return form


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise UnsupportedBody("the body must be a form with files, and the header Content-Type say multipart/form-data")
    if options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise UnsupportedBody("the body must be in UTF-8")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedBody("the body must not be compressed")
    if not options.get(b"boundary"):
        raise MalformedBody("the header Content-Type names no boundary, which parts the files of the form")
    return options[b"boundary"]


class _FormParser:
    """Takes a form apart while it arrives; `write` is called in one thread at a time."""

    def __init__(self, boundary: bytes, form: Form) -> None:
        self._form = form
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_name, self._header_value = bytearray(), bytearray()
        self._field = ""
        self._file_name: str | None = None
        self._value = bytearray()
        self._fields = 0
        self._ended = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open_part,
            "on_part_data": self._take,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise MalformedBody("the boundary that the header Content-Type names is too long") from error

    def write(self, chunk: bytes) -> None:
        """Take what has arrived."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedBody("the body is no multipart form with the boundary that its header names") from error
        except OSError as error:
            raise StorageFull(f"the files of the form cannot be kept ({error.strerror})") from error

    def end(self) -> None:
        """Require that the form has come to its end.

        Raises:
            MalformedBody: It has not.
        """
        if not self._ended:
            raise MalformedBody("the form ends in the middle: its last boundary is missing")

    def _begin_part(self) -> None:
        self._headers = []
        self._value = bytearray()

    def _end_header(self) -> None:
        self._headers.append((bytes(self._header_name).lower(), bytes(self._header_value)))
        self._header_name, self._header_value = bytearray(), bytearray()

    def _open_part(self) -> None:
        headers = dict(self._headers)
        _, options = parse_options_header(headers.get(b"content-disposition"))
        if b"name" not in options:
            raise InvalidValue("a part of the form has no name in its header Content-Disposition", pointer="#")
        if headers.get(b"content-transfer-encoding", b"binary").strip().lower() not in (b"binary", b"7bit", b"8bit"):
            raise InvalidValue("a part of the form has a Content-Transfer-Encoding; send it as it is", pointer="#")
        self._field = _text(options[b"name"])
        self._file_name = _text(options[b"filename"]) if b"filename" in options else None
        if self._file_name is None:
            self._fields += 1
        if self._fields > MAX_FIELDS or (self._file_name is not None and len(self._form.files) >= MAX_FILES):
            raise InvalidValue(
                f"the form has too many parts; the limits are {MAX_FILES} files and {MAX_FIELDS} other fields",
                pointer="#",
            )

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._file_name is not None:
            self._form.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise InvalidValue(
                f"a field of the form is longer than {MAX_FIELD_BYTES} bytes; files have a file name", pointer="#"
            )

    def _end_part(self) -> None:
        if self._file_name is not None:
            self._form.end_file(self._file_name)
        elif self._field in self._form.fields:
            raise InvalidValue("the form has the same field twice; which one is meant is not clear", pointer="#")
        else:
            self._form.fields[self._field] = _text(bytes(self._value))

    def _end(self) -> None:
        self._ended = True


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody("a name or a field of the form is not in UTF-8") from error
