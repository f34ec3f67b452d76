"""All benchmarks, as Markdown: `python -m benchmarks`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import cv2

from benchmarks import scaling, side_by_side, stages, start
from benchmarks.common import CLOCKS, machine, note, one_core, pinned
from benchmarks.options import add_tracker_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add_tracker_options(parser)
    side_by_side.add_contestant_options(parser)
    scaling.add_plot_option(parser)
    parser.add_argument("--quick", action="store_true", help="a tenth of the frames: to see that it works")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    share = 0.1 if options.quick else 1.0
    clock = CLOCKS[options.clock]

    print("# How fast\n")
    print(f"{machine()}. {options.clip.name}, model {options.model}, {options.clock} time, one thread on one core.\n")
    print("## The steps of a frame\n")
    for size in ((480, 270), (1280, 720)):
        note(f"steps at {size[0]}×{size[1]} …")
        with pinned(one_core()):
            watches = stages.measure(
                options.clip, options.model, options.model_dir, size, int(500 * share), clock
            )
        print(f"{size[0]}×{size[1]}:\n\n{stages.report(watches)}", flush=True)

    print("## Side by side\n")
    for title, frames, faces in side_by_side.clips(options.clip, 100):
        note(f"side by side: {title} …")
        result = side_by_side.compare(
            title,
            frames,
            side_by_side.models(options),
            options.mediapipe_python,
            faces,
            int(20 * share),
            options.clock,
        )
        print(result.report(), flush=True)

    print("## Faces, pixels, threads\n")
    note("faces, pixels, threads …")
    measured = scaling.Scaling(options.clip, options.model, options.model_dir, int(200 * share), options.clock)
    for part in scaling.report(measured, options.plots):
        print(part, flush=True)

    print("## Start\n")
    note("starts …")
    print(start.report(*start.measure(options.clip, options.model, options.model_dir, int(10 * share))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
