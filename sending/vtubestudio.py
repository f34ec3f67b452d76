"""VTube Studio's plugin API: a thread of its own talks to the program, and only ever has the newest frame."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import InvalidHandshake, InvalidMessage, WebSocketException
from websockets.sync.client import ClientConnection, connect

from sending import vts_messages
from sending.avatar import Avatar, Wearer

#: Seconds between two attempts to connect, and for an answer; a user takes longer to allow a plugin.
RETRY, PATIENCE, USER_PATIENCE = 2.0, 5.0, 120.0
#: So many frames may be under way without an answer: more would only wait in VTube Studio's own queue. If it answers
#: none at all, one more is sent after this time, seconds.
UNDER_WAY, UNANSWERED = 4, 0.1
TOKENS = "vtube_studio_tokens.json"


class _NotThere(Exception):
    """The connection can't be made or is over; the message is for the user."""


class _Refused(Exception):
    """The user does not want this plugin."""


class TokenFile:
    """Keeps the tokens that VTube Studio gave, by its address, in a file that only the user may read.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, address: str) -> str | None:
        """The token for an address; None when there is none or the file is not ours."""
        token = self._all().get(address)
        return token if isinstance(token, str) and 0 < len(token) <= 64 else None

    def write(self, address: str, token: str) -> None:
        """Keep a token.

        Raises:
            OSError: the file can't be written; it is then as it was.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**self._all(), address: token})
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(beside, self.path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _all(self) -> dict[str, Any]:
        try:
            tokens = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return tokens if isinstance(tokens, dict) else {}


def config_folder() -> Path:
    """The user's folder for settings of this program, which may not be there yet."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "openseeface"


class VTubeStudioSender:
    """Sends one face to VTube Studio, whenever that is there.

    Args:
        host, port: where its API listens.
        wearer: chooses the face.
        report: gets a line for each kind of trouble, and when it is over.
        tokens: where the permission is kept.
        retry: seconds between two attempts to connect.
        hotkeys: have it press its hotkey of the same name when an expression comes.
    """

    def __init__(
        self,
        host: str,
        port: int,
        wearer: Wearer,
        report: Callable[[str], None],
        tokens: TokenFile | None = None,
        retry: float = RETRY,
        hotkeys: bool = False,
    ) -> None:
        self._hotkeys = hotkeys
        self._pressed: str | None = None  # the expression whose hotkey was pressed last
        self._name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._wearer = wearer
        self._report = report
        self._tokens = tokens or TokenFile(config_folder() / TOKENS)
        self._retry = retry
        self._reported: set[str] = set()
        self._newest: tuple[Avatar, bool] | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._connection: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name="vtubestudio", daemon=True)
        self._thread.start()

    def send(self, avatars: Sequence[Avatar], time: float) -> None:
        """Hand over a frame's, in place of one that is still waiting; see `Wearer.follow`."""
        shown = self._wearer.follow(avatars, time)
        with self._changed:
            self._newest = shown
            self._changed.notify()

    def close(self) -> None:
        """End the connection and the thread; what still waits is sent if it goes at once."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(0.5)
        connection = self._connection
        if self._thread.is_alive() and connection is not None:
            with suppress(OSError):
                connection.socket.close()
            self._thread.join(0.5)

    def _run(self) -> None:
        while not self._closing:
            try:
                self._converse()
            except _NotThere as error:
                self._say_once(str(error))
            except _Refused as error:
                self._report(str(error))
                return
            except Exception as error:  # an answer that nobody foresaw must not end the run
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                self._say_once(f"VTube Studio at {self._name}: {reason}. Tracking goes on.")
            with self._changed:
                if not self._closing:
                    self._changed.wait_for(lambda: self._closing, self._retry)

    def _converse(self) -> None:
        """One connection, from its beginning to its end.

        Raises:
            _NotThere: it could not be made or broke off.
            _Refused: the user does not allow it.
        """
        address = f"ws://{self._name}"
        try:
            connection = connect(
                address, open_timeout=PATIENCE, close_timeout=0.2, compression=None, proxy=None, max_size=2**20
            )
        except (InvalidHandshake, InvalidMessage) as error:
            raise _NotThere(
                f"What listens at {self._name} is not VTube Studio's API; it is tried again. Tracking goes on."
            ) from error
        except (OSError, WebSocketException) as error:
            raise _NotThere(
                f"VTube Studio is not at {self._name} (yet), or its API is off. Tracking goes on."
            ) from error
        self._connection = connection
        try:
            with connection:
                talk = _Talk(connection)
                self._authenticate(talk)
                without = self._create_parameters(talk, vts_messages.parameter_requests())
                if self._reported:
                    self._reported.clear()
                    self._report(f"Sending to VTube Studio at {self._name} works.")
                self._inject(talk, without)
        except (OSError, WebSocketException) as error:
            if not self._closing:
                raise _NotThere(
                    f"The connection to VTube Studio at {self._name} broke off; it is tried again. Tracking goes on."
                ) from error
        finally:
            self._connection = None

    def _authenticate(self, talk: _Talk) -> None:
        token = self._tokens.read(self._name)
        for _ in range(2):
            if token is None:
                token = self._ask_for_token(talk)
            _, data = talk.ask("AuthenticationRequest", {**vts_messages.PLUGIN, "authenticationToken": token})
            if data.get("authenticated") is True:
                return
            token = None  # no longer good: ask the user again, once
        raise _NotThere(f"VTube Studio at {self._name} takes no token; it is tried again. Tracking goes on.")

    def _ask_for_token(self, talk: _Talk) -> str:
        self._say_once(f"Allow {vts_messages.PLUGIN['pluginName']!r} in VTube Studio, which asks for it now.")
        kind, data = talk.ask("AuthenticationTokenRequest", dict(vts_messages.PLUGIN), USER_PATIENCE, self._is_closing)
        if kind == "APIError" and data.get("errorID") == vts_messages.REFUSED:
            raise _Refused(f"VTube Studio at {self._name} does not allow this tracker; nothing is sent there.")
        token = data.get("authenticationToken")
        if not (isinstance(token, str) and 0 < len(token) <= 64):
            raise _NotThere(f"VTube Studio at {self._name} gives no token ({_error(data)}). Tracking goes on.")
        try:
            self._tokens.write(self._name, token)
        except OSError as error:
            self._say_once(f"The permission of VTube Studio can't be kept: {error.filename}: {error.strerror}.")
        return token

    def _create_parameters(self, talk: _Talk, requests: dict[str, dict[str, Any]]) -> set[str]:
        """Have our own parameters made; returns those that VTube Studio does not want."""
        refused: dict[str, str] = {}
        for name, data in requests.items():
            kind, answered = talk.ask("ParameterCreationRequest", data)
            if kind == "APIError":
                refused[name] = _error(answered)
        if refused:
            reason = next(iter(refused.values()))
            names = ", ".join(refused)
            self._say_once(f"VTube Studio does not take the parameters {names} ({reason}); others are sent.")
        return set(refused)

    def _inject(self, talk: _Talk, without: set[str]) -> None:
        waiting: set[int] = set()
        hotkeys: dict[int, str] = {}
        names: tuple[str, ...] = ()
        injections = vts_messages.Injections(without)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._closing, 0.5)
                shown, self._newest = self._newest, None
            if shown is not None:
                if (now := tuple(shown[0].expressions)) != names:
                    names = now
                    refused = self._create_parameters(talk, vts_messages.expression_requests(names))
                    waiting.clear()  # the answers to them were heard meanwhile
                    injections = vts_messages.Injections(without | refused, names)
                waiting.add(talk.inject(injections, *shown))
                if (pressed := self._press(shown[0].expression)) is not None:
                    hotkeys[talk.say("HotkeyTriggerRequest", {"hotkeyID": pressed})] = pressed
            elif self._closing:
                return
            # Without this, frames would pile up in front of a program that is slow.
            while answered := talk.hear(UNANSWERED if len(waiting) >= UNDER_WAY else 0.0):
                kind, number, data = answered
                waiting -= {number}
                hotkey = hotkeys.pop(number, None) if number is not None else None
                if kind == "APIError" and hotkey is not None:
                    self._say_once(f"VTube Studio at {self._name} presses no hotkey {hotkey!r} ({_error(data)}).")
                elif kind == "APIError":
                    self._say_once(f"VTube Studio at {self._name} does not take the data ({_error(data)}).")
            if len(waiting) >= UNDER_WAY:
                waiting.remove(min(waiting))

    def _press(self, expression: str | None) -> str | None:
        """The name of the hotkey to press now; None: none."""
        came = self._hotkeys and expression is not None and expression != self._pressed
        self._pressed = expression
        return expression if came else None

    def _is_closing(self) -> bool:
        return self._closing

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._reported:
            self._reported.add(sentence)
            self._report(sentence)


class _Talk:
    """Requests and answers on a connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def say(self, kind: str, data: dict[str, Any]) -> int:
        """Send a request; returns its number."""
        self._number += 1
        self._connection.send(vts_messages.request(kind, self._number, data))
        return self._number

    def inject(self, injections: vts_messages.Injections, avatar: Avatar, found: bool) -> int:
        """Send a frame; returns the request's number."""
        self._number += 1
        self._connection.send(injections.request(self._number, avatar, found))
        return self._number

    def hear(
        self, patience: float, stop: Callable[[], bool] = lambda: False
    ) -> tuple[str, int | None, dict[str, Any]] | None:
        """The next answer; None when none comes in that many seconds or `stop` says so."""
        waited = 0.0
        while True:
            step = min(0.1, patience - waited)
            try:
                return vts_messages.answer(self._connection.recv(timeout=max(step, 0.0)))
            except ValueError:
                continue  # not for us
            except TimeoutError:
                waited += step
                if waited >= patience or stop():
                    return None

    def ask(
        self, kind: str, data: dict[str, Any], patience: float = PATIENCE, stop: Callable[[], bool] = lambda: False
    ) -> tuple[str, dict[str, Any]]:
        """Send a request and wait for its answer: messageType and data.

        Raises:
            OSError: none comes in that many seconds.
        """
        number = self.say(kind, data)
        while heard := self.hear(patience, stop):
            if heard[1] == number:
                return heard[0], heard[2]
        raise TimeoutError(f"no answer to {kind}")


def _error(data: dict[str, Any]) -> str:
    return f"error {data.get('errorID')}: {' '.join(str(data.get('message', 'no reason')).split())[:200]}"
