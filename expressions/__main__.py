"""`python -m expressions`: looks at, trains and tries what was recorded with `facetracker.py --record`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import numpy as np

from expressions import trying
from expressions.classifier import Classifier
from expressions.collection import Collection, ExpressionError, Taught, needs_shapes
from expressions.recognition import THRESHOLD
from output.console import warn, write_line

KEPT_OUT = "on a quarter that was kept out"


def say(line: str) -> None:
    """A line for the person who started the command."""
    write_line(sys.stdout, line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except FileNotFoundError as error:
        warn(f"{error.filename} is not there: record something first, with facetracker.py --expressions and --record.")
    except ExpressionError as error:
        warn(str(error))
    except OSError as error:
        warn(f"{error.filename or options.file}: {error.strerror}.")
    except ImportError as error:
        warn(
            f"Training needs scikit-learn, and {error.name} is not there: "
            f'"{sys.executable}" -m pip install scikit-learn installs it.'
        )
    except KeyboardInterrupt:
        warn("Stopped; the file stays as it was.")
    return 1


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m expressions",
        description="Looks at, trains and tries expressions that were recorded with the tracker.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(
        name: str, run: Callable[[argparse.Namespace], int], help: str, *first: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help)
        for positional in first:
            command.add_argument(positional.lower(), metavar=positional)
        command.add_argument("file", metavar="FILE")
        command.set_defaults(run=run)
        return command

    add("list", list_expressions, "list the expressions, and how well each was told when they were trained last")
    add("clear", clear, "forget an expression and all its recordings", "NAME")
    add("rename", rename, "call an expression something else", "NAME", "TO")
    add("train", train, "learn to tell the expressions apart (needs scikit-learn)")
    test = add("test", test_file, "try what was trained on recordings of another file; without one, train on three "
               "quarters and try on the fourth, and keep nothing (needs scikit-learn)")  # fmt: skip
    test.add_argument("other", metavar="OTHER", nargs="?")
    test.add_argument("--threshold", type=float, default=THRESHOLD, help=f"least probability (default: {THRESHOLD})")
    return parser


def list_expressions(options: argparse.Namespace) -> int:
    """`list`."""
    collection = Collection.load(options.file)
    best = collection.classifiers[0] if collection.classifiers else None
    accuracy = dict(zip(best.names, best.accuracy.tolist(), strict=True)) if best else {}
    for number, taught in enumerate(collection.expressions, start=1):
        seconds = sum(recording.seconds for recording in taught.recordings)
        shapes = "" if all(recording.has_shapes for recording in taught.recordings) else ", without blend shapes"
        told = f"{100 * accuracy[taught.name]:.1f} %" if taught.name in accuracy else "not trained"
        say(f"{number}: {taught.name}: {seconds:.0f} s in {len(taught.recordings)} recordings{shapes}, {told}")
    if not collection.expressions:
        say("Nothing is recorded.")
    return 0


def clear(options: argparse.Namespace) -> int:
    """`clear`."""
    collection = Collection.load(options.file)
    taught = find(collection, options.name, options.file)
    collection.expressions.remove(taught)
    collection.classifiers = []
    collection.save(options.file)
    say(f"{taught.name} is gone. Train again.")
    return 0


def rename(options: argparse.Namespace) -> int:
    """`rename`."""
    collection = Collection.load(options.file)
    taught = find(collection, options.name, options.file)
    collection.rename(taught, options.to)
    collection.save(options.file)
    return 0


def find(collection: Collection, name: str, file: str) -> Taught:
    """The expression of that name; ExpressionError when there is none."""
    taught = collection.find(name)
    if taught is None:
        names = ", ".join(one.name for one in collection.expressions) or "none"
        raise ExpressionError(f"{file} has no expression {name!r} (there: {names}).")
    return taught


def train(options: argparse.Namespace) -> int:
    """`train`."""
    results = _trained(collection := Collection.load(options.file))
    collection.save(options.file)
    _show(results, KEPT_OUT)
    return 0


def test_file(options: argparse.Namespace) -> int:
    """`test`."""
    collection = Collection.load(options.file)
    if options.other is None:
        _show(_trained(collection), KEPT_OUT)
        return 0
    if not collection.classifiers:
        raise ExpressionError(f"Nothing is trained in {options.file}: python -m expressions train does it.")
    other = Collection.load(options.other)
    with_shapes = all(recording.has_shapes for taught in other.expressions for recording in taught.recordings)
    usable = [one for one in collection.classifiers if with_shapes or not needs_shapes(one)]
    if not usable:
        raise ExpressionError(f"{options.other} has no blend shapes, and what is trained in {options.file} needs them.")
    _show([(one, trying.confusion_with(one, other, options.threshold)) for one in usable], f"on {options.other}")
    return 0


def _trained(collection: Collection) -> list[tuple[Classifier, np.ndarray]]:
    from expressions.training import train

    return [(result.classifier, result.confusion) for result in train(collection, say)]


def _show(results: Sequence[tuple[Classifier, np.ndarray]], where: str) -> None:
    """The best classifier's table, and of the one that stands in for it without blend shapes a line."""
    for number, (classifier, confusion) in enumerate(results):
        what = "With blend shapes" if needs_shapes(classifier) else "Without blend shapes"
        say(f"{what}, {where}: {trying.summary(classifier.names, confusion)}")
        if number == 0:
            for line in trying.table(classifier.names, confusion):
                say("  " + line)
            for sentence in trying.warnings(classifier.names, confusion):
                warn(sentence)


if __name__ == "__main__":
    sys.exit(main())
