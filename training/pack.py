"""Packs the cached crops into one file for a journey to another machine, as one with a GPU, and unpacks them there.

    python -m training.pack crops.pack             # what training.crops left in the cache folder -> the file
    python -m training.pack crops.pack --unpack    # and back

The memory maps of 7 GB become less than 200 MB of WebP. The landmark models' training needs nothing else there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from training import crops, data

NAMES = ("crops", "synthetic", "backgrounds")  # <name>.npy each; the first two have a <name>.npz besides


def pictures(name: str) -> Sequence[np.ndarray]:
    """The pictures of a memory map, BGR uint8 [h, w, 3], without the unused parts of their squares."""
    if name == "backgrounds":
        return np.load(data.cache_folder() / "backgrounds.npy", mmap_mode="r")
    faces = crops.load(name)
    return [faces.image(i) for i in range(len(faces.images))]


def compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """A picture as WebP bytes [n]."""
    _, packed = cv2.imencode(".webp", np.ascontiguousarray(picture), [cv2.IMWRITE_WEBP_QUALITY, quality])
    return packed.ravel()


def pack(target: Path, quality: int) -> None:
    """The caches -> one file."""
    folder, stored = data.cache_folder(), {}
    for name in NAMES:
        if not (folder / f"{name}.npy").exists():
            print(f"without {name}: training.crops has not made them")
            continue
        images = pictures(name)
        with ThreadPoolExecutor() as pool:
            packing = pool.map(partial(compressed, quality=quality), images)
            packed = list(tqdm(packing, name, len(images), mininterval=5))
        stored[name] = np.concatenate(packed)
        stored[f"{name}_ends"] = np.cumsum([len(one) for one in packed])
        if (folder / f"{name}.npz").exists():
            stored[f"{name}_table"] = np.fromfile(folder / f"{name}.npz", np.uint8)
    with target.open("wb") as file:
        np.savez_compressed(file, **stored)  # the tables become half as large
    print(f"{target}: {target.stat().st_size / 1e6:.0f} MB")


def unpack(source: Path) -> None:
    """One file -> the caches."""
    folder = data.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(source) as file:
        stored = {key: file[key] for key in file.files}
    for name in NAMES:
        if name not in stored:
            continue
        if f"{name}_table" in stored:
            stored[f"{name}_table"].tofile(folder / f"{name}.npz")
        packed = np.split(stored[name], stored[f"{name}_ends"][:-1])
        with ThreadPoolExecutor() as pool:
            decoded = list(pool.map(lambda one: cv2.imdecode(one, cv2.IMREAD_COLOR), packed))
        side = max(max(picture.shape[:2]) for picture in decoded)
        shape = (len(decoded), side, side, 3)
        images = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, shape)
        for square, picture in zip(images, decoded, strict=True):
            square[: picture.shape[0], : picture.shape[1]] = picture
        print(f"{name}: {len(images)} pictures")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Pack the cached crops for another machine, or unpack them there.")
    parser.add_argument("file", type=Path, help="the packed file")
    parser.add_argument("--unpack", action="store_true", help="from the file to the cache folder")
    parser.add_argument("--quality", type=int, default=80, help="of the WebP pictures, 1 to 100 (default 80)")
    arguments = parser.parse_args()
    if arguments.unpack:
        unpack(arguments.file)
    else:
        pack(arguments.file, arguments.quality)


if __name__ == "__main__":
    main()
