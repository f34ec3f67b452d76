"""A process that tracks frames on command, so that several of them can take turns on one core.

    python benchmarks/contestant.py tracker FRAMES.npy '{"model_type": 3}'
    PYTHON_WITH_MEDIAPIPE benchmarks/contestant.py facemesh FRAMES.npy '{"max_num_faces": 1}'

Standard input has a JSON list of frame numbers a line; the answer is a line with one list [wall ms, processor ms,
faces found] a frame. The first line that is written is a name, once all is loaded. Nothing of this project is imported
for `facemesh`, which runs in another environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def tracker(settings: dict, frames: np.ndarray) -> tuple[str, Callable[[np.ndarray], int]]:
    """This tracker: track, encode, send to a socket that nobody reads. Settings are `Tracker`'s."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import socket

    import cv2

    from sending.packet import encode
    from sending.udp import PacketSender
    from tracker import Tracker

    cv2.setNumThreads(1)
    height, width = frames.shape[1:3]
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    sender = PacketSender("127.0.0.1", receiver.getsockname()[1])
    faces_tracker = Tracker(width, height, max_threads=1, max_feature_updates=900, static_model=True, **settings)

    def process(frame: np.ndarray, receiver: socket.socket = receiver) -> int:
        faces = faces_tracker.predict(frame)
        if faces:
            sender.send(encode(faces, time.time(), width, height))
        return len(faces)

    return "tracker", process


def facemesh(settings: dict, frames: np.ndarray) -> tuple[str, Callable[[np.ndarray], int]]:
    """MediaPipe's FaceMesh with irises, for video; the conversion to RGB does not count as its time."""
    import mediapipe

    frames[:] = frames[:, :, :, ::-1]
    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=False, refine_landmarks=True, **settings)

    def process(frame: np.ndarray) -> int:
        return len(mesh.process(frame).multi_face_landmarks or ())

    return f"MediaPipe FaceMesh {mediapipe.__version__}", process


def main(kind: str, path: str, settings: str) -> None:
    """Serve until standard input ends."""
    frames = np.load(path)
    name, process = {"tracker": tracker, "facemesh": facemesh}[kind](json.loads(settings), frames)
    print(json.dumps(name), flush=True)
    for line in sys.stdin:
        answers = []
        for number in json.loads(line):
            frame = frames[number].copy()  # just written, as by a camera or a decoder
            wall, cpu = time.perf_counter(), time.process_time()
            faces = process(frame)
            answers.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu), faces))
        print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
