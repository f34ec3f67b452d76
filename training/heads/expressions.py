"""Faces that people make, as ARKit weights: plausible ones to test with, and every shape to learn from."""

import numpy as np


def _both(name, weight, rng, spread=0.15):
    """The weight for left and right, slightly uneven."""
    return {f"{name}_{side}": float(np.clip(weight * (1 + rng.normal(0, spread)), 0, 1)) for side in "LR"}


VISEMES: dict[str, dict[str, float]] = {
    "a": {"jawOpen": 0.55, "mouthLowerDown_L": 0.3, "mouthLowerDown_R": 0.3, "mouthUpperUp_L": 0.15,
          "mouthUpperUp_R": 0.15},
    "e": {"jawOpen": 0.2, "mouthStretch_L": 0.4, "mouthStretch_R": 0.4, "mouthLowerDown_L": 0.3,
          "mouthLowerDown_R": 0.3, "mouthUpperUp_L": 0.2, "mouthUpperUp_R": 0.2},
    "i": {"jawOpen": 0.1, "mouthSmile_L": 0.3, "mouthSmile_R": 0.3, "mouthStretch_L": 0.3, "mouthStretch_R": 0.3,
          "mouthLowerDown_L": 0.25, "mouthLowerDown_R": 0.25, "mouthUpperUp_L": 0.2, "mouthUpperUp_R": 0.2},
    "o": {"jawOpen": 0.4, "mouthFunnel": 0.65, "mouthPucker": 0.2},
    "u": {"jawOpen": 0.12, "mouthPucker": 0.75, "mouthFunnel": 0.3},
    "m": {"mouthPress_L": 0.4, "mouthPress_R": 0.4, "mouthRollLower": 0.2, "mouthRollUpper": 0.15},
    "f": {"jawOpen": 0.07, "mouthRollLower": 0.5, "mouthUpperUp_L": 0.25, "mouthUpperUp_R": 0.25},
    "l": {"jawOpen": 0.25, "mouthLowerDown_L": 0.2, "mouthLowerDown_R": 0.2},
}  # fmt: skip


def random_expression(rng: np.random.Generator) -> dict[str, float]:
    """A plausible face as ARKit weights: rest, speech or an emotion; open, half-closed, shut or winking eyes; brows;
    and a gaze direction both eyes share."""
    weights: dict[str, float] = {}

    def add(more, amount=1.0):
        for name, weight in more.items():
            weights[name] = float(np.clip(weights.get(name, 0.0) + amount * weight, 0, 1))

    kind = rng.choice(["rest", "speech", "smile", "wide", "odd"], p=[0.22, 0.36, 0.2, 0.1, 0.12])
    if kind == "speech":
        names = list(VISEMES)
        add(VISEMES[names[rng.integers(len(names))]], rng.uniform(0.3, 1.3))
        add(VISEMES[names[rng.integers(len(names))]], rng.uniform(0, 0.4))
    elif kind == "smile":
        smile = rng.uniform(0.2, 1.0)
        add(_both("mouthSmile", smile, rng))
        add(_both("cheekSquint", 0.7 * smile, rng))
        add(_both("eyeSquint", 0.5 * smile, rng))
        add(_both("mouthUpperUp", rng.uniform(0, 0.4), rng))
        add({"jawOpen": max(0.0, rng.uniform(-0.15, 0.5))})
    elif kind == "wide":
        add({"jawOpen": rng.uniform(0.5, 1.0)})
        add(_both("mouthLowerDown", rng.uniform(0, 0.4), rng))
        add(_both("mouthSmile", max(0.0, rng.uniform(-0.3, 0.5)), rng))
    elif kind == "odd":
        names = [n for n in ("jawForward", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "mouthRollLower",
                             "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPucker",
                             "mouthFunnel")]  # fmt: skip
        pairs = ["mouthFrown", "mouthDimple", "mouthPress", "mouthStretch", "noseSneer", "cheekPuff", "mouthLowerDown"]
        for name in rng.choice(names, 2, replace=False):
            add({str(name): rng.uniform(0.1, 0.8)})
        for name in rng.choice(pairs, 2, replace=False):
            add(_both(str(name), rng.uniform(0.1, 0.9), rng, 0.4))
        add({"jawOpen": max(0.0, rng.uniform(-0.4, 0.5))})

    brows = rng.choice(["none", "up", "down", "inner"], p=[0.5, 0.22, 0.16, 0.12])
    if brows in ("up", "inner"):
        amount = rng.uniform(0.2, 1)
        add(_both("browInnerUp", amount, rng))
        if brows == "up":
            add(_both("browOuterUp", amount, rng, 0.3))
            add(_both("eyeWide", max(0.0, rng.uniform(-0.4, 0.8)), rng))
    elif brows == "down":
        add(_both("browDown", rng.uniform(0.2, 1), rng))
        add(_both("eyeSquint", rng.uniform(0, 0.5), rng))

    lids = rng.choice(["open", "part", "shut", "wink"], p=[0.5, 0.22, 0.16, 0.12])
    if lids == "part":
        add(_both("eyeBlink", rng.uniform(0.05, 0.95), rng, 0.05))
    elif lids == "shut":
        add({"eyeBlink_L": 1.0, "eyeBlink_R": 1.0})
    elif lids == "wink":
        side = "LR"[rng.integers(2)]
        add({f"eyeBlink_{side}": rng.uniform(0.7, 1.0), f"cheekSquint_{side}": rng.uniform(0, 0.7),
             f"mouthSmile_{side}": rng.uniform(0, 0.5)})  # fmt: skip

    sideways, upward = rng.normal(0, 0.4, 2) if rng.random() < 0.7 else rng.uniform(-1, 1, 2)
    add(gaze(float(np.clip(sideways, -1, 1)), float(np.clip(upward, -1, 1))))
    # Shut lips do not pass through each other, and lids at most close.
    for side in "LR":
        if weights.get(f"eyeBlink_{side}", 0) > 0.5:
            weights[f"eyeWide_{side}"] = 0.0
            weights[f"eyeSquint_{side}"] = weights.get(f"eyeSquint_{side}", 0) * 0.3
    return {k: v for k, v in weights.items() if v > 0}


