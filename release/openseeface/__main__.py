"""Starts the tracker: the command `facetracker`, and `python -m openseeface`."""

import os
import sys


def main():
    """Runs the program in this folder with the command line's arguments and returns its exit code."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import facetracker

    return facetracker.main()


if __name__ == "__main__":
    sys.exit(main())
