"""Teacher labels for the training images, made once and kept in the cache folder.

    python -m training.labels mesh      # FaceMesh's 478 points; in an environment with mediapipe 0.10.21
    python -m training.labels points    # the 66 points by the reference models; with onnxruntime
    python -m training.labels blend     # both together -> labels.npz

Several teachers beat one: every reference crop is also run mirrored, on several slightly different boxes, and the
spread of the answers tells how uncertain a label is. FaceMesh has other point definitions, so a linear map from its
points to the 66 is fitted over all images (which takes out every constant difference in style) before the two are
averaged; it is the finer one at lids, lips and pupils. The annotations of youtube_faces are the third teacher: where
they differ from the other two not by chance, but by how a face is turned or shaped, all labels go a part of the way.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from training import data
from training.blending import annotation_view, between_lips, face_size, mesh_lids, mesh_lips, mesh_share, restyle
from training.data import Sample

MESH_POINTS = 478
# Iris centres in FaceMesh's points, the person's right eye first.
MESH_IRIS = (468, 473)
# FaceMesh points whose bounding box is about that of the 66 points: brows, cheeks and jaw, no forehead.
MESH_FACE = (234, 454, 152, 70, 105, 107, 336, 334, 300, 93, 323, 132, 361, 58, 288, 172, 397, 136, 365, 150, 379,
             149, 378, 176, 400, 148, 377)  # fmt: skip
JITTERED_CROPS = 2  # besides the exact one; each also mirrored
ANNOTATION_SHARE = 0.25  # how far labels go towards the annotations' view
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class Labels:
    """All labels; arrays run over `keys`. NaN where a teacher has no answer."""

    keys: np.ndarray  # [n] 'source/file', as Sample.key
    points: np.ndarray  # [n, 66, 2] x, y
    spread: np.ndarray  # [n, 66] uncertainty: standard deviation of the teachers, in shares of the face size
    confidence: np.ndarray  # [n] mean confidence of the reference model
    pupils: np.ndarray  # [n, 2, 2] x, y of the right and the left pupil (FaceMesh's iris centres)
    mesh: np.ndarray  # [n, 478, 3] FaceMesh, x, y in pixels, z in pixels, towards the viewer is negative
    disagreement: np.ndarray  # [n] mean distance of FaceMesh and the reference models after style correction, in
    # shares of the face size

    @property
    def usable(self) -> np.ndarray:
        """[n] bool: labels good enough to train on.

        Unsure reference models are believed only where FaceMesh agrees with them.
        """
        agrees = self.disagreement < 0.06
        sure = (self.confidence > 0.7) & ~(self.disagreement > 0.12)
        return np.isfinite(self.points).all((1, 2)) & (sure | (agrees & (self.confidence > 0.5)))


# --- FaceMesh ---------------------------------------------------------------------------------------------------


@cache
def _mesh_model():
    import mediapipe

    return mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=1, min_detection_confidence=0.3
    )


def mesh_points(image: np.ndarray) -> np.ndarray:
    """FaceMesh's 478 points (x, y, z pixels) in a BGR image; tried again with a border; NaN without a face."""
    for border in (0.0, 0.3, 0.8):
        height, width = image.shape[:2]
        pad = int(border * max(height, width))
        padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE) if pad else image
        found = _mesh_model().process(cv2.cvtColor(padded, cv2.COLOR_BGR2RGB)).multi_face_landmarks
        if found:
            points = np.array([(p.x, p.y, p.z) for p in found[0].landmark], np.float32)
            scale = (width + 2 * pad, height + 2 * pad, width + 2 * pad)
            return points * np.float32(scale) - np.float32((pad + 0.5, pad + 0.5, 0))
    return np.full((MESH_POINTS, 3), np.nan, np.float32)


def _mesh_of(path: Path) -> np.ndarray:
    return mesh_points(data.read_image(path))


def make_mesh(samples: list[Sample], workers: int) -> None:
    """FaceMesh over all images -> mesh.npz."""
    with ProcessPoolExecutor(workers) as pool:
        results = pool.map(_mesh_of, [s.path for s in samples], chunksize=32)
        mesh = np.stack(list(tqdm(results, total=len(samples), desc="FaceMesh", mininterval=5)))
    np.savez(data.cache_folder() / "mesh.npz", keys=[s.key for s in samples], mesh=mesh)


# --- reference models -------------------------------------------------------------------------------------------


