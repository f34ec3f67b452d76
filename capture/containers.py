"""Whether a video file is whole, by what its container says about itself.

A half download or a recorder that was killed leaves a file whose parts claim more bytes than there are. The number of
frames that OpenCV tells is of no use: for many containers it is an estimate from the length and the rate.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO


def cut_off(path: str) -> str | None:
    """What is missing at the end of a video file, as the end of a sentence; None: nothing that its container tells.

    Looks at the outer structure only: RIFF (AVI), ISO base media (MP4, MOV), Matroska (MKV,
    WebM) and FLV.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(12)
            size = file.seek(0, os.SEEK_END)
            for begins, check in _CHECKS:
                if begins(start):
                    return check(file, size)
    except OSError:
        pass
    return None


def _missing(end: int, size: int) -> str | None:
    return f"the last {end - size} bytes are missing" if end > size else None


def _riff(file: BinaryIO, size: int) -> str | None:
    """RIFF chunks, of which a large AVI has several one after another (OpenDML)."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):  # what follows is not ours, or a live recording
            return None
        at += 8 + length + length % 2
    return _missing(at - 1, size) if at > size + 1 else None  # the last byte may be padding that was left out


def _iso_media(file: BinaryIO, size: int) -> str | None:
    """Boxes of a 32-bit length and a type each; without a `moov` nobody knows where the frames are."""
    at = 0
    seen = set()
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if not kind.isalnum():  # some cameras append data of their own; not to a file of fragments
            if b"moov" in seen:
                return f"what follows byte {at} can't be read" if b"moof" in seen and any(kind) else None
            break
        seen.add(kind)
        if length == 0:  # up to the end of the file, wherever that is
            at = size
        elif length == 1:
            at += max(int.from_bytes(head[8:], "big"), 16)
        else:
            at += max(length, 8)
    return _missing(at, size) or (None if b"moov" in seen else "its index (moov) is missing")


def _matroska(file: BinaryIO, size: int) -> str | None:
    """An EBML header and a segment, whose length is all ones where it was not known when it was written."""
    at = 0
    for name in (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"):
        file.seek(at)
        head = file.read(12)
        if head[:4] != name or len(head) < 5 or head[4] == 0:
            return None
        width = 9 - head[4].bit_length()
        length = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
        if length == (1 << 7 * width) - 1:
            return None
        at += 4 + width + length
    return _missing(at, size)


def _flash(file: BinaryIO, size: int) -> str | None:
    """FLV: tags, each followed by its length, which leads back from the end of the file to the last one."""
    file.seek(size - 4)
    length = int.from_bytes(file.read(4), "big")
    if 11 <= length <= size - 17:
        file.seek(size - 4 - length)
        tag = file.read(4)
        if tag[0] in (8, 9, 18) and int.from_bytes(tag[1:], "big") + 11 == length:
            return None
    return "its last frame is not whole"


_CHECKS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, int], str | None]], ...] = (
    (lambda start: start[:4] == b"RIFF" and start[8:] == b"AVI ", _riff),
    (lambda start: start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"), _iso_media),
    (lambda start: start[:4] == b"\x1a\x45\xdf\xa3", _matroska),
    (lambda start: start[:3] == b"FLV", _flash),
)


def frames_listed(path: str) -> int | None:
    """How many frames of the first video track an MP4 or MOV lists one by one, if it shows all of them.

    None: another container, or an edit list leaves a part out, as in a video that was trimmed on a phone.
    """
    try:
        with open(path, "rb") as file:
            movie = _movie_box(file)
        scale, _ = _timing(next(_boxes(movie, b"mvhd")))
        for track in _boxes(movie, b"trak"):
            media = next(_boxes(track, b"mdia"))
            if next(_boxes(media, b"hdlr"))[8:12] != b"vide":
                continue
            media_scale, length = _timing(next(_boxes(media, b"mdhd")))
            edits = [_edit_list(box) for box in _boxes(next(_boxes(track, b"edts"), b""), b"elst")]
            # Pictures that are stored before their turn shift the start by a few frames, which cuts nothing off.
            for shown, start in edits[0] if edits else ():
                if start / media_scale > _SHIFT or 0 < shown / scale < length / media_scale - _SHIFT:
                    return None
            table = next(_boxes(next(_boxes(media, b"minf")), b"stbl"))
            (count,) = struct.unpack_from(">I", next(_boxes(table, b"stsz")), 8)
            return count or None
    except (OSError, StopIteration, struct.error, ZeroDivisionError):
        pass
    return None


_SHIFT = 0.25  # seconds
_LARGEST_MOVIE = 64 * 2**20  # bytes of a moov box; an hour has about one megabyte


def _movie_box(file: BinaryIO) -> bytes:
    while True:
        length, kind = struct.unpack(">I4s", file.read(8))
        rest = length - 8
        if length == 1:
            rest = struct.unpack(">Q", file.read(8))[0] - 16
        if kind == b"moov":
            return file.read(min(rest, _LARGEST_MOVIE))
        if rest < 0:
            raise struct.error
        file.seek(rest, os.SEEK_CUR)


def _boxes(content: bytes, kind: bytes) -> Iterator[bytes]:
    """The contents of the boxes of this kind that lie one after another among others."""
    at = 0
    while at + 8 <= len(content):
        length, found = struct.unpack_from(">I4s", content, at)
        if found == kind:
            yield content[at + 8 : at + length]
        at += max(length, 8)


def _timing(header: bytes) -> tuple[int, int]:
    """Units a second and length in them, of an mvhd or mdhd box."""
    return struct.unpack_from(">IQ", header, 20) if header[0] else struct.unpack_from(">II", header, 12)


def _edit_list(box: bytes) -> list[tuple[int, int]]:
    """Length (in units of the movie) and start (in units of the media; -1: a pause) of each part that is shown."""
    (count,) = struct.unpack_from(">I", box, 4)
    entry = struct.Struct(">Qqi" if box[0] else ">Iii")
    parts = [entry.unpack_from(box, 8 + entry.size * number)[:2] for number in range(min(count, 1000))]
    return [(shown, start) for shown, start in parts if start >= 0]
