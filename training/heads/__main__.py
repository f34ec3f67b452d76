"""Renders random heads into an .npz file; see the package."""

import argparse
from pathlib import Path

import cv2
import numpy as np

import training.heads
from training.heads import HeadModel, make_dataset


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.heads", description=(training.heads.__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--count", type=int, default=1000, help="how many heads (default 1000)")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--size", type=int, default=256, help="height and width in pixels (default 256)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data = make_dataset(HeadModel.load(), arguments.count, arguments.size, arguments.seed)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(arguments.out, **data)
    print(f"{arguments.out}: {arguments.count} heads, {data['images'].nbytes / 1e6:.0f} MB of pixels")


if __name__ == "__main__":
    main()
