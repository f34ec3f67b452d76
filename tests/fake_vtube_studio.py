"""What VTube Studio is to the tracker: a WebSocket server that follows the description of its plugin API."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from avatar_receivers import ARKIT, VTS_INPUTS, read_json, read_vts_injection
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

TOKEN = "a" * 63 + "1"


class FakeVTubeStudio:
    """Answers on 127.0.0.1 until the end of its `with` block.

    Args:
        port: 0: any that is free.
        allows: whether its user allows the plugin.
        known: the tokens that it takes at first; one that it gives is added.
        refuses: names of parameters that it does not create.
        rejects: whether it answers injections with errors.
        silent: whether it leaves injections unanswered.
        pause: seconds that it takes for each message.
        hotkeys: the names of its model's hotkeys.
        leaves_after: ends the connection after so many injections, once; None: never.
    """

    def __init__(
        self, port: int = 0, *, allows: bool = True, known: tuple[str, ...] = (), refuses: tuple[str, ...] = (),
        rejects: bool = False, silent: bool = False, pause: float = 0.0, leaves_after: int | None = None,
        hotkeys: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.allows, self.known, self.refuses = allows, set(known), refuses
        self.rejects, self.silent, self.pause, self.leaves_after = rejects, silent, pause, leaves_after
        self.hotkeys, self.pressed, self.created = hotkeys, list[str](), set[str]()
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.injections: list[tuple[bool, dict[str, float]]] = []
        self.connections = 0
        self._open: list[ServerConnection] = []
        self.faults: list[BaseException] = []
        self._server = serve(self._talk, "127.0.0.1", port, compression=None)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> FakeVTubeStudio:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        for connection in self._open:
            with suppress(OSError):  # the other side may have ended it already
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        assert not self.faults, self.faults

    def kinds(self) -> list[str]:
        """The messageType of everything that came."""
        return [kind for kind, _ in self.messages]

    def wait_until(self, there: Callable[[], bool], seconds: float = 20) -> None:
        """Returns when `there` says so."""
        deadline = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < deadline, (self.kinds()[-3:], self.faults)
            time.sleep(0.01)

    def wait_until_ready(self) -> None:
        """Returns when all parameters are there."""
        self.wait_until(lambda: self.kinds().count("ParameterCreationRequest") >= len(ARKIT))

    def _talk(self, connection: ServerConnection) -> None:
        self.connections += 1
        self._open.append(connection)
        state = {"in": False}
        try:
            for text in connection:
                time.sleep(self.pause)
                if (answer := self._answer(text, state)) is not None:
                    connection.send(json.dumps(answer))
                if self.leaves_after is not None and len(self.injections) >= self.leaves_after:
                    self.leaves_after = None
                    return
        except ConnectionClosed:
            pass
        except BaseException as fault:
            self.faults.append(fault)
            with suppress(Exception):
                connection.close()
        finally:
            self._open.remove(connection)

    def _answer(self, text: str | bytes, state: dict[str, bool]) -> dict[str, Any] | None:
        message = read_json(text)
        assert set(message) == {"apiName", "apiVersion", "requestID", "messageType", "data"}
        assert (message["apiName"], message["apiVersion"]) == ("VTubeStudioPublicAPI", "1.0")
        assert 0 < len(message["requestID"].encode("ascii")) <= 64
        kind, data = message["messageType"], message["data"]
        self.messages.append((kind, data))
        kind, data = self._react(kind, data, state)
        if kind == "InjectParameterDataResponse" and self.silent:
            return None
        return {
            "apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "timestamp": 1625405710728,
            "requestID": message["requestID"], "messageType": kind, "data": data,
        }  # fmt: skip

    def _react(self, kind: str, data: dict[str, Any], state: dict[str, bool]) -> tuple[str, dict[str, Any]]:
        if kind in ("AuthenticationTokenRequest", "AuthenticationRequest"):
            assert 3 <= len(data["pluginName"]) <= 32 and 3 <= len(data["pluginDeveloper"]) <= 32
        if kind == "AuthenticationTokenRequest":
            if not self.allows:
                return "APIError", {"errorID": 50, "message": "User has denied API access for your plugin."}
            self.known.add(TOKEN)
            return "AuthenticationTokenResponse", {"authenticationToken": TOKEN}
        if kind == "AuthenticationRequest":
            assert 0 < len(data["authenticationToken"]) <= 64
            state["in"] = data["authenticationToken"] in self.known
            return "AuthenticationResponse", {"authenticated": state["in"], "reason": "Token valid or not."}
        if not state["in"]:
            return "APIError", {"errorID": 8, "message": "This request requires authentication."}
        if kind == "ParameterCreationRequest":
            name = data["parameterName"]
            assert 4 <= len(name) <= 32 and name.isalnum() and len(data["explanation"]) < 256
            assert data["min"] <= data["defaultValue"] <= data["max"]
            if name in self.refuses:
                return "APIError", {"errorID": 354, "message": "A default parameter with this name exists."}
            self.created.add(name)
            return "ParameterCreationResponse", {"parameterName": name}
        if kind == "HotkeyTriggerRequest":
            name = data["hotkeyID"]
            if name.lower() not in self.hotkeys:
                return "APIError", {"errorID": 202, "message": "No hotkey of that name."}
            self.pressed.append(name)
            return "HotkeyTriggerResponse", {"hotkeyID": "7f6fe0d4"}
        assert kind == "InjectParameterDataRequest", kind
        self.injections.append(read_vts_injection(data, self.refuses))
        assert set(self.injections[-1][1]) <= self.created | set(VTS_INPUTS), "a parameter that was not created"
        if self.rejects:
            return "APIError", {"errorID": 453, "message": "Another plugin\nsets this parameter."}
        return "InjectParameterDataResponse", {}
