"""Tables about the mouth: how well the inner lips' gap follows the truth of drawn heads, and FaceMesh's on pictures.

Of quiet talk, most is in the small gaps; a correlation tells how a model follows them, whatever their scale, and the
area under the ROC curve (see blinks) whether lips that are just parted are told from shut ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training import data, labels
from training.labels import grown_box
from training.tables.answers import MissingError, Model, converged, load_drawn, table
from training.tables.blinks import area_under_curve

# How far a drawn mouth is open, by the kind of the still.
LIPS = ("lips shut", "lips parted", "lips open")
OUTER_CORNERS_OF_MESH = (33, 263)


def lip_gap(
    points: np.ndarray,
    pairs: tuple[tuple[int, int], ...] = data.LIPS_OF_66,
    eyes: tuple[int, int] = (data.RIGHT_OUTER_CORNER, data.LEFT_OUTER_CORNER),
) -> np.ndarray:
    """Mean gap of the inner lips over the distance of the outer eye corners [...], of points [..., k, 2]."""
    gaps = [np.linalg.norm(points[..., upper, :2] - points[..., lower, :2], axis=-1) for upper, lower in pairs]
    distance = np.linalg.norm(points[..., eyes[0], :2] - points[..., eyes[1], :2], axis=-1)
    return np.mean(gaps, axis=0) / np.maximum(distance, 1e-9)


def mesh_lip_gap(mesh: np.ndarray) -> np.ndarray:
    """The same of FaceMesh's points [..., 478, 2 or 3]."""
    return lip_gap(mesh, data.LIPS_OF_MESH, OUTER_CORNERS_OF_MESH)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, of what is finite in both; NaN where one of them does not change."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return float("nan")
    return float(np.corrcoef(a[known], b[known])[0, 1])


def drawn_mouths(compared: list[Model]) -> None:
    """Shut, parted and open lips of drawn heads, against the truth; FaceMesh beside the models."""
    stills = load_drawn("stills")
    chosen = np.flatnonzero(np.isin(stills["kinds"], LIPS))
    if len(chosen) == 0:
        raise MissingError("drawn_stills.npz is from before mouths were drawn (training.tables.drawn makes it)")
    path = data.cache_folder() / "drawn_mesh.npz"
    mesh = None
    if path.exists():
        with np.load(path) as stored:
            mesh = stored["mesh"]
        if len(mesh) != len(stills["kinds"]):
            raise MissingError(f"{path.name} is of other stills (training.tables.blinks makes it)")
        chosen = chosen[np.isfinite(mesh[chosen]).all((1, 2))]  # all are measured on the same heads
    truth, kinds = lip_gap(stills["points"][chosen].astype(np.float64)), stills["kinds"][chosen]
    gaps = {}
    for model in compared:
        boxes = [grown_box(stills["points"][i].astype(np.float64)) for i in chosen]
        found = [converged(model, stills["images"][i], box)[0] for i, box in zip(chosen, boxes, strict=True)]
        gaps[model.label] = lip_gap(np.stack(found))
    if mesh is not None:
        gaps["FaceMesh"] = mesh_lip_gap(mesh[chosen])
    gaps["truth"] = truth
    shut, parted, small = kinds == "lips shut", kinds == "lips parted", kinds != "lips open"
    rows: list[list[object]] = [
        [label, correlation(gap, truth), correlation(gap[small], truth[small]), 100 * float(gap[shut].mean()),
         100 * float(np.abs(gap - truth).mean()), area_under_curve(gap[shut], gap[parted])]
        for label, gap in gaps.items()
    ]  # fmt: skip
    header = ["model", "correlation", "of shut and parted lips", "mean gap of shut lips, %", "mean error, %",
              "shut or parted, AUC"]  # fmt: skip
    counts = ", ".join(f"{(kinds == kind).sum()} with {kind}" for kind in LIPS)
    table(f"Mouths on {len(chosen)} drawn heads ({counts}); gaps in % of the eye distance", header, rows)


def pictures(compared: list[Model], path: Path, count: int) -> None:
    """On pictures of held-out people, against FaceMesh's gap."""
    samples = data.list_samples()
    with np.load(path) as stored:
        mesh = stored["mesh"]
    eyes = np.linalg.norm(mesh[:, OUTER_CORNERS_OF_MESH[0], :2] - mesh[:, OUTER_CORNERS_OF_MESH[1], :2], axis=-1)
    # Small faces have no lips to speak of.
    usable = [i for i, s in enumerate(samples) if data.is_held_out(s.person) and np.isfinite(mesh[i]).all()
              and eyes[i] > 30]  # fmt: skip
    chosen = np.array(usable)[np.unique(np.linspace(0, len(usable) - 1, count).astype(int))]
    truth = mesh_lip_gap(mesh[chosen].astype(np.float64))
    small, shut = truth < 0.08, truth < 0.004
    images = [data.read_image(samples[i].path) for i in chosen]
    boxes = [grown_box(points[list(labels.MESH_FACE), :2].astype(np.float64)) for points in mesh[chosen]]
    rows: list[list[object]] = []
    for model in compared:
        found = np.stack([converged(model, image, box, 3)[0] for image, box in zip(images, boxes, strict=True)])
        gap = lip_gap(found)
        rows.append([model.label, correlation(gap, truth), correlation(gap[small], truth[small]),
                     100 * float(gap[shut].mean())])  # fmt: skip
    title = f"Mouths on {len(chosen)} pictures of held-out people, against FaceMesh's gap, in % of the eye distance"
    header = ["model", "correlation", f"of {small.sum()} gaps under 8 %", f"mean gap of {shut.sum()} shut mouths"]
    table(title, header, rows)


def mouths(compared: list[Model], count: int) -> None:
    """The gap on pictures of held-out people against FaceMesh's, then drawn heads."""
    path = data.cache_folder() / "mesh.npz"
    if path.exists():
        pictures(compared, path, count)
    else:
        print(f"\nNo pictures of mouths: {path.name} is not in {path.parent} (training.labels mesh makes it).")
    drawn_mouths(compared)
