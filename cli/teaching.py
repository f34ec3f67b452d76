"""The keys 1 to 9 and `t` in the window: recording an expression for as long as a key is held, and training."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from cli.expressing import Expressing, check_writable
from expressions.background import Training
from expressions.collection import Collection, ExpressionError, Recording
from expressions.recording import HeldKey
from output.console import Console, warn
from tracking.faces import Face

KEYS = "123456789"


class Teaching(Expressing):
    """Finds what faces express, and learns more of it while it does.

    Args:
        collection: what is in the file.
        threshold: see `expressions.recognition`.
        path: of the file.
        console: gets a line for what is recorded and trained.
        clock: seconds that only rise, by which a key is held also while a video runs faster or slower.

    Raises:
        ExpressionError: the file can't be written.
    """

    def __init__(
        self,
        collection: Collection,
        threshold: float,
        path: str,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(collection, threshold, path)
        self._clock = clock
        check_writable(path)
        self._taught = collection
        self._console = console
        self._held = HeldKey()
        self._key = ""
        self._unsaved = False
        self._training: Training | None = None
        self.wants_shapes = True

    def begin(self, live: bool, shapes: bool) -> None:
        """See `Expressing`; it may be that nothing is taught yet."""
        self._shapes = shapes
        self._choose()
        if self._recogniser is None:
            self._console.line("Hold 1 to 9 in the window to record an expression, and press t to train.")

    def key(self, key: str) -> None:
        """See `Expressing`."""
        self._key = key

    def update(self, faces: Sequence[Face], now: float) -> bool:
        """See `Expressing`; keys count for the next frame."""
        super().update(faces, now)
        key, self._key = self._key, ""
        held = key if key and key in KEYS else ""
        finished = self._held.update(held, faces[0] if faces else None, self._clock())
        if finished is not None:
            self._add(*finished)
        if self._training is not None:
            self._follow(self._training)
        elif key == "t":
            self._train()
        training = "training" if self._training else ""
        self.caption = f"recording {self._name(self._held.key)}" if self._held.key else training
        return True

    def close(self) -> None:
        """See `Expressing`; what was recorded is kept."""
        if finished := self._held.finish():
            self._add(*finished)
        if self._training is not None:
            self._training.close()
            self._training = None
        self._save()

    def _name(self, key: str) -> str:
        """The name of the expression with that number."""
        number = KEYS.index(key)
        there = self._taught.expressions
        return there[number].name if number < len(there) else f"expression {len(there) + 1}"

    def _add(self, key: str, recording: Recording) -> None:
        name = self._name(key)
        try:
            self._taught.add(name, recording)
        except ExpressionError as error:
            warn(str(error))
            return
        self._unsaved = True
        self._console.line(f"{recording.seconds:.1f} s of {name} recorded")
        if self._training is None:  # which writes the file itself
            self._save()

    def _save(self) -> bool:
        """Write what is not in the file yet. Trouble is told, and it is tried again the next time."""
        if not self._unsaved:
            return True
        try:
            self._taught.save(self._path)
        except OSError as error:
            warn(f"{self._path} can't be written ({error.strerror}); what it held stays.")
            return False
        self._unsaved = False
        return True

    def _train(self) -> None:
        if getattr(sys, "frozen", False):
            warn(f"This program can't train: python -m expressions train {self._path}, with Python, does it.")
        elif not self._taught.expressions:
            warn("Nothing is recorded yet: hold 1 to 9.")
        elif self._save():
            self._training = Training(self._path)

    def _follow(self, training: Training) -> None:
        """Use what was trained when it is."""
        went_well = training.poll(self._console.line)
        if went_well is None:
            return
        self._training = None
        if went_well:
            try:
                self._taught.classifiers = Collection.load(self._path).classifiers
            except (ExpressionError, FileNotFoundError) as error:
                warn(str(error))
            self._choose()
        self._save()