def gaze(sideways: float, upward: float) -> dict[str, float]:
    """eyeLook* weights of both eyes; sideways -1..1 (positive: to the person's left), upward -1..1."""
    left, right = max(sideways, 0.0), max(-sideways, 0.0)
    up, down = max(upward, 0.0), max(-upward, 0.0)
    return {"eyeLookOut_L": left, "eyeLookIn_R": left, "eyeLookIn_L": right, "eyeLookOut_R": right,
            "eyeLookUp_L": up, "eyeLookUp_R": up, "eyeLookDown_L": down, "eyeLookDown_R": down}  # fmt: skip


# What the mouth does in speech and at rest, from lips just parted to wide open; more of it than VISEMES has.
MOUTHS: dict[str, dict[str, float]] = {
    **VISEMES,
    "parted": {"jawOpen": 0.06, "mouthLowerDown_L": 0.12, "mouthLowerDown_R": 0.12},
    "pressed": {"mouthPress_L": 0.9, "mouthPress_R": 0.9, "mouthRollLower": 0.2, "mouthRollUpper": 0.2},
    "rolled": {"mouthRollLower": 0.9, "mouthRollUpper": 0.8},
    "pursed": {"mouthPucker": 0.9, "mouthPress_L": 0.2, "mouthPress_R": 0.2},
    "chewed": {"jawOpen": 0.4, "mouthClose": 0.4},
    "teeth": {"mouthUpperUp_L": 0.7, "mouthUpperUp_R": 0.7, "mouthLowerDown_L": 0.7, "mouthLowerDown_R": 0.7,
              "mouthStretch_L": 0.3, "mouthStretch_R": 0.3},
    "th": {"jawOpen": 0.16, "tongueOut": 0.15, "mouthLowerDown_L": 0.15, "mouthLowerDown_R": 0.15},
    "sh": {"jawOpen": 0.08, "mouthFunnel": 0.8, "mouthUpperUp_L": 0.2, "mouthUpperUp_R": 0.2,
           "mouthLowerDown_L": 0.25, "mouthLowerDown_R": 0.25},
    "pout": {"mouthShrugLower": 0.7, "mouthShrugUpper": 0.4, "mouthPucker": 0.2},
    "breath": {"jawOpen": 0.25, "mouthFunnel": 0.2},
}  # fmt: skip

