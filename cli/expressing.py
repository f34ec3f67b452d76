"""`--expressions` and `--record`: what faces express, and recordings to teach it with."""

from __future__ import annotations

from collections.abc import Sequence

from cli.options import Options
from expressions.collection import NONE, Collection, ExpressionError, needs_shapes
from expressions.recognition import Recogniser
from expressions.recording import COUNTDOWN, PATIENCE, TimedRecording
from expressions.training import LEAST
from output.console import Console, warn
from tracking.faces import Face
from tracking.saving import check_replaceable

SIMPLE = "simple"


class Expressing:
    """Finds what faces express.

    Args:
        collection: what was taught; None: the simple expressions, which need no teaching.
        threshold: see `expressions.recognition`.
        path: the collection's file, for messages.

    Attributes:
        names: of all expressions that may be found now.
        wants_shapes: whether blend shapes help.
        caption: for the picture: what is being recorded or trained; "" for nothing.
    """

    def __init__(self, collection: Collection | None, threshold: float, path: str = SIMPLE) -> None:
        self._collection, self._threshold, self._path = collection, threshold, path
        self._recogniser: Recogniser | None = None
        self._shapes = False
        self.names: tuple[str, ...] = ()
        self.wants_shapes = collection is not None and any(map(needs_shapes, collection.classifiers))
        self.caption = ""

    def begin(self, live: bool, shapes: bool) -> None:
        """The run begins.

        Args:
            live: whether somebody sits before a camera.
            shapes: whether faces come with blend shapes.

        Raises:
            ExpressionError: there is nothing to recognise with.
        """
        self._shapes = shapes
        self._choose()
        if self._recogniser is None:
            assert self._collection is not None
            if self._collection.classifiers:
                raise ExpressionError(f"What was trained in {self._path} needs blend shapes, and there are none here.")
            raise ExpressionError(f"{self._path} is not trained: python -m expressions train {self._path} does it.")

    def update(self, faces: Sequence[Face], now: float) -> bool:
        """Take the faces of a frame.

        Args:
            faces: by id, with their shapes as the tracker gave them; they get their expressions.
            now: when the frame was taken, seconds.

        Returns:
            False when the run has done what it is for.

        Raises:
            ExpressionError: it can't go on.
        """
        if self._recogniser is not None:
            self._recogniser.update(faces)
        return True

    def caption_of(self, faces: Sequence[Face]) -> str:
        """A line for the picture: what is being recorded or trained, or what the first face expresses."""
        if self.caption or not faces or self._recogniser is None:
            return self.caption
        seen = faces[0].expression
        return f"{seen.name} {seen.confidence:.2f}" if seen else NONE

    def key(self, key: str) -> None:
        """Take the key that was pressed in the window since the last frame; "" for none."""

    def finish(self, quits: bool) -> None:
        """The run ends well.

        Args:
            quits: whether the user ended it; else the input did, or `update`.

        Raises:
            ExpressionError, OSError: what the run was for can't be had.
        """

    def close(self) -> None:
        """The run ends, one way or the other."""

    def __enter__(self) -> Expressing:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _choose(self) -> None:
        """Take the classifier that there is now."""
        classifier = None if self._collection is None else self._collection.classifier(self._shapes)
        found = self._collection is None or classifier is not None
        self._recogniser = Recogniser(classifier, self._threshold) if found else None
        self.names = self._recogniser.names if self._recogniser else ()


class RecordingRun(Expressing):
    """Records one expression of the first face, adds it to the file, and ends.

    Args:
        collection: what is in the file.
        path: of the file.
        name: of the expression.
        seconds: how long it is recorded.
        console: gets the countdown and the progress.

    Raises:
        ExpressionError: it can't have that name, there is no room for it, or the file can't be written.
    """

    def __init__(self, collection: Collection, path: str, name: str, seconds: float, console: Console) -> None:
        super().__init__(collection, 0.0, path)
        self._taught = collection
        collection.room(name)
        check_writable(path)
        self._recording = TimedRecording(name, seconds)
        self._console = console
        self.wants_shapes = True

    def begin(self, live: bool, shapes: bool) -> None:
        """See `Expressing`; before a camera it counts down."""
        self._recording.countdown = COUNTDOWN if live else 0.0

    def update(self, faces: Sequence[Face], now: float) -> bool:
        """See `Expressing`; False when the time is over."""
        self._recording.update(faces[0] if faces else None, now)
        line = self._recording.line()
        if line != self.caption:
            self.caption = line
            self._console.line(line)
        if self._recording.missing > PATIENCE:
            raise ExpressionError(f"No face was seen for {PATIENCE:.0f} s: {self._keep()}")
        return not self._recording.done

    def finish(self, quits: bool) -> None:
        """See `Expressing`; what was recorded is kept, unless the user broke it off."""
        if self._recording.done:
            self._console.line(f"Done: {self._keep()} Train when all are: python -m expressions train {self._path}")
        elif quits:
            warn(f"Broken off: {self._path} stays as it was.")
        elif self._recording.count < LEAST:
            raise ExpressionError(f"The input ended before much of a face was seen: {self._keep()}")
        else:
            warn(f"The input ended early: {self._keep()}")

    def _keep(self) -> str:
        """Add what was recorded to the file, and say so."""
        recording = self._recording
        if recording.count < LEAST:
            return f"nothing was recorded, and {self._path} stays as it was."
        self._taught.add(recording.name, recording.recording())
        self._taught.save(self._path)
        return f"{recording.taken:.1f} s of {recording.name} were added to {self._path}."


def check_writable(path: str) -> None:
    """Raise ExpressionError when a file can't be written, before there is anything to write."""
    try:
        check_replaceable(path)
    except OSError as error:
        raise ExpressionError(f"{path} can't be written ({error.strerror}).") from error


def make_expressing(options: Options, console: Console) -> Expressing | None:
    """What the options ask for of all this; None: nothing.

    Raises:
        ExpressionError: the file is none or not there, or can't be written where something is to be, or the name to be
            recorded is none.
    """
    path = options.expressions
    if path is None:
        return None
    if path == SIMPLE:
        return Expressing(None, options.expression_threshold)
    try:
        collection = Collection.load(path)
    except FileNotFoundError:
        if options.record is None and not options.visualize:
            raise ExpressionError(f"{path} is not there: --record NAME records something into it.") from None
        collection = Collection()
    if options.record is not None:
        return RecordingRun(collection, path, options.record, options.record_seconds, console)
    if options.visualize:
        from cli.teaching import Teaching

        return Teaching(collection, options.expression_threshold, path, console)
    return Expressing(collection, options.expression_threshold, path)