@cache
def reference_session(name: str):
    """One-thread session of a reference model ('lm_model1', 'mnv3_detection', ...)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = data.reference_folder() / "reference" / "models" / f"{name}_opt.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def normalise(images: np.ndarray) -> np.ndarray:
    """BGR uint8 [n, h, w, 3] -> RGB float32 [n, 3, h, w], as every landmark model wants it."""
    rgb = images[..., ::-1].astype(np.float32) / 255
    return np.ascontiguousarray(((rgb - MEAN) / STD).transpose(0, 3, 1, 2))


def decode(output: np.ndarray, side: int, factor: float = 16.0) -> tuple[np.ndarray, np.ndarray]:
    """Landmark output [n, 3k, g, g] -> points (x, y) in the crop [n, k, 2], confidences [n, k]."""
    n, channels, g, _ = output.shape
    k = channels // 3
    maps = output.reshape(n, 3, k, g * g)
    cell = maps[:, 0].argmax(-1)
    value = np.take_along_axis(maps, cell[:, None, :, None], -1)[..., 0]
    p = np.clip(value[:, 1:], 1e-7, 1 - 1e-7)
    offset = (side - 1) * np.log(p / (1 - p)) / factor
    grid = np.stack((cell // g, cell % g), 1)
    row_column = (side - 1) * grid / (g - 1) + offset
    return row_column[:, ::-1].transpose(0, 2, 1), value[:, 0]


def grown_box(points: np.ndarray) -> np.ndarray:
    """The tracker's next crop for points [k, 2]: bounding box (x0, y0, x1, y1) grown by 10 % / 12.5 % per side."""
    low, high = points.min(0), points.max(0)
    grow = (high - low) * (0.1, 0.125)
    return np.concatenate((low - grow, high + grow))


def run_landmarks(
    session, side: int, image: np.ndarray, boxes: np.ndarray, mirrored: bool = False, factor: float = 16.0
) -> tuple[np.ndarray, np.ndarray]:
    """A landmark model on boxes (x0, y0, x1, y1) of an image: points [n, k, 2], confidences [n, k].

    As in the tracker, boxes are cut to the frame and squeezed to the model's input. With `mirrored` every crop is
    also run flipped: the results are twice as many, the flipped ones (mirrored back) in the second half.
    Half a pixel is taken off, as the crop's position 0 is the edge of its first pixel, not its centre.
    """
    height, width = image.shape[:2]
    whole = np.concatenate((np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])), 1)
    x0, y0, x1, y1 = np.clip(whole, 0, [width, height, width, height]).astype(int).T
    x1, y1 = np.maximum(x1, np.minimum(x0, width - 4) + 4), np.maximum(y1, np.minimum(y0, height - 4) + 4)
    x0, y0 = np.minimum(x0, x1 - 4), np.minimum(y0, y1 - 4)
    crops = np.stack([
        cv2.resize(image[b:d, a:c], (side, side), interpolation=cv2.INTER_LINEAR)
        for a, b, c, d in zip(x0, y0, x1, y1, strict=True)
    ])  # fmt: skip
    if mirrored:
        crops = np.concatenate((crops, crops[:, :, ::-1]))
        x0, y0, x1, y1 = (np.tile(v, 2) for v in (x0, y0, x1, y1))
    takes_bytes = session.get_inputs()[0].type == "tensor(uint8)"
    (output,) = session.run(None, {"input": crops if takes_bytes else normalise(crops)})
    points, confidence = decode(output, side, factor)
    if mirrored:
        n = len(boxes)
        points[n:] = data.mirror_points(points[n:], side)
        confidence[n:] = confidence[n:, data.MIRROR]
    scale = np.stack((x1 - x0, y1 - y0), -1) / side
    return points * scale[:, None] + np.stack((x0, y0), -1)[:, None] - 0.5, confidence


