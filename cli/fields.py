"""How a field of a dataclass becomes an option of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import field
from typing import Any


def number(kind: type, low: float, high: float = float("inf")) -> Callable[[str], Any]:
    """A parser of numbers of this kind (int or float) from low to high, both included."""

    def parse_number(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a {'whole ' if kind is int else ''}number"
            ) from None
        if not low <= value <= high or value == float("inf"):  # the first is also true of NaN
            limits = f"between {low:g} and {high:g}" if high != float("inf") else f"{low:g} or more"
            raise argparse.ArgumentTypeError(f"{text} is out of range: it must be {limits}")
        return value

    return parse_number


class Joined(argparse.Action):
    """Joins the values of an option that is given several times with commas."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        before = getattr(namespace, self.dest, "")
        setattr(namespace, self.dest, f"{before},{values}" if before else values)


def checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """A parser that takes the text as it is unless `check` raises a ValueError for it (one sentence)."""

    def parse_text(text: str) -> str:
        try:
            check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return parse_text


def not_empty(text: str) -> str:
    """A parser that takes any text but an empty one."""
    if not text:
        raise argparse.ArgumentTypeError("it must not be empty")
    return text


def option(
    *short: str,
    default: Any,
    group: str,
    help: str,
    only_on: str | None = None,
    **settings: Any,
) -> Any:
    """A dataclass field that is also a command-line option; its long name is the field's.

    Args:
        short: the short spelling, if it has one.
        default: what the field holds when the option is not given.
        group: the heading in `-h`.
        help: one line for `-h`; the default is added.
        only_on: the `sys.platform` of the only system on which the option does anything.
        settings: passed on to `ArgumentParser.add_argument`.
    """
    metadata = {"short": short, "group": group, "help": help, "only_on": only_on, "settings": settings}
    return field(default=default, metadata=metadata)
