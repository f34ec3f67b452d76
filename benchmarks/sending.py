"""What all targets of `--send` at once add to a frame, against the record alone.

    python -m benchmarks.sending

The same tracker takes blocks of frames by turns: in one its faces go to the record's receiver alone, in the next also
to every protocol. A frame's time is from the frame until the next one may come: tracking, encoding and sending the
record, and handing over to the targets. Frames come in two ways: 30 a second, as from a camera, where the targets'
thread works between them; and one after another, where it works beside the next frame's networks, and what a block
leaves to be sent at its end counts too. Three clocks: the wall's, which on a busy machine says mostly how busy it is;
the processor time of the loop's own thread, which is what the loop does for the targets; and that of the whole process,
with the targets' threads. Receivers are sockets that nobody reads, and a process that answers as VTube Studio.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common import load_clip, machine, one_core, pinned, table, there_and_back
from benchmarks.options import add_tracker_options
from sending.packet import encode
from sending.senders import Senders
from sending.targets import read_targets
from sending.udp import PacketSender
from tracker import Tracker
from tracking.smoothing import PRESETS

BLOCK = 20
CAMERA = 30  # frames a second
PROTOCOLS = ("vmc", "ifacialmocap", "opentrack", "livelink")


def answer_as_vtube_studio(ready: Connection) -> None:
    """Serves on a free port, which it tells, until it is ended."""
    from websockets.sync.server import ServerConnection, serve

    def talk(connection: ServerConnection) -> None:
        data = {"authenticationToken": "benchmark", "authenticated": True}
        for text in connection:
            message = json.loads(text)
            kind = message["messageType"].replace("Request", "Response")
            connection.send(json.dumps({"messageType": kind, "requestID": message["requestID"], "data": data}))

    with serve(talk, "127.0.0.1", 0, compression=None) as server:
        ready.send(server.socket.getsockname()[1])
        server.serve_forever()


def clocks() -> np.ndarray:
    """Seconds of the wall, of this thread and of the process."""
    return np.array([time.perf_counter(), time.thread_time(), time.process_time()])


def measure(
    clip: Path, model: int, model_dir: Path | None, blocks: int, frames_a_second: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean time of a frame in each block, ms, by each clock (blocks, 3): the record alone, and all targets."""
    frames = load_clip(clip, 160)
    height, width = frames.shape[1:3]
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(len(PROTOCOLS) + 2)]
    for receiver in sockets:
        receiver.bind(("127.0.0.1", 0))
    record, phone, *others = (receiver.getsockname()[1] for receiver in sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        listening = probe.getsockname()[1]
    ready, told = multiprocessing.Pipe()
    studio = multiprocessing.get_context("spawn").Process(target=answer_as_vtube_studio, args=(told,), daemon=True)
    studio.start()
    targets = [f"{name}://127.0.0.1:{port}" for name, port in zip(PROTOCOLS, others, strict=True)]
    targets += [f"vts://127.0.0.1:{ready.recv()}", f"vtsphone://127.0.0.1:{listening}"]
    asked = {"messageType": "iOSTrackingDataRequest", "time": 10, "sentBy": "benchmark", "ports": [phone]}
    times: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    with (
        Tracker(width, height, model, max_threads=1, model_dir=model_dir, static_model=True) as tracker,
        PacketSender("127.0.0.1", record) as sender,
        Senders(read_targets(",".join(targets)), PRESETS["normal"], lambda sentence: None) as senders,
    ):
        numbers = there_and_back(len(frames))
        for block in range(-2, 2 * blocks):  # the first two warm up
            everything, spent, due = block % 2, np.zeros(3), time.perf_counter()
            process = time.process_time()
            sockets[1].sendto(json.dumps(asked).encode(), ("127.0.0.1", listening))
            for number in islice(numbers, BLOCK):
                frame = frames[number].copy()  # just written, as by a camera or a decoder
                if frames_a_second:
                    due += 1 / frames_a_second
                    time.sleep(max(0.0, due - time.perf_counter()))
                began = clocks()
                faces, now = tracker.predict(frame), time.time()
                if everything:
                    senders.send(faces, now, (width, height))
                if faces:
                    sender.send(encode(faces, now, width, height))
                spent += clocks() - began
            began = clocks()
            senders.wait_until_sent()
            if not frames_a_second:
                spent += clocks() - began
            spent[2] = time.process_time() - process
            if block >= 0:
                times[everything].append(1e3 * spent / BLOCK)
    studio.terminate()
    for receiver in sockets:
        receiver.close()
    return np.array(times[0]), np.array(times[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending", description=(__doc__ or "").split("\n")[0])
    add_tracker_options(parser)
    parser.add_argument("--blocks", type=int, default=30, help=f"blocks of {BLOCK} frames of each kind (default: 30)")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({name: folder for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME")})  # for the token
        for cores, where in ((one_core(), "one core"), (None, "all cores")):
            for rate, how in ((CAMERA, f"{CAMERA} a second"), (0, "one after another")):
                with pinned(cores):
                    alone, all_targets = measure(options.clip, options.model, options.model_dir, options.blocks, rate)
                growth = np.median(all_targets - alone, axis=0)
                values = [np.median(alone[:, 0]), *growth]
                rows.append((f"{where}, {how}", *(f"{value:.3f}" for value in values)))
    print(f"{machine()}. Milliseconds a frame, medians of {options.blocks} pairs of blocks.\n")
    print(table(("frames", "record alone", "growth", "growth of the loop's thread", "growth of the process"), rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
