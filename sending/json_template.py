"""JSON of which only the numbers change: `json` writes it once, and the numbers are put in their places each time."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_SLOT = re.compile(r'"\\u0000%%([^"]*)"')
_TEXT_SLOT = re.compile(r'"\\u0001%%([^"]*)"')


def slot(form: str) -> str:
    """What stands in a message for a number that comes later, in this form: %d, %.3f …"""
    return f"\0{form}"


def text_slot(form: str) -> str:
    """The same for a number that is to be a text."""
    return f"\1{form}"


class JsonTemplate:
    """A message with slots.

    Args:
        message: dictionaries, lists, texts, numbers and slots.
    """

    def __init__(self, message: Any) -> None:
        text = json.dumps(message, separators=(",", ":"), allow_nan=False).replace("%", "%%")
        self._text = _TEXT_SLOT.sub(r'"%\1"', _SLOT.sub(r"%\1", text))

    def fill(self, numbers: Sequence[float]) -> str:
        """The message with these finite numbers in its slots, in their order."""
        return self._text % tuple(numbers)