def run_reference(
    name: str, image: np.ndarray, boxes: np.ndarray, mirrored: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """`run_landmarks` with a reference model of 66 points."""
    side = 112 if name in ("lm_modelU", "lm_modelV") else 224
    return run_landmarks(reference_session(name), side, image, boxes, mirrored)


def detect_reference(image: np.ndarray) -> np.ndarray:
    """The reference detector's best box (x0, y0, x1, y1) in an image; the middle of the image when it is unsure."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (224, 224), interpolation=cv2.INTER_LINEAR)
    output, _ = reference_session("mnv3_detection").run(None, {"input": normalise(small[None])})
    row, column = np.unravel_index(output[0, 0].argmax(), (56, 56))
    radius = 112 * output[0, 1, row, column]
    if output[0, 0, row, column] < 0.3 or radius < 8:
        return np.array([0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height])
    box = np.array([4 * column - radius, 4 * row - radius, 4 * column + radius, 4 * row + radius])
    return box * np.array([width, height, width, height]) / 224


def reference_points(image: np.ndarray, mesh: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points [66, 2], spread [66] (shares of the face size) and confidence [66] for the face of an image.

    The box comes from FaceMesh's points [478, 3] (or the detector where they are NaN), is refined from the models' own
    landmarks, and then jittered: the answer is the mean over jittered crops and their mirror images.
    """
    rng = np.random.default_rng(seed)
    found = np.isfinite(mesh).all()
    box = grown_box(mesh[MESH_FACE, :2]) if found else detect_reference(image)
    for name in ("lm_modelU", "lm_model1") if found else ("lm_modelU", "lm_modelU", "lm_model1"):
        points, _ = run_reference(name, image, box[None])
        box = grown_box(points[0])
    size = np.tile(box[2:] - box[:2], 2)
    jitter = np.concatenate((np.zeros((1, 4)), rng.normal(0, 0.03, (JITTERED_CROPS, 4))))
    points, confidence = run_reference("lm_model1", image, box + jitter * size, mirrored=True)
    mean = points.mean(0)
    spread = np.sqrt(((points - mean) ** 2).sum(-1).mean(0)) / max(face_size(mean), 1e-6)
    return mean, spread, confidence.mean(0)


def _reference_of(job: tuple[Path, np.ndarray, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    path, mesh, seed = job
    cv2.setNumThreads(1)
    return reference_points(data.read_image(path), mesh, seed)


def make_points(samples: list[Sample], workers: int) -> None:
    """The reference models over all images -> points.npz. Needs mesh.npz."""
    mesh = np.load(data.cache_folder() / "mesh.npz")["mesh"]
    jobs = [(s.path, m, i) for i, (s, m) in enumerate(zip(samples, mesh, strict=True))]
    with ProcessPoolExecutor(workers) as pool:
        results = pool.map(_reference_of, jobs, chunksize=32)
        points, spread, confidence = zip(*tqdm(results, total=len(jobs), desc="66 points", mininterval=5), strict=True)
    np.savez(
        data.cache_folder() / "points.npz",
        keys=[s.key for s in samples],
        points=np.float32(points),
        spread=np.float32(spread),
        confidence=np.float32(confidence),
    )


# --- both together ----------------------------------------------------------------------------------------------


def annotations(keys: np.ndarray) -> np.ndarray:
    """The annotations of youtube_faces [n, 66, 2] for images 'source/file'; NaN for others and for people held out."""
    known = data.annotated_points()
    result = np.full((len(keys), data.POINTS, 2), np.nan)
    for i, key in enumerate(keys.tolist()):
        if key in known and not data.is_held_out(data.person_of(key.split("/", 1)[1], "youtube_faces")):
            result[i] = known[key]
    return result


def blend() -> None:
    """mesh.npz and points.npz -> labels.npz."""
    folder = data.cache_folder()
    reference = dict(np.load(folder / "points.npz"))
    mesh = np.load(folder / "mesh.npz")["mesh"]
    points, spread = reference["points"].astype(np.float64), reference["spread"].astype(np.float64)
    confidence = reference["confidence"].mean(1)
    found = np.isfinite(mesh).all((1, 2))
    index = np.flatnonzero(found)
    size = np.maximum(face_size(points), 1e-6)

    good = (confidence[index] > 0.8) & (spread[index].mean(1) < 0.03)
    fitted = restyle(mesh[index], points[index], good)
    disagreement = np.full(len(points), np.nan)
    disagreement[index] = (np.linalg.norm(fitted - points[index], axis=-1) / size[index, None]).mean(1)
    # The lips' gaps will be FaceMesh's: what the two think of them makes a label no less sure.
    distance = np.linalg.norm(between_lips(fitted) - between_lips(points[index]), axis=-1) / size[index, None]

    # A point the two place far apart stays the reference's, with its spread telling that it is doubtful.
    share = mesh_share() / (1 + (distance / 0.06) ** 4)
    share[disagreement[index] > 0.12] = 0
    points[index] += share[..., None] * (fitted - points[index])
    spread[index] = np.sqrt(spread[index] ** 2 + (distance / 2) ** 2)
    points += ANNOTATION_SHARE * annotation_view(points, annotations(reference["keys"]))
    trusted = 1 / (1 + (disagreement[index] / 0.06) ** 4)
    with_gaps = mesh_lips(mesh_lids(points[index], mesh[index], good), mesh[index], good)
    points[index] += trusted[:, None, None] * (with_gaps - points[index])
    np.savez(
        folder / "labels.npz",
        keys=reference["keys"],
        points=points.astype(np.float32),
        spread=spread.astype(np.float32),
        confidence=confidence.astype(np.float32),
        pupils=mesh[:, MESH_IRIS, :2],
        mesh=mesh,
        disagreement=disagreement.astype(np.float32),
    )
    labels = load()
    print(f"{len(points)} images, FaceMesh on {found.sum()}, usable labels on {labels.usable.sum()}")
    print(f"median distance of the teachers: {np.nanmedian(disagreement):.4f} of the face size")


def load() -> Labels:
    """The finished labels. FileNotFoundError before `python -m training.labels` has run."""
    stored = np.load(data.cache_folder() / "labels.npz")
    return Labels(**{name: stored[name] for name in stored.files})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Label the training images with the teacher models.")
    parser.add_argument("step", choices=("mesh", "points", "blend"))
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    arguments = parser.parse_args()
    if arguments.step == "blend":
        blend()
        return
    make = {"mesh": make_mesh, "points": make_points}[arguments.step]
    make(data.list_samples(), arguments.workers)


if __name__ == "__main__":
    main()