# Whole faces that people make, strongest.
GRIMACES: dict[str, dict[str, float]] = {
    "disgust": {"noseSneer_L": 0.9, "noseSneer_R": 0.9, "mouthUpperUp_L": 0.6, "mouthUpperUp_R": 0.6,
                "browDown_L": 0.5, "browDown_R": 0.5, "eyeSquint_L": 0.4, "eyeSquint_R": 0.4},
    "anger": {"browDown_L": 1.0, "browDown_R": 1.0, "mouthPress_L": 0.7, "mouthPress_R": 0.7, "noseSneer_L": 0.4,
              "noseSneer_R": 0.4, "jawForward": 0.3},
    "sadness": {"browInnerUp_L": 0.9, "browInnerUp_R": 0.9, "mouthFrown_L": 0.9, "mouthFrown_R": 0.9,
                "mouthShrugLower": 0.5},
    "surprise": {"browInnerUp_L": 0.9, "browInnerUp_R": 0.9, "browOuterUp_L": 0.9, "browOuterUp_R": 0.9,
                 "eyeWide_L": 0.9, "eyeWide_R": 0.9, "jawOpen": 0.6},
    "joy": {"mouthSmile_L": 0.9, "mouthSmile_R": 0.9, "cheekSquint_L": 0.8, "cheekSquint_R": 0.8, "jawOpen": 0.2,
            "mouthUpperUp_L": 0.3, "mouthUpperUp_R": 0.3},
    "kiss": {"mouthPucker": 1.0, "eyeBlink_L": 0.5, "eyeBlink_R": 0.5},
    "cheeks": {"cheekPuff_L": 1.0, "cheekPuff_R": 1.0, "mouthPress_L": 0.4, "mouthPress_R": 0.4},
    "tongue": {"tongueOut": 1.0, "jawOpen": 0.35},
    "teasing": {"tongueOut": 0.9, "jawOpen": 0.3, "mouthSmile_L": 0.6, "mouthSmile_R": 0.6, "eyeBlink_R": 1.0},
    "smirk": {"mouthSmile_L": 0.8, "mouthLeft": 0.4, "mouthDimple_L": 0.5, "browOuterUp_L": 0.5},
    "sneer": {"noseSneer_R": 0.9, "mouthUpperUp_R": 0.7, "eyeSquint_R": 0.5},
    "doubt": {"mouthShrugUpper": 0.6, "mouthShrugLower": 0.8, "mouthFrown_L": 0.4, "mouthFrown_R": 0.4,
              "browOuterUp_R": 0.7},
    "underbite": {"jawForward": 1.0, "mouthShrugLower": 0.3},
    "crooked": {"jawLeft": 0.9, "mouthLeft": 0.3, "jawOpen": 0.2},
    "squint": {"eyeSquint_L": 0.9, "eyeSquint_R": 0.9, "cheekSquint_L": 0.7, "cheekSquint_R": 0.7,
               "browDown_L": 0.5, "browDown_R": 0.5},
    "yawn": {"jawOpen": 1.0, "eyeBlink_L": 0.8, "eyeBlink_R": 0.8, "mouthFunnel": 0.3, "browInnerUp_L": 0.3,
             "browInnerUp_R": 0.3},
}  # fmt: skip

PAIRED = ("browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeSquint", "eyeWide",
          "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp",
          "noseSneer")  # fmt: skip
SINGLE = ("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
          "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
          "tongueOut")  # fmt: skip
TOGETHER = ("cheekPuff", "browInnerUp")  # ARKit has one weight for both sides
# What nobody does at the same time; the stronger one stays.
AGAINST = [("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"), ("tongueOut", "mouthRollLower"),
           ("tongueOut", "mouthRollUpper"), ("tongueOut", "mouthClose"), ("tongueOut", "mouthPucker"),
           ("tongueOut", "mouthPress_L"), ("tongueOut", "mouthPress_R"), ("tongueOut", "cheekPuff_L"),
           ("tongueOut", "cheekPuff_R"), ("tongueOut", "mouthShrugLower"),
           *((f"eyeBlink_{s}", f"eyeWide_{s}") for s in "LR"),
           *((f"browDown_{s}", f"browOuterUp_{s}") for s in "LR"),
           *((f"mouthSmile_{s}", f"mouthFrown_{s}") for s in "LR")]  # fmt: skip


def possible(weights: dict[str, float]) -> dict[str, float]:
    """The weights a face can have at once: of what works against each other the stronger stays, lips at most shut, a
    tongue that is out has the mouth open for it."""
    weights = dict(weights)
    for one, other in AGAINST:
        if weights.get(one, 0.0) > 0 and weights.get(other, 0.0) > 0:
            weights[one if weights[one] < weights[other] else other] = 0.0
    tongue = weights.get("tongueOut", 0.0)
    if tongue > 0:
        weights["jawOpen"] = max(weights.get("jawOpen", 0.0), 0.14 + 0.16 * tongue)
    weights["mouthClose"] = min(weights.get("mouthClose", 0.0), weights.get("jawOpen", 0.0))
    if max(weights.get("cheekPuff_L", 0.0), weights.get("cheekPuff_R", 0.0)) > 0.4:  # air leaves through open lips
        open_ = weights.get("jawOpen", 0.0)
        weights["mouthClose"] = max(weights["mouthClose"], open_ - 0.1)
    return {name: float(min(w, 1.0)) for name, w in weights.items() if w > 0.004}


