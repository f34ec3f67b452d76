"""Where faces can be sent: programs and protocols by name, with their usual places. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Protocol(NamedTuple):
    """A protocol: its own port, what its receivers are called, the settings it takes and whether it needs shapes."""

    port: int
    title: str
    settings: frozenset[str]
    shapes: bool = True


_COMMON = frozenset({"face", "mirror"})
PROTOCOLS = {
    "vmc": Protocol(39539, "VMC", _COMMON | {"bones", "names", "presets"}),
    "ifacialmocap": Protocol(49983, "iFacialMocap", _COMMON),
    "vts": Protocol(8001, "VTube Studio plugin API", _COMMON),
    "opentrack": Protocol(4242, "opentrack UDP", _COMMON, shapes=False),
    "livelink": Protocol(11111, "Live Link Face", _COMMON | {"subject"}),
    "vtsphone": Protocol(21412, "VTube Studio phone", _COMMON),
}


class Program(NamedTuple):
    """A program that takes faces: by which protocol, at which port, and what to switch on in it."""

    protocol: str
    port: int
    switch_on: str


PROGRAMS = {
    "vseeface": Program("vmc", 39540, "General settings > OSC/VMC receiver: enable, port 39540, track face features"),
    "vtubestudio": Program("vts", 8001, "General settings > Start API (port 8001), then allow the plugin when asked"),
    "vmagicmirror": Program("ifacialmocap", 49983, "Face tab > External tracker: iFacialMocap"),
    "warudo": Program("ifacialmocap", 49983, "Character > Face tracking: iFacialMocap receiver"),
    "vnyan": Program("vmc", 39539, "Settings > VMC receiver: enable a layer, port 39539"),
    "inochi": Program("vmc", 39540, "Tracking > VMC receiver, port 39540"),
    "snekstudio": Program("vmc", 39539, "Mods > VMC receiver, port 39539"),
    "blender": Program("vmc", 39539, "a VMC add-on, listening at port 39539"),
    "unreal": Program("livelink", 11111, "Live Link plugin, source: Apple ARKit face (UDP 11111)"),
    "vrchat": Program("ifacialmocap", 49983, "VRCFaceTracking with its module iFacialMocap; OSC on in VRChat"),
    "opentrack": Program("opentrack", 4242, "Input: UDP over network, port 4242, then Start"),
}
#: The words that settings which are no number take.
WORDS = {"names": ("camel", "pascal"), "presets": ("none", "vrm0", "vrm1")}


@dataclass(frozen=True)
class Target:
    """Where to send.

    Attributes:
        text: as it was written.
        protocol: a key of `PROTOCOLS`.
        host: name or address; of vtsphone the own one to listen at.
        port: 1 to 65535.
        settings: what was written behind the question mark, checked.
    """

    text: str
    protocol: str
    host: str
    port: int
    settings: dict[str, str]

    @property
    def needs_shapes(self) -> bool:
        """Whether its receiver takes blend shapes."""
        return PROTOCOLS[self.protocol].shapes

    @property
    def face(self) -> int | None:
        """The id of the face that it wants; None: the lowest."""
        return int(self.settings["face"]) if "face" in self.settings else None

    def on(self, setting: str, default: bool) -> bool:
        """A setting that is 0 or 1."""
        return self.settings.get(setting, str(int(default))) == "1"


def read_targets(text: str) -> list[Target]:
    """Targets separated by commas: each NAME or NAME://[HOST][:PORT][?SETTING=VALUE&...], of a program or protocol.

    Raises:
        ValueError: something is not known or out of range (one sentence).
    """
    targets = [_read(part.strip()) for part in text.split(",") if part.strip()]
    if not targets:
        raise ValueError(f"no target is named; there are {_names()}")
    return targets


def lines() -> Iterator[str]:
    """A table of all programs and protocols, for people: name, protocol, place, what to switch on."""
    rows = [("name", "protocol", "place", "what to switch on in that program")]
    for name, program in PROGRAMS.items():
        place = f"{'localhost' if program.protocol == 'vts' else '127.0.0.1'}:{program.port}"
        rows.append((name, PROTOCOLS[program.protocol].title, place, program.switch_on))
    for name, protocol in PROTOCOLS.items():
        what = "listens there for programs that ask" if name == "vtsphone" else ""
        rows.append((f"{name}://", protocol.title, f"HOST:{protocol.port}", what))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *start, what in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(start, widths, strict=True)), what]).rstrip()


def _names() -> str:
    return f"{', '.join(PROGRAMS)} and {', '.join(f'{name}://' for name in PROTOCOLS)} (--list-targets 1)"


def _read(text: str) -> Target:
    name, _, rest = text.partition("://")
    name = name.lower()
    program = PROGRAMS.get(name)
    if program is None and name not in PROTOCOLS:
        raise ValueError(f"there is no target {text!r}; there are {_names()}")
    protocol, port = (program.protocol, program.port) if program else (name, PROTOCOLS[name].port)
    place, _, query = rest.partition("?")
    host, own_port = _place(place.rstrip("/"), text)
    settings = {}
    for item in query.split("&") if query else ():
        setting, _, value = item.partition("=")
        if setting not in PROTOCOLS[protocol].settings:
            known = ", ".join(sorted(PROTOCOLS[protocol].settings))
            raise ValueError(f"{text!r}: {protocol}:// has no setting {setting!r}; it has {known}")
        if not _is_right(setting, value):
            raise ValueError(f"{text!r}: {value!r} is no value of {setting}")
        settings[setting] = value
    host = host or ("localhost" if protocol == "vts" else "127.0.0.1")
    return Target(text, protocol, host, own_port or port, settings)


def _place(place: str, text: str) -> tuple[str, int | None]:
    """Host and port of HOST, HOST:PORT, :PORT, [IPV6] or [IPV6]:PORT; "" and None where there is none."""
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r}: an IPv6 address with a port is [ADDRESS]:PORT")
        port = rest[1:] if rest else None
    elif place.count(":") > 1:
        host, port = place, None
    else:
        host, colon, port_text = place.partition(":")
        port = port_text if colon else None
    if port is None:
        return host, None
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"{text!r}: {port or 'nothing'} is no port, ports are 1 to 65535")
    return host, int(port)


def _is_right(setting: str, value: str) -> bool:
    if setting in WORDS:
        return value in WORDS[setting]
    if setting == "subject":
        return 0 < len(value.encode()) <= 64
    if setting == "face":
        return value.isascii() and value.isdigit() and len(value) < 10
    return value in ("0", "1")
