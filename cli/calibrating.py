"""`--calibrate`, `--profile` and the key `c`: whose resting face is taken for zero, and where that is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from output.console import Console, warn
from sending.avatar import BEFORE_CAMERA, NeutralHead
from sending.head import head
from tracking.calibration import Calibration, Profile
from tracking.faces import Face

SAVE_EVERY = 60.0  # seconds: what was learnt since the last time may be lost when the program is killed
KEY_SECONDS = 1.0  # for how long the face is neutral after the key


class Calibrator:
    """Calibrates the shapes of every face; the profile is that of the first face.

    Args:
        console: gets the countdown.
        seconds: for how long the face is to look neutral at first; 0: not at all.
        path: the profile's file; None: none. What is there is read.

    Raises:
        tracking.calibration.ProfileError: the file is no profile.
    """

    def __init__(self, console: Console, seconds: float = 0.0, path: str | None = None) -> None:
        self._console = console
        self._path = path
        self._calibrations: dict[int, Calibration] = {}
        self._saved_at: float | None = None
        self._complained = False
        self._shown = 0  # the last number of the countdown
        first = Calibration()
        if path is not None:
            with suppress(FileNotFoundError):  # it is made when something is known
                first = Calibration(Profile.load(path))
        self._first: Calibration | None = first
        self._neutral = BEFORE_CAMERA
        self._know_head()
        if seconds:
            first.start(seconds)

    def neutral(self) -> NeutralHead:
        """Where the first face's head is when it is neutral."""
        return self._neutral

    def restart(self) -> None:
        """The face is neutral now: the key."""
        for calibration in self._calibrations.values():
            calibration.start(KEY_SECONDS)

    def update(self, faces: Sequence[Face], now: float, size: tuple[int, int]) -> None:
        """Learn from the faces of a frame and calibrate their shapes.

        Args:
            faces: their shapes change in place.
            now: when the frame was taken, seconds.
            size: its width and height, pixels.
        """
        for face in faces:
            calibration = self._calibration(face.id)
            there = head(face, size) if calibration.waiting else None
            if calibration.update(face, now, (there.rotation, there.position) if there else None):
                self._console.line("The neutral face is known")
                self._know_head()
                self._save()
            elif calibration.waiting:
                self._count(math.ceil(calibration.remaining(now)))
        if self._path is not None and faces:
            if self._saved_at is None:
                self._saved_at = now
            elif now - self._saved_at > SAVE_EVERY:
                self._saved_at = now
                self._save()

    def close(self) -> None:
        """Keep what was learnt."""
        if self._calibrations:
            self._save()

    def __enter__(self) -> Calibrator:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _calibration(self, face_id: int) -> Calibration:
        """A face's own; the first face that is seen has the profile's."""
        if face_id not in self._calibrations:
            self._calibrations[face_id] = self._first or Calibration()
            self._first = None
        return self._calibrations[face_id]

    def _person(self) -> Profile:
        """The first face's, which is kept."""
        first = self._first or next(iter(self._calibrations.values()))
        return first.profile

    def _know_head(self) -> None:
        profile = self._person()
        if profile.rotation is not None and profile.position is not None:
            self._neutral = NeutralHead(profile.rotation, profile.position)

    def _count(self, seconds: int) -> None:
        if seconds != self._shown:
            self._shown = seconds
            self._console.line(f"Look neutral, into the camera: {seconds}")

    def _save(self) -> None:
        """Keep the first face's profile. Trouble with the file is told once."""
        if self._path is None:
            return
        try:
            self._person().save(self._path)
        except OSError as error:
            if not self._complained:
                self._complained = True
                warn(f"The profile {self._path} can't be written ({error.strerror}); what it held stays.")
