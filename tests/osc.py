"""Writes OSC messages, as programs that speak VMC do."""

from __future__ import annotations

import struct


def text(words: str) -> bytes:
    """An OSC string."""
    raw = words.encode()
    return raw + bytes(4 - len(raw) % 4)


def message(address: str, types: str = "", *arguments: str | float) -> bytes:
    """An OSC message."""
    data = text(address) + text("," + types)
    for kind, argument in zip(types, arguments, strict=True):
        data += text(argument) if kind == "s" else struct.pack({"f": ">f", "i": ">i"}[kind], argument)
    return data


def bundle(*parts: bytes) -> bytes:
    """An OSC bundle."""
    return text("#bundle") + struct.pack(">q", 1) + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def value(name: str, number: float) -> bytes:
    """A shape's value."""
    return message("/VMC/Ext/Blend/Val", "sf", name, number)