def _shape(name: str, rng: np.random.Generator, side: str = "") -> dict[str, float]:
    """One shape of PAIRED or SINGLE: of one side, or of both alike or each as it likes; any strength, often strong."""
    strength = rng.uniform(0.05, 1.0) ** rng.choice([1.0, 0.5])
    if name in SINGLE:
        more = {"jawOpen": min(1.0, strength + rng.uniform(0, 0.3))} if name == "mouthClose" else {}
        return {name: strength, **more}
    if name in TOGETHER:
        return _both(name, strength, rng, 0.03)
    kind = rng.choice(["one", "alike", "apart"], p=[0.4, 0.4, 0.2])
    if side or kind == "one":
        return {f"{name}_{side or 'LR'[rng.integers(2)]}": strength}
    if kind == "alike":
        return _both(name, strength, rng, 0.08)
    return {f"{name}_L": strength, f"{name}_R": float(rng.uniform(0, 1))}


def random_shapes(rng: np.random.Generator) -> dict[str, float]:
    """A face as ARKit weights to learn all shapes from: speech at every opening of the lips, whole faces, and shapes
    one at a time, in pairs and many together, left and right by themselves; a quarter as random_expression."""
    weights: dict[str, float] = {}

    def add(more: dict[str, float], amount: float = 1.0) -> None:
        for name, weight in more.items():
            weights[name] = weights.get(name, 0.0) + amount * weight

    kind = rng.choice(["plausible", "speech", "grimace", "alone", "pair", "many"], p=[0.2, 0.2, 0.15, 0.2, 0.15, 0.1])
    if kind == "plausible":
        return possible(random_expression(rng))
    names = [*PAIRED, *SINGLE]
    if kind == "speech":
        mouths = list(MOUTHS)
        add(MOUTHS[mouths[rng.integers(len(mouths))]], rng.uniform(0.05, 1.3))
        add(MOUTHS[mouths[rng.integers(len(mouths))]], max(0.0, rng.uniform(-0.3, 0.5)))
        if rng.random() < 0.3:
            add(_both("mouthSmile", rng.uniform(0, 0.6), rng))
    elif kind == "grimace":
        grimaces = list(GRIMACES)
        face = GRIMACES[grimaces[rng.integers(len(grimaces))]]
        if rng.random() < 0.5:
            face = mirrored(face)
        part = rng.uniform(0.2, 1.1)
        add({name: part * w * rng.uniform(0.6, 1.2) for name, w in face.items()})
    else:
        count = {"alone": 1, "pair": int(rng.integers(2, 4)), "many": int(rng.integers(5, 11))}[str(kind)]
        for name in rng.choice(names, count, replace=False):
            add(_shape(str(name), rng), 1.0 if count < 4 else rng.uniform(0.2, 0.9))
    if rng.random() < 0.3:
        add(_shape(str(rng.choice(["browDown", "browInnerUp", "browOuterUp", "eyeSquint", "eyeWide"])), rng), 0.7)
    lids = rng.choice(["open", "part", "shut", "wink"], p=[0.66, 0.14, 0.1, 0.1])
    if lids == "part":
        add(_both("eyeBlink", rng.uniform(0.05, 0.95), rng, 0.05))
    elif lids == "shut":
        add({"eyeBlink_L": 1.0, "eyeBlink_R": 1.0})
    elif lids == "wink":
        add({f"eyeBlink_{'LR'[rng.integers(2)]}": rng.uniform(0.7, 1.2)})
    sideways, upward = rng.normal(0, 0.25, 2) if rng.random() < 0.45 else rng.uniform(-1, 1, 2)
    looks = gaze(float(np.clip(sideways, -1, 1)), float(np.clip(upward, -1, 1)))
    if rng.random() < 0.1:  # near things are looked at with crossed eyes
        cross = rng.uniform(0.1, 0.6)
        looks |= {"eyeLookOut_L": 0.0, "eyeLookOut_R": 0.0, "eyeLookIn_L": cross, "eyeLookIn_R": cross}
    add(looks)
    return possible({name: float(np.clip(w, 0, 1)) for name, w in weights.items()})


def mirrored(expression: dict[str, float]) -> dict[str, float]:
    """The face in a mirror."""
    swap = {"_L": "_R", "_R": "_L"}
    sides = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
    return {sides.get(n, n[:-2] + swap[n[-2:]] if n[-2:] in swap else n): w for n, w in expression.items()}
