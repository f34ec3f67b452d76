"""Starts the tracker: the command `facetracker`, and `python -m openseeface`. And what teaches it expressions: the
command `facetracker-expressions`, which is `python -m expressions` in the program's folder."""

import os
import sys


def main():
    """Runs the program in this folder with the command line's arguments and returns its exit code."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import facetracker

    return facetracker.main()


def expressions():
    """Runs `python -m expressions` in this folder and returns its exit code."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from expressions.__main__ import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
