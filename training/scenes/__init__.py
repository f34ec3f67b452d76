"""Detector scenes: labelled faces pasted into made-up frames, with hard negatives, as a squeezed picture and
boxes.

A frame of any shape is squeezed to a square of `size` pixels, as the detectors see it. The scene is drawn in
that square at once; a face is placed, turned and scaled in frame units (the frame's height is 1) and squeezed
with the rest. Points and boxes are (x, y) pixels of the square.
"""

from training.scenes.composer import FOREHEAD, Composer, Replay, Scene
from training.scenes.faceless import procedural_background, soften
from training.scenes.faces import Cutout, FaceImages, FaceSource, Heads, load_heads, load_pictures, mixture
from training.scenes.pasting import paste, spoil_picture

__all__ = [
    "Composer", "Cutout", "FOREHEAD", "FaceImages", "FaceSource", "Heads", "Replay", "Scene", "load_heads",
    "load_pictures", "mixture", "paste", "procedural_background", "soften", "spoil_picture",
]  # fmt: skip
