"""Names what a record that is no JSON object looks like, and says what its sender has to set.

A sender's serializer, its compression and its text encoding leave marks in the first bytes. A mark is a hint for the
reader of a dead letter, never a decision: the record is refused whatever stands here.
"""

from __future__ import annotations

import re
import zlib

__all__ = ["looks_like"]

PLAIN_JSON = "send plain JSON in UTF-8, one object a record"
COMPRESSION = "the setting compression.type of its producer compresses so that consumers need not know"
FRAME_BYTES = 5  # a zero byte and the number of the schema, four bytes

SIGNATURES = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"\x82SNAPPY\x00", "snappy"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
FILES = (
    (b"PK\x03\x04", "a zip file"),
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
)
STARTS = {
    "[": "a list: send one object a record, so that each reading has an outcome of its own",
    '"': 'a JSON text, perhaps a reading that was encoded twice: send the object itself, {"site": …}',
    "<": f"XML: {PLAIN_JSON}",
}
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

# possessive, so that no input is scanned twice
CSV_LINE = re.compile(r"[^\n{}\[\]]*+", re.DOTALL)
LINE_PROTOCOL = re.compile(r"[\w.-]++(?:,[\w.-]++=[^\s,=]++)*+ [\w.-]++=\S++(?: \d++)?\s*+")
PAIR = re.compile(r"[\w.-]++=\S*+")
NEXT_OBJECT = re.compile(r"\}\s*+(?:[,;]\s*+)?\{")


def looks_like(raw: bytes) -> str:
    """Return what the bytes look like, a colon, and what the sender has to do.

    Parameters
    ----------
    raw
        The value of a record that was not read as a JSON object.
    """
    if not raw.strip():
        return f"no value, as in the tombstone of a compacted topic: {PLAIN_JSON}"
    return _encoded(raw) or _packed(raw) or _framed(raw) or _text(raw) or _binary(raw)


def _encoded(raw: bytes) -> str | None:
    """Recognise text of two or four bytes a character, which JSON for machines never has."""
    head = raw[:8]
    for encoding, zeros in (("UTF-32", (0, 1, 2)), ("UTF-32", (1, 2, 3)), ("UTF-16", (0, 2)), ("UTF-16", (1, 3))):
        width = 4 if encoding == "UTF-32" else 2
        begins = head[0:width].strip(b"\0") in (b"{", b"[", b'"')
        if begins and len(head) >= 2 * width and all(head[at] == 0 for at in zeros):
            return f"text in {encoding}: set the encoding of the sender to UTF-8"
    if raw.startswith(UTF16_MARKS):
        return "text in UTF-16 by its byte order mark: set the encoding of the sender to UTF-8"
    return None


def _packed(raw: bytes) -> str | None:
    for mark, name in SIGNATURES:
        if raw.startswith(mark):
            return f"a value that the sender has compressed ({name}): {PLAIN_JSON}; {COMPRESSION}"
    if raw[:1] == b"\x78" and len(raw) > 2 and int.from_bytes(raw[:2]) % 31 == 0 and _inflates(raw):
        return f"a value that the sender has compressed (zlib): {PLAIN_JSON}; {COMPRESSION}"
    for mark, name in FILES:
        if raw.startswith(mark):
            return f"{name}: {PLAIN_JSON}"
    return None


def _inflates(raw: bytes) -> bool:
    try:
        return bool(zlib.decompressobj().decompress(raw, 64))
    except zlib.error:
        return False


def _framed(raw: bytes) -> str | None:
    if raw[:1] == b"\0" and len(raw) > FRAME_BYTES:
        schema, body = int.from_bytes(raw[1:FRAME_BYTES]), raw[FRAME_BYTES:]
        kind = "JSON" if body.lstrip()[:1] in (b"{", b"[") else "Avro or Protobuf"
        return (
            f"{kind} in the frame of a schema registry (magic byte 0, schema {schema}): set the value serializer of "
            "the producer to plain JSON without a registry, such as StringSerializer"
        )
    if raw.startswith(b"\xc3\x01"):
        return f"a single Avro object: {PLAIN_JSON}"
    return None


def _text(raw: bytes) -> str | None:
    """Recognise text that is not a JSON object; None for what is no text."""
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None
    if not text.replace("\t", " ").replace("\n", " ").replace("\r", " ").isprintable():
        return None
    if text.startswith("{"):
        return _object(text)
    return next((hint for start, hint in STARTS.items() if text.startswith(start)), None) or _line(text)


def _object(text: str) -> str:
    if re.match(r"\{\s*'", text):
        return "a Python dict as it prints: write it with json.dumps"
    if NEXT_OBJECT.search(text) and text.endswith("}"):
        return "several objects: send one object a record"
    if not text.endswith("}"):
        return "an object without its end: the sender cuts it off"
    return f"JSON with an error in it: {PLAIN_JSON}"


def _line(text: str) -> str:
    if LINE_PROTOCOL.fullmatch(text):
        return f"InfluxDB line protocol: {PLAIN_JSON}"
    if "=" in text and all(PAIR.fullmatch(part) for part in re.split(r"[&;,\s]+", text)):
        return f"pairs of name and value: {PLAIN_JSON}"
    if CSV_LINE.fullmatch(text) and any(text.count(mark) for mark in ",;\t|"):
        return 'a line of CSV: send one JSON object a record, {"site": …}, with the names of the columns'
    return f"text, no JSON object: {PLAIN_JSON}"


def _binary(raw: bytes) -> str:
    """Recognise bytes that are no text."""
    if _is_message_pack(raw):
        return f"MessagePack: {PLAIN_JSON}"
    if _is_cbor(raw):
        return f"CBOR: {PLAIN_JSON}"
    if _is_protobuf(raw):
        return f"Protobuf: {PLAIN_JSON}"
    return f"bytes of a binary format, such as Avro or Protobuf, or of a cipher: {PLAIN_JSON}"


def _is_message_pack(raw: bytes) -> bool:
    """Tell whether it begins as a map does whose first key is a short text."""
    head, key = (raw[0], raw[1:2]) if 0x80 <= raw[0] <= 0x8F else (raw[0], raw[3:4])
    return (0x81 <= head <= 0x8F or head == 0xDE) and bool(key) and (0xA1 <= key[0] <= 0xBF or key[0] == 0xD9)


def _is_cbor(raw: bytes) -> bool:
    """Tell whether it begins as a map does whose first key is a short text."""
    body = raw.removeprefix(b"\xd9\xd9\xf7")
    return len(body) > 1 and (0xA1 <= body[0] <= 0xB7 or body[0] == 0xBF) and 0x61 <= body[1] <= 0x78


def _is_protobuf(raw: bytes) -> bool:
    """Tell whether the bytes are fields of the wire format from the first to the last."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        field, wire = tag >> 3, tag & 7
        if not 0 < field <= 1000:
            return False
        if wire == 0:
            _, at = _varint(raw, at)
        elif wire == 2:
            length, at = _varint(raw, at)
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            return False
    return at == len(raw)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return the number at that place and the place behind it; one that has no end lies behind the last byte."""
    value = 0
    for shift, byte in enumerate(raw[at : at + 10]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, at + shift + 1
    return value, len(raw) + 1
