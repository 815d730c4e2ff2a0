"""Forms with a file, and what a storage's errors may say."""

import pickle
import re
from collections.abc import AsyncGenerator
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from duvo_async import APIStatusError
from duvo_async._bodies import ByteStream, multipart
from duvo_async._protocol import Request, Response, failure
from duvo_async.emulator import Request as EmulatorRequest
from duvo_async.emulator.multipart import read_form
from tests.support.properties import unhurried

BOUNDARY = "5f3b9c2e7d1a4e6f8b0c9d8e7f6a5b4c"
NAMES = [
    "a.csv",
    'with "quotes".csv',
    "back\\slash.csv",
    "100%22.csv",
    "päper & 墨.csv",
    "two words; and=more.csv",
    "-leading.csv",
    "ends in a backslash\\",
    "",
]


def _stream(data: bytes, content_type: str = "text/csv") -> ByteStream:
    async def blocks() -> AsyncGenerator[bytes, None]:
        yield data

    return ByteStream(size=len(data), content_type=content_type, blocks=blocks, data=data)


def _form(path: str, data: bytes = b"data", content_type: str = "text/csv") -> ByteStream:
    return multipart(_stream(data, content_type), path=path, boundary=BOUNDARY)


def _bytes(form: ByteStream) -> bytes:
    assert form.data is not None
    return form.head + form.data + form.tail


def _as_emulator_reads(form: ByteStream) -> dict[str, bytes]:
    headers = {"Content-Type": form.content_type}
    request = EmulatorRequest("POST", "/v1/sandboxes/s/files", "", headers, _bytes(form))
    return read_form(request, frozenset({"path", "file"}))


def _headers_of_file(form: ByteStream) -> bytes:
    return form.head.rpartition(f"--{BOUNDARY}\r\n".encode())[2]


def _filename(form: ByteStream) -> str:
    """Read the name as browsers' servers do: up to the next quote, then unescaped."""
    found = re.fullmatch(
        rb'Content-Disposition: form-data; name="file"; filename="([^"\r\n]*)"\r\n'
        rb"Content-Type: [^\r\n]+\r\n\r\n",
        _headers_of_file(form),
    )
    assert found is not None
    return found[1].decode()


@pytest.mark.parametrize("name", NAMES)
def test_a_strict_parser_reads_what_was_meant(name: str) -> None:
    form = _form(f"/workspace/in/{name}", b"\r\n--data\0")
    read = _as_emulator_reads(form)
    assert read == {"path": f"/workspace/in/{name}".encode(), "file": b"\r\n--data\0"}


def test_a_mail_parser_reads_it_too() -> None:
    form = _form("/workspace/in/a b.csv", b"id,total\r\n7,12.50")
    message = BytesParser(policy=HTTP).parsebytes(
        f"Content-Type: {form.content_type}\r\n\r\n".encode() + _bytes(form)
    )
    path, file = message.iter_parts()
    assert not message.defects
    assert path.get_content_disposition() == file.get_content_disposition() == "form-data"
    assert path.get_param("name", header="content-disposition") == "path"
    assert path.get_payload(decode=True) == b"/workspace/in/a b.csv"
    assert file.get_param("name", header="content-disposition") == "file"
    assert file.get_filename() == "a b.csv"
    assert file.get_content_type() == "text/csv"
    assert file.get_payload(decode=True) == b"id,total\r\n7,12.50"


@pytest.mark.parametrize("name", NAMES)
def test_only_what_would_end_the_name_is_escaped(name: str) -> None:
    assert _filename(_form(f"/workspace/{name}")) == name.replace('"', "%22")


@pytest.mark.parametrize(
    ("name", "escaped"),
    [("a\r\nX-Header: 1", "a%0D%0AX-Header: 1"), ("a\nb", "a%0Ab"), ("a\rb", "a%0Db")],
)
def test_a_name_adds_no_header(name: str, escaped: str) -> None:
    form = _form(f"/workspace/{name}")
    assert _filename(form) == escaped
    assert _headers_of_file(form).count(b"\r\n") == 3


