"""Unity's `OpenSeeIKTarget` and what smooths it: they follow a head as it was recorded, within what they promise.

The motion is the sample clip's, as the tracker sends it. Where a target has to be is worked out here, from the records,
with numpy and scipy.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from program import ROOT, run
from unity_sender import Sender, record

Rotation = pytest.importorskip("scipy.spatial.transform", reason="scipy is not installed").Rotation
