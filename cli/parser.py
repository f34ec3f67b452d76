"""From the command line to checked `Options`, and what of them will not be had."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import NoReturn

from cli.options import Options
from cli.quoting import given_arguments

SYSTEMS = {"win32": "Windows", "darwin": "macOS", "linux": "Linux"}


class _Parser(argparse.ArgumentParser):
    """Answers a wrong option with one sentence instead of the whole usage, which is longer than a screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"facetracker: {message}; -h lists the options\n")


def build_parser() -> argparse.ArgumentParser:
    """The argument parser; options that are not given are left out of its result."""
    parser = _Parser(
        prog="facetracker",
        description="Tracks faces in a camera, video or raw frames and sends what they do over UDP.",
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=32, width=110),
        usage="%(prog)s [options]",
    )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in fields(Options):
        if not setting.metadata:
            continue
        group = setting.metadata["group"]
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        default = "off" if setting.default is False else setting.default
        shown = f" (default: {default})" if default not in (None, "") else " (default: none)"
        groups[group].add_argument(
            *setting.metadata["short"],
            "--" + setting.name.replace("_", "-"),
            help=setting.metadata["help"] + shown,
            **setting.metadata["settings"],
        )
    return parser


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line (the program's own when None); a wrong option ends the program with exit code 2."""
    given = vars(build_parser().parse_args(given_arguments() if arguments is None else arguments))
    return Options(**given, given=frozenset(given))


def contradiction(options: Options) -> str | None:
    """One sentence on options that make no sense together; None: all do."""
    if options.record is not None and options.expressions in (None, "simple"):
        return "--record needs a file to record into: --expressions FILE."
    return None


def warnings(options: Options, platform: str = sys.platform) -> list[str]:
    """One sentence for each thing asked for that will not be had."""
    system = SYSTEMS.get(platform, platform)
    sentences = [
        f"--{setting.name.replace('_', '-')} does nothing on {system}."
        for setting in fields(Options)
        if setting.name in options.given and setting.metadata["only_on"] not in (None, platform)
    ]
    if options.faces >= 40:
        sentences.append(
            f"--faces {options.faces}: the data of 40 or more faces fits no UDP packet and is not sent."
        )
    return sentences
