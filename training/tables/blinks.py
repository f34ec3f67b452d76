"""Tables about blinks and winks: how well the lids' gaps tell closed eyes from open ones, beside FaceMesh.

    mesh-venv/bin/python -m training.tables.blinks   # FaceMesh's points of the drawn stills -> drawn_mesh.npz

The area under the ROC curve (AUC) is the chance that of one open and one closed eye the open one has the larger gap.
closed_eyes.json lists images whose eyes we have looked at: "closed" shut both, "open" are clearly open.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training import data, labels
from training.data import EYES_OF_66, EYES_OF_MESH
from training.labels import grown_box
from training.tables.answers import MissingError, Model, converged, load_drawn, table

# Whether the right and the left eye are shut, by the kind of the drawn stills.
LIDS = {"open": (False, False), "right shut": (True, False), "left shut": (False, True), "shut": (True, True)}
JUDGED = Path(__file__).with_name("closed_eyes.json")


def lid_gaps(points: np.ndarray, eyes: tuple[tuple[int, ...], ...] = EYES_OF_66) -> np.ndarray:
    """Gap of the lids over the eye's width [..., 2], right and left, of points [..., k, 2]."""
    gaps = []
    for first, upper1, upper2, last, lower2, lower1 in eyes:
        one, other, width = (
            np.linalg.norm(points[..., a, :2] - points[..., b, :2], axis=-1)
            for a, b in ((upper1, lower1), (upper2, lower2), (first, last))
        )
        gaps.append((one + other) / 2 / np.maximum(width, 1e-9))
    return np.stack(gaps, -1)


def area_under_curve(low: np.ndarray, high: np.ndarray) -> float:
    """The chance that a value of `high` is above one of `low`, where equal ones count half; NaN without values."""
    if len(low) == 0 or len(high) == 0:
        return float("nan")
    return float((high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean())


def blink_auc(gaps: np.ndarray, closed: np.ndarray) -> float:
    """AUC of open over closed eyes; gaps [n, 2] and whether each eye is closed [n, 2]."""
    return area_under_curve(gaps[closed], gaps[~closed])


def wink_aucs(gaps: np.ndarray, closed: np.ndarray) -> tuple[float, float]:
    """How well the difference of the gaps [n, 2] tells which eye winks, and that one does (from both or none closed);
    closed: [n, 2]."""
    difference = gaps[:, 0] - gaps[:, 1]
    right, left = closed[:, 0] & ~closed[:, 1], ~closed[:, 0] & closed[:, 1]
    same = closed[:, 0] == closed[:, 1]
    which = area_under_curve(difference[right], difference[left])
    return which, area_under_curve(np.abs(difference[same]), np.abs(difference[~same]))


def judged_eyes() -> tuple[list[str], np.ndarray]:
    """The images that we have looked at, 'source/file', and whether their eyes are closed."""
    listed = json.loads(JUDGED.read_text())
    keys = listed["closed"] + listed["open"]
    return keys, np.arange(len(keys)) < len(listed["closed"])


def blinks(compared: list[Model]) -> None:
    """Closed from open eyes on pictures of held-out people."""
    path = data.cache_folder() / "mesh.npz"
    if not path.exists():
        raise MissingError(f"{path.name} is not in {path.parent} (training.labels mesh makes it)")
    keys, shut = judged_eyes()
    with np.load(path) as stored:
        place = {str(key): i for i, key in enumerate(stored["keys"])}
        mesh = stored["mesh"][[place[key] for key in keys]]
    images = [data.read_image(data.reference_folder() / "data" / key) for key in keys]
    closed = np.repeat(shut[:, None], 2, 1)
    rows: list[list[object]] = []
    for model in compared:
        boxes = [grown_box(points[list(labels.MESH_FACE), :2]) for points in mesh]
        answers = np.stack([converged(model, im, box, 3)[0] for im, box in zip(images, boxes, strict=True)])
        rows.append([model.label, blink_auc(lid_gaps(answers), closed)])
    rows.append(["FaceMesh", blink_auc(lid_gaps(mesh, EYES_OF_MESH), closed)])
    title = f"Blinks on held-out people: {shut.sum()} pictures with closed eyes, {(~shut).sum()} with open ones"
    table(title, ["model", "closed or open, AUC"], rows)


def winks(compared: list[Model]) -> None:
    """Blinks and winks on drawn heads."""
    stills = load_drawn("stills")
    chosen = np.flatnonzero(np.isin(stills["kinds"], list(LIDS)))
    path = data.cache_folder() / "drawn_mesh.npz"
    mesh = None
    if path.exists():
        with np.load(path) as stored:
            mesh = stored["mesh"][chosen]
        found = np.isfinite(mesh).all((1, 2))  # all are measured on the same heads
        chosen, mesh = chosen[found], mesh[found]
    closed = np.array([LIDS[kind] for kind in stills["kinds"][chosen]])
    gaps = {}
    for model in compared:
        boxes = [grown_box(stills["points"][i].astype(np.float64)) for i in chosen]
        pairs = zip(chosen, boxes, strict=True)
        gaps[model.label] = lid_gaps(np.stack([converged(model, stills["images"][i], box)[0] for i, box in pairs]))
    if mesh is not None:
        gaps["FaceMesh"] = lid_gaps(mesh, EYES_OF_MESH)
    rows: list[list[object]] = [[label, blink_auc(gap, closed), *wink_aucs(gap, closed)] for label, gap in gaps.items()]
    one = int((closed[:, 0] != closed[:, 1]).sum())
    header = ["model", "eye closed or open, AUC", "which eye winks, AUC", "whether one winks, AUC"]
    table(f"Blinks and winks on {len(chosen)} drawn heads, {one} of which wink", header, rows)
    if mesh is None:
        print(f"\nNo FaceMesh beside them: {path.name} is not in {path.parent} (training.tables.blinks makes it).")


def make_mesh() -> None:
    """FaceMesh's points of the drawn stills -> drawn_mesh.npz."""
    images = load_drawn("stills")["images"]
    mesh = np.stack([labels.mesh_points(image) for image in tqdm(images, desc="FaceMesh", mininterval=5)])
    np.savez(data.cache_folder() / "drawn_mesh.npz", mesh=mesh)
    print(f"FaceMesh found {np.isfinite(mesh).all((1, 2)).sum()} of {len(mesh)} faces")


if __name__ == "__main__":
    try:
        make_mesh()
    except MissingError as missing:
        raise SystemExit(f"{missing}.") from None