def test_only_the_last_part_of_the_path_is_the_files_name() -> None:
    assert _filename(_form("/workspace/in/deep/a.csv")) == "a.csv"


@pytest.mark.parametrize("data", [b"", b"x", b"\r\n", bytes(100_000)])
def test_the_size_is_that_of_the_bytes(data: bytes) -> None:
    form = _form("/workspace/päper.csv", data)
    assert form.size == len(_bytes(form))
    assert _as_emulator_reads(form)["file"] == data


def test_the_file_itself_is_as_it_was() -> None:
    file = _stream(b"data", "application/pdf")
    form = multipart(file, path="/workspace/a", boundary=BOUNDARY)
    assert (form.blocks, form.data) == (file.blocks, b"data")
    assert form.content_type == f"multipart/form-data; boundary={BOUNDARY}"
    assert b"Content-Type: application/pdf\r\n" in _headers_of_file(form)


@unhurried
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="/\r\n")), data=st.binary())
@example(name='"; filename="other', data=b"")
@example(name="%22", data=f"\r\n--{BOUNDARY[:-1]}".encode())
def test_any_name_and_any_bytes_arrive(name: str, data: bytes) -> None:
    form = _form(f"/workspace/{name}", data)
    assert _as_emulator_reads(form) == {"path": f"/workspace/{name}".encode(), "file": data}
    assert unquote(_filename(form)) == unquote(name)
    assert form.size == len(_bytes(form))


# --- a storage's errors --------------------------------------------------------------------------

SECRET = "hunter2%2Fsig+nature"
PUT = Request(
    method="PUT",
    path="s.test/bucket/a",
    signed_url=f"https://s.test/bucket/a?X-Signature={SECRET}",
)
REPEATS = f"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SignatureDoesNotMatch</Code>
<Message>The signature {SECRET} does not match</Message>
<Resource>/bucket/a?X-Signature={SECRET}</Resource>
<StringToSign>AWS4-HMAC-SHA256 {SECRET}</StringToSign>
<SignatureProvided>{SECRET}</SignatureProvided>
<RequestId>{SECRET}</RequestId></Error>""".encode()


def _refusal(body: bytes, status: int = 403) -> APIStatusError:
    response = Response(status=status, reason="Forbidden", headers=CIMultiDict(), body=body)
    error = failure(PUT, response, 1)
    assert error is not None
    return error


def test_of_a_storages_error_only_the_code_is_kept() -> None:
    error = _refusal(REPEATS)
    assert error.code == "SignatureDoesNotMatch"
    assert "SignatureDoesNotMatch" in str(error)
    texts = [str(error), repr(error), repr(vars(error)), pickle.dumps(error).decode("latin-1")]
    assert not [text for text in texts if "hunter2" in text or "sig+nature" in text]
    assert (error.message, error.details, error.request_id) == (None, None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Error/>",
        b"<Code></Code>",
        b"<Code>no word</Code>",
        f"<Code>{SECRET}</Code>".encode(),
        b"<Code>" + b"A" * 65 + b"</Code>",
        b"<Code>\xff</Code>",
        b"<code>lower</code>",
        b"<Error>" + b" " * 5000 + b"<Code>Late</Code></Error>",
        b'{"error": "hunter2", "message": "hunter2"}',
    ],
)
def test_what_is_no_code_is_not_repeated(body: bytes) -> None:
    error = _refusal(body)
    assert error.code is None
    assert "hunter2" not in f"{error} {error!r} {vars(error)}"


def test_the_first_code_counts() -> None:
    body = b"<Error><Code>ExpiredToken</Code></Error><Error><Code>Other</Code></Error>"
    assert _refusal(body, 400).code == "ExpiredToken"


def test_the_apis_own_errors_are_no_xml() -> None:
    request = Request(method="POST", path="/v1/runs", body=b"{}")
    response = Response(status=400, reason="Bad", headers=CIMultiDict(), body=REPEATS)
    error = failure(request, response, 1)
    assert error is not None
    assert error.code is None
