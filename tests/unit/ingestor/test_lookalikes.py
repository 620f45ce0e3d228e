"""What the bytes of a record that is no JSON object look like."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestor.lookalikes import looks_like

READING = {"site": "plant", "time": "2026-01-01T00:00:00Z", "A": 100.5}
TEXT = json.dumps(READING)

KINDS: dict[str, bytes] = {
    "no value": b"",
    "JSON in the frame of a schema registry (magic byte 0, schema 7)": b"\0\0\0\0\7" + TEXT.encode(),
    "Avro or Protobuf in the frame of a schema registry (magic byte 0, schema 7)": b"\0\0\0\0\7\x0aplant\x02\x04",
    "a single Avro object": b"\xc3\x01" + bytes(range(20)),
    "an Avro file": b"Obj\x01\x04\x14avro.codec",
    "a Parquet file": b"PAR1\x15\x04",
    "a zip file": b"PK\x03\x04\x14\0",
    "MessagePack": b"\x83\xa4site\xa5plant\xa4time\xce\x65\0\0\0\xa1A\xcb\x40\x59\x20\0\0\0\0\0",
    "CBOR": b"\xa2\x64site\x65plant\x61A\xfb\x40\x59\x20\0\0\0\0\0",
    "Protobuf": b"\x0a\x05plant\x10\x80\xd8\x8e\xa8\x06\x19\0\0\0\0\0\x20\x59\x40",
    "bytes of a binary format": b"\x0aplant\x80\xa8\xb0\xd2\x0c\0\0\0\0\0\x20\x59\x40",
    "a value that the sender has compressed (gzip)": gzip.compress(TEXT.encode()),
    "a value that the sender has compressed (zlib)": zlib.compress(TEXT.encode()),
    "a value that the sender has compressed (bzip2)": bz2.compress(TEXT.encode()),
    "a value that the sender has compressed (xz)": lzma.compress(TEXT.encode()),
    "a value that the sender has compressed (zstd)": b"\x28\xb5\x2f\xfd\x04\0",
    "a value that the sender has compressed (lz4)": b"\x04\x22\x4d\x18\x64\x40",
    "a list": json.dumps([READING, READING]).encode(),
    "a JSON text": json.dumps(TEXT).encode(),
    "several objects": f"{TEXT}\n{TEXT}\n".encode(),
    "an object without its end": TEXT[:-2].encode(),
    "JSON with an error": TEXT.replace(":", ":,").encode(),
    "a Python dict": repr(READING).encode(),
    "XML": b'<?xml version="1.0"?><reading site="plant"/>',
    "a line of CSV": b"plant;2026-01-01T00:00:00Z;100,5\r\n",
    "InfluxDB line protocol": b"load,site=plant A=100.5 1767225600000000000",
    "pairs of name and value": b"site=plant&A=100.5",
    "text, no JSON object": b"hello",
    "text in UTF-16:": TEXT.encode("utf-16-le"),
    "text in UTF-16 by its byte order mark": TEXT.encode("utf-16"),
    "text in UTF-32": TEXT.encode("utf-32-be"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told_with_what_to_set(kind: str) -> None:
    """The hint begins with what the bytes look like; behind the colon it says what the sender does instead."""
    hint = looks_like(KINDS[kind])
    assert hint.startswith(kind)
    assert any(word in hint.split(": ", 1)[1] for word in ("send", "set", "write"))


@settings(max_examples=500, derandomize=True, deadline=None)
@given(
    st.sampled_from([b"", b"\0", b"\x84", b"\xa3", b"\x78\x9c", b"\x0a\x05", b"{", b"\xff\xfe"]), st.binary(max_size=40)
)
def test_no_bytes_are_without_a_hint(begin: bytes, rest: bytes) -> None:
    """Whatever comes, there is a hint, and it is fit for a message."""
    hint = looks_like(begin + rest)
    assert hint.isprintable()
    assert len(hint) < 300
