"""OpenSeeFace again, installed: `facetracker` or `python -m openseeface` start it.

This folder holds the whole program as it lies in its repository. Its modules (`tracker`, `input_reader` …) have general
names, so they are found only after

    import sys, openseeface
    sys.path.insert(0, openseeface.__path__[0])
"""
