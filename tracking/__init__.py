"""The steps of a frame, from detection to features, and the models that they use."""

import os

# Read by onnxruntime while it loads. From 1.31 on it would keep the computer's number and a database of what it was
# used for in the user's folders, for its makers.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
