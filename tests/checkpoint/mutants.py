"""Damaged and hostile files, made without end: the same ones for the same seed. What becomes of them is in `campaigns`."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from autograph.safetensors_format import CODES, encode
from tests.checkpoint.files import parts, sealed

BOMBS = [0, 1, 7, 2**24, 2**24 + 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1]

Arrays = dict[str, np.ndarray[Any, Any]]


def small(seed: int = 5) -> Arrays:
    """A state of few bytes with something of everything."""
    draw = np.random.default_rng(seed)
    return {
        "dense/kernel": draw.standard_normal((4, 3)).astype("float32"),
        "dense/bias": draw.standard_normal(3),
        "mask": np.array([True, False, True]),
        "n": np.array(seed),
        "empty": np.zeros((0, 2), "float16"),
        "bits": draw.integers(0, 255, (2, 2), np.uint8),
    }


def written(arrays: Arrays) -> bytes:
    return b"".join(bytes(part) for part in encode(arrays))


# damage of bytes -----------------------------------------------------------------------------------------------------


def damaged(whole: bytes, other: bytes, draw: random.Random) -> bytes:
    """One damage of a random kind at a random place."""
    at, to = sorted((draw.randrange(len(whole)), draw.randrange(len(whole))))
    random_bytes = draw.randbytes(draw.choice((1, 1, 2, 8, 64)))
    match draw.randrange(9):
        case 0:
            return whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :]
        case 1:
            return whole[:at] + random_bytes + whole[at + len(random_bytes) :]
        case 2:
            return whole[:at] + random_bytes + whole[at:]
        case 3:
            return whole[:at] + whole[min(to, at + draw.choice((1, 4, 64, 5000))) :]
        case 4:
            return whole[:at]
        case 5:
            return whole[:at] + other[at:]
        case 6:
            return whole[:at] + whole[to:] + whole[at:to]
        case 7:
            return draw.choice(BOMBS).to_bytes(8, "little") + whole[8:]
        case _:
            return whole + random_bytes


def padded(header: bytes) -> bytes:
    plain = header.rstrip(b" ")
    return plain + b" " * (-(8 + len(plain)) % 64)


def of_bytes(draw: random.Random) -> Iterator[bytes]:
    whole, other = written(small()), written(small(6))
    while True:
        yield damaged(whole, other, draw)


def of_spelling(draw: random.Random) -> Iterator[bytes]:
    header, data = parts(written(small()))
    tokens = [header[i:j] for i, j in ((1, 17), (70, 90), (200, 300))]
    tokens += [b"0", b"9", b"-", b".", b"e1", b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"NaN"]
    tokens += [b"\\u0000", b" "]
    while True:
        if draw.random() < 0.5:
            changed = damaged(header, header[::-1], draw)
        else:
            at = draw.randrange(len(header))
            changed = header[:at] + draw.choice(tokens) + header[at + draw.randrange(3) :]
        yield sealed(padded(changed) if draw.random() < 0.5 else changed, data)


# damage of the grammar -----------------------------------------------------------------------------------------------

ODD_NUMBERS = [
    *(b"NaN", b"Infinity", b"-Infinity", b"true", b"false", b"null", b'"4"', b"4.0", b"4e0", b"1e999", b"-4", b"-0", b"04"),
    *(b"", b"{}", b"[]", b"[4]", b"9" * 5000, b"+4", b"0x4", "٤".encode(), b"1_0"),
    *(str(n).encode() for n in BOMBS), b"9007199254740993", b"18446744073709551620",
]  # fmt: skip
ODD_DTYPES = [
    b'"F8_E5M2"', b'"F8_E4M3"', b'"BF16"', b'"O"', b'"f32"', b'"F32 "', b'"\\u0046\\u0033\\u0032"', b'"F128"', b'"C64"', b'""',
    b"null", b"32", b'"' + b"F" * 3000 + b'"', *(f'"{code}"'.encode() for code in CODES.values()),
]  # fmt: skip
ODD_NAMES = [
    b'""', b'"__metadata__"', b'"../n"', b'"/n"', b'"a/../n"', b'"n\0"', b'"n\n"', b'"\\u006e"', b'"n\xff"', b'"\xed\xa0\x80"',
    b'"\xc1\xae"', b'"' + b"n" * 1025 + b'"', b'"a\\"b"', b'"N"', '"é"'.encode(), '"e\u0301"'.encode(), b'"\\ud800"', b"n", b"3",
]  # fmt: skip


SHAPES = [
    *([2**32] * 3, [2**53, 2**53, 0], [0, 2**62], [2**31, 2**33], [2] * 65, [1] * 64, [1] * 5000),
    *([12], [3, 4], [1, 12, 1], [2, 2, 1], [3, 1], []),
]
NOTES = [b'{"format":"pt"}', b'{"a":"\\u00e9\\n","a":"b"}', b"{}", b"[]", b'{"a":1}', b'{"a":{"b":"c"}}', b"null"]
SPELLINGS = [(b'"1"', b'"2"'), (b"autograph", b"pt"), (b'"version":"1",', b""), (b"}}", b"},}")]


class Member(NamedTuple):
    """One entry of a header as tokens: its name, and what stands behind each key."""

    name: bytes
    fields: list[tuple[bytes, Any]]  # the value is a token, or a list of tokens


def members(arrays: Arrays) -> list[Member]:
    """The entries that `encode` writes."""
    header = json.loads(parts(written(arrays))[0])
    del header["__metadata__"]
    return [
        Member(
            json.dumps(name).encode(),
            [
                (b'"dtype"', f'"{row["dtype"]}"'.encode()),
                (b'"shape"', [str(n).encode() for n in row["shape"]]),
                (b'"data_offsets"', [str(n).encode() for n in row["data_offsets"]]),
            ],
        )
        for name, row in header.items()
    ]


def _tokens(member: Member, key: bytes) -> list[bytes]:
    return next((value for name, value in member.fields if name == key and isinstance(value, list)), [])


def _replaced(member: Member, key: bytes, value: Any) -> Member:
    return member._replace(fields=[(name, value if name == key else old) for name, old in member.fields])


def mutated(rows: list[Member], size: int, draw: random.Random) -> list[Member]:
    """One thing wrong with some entry, or with their number, or their order."""
    i = draw.randrange(len(rows)) if rows else 0
    one, other = (rows[i], draw.choice(rows)) if rows else (Member(b'"x"', []), Member(b'"y"', []))
    before, after = rows[:i], rows[i + 1 :]
    key = draw.choice((b'"shape"', b'"data_offsets"'))
    numbers = _tokens(one, key)
    at = draw.randrange(len(numbers) + 1)
    match draw.randrange(18):
        case 0:  # a number that is none, or too large, or another
            odd = draw.choice(ODD_NUMBERS) if draw.random() < 0.7 else str(draw.randrange(size + 2)).encode()
            changed = [*numbers[:at], odd, *numbers[at + draw.randrange(2) :]]
            return [*before, _replaced(one, key, changed), *after]
        case 1:  # a hole, an overlap, or another place
            offsets = [str(draw.choice((0, 1, 8, size - 1, size, size + 1, draw.randrange(size + 1)))).encode() for _ in range(2)]
            return [*before, _replaced(one, b'"data_offsets"', offsets), *after]
        case 2:  # the place of another
            return [*before, _replaced(one, b'"data_offsets"', _tokens(other, b'"data_offsets"')), *after]
        case 3:  # a product that overflows, or is as it was
            shape = draw.choice(SHAPES)
            return [*before, _replaced(one, b'"shape"', [str(n).encode() for n in shape]), *after]
        case 4:
            return [*before, _replaced(one, b'"dtype"', draw.choice(ODD_DTYPES)), *after]
        case 5:
            return [*before, one._replace(name=draw.choice(ODD_NAMES)), *after]
        case 6:  # two of one name
            return [*before, one._replace(name=other.name), *after]
        case 7:
            return [*rows, one]
        case 8:
            return [*before, *after]
        case 9:
            return draw.sample(rows, len(rows))
        case 10:  # a key twice, one too many, one too few, another order
            extra = draw.choice([*one.fields, *other.fields, (b'"more"', b"1"), (b'"__proto__"', b"{}")])
            return [*before, one._replace(fields=[*one.fields, extra]), *after]
        case 11:
            return [*before, one._replace(fields=draw.sample(one.fields, draw.randrange(len(one.fields) + 1))), *after]
        case 12:
            value = draw.choice((b"null", b"[", b"]", b"{}", b"[" * 2000, b'{"a":' * 2000, b'"', b"1", b"[[4,3]]"))
            return [*before, _replaced(one, key, value), *after]
        case 13:  # a huge count of tensors without data
            names = draw.choice((1, 40, 3000 if draw.random() < 0.02 else 5))
            empty = [(b'"dtype"', b'"U8"'), (b'"shape"', [b"0"]), (b'"data_offsets"', [str(size).encode()] * 2)]
            return [*rows, *(Member(b'"z%05x"' % n, empty) for n in range(names))]
        case 14:
            number = draw.choice(BOMBS) if draw.random() < 0.5 else draw.randrange(9)
            return [*before, _replaced(one, b'"shape"', [str(number).encode(), *_tokens(one, b'"shape"')[1:]]), *after]
        case 15:  # zeros moved about
            return [*before, _replaced(one, b'"shape"', [b"0", *_tokens(one, b'"shape"')]), *after]
        case 16:  # all names the same, save for one letter
            return [row._replace(name=b'"n%c"' % (97 + n % 3)) for n, row in enumerate(rows)]
        case _:
            return rows


def _value(value: Any) -> bytes:
    return b"[" + b",".join(value) + b"]" if isinstance(value, list) else bytes(value)


def _entry(row: Member) -> bytes:
    return row.name + b":{" + b",".join(key + b":" + _value(value) for key, value in row.fields) + b"}"


def _sum(row: Member, data: bytes) -> bytes:
    """The checksum of what an entry points at, where it points at anything."""
    offsets = _tokens(row, b'"data_offsets"')
    plain = len(offsets) == 2 and all(n.isdigit() and len(n) < 20 for n in offsets)
    found = data[int(offsets[0]) : int(offsets[1])] if plain else b""
    return hashlib.sha256(found).hexdigest().encode()


def of_grammar(draw: random.Random) -> Iterator[bytes]:
    arrays = small()
    header, data = parts(written(arrays))
    head = header[: header.index(b',"sha256:')]
    while True:
        rows = members(arrays)
        for _ in range(draw.choice((1, 1, 2, 3))):
            rows = mutated(rows, len(data), draw)
        sums = [b',"sha256:' + row.name[1:-1] + b'":"' + _sum(row, data) + b'"' for row in rows]
        if draw.random() < 0.1:
            sums = draw.sample(sums, draw.randrange(len(sums) + 1)) + sums[: draw.randrange(2)]
        text = head + b"".join(sums) + b"}" + b"".join(b"," + _entry(row) for row in rows) + b"}"
        if draw.random() < 0.05:
            text = text.replace(*draw.choice(SPELLINGS))
        data_now = data if draw.random() < 0.9 else data[: draw.randrange(len(data))] + draw.randbytes(draw.randrange(9))
        yield sealed(padded(text), data_now)


# files of others -----------------------------------------------------------------------------------------------------


def of_others(draw: random.Random) -> Iterator[bytes]:
    states = [small(), {name: array for name, array in small().items() if array.dtype != bool}]  # truth values betray a shift
    while True:
        arrays = draw.choice(states)
        data = parts(written(arrays))[1]
        rows = members(arrays)
        for _ in range(draw.choice((0, 1, 1, 2, 3))):
            rows = mutated(rows, len(data), draw)
        entries = [_entry(row) for row in draw.sample(rows, len(rows))]
        if draw.random() < 0.5:
            note = draw.choice(NOTES)
            entries.insert(draw.randrange(len(entries) + 1), b'"__metadata__":' + note)
        gap = draw.choice((b"", b"", b" ", b"\n\t"))
        text = b"{" + (gap + b"," + gap).join(entries) + gap + b"}" + b" " * draw.randrange(9)
        if draw.random() < 0.1:
            text = damaged(text, text[::-1], draw)
        data_now = data if draw.random() < 0.9 else data[: draw.randrange(len(data))] + draw.randbytes(draw.randrange(9))
        yield len(text).to_bytes(8, "little") + text + data_now
