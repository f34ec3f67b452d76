"""The 14 expression features: raw values measured on a face's points, set against what this person does.

There are two calibrations. `original` gives the numbers of the original program; `balanced` measures what its names say
also on heads that turn, starts from what people do in general and adapts to the person.
"""

from .names import FEATURE_NAMES, FINE_FEATURES, eye_open
from .person import CALIBRATIONS, Features

__all__ = ["CALIBRATIONS", "FEATURE_NAMES", "FINE_FEATURES", "Features", "eye_open"]
