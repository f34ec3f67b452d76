"""The landmark models' training: point orders, loss, and the exported files' contract."""

import argparse
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (training/requirements.txt)")
pytest.importorskip("onnx", reason="exporting needs onnx (training/requirements.txt)")
onnxruntime = pytest.importorskip("onnxruntime")

from training import augment, crops, data, export, labels, landmarks, pack, samples  # noqa: E402
from training.export import calibrate, write  # noqa: E402
from training.loss import Loss  # noqa: E402
from training.networks import (  # noqa: E402
    LANDMARK_MODELS,
    ContractMaps,
    Exported,
    LandmarkNetwork,
    adopt,
    model_path,
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def made_face(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture with a white disc for every point, and the 66 points."""
    angles = np.linspace(0, 2 * np.pi, data.POINTS, endpoint=False)
    centre, radius = rng.uniform(60, 100, 2), rng.uniform(25, 50, 2)
    points = centre + np.stack((np.cos(angles), np.sin(angles)), -1) * radius
    image = np.full((160, 160, 3), 90, np.uint8)
    for x, y in points.astype(int):
        image[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = 255
    return image, points


@pytest.fixture
def made_crops(tmp_path, monkeypatch):
    """A tiny cache of made faces."""
    monkeypatch.setenv("OSF_TRAINING_CACHE", str(tmp_path))
    rng = np.random.default_rng(0)
    faces = [made_face(rng) for _ in range(8)]
    np.save(tmp_path / "crops.npy", np.stack([image for image, _ in faces]))
    np.save(tmp_path / "backgrounds.npy", rng.integers(0, 255, (4, 160, 160, 3), dtype=np.uint8))
    np.savez(
        tmp_path / "crops.npz", sizes=np.full((8, 2), 160), points=np.float32([p for _, p in faces]),
        spread=np.full((8, 66), 0.01, np.float32), keys=[f"made/{i}" for i in range(8)],
        persons=[f"p{i}" for i in range(8)], held_out=[i == 7 for i in range(8)],
    )  # fmt: skip
    return crops.load()


def test_mirroring_is_an_involution():
    points = np.random.default_rng(0).uniform(0, 100, (66, 2))
    assert np.array_equal(np.sort(data.MIRROR), np.arange(66))
    assert not np.array_equal(data.MIRROR, np.arange(66))
    np.testing.assert_allclose(data.mirror_points(data.mirror_points(points, 101), 101), points)


def test_mirroring_swaps_the_sides():
    named = {0: 16, 8: 8, 17: 26, 31: 35, 36: 45, 37: 44, 41: 46, 48: 52, 53: 57, 58: 62, 59: 61, 63: 65, 27: 27}
    assert {k: int(data.MIRROR[k]) for k in named} == named


def test_the_30_points_mirror_each_other_and_belong_to_their_groups():
    members = {tuple(group) for group in data.MEMBERS_OF_30}
    assert len(members) == 30
    for point, group in enumerate(data.MEMBERS_OF_30):
        assert set(data.POINTS30_OF_66[group]) == {point}
        assert tuple(sorted(data.MIRROR[group].tolist())) in members
    points = np.random.default_rng(0).random((66, 2))
    thirty = samples.group_points(points, 30)
    fitted = [0, 2, 8, 14, 16, 27, 30]  # by the pose, beside 33, which stands for all nostrils
    assert np.allclose(thirty[data.POINTS30_OF_66[fitted]], points[fitted])


def test_nobody_is_on_both_sides_of_the_hold_out():
    names = ["Colin_Powell_0095.webp", "Colin_Powell_0001.webp"]
    assert {data.person_of(n, "expressions") for n in names} == {"colin_powell"}
    assert data.person_of("training_Colin_Powell_11.webp", "youtube_faces") == "colin_powell"


def test_samples_keep_points_on_the_picture(made_crops):
    """Before light and blur, the discs are where the points say, however the crop is turned or mirrored."""
    rng = np.random.default_rng(3)
    image, points = made_face(rng)
    for _ in range(15):
        first, second = augment.random_views(image, points, 224, 2, rng)
        for view in (first, second):
            pixels = np.floor(view.shares * 224).astype(int)
            inside = ((pixels > 3) & (pixels < 220)).all(1)
            bright = view.image[pixels[inside, 1], pixels[inside, 0]].mean(1)
            assert np.mean(bright > 200) > 0.9
        places = [view.shares * view.box[2:] + view.box[:2] for view in (first, second)]
        np.testing.assert_allclose(places[0], places[1], atol=1e-6)
        assert not np.allclose(first.box, second.box)


def test_weights_never_draw_held_out_people(made_crops):
    weight = samples.sampling_weights(made_crops)
    assert weight[7] == 0
    assert (weight[:7] > 0).all()


@pytest.mark.parametrize("name", ["T", "V"])
def test_a_few_steps_reduce_the_loss(made_crops, name):
    config = LANDMARK_MODELS[name]
    batch = samples.Batch(*map(torch.from_numpy, next(iter(samples.Samples(config, 8, seed=1)))))
    network = LandmarkNetwork(config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = Loss(config)(network(samples.to_input(batch.images)), batch, 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_non_faces_teach_confidence_only(made_crops):
    config = LANDMARK_MODELS["T"]
    network = LandmarkNetwork(config)
    shapes = (4, 30, 2), (4, 30), (4, 4)
    empty = samples.Batch(torch.zeros(4, 56, 56, 3, dtype=torch.uint8), *(torch.zeros(shape) for shape in shapes))
    Loss(config)(network(samples.to_input(empty.images)), empty, 0.1).backward()
    assert network.maps.weight.grad.abs().max() == 0
    assert network.confidence[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", sorted(LANDMARK_MODELS))
def test_exported_file_keeps_the_contract(tmp_path, name):
    config = LANDMARK_MODELS[name]
    plain = LandmarkNetwork(config).eval()
    network = Exported(plain, config, (1.5, 0.2), own_share=0.5).eval()
    path = tmp_path / "model.onnx"
    write(network, config, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert [o.name for o in session.get_outputs()] == ["output"]
    images = torch.randn(3, 3, config.side, config.side)
    (output,) = session.run(None, {"input": images.numpy()})
    assert output.shape == (3, 3 * config.points, config.grid, config.grid)
    assert output.dtype == np.float32
    with torch.no_grad():
        np.testing.assert_allclose(output, network(images, torch.arange(config.grid)).numpy(), atol=1e-4)
        positions, logits, _ = plain(images)
    logits = (logits + logits.mean(1, keepdim=True)) / 2
    points, confidence = labels.decode(output, config.side, config.factor)
    np.testing.assert_allclose(points, positions.numpy() * config.side, atol=0.05)
    np.testing.assert_allclose(confidence, torch.sigmoid(logits * 1.5 + 0.2).numpy(), atol=1e-4)


def test_onnx_is_readable_by_older_runtimes(tmp_path):
    import onnx

    config = LANDMARK_MODELS["T"]
    write(Exported(LandmarkNetwork(config), config), config, tmp_path / "model.onnx")
    model = onnx.load(str(tmp_path / "model.onnx"))
    assert model.ir_version <= 9
    assert max(opset.version for opset in model.opset_import) <= 17


@pytest.mark.parametrize("name", sorted(LANDMARK_MODELS))
def test_maps_decode_to_any_position(name):
    """Also outside the crop, and from every cell near the peak."""
    config = LANDMARK_MODELS[name]
    shares = torch.rand(4, config.points, 2) * 1.2 - 0.1
    confidence = torch.rand(4, config.points) * 0.9 + 0.05
    maps = ContractMaps(config)(shares.mT, confidence, torch.arange(config.grid)).numpy()
    points, value = labels.decode(maps, config.side, config.factor)
    np.testing.assert_allclose(points, shares.numpy() * config.side, atol=0.05)
    np.testing.assert_allclose(value, confidence.numpy(), rtol=1e-6)
    # The cells next to the peak decode to the same point.
    k, g, side = config.points, config.grid, config.side
    cells = maps[:, :k].reshape(4, k, -1).argmax(-1)
    rows, columns = np.minimum(cells // g + 1, g - 1), np.maximum(cells % g - 1, 0)
    face, point = np.indices(rows.shape)
    p = np.stack((maps[face, 2 * k + point, rows, columns], maps[face, k + point, rows, columns]), -1)
    beside = (side - 1) * (np.stack((columns, rows), -1) / (g - 1) + np.log(p / (1 - p)) / config.factor)
    np.testing.assert_allclose(beside, shares.numpy() * side, atol=0.05)


@pytest.mark.parametrize("name", sorted(LANDMARK_MODELS))
def test_a_file_draws_the_cells_that_it_is_asked_for(tmp_path, name):
    """And the heatmap's peak is in the nearest of these."""
    config = LANDMARK_MODELS[name]
    path = tmp_path / "model.onnx"
    write(Exported(LandmarkNetwork(config), config), config, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [(i.name, i.shape) for i in session.get_overridable_initializers()] == [("cells", ["cells"])]
    images = np.random.default_rng(0).normal(0, 1, (2, 3, config.side, config.side)).astype(np.float32)
    (whole,) = session.run(None, {"input": images})
    corners = [0, config.grid - 1]
    (drawn,) = session.run(None, {"input": images, "cells": np.array(corners, np.float32)})
    k = config.points
    np.testing.assert_allclose(drawn[:, k:], whole[:, k:][:, :, corners][:, :, :, corners], rtol=1e-6)
    row, column = np.divmod(whole[:, :k].reshape(2, k, -1).argmax(-1), config.grid)
    peak = 2 * (row > config.grid / 2) + (column > config.grid / 2)
    middle = (abs(row - (config.grid - 1) / 2) < 1) | (abs(column - (config.grid - 1) / 2) < 1)
    assert ((drawn[:, :k].reshape(2, k, 4).argmax(-1) == peak) | middle).all()
    np.testing.assert_allclose(drawn[:, :k].max((2, 3)), whole[:, :k].max((2, 3)), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(LANDMARK_MODELS))
def test_four_corners_decode_to_any_position(name):
    """Also far outside the crop, as of a face that is half out of the picture. (Maps of two cells have them there.)"""
    config = LANDMARK_MODELS[name]
    shares = torch.rand(4, config.points, 2) * 2 - 0.5
    confidence = torch.rand(4, config.points) * 0.9 + 0.05
    maps = ContractMaps(config)(shares.mT, confidence, torch.tensor([0, config.grid - 1])).numpy()
    points, value = labels.decode(maps, config.side, config.factor)
    np.testing.assert_allclose(points, shares.numpy() * config.side, atol=0.02)
    np.testing.assert_allclose(value, confidence.numpy(), rtol=1e-6)


def test_stems_for_other_sides_start_as_the_same():
    small, large, again = (LandmarkNetwork(LANDMARK_MODELS[name]).eval() for name in ("V", "3", "V"))
    adopt(large, small.state_dict())
    adopt(again, large.state_dict())
    image = torch.randn(1, 3, 112, 112)
    doubled = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
    with torch.no_grad():
        positions = small(image)[0]
        torch.testing.assert_close(large(doubled)[0], positions, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(again(image)[0], positions, atol=1e-4, rtol=1e-4)


def test_calibration_lifts_faces_and_holds_the_rest_down():
    rng = np.random.default_rng(0)
    faces, others = rng.normal(2.0, 0.5, (400, 66)), rng.normal(-2.5, 0.5, (400, 66))
    scale, shift = calibrate(faces, others, 0.9, 0.3)
    level = [np.percentile((1 / (1 + np.exp(-(x * scale + shift)))).mean(1), q) for x, q in ((faces, 10), (others, 99))]
    assert level[0] == pytest.approx(0.9, abs=0.01)
    assert level[1] <= 0.3


def test_without_a_checkpoint_training_begins_with_the_file_in_models(made_crops):
    network = LandmarkNetwork(LANDMARK_MODELS["T"])
    assert adopt(network, landmarks.known_weights("T")) == len(network.state_dict())
    images = torch.randn(2, 3, 56, 56)
    session = onnxruntime.InferenceSession(str(model_path("T")), providers=["CPUExecutionProvider"])
    points, _ = labels.decode(session.run(None, {"input": images.numpy()})[0], 56, 8.0)
    with torch.no_grad():
        positions, _, _ = network.eval()(images)
    np.testing.assert_allclose(points, positions.numpy() * 56, atol=0.02)


def options(*names: str, **others) -> argparse.Namespace:
    """The options of training.landmarks."""
    known = {"minutes": 0.02, "batch": 4, "rate": 1e-3, "synthetic": 0.2, "init": None, "improve": False,
             "restart": False, "threads": 1, "workers": 1, "seed": 0, "bfloat16": False, "steady": None,
             "suffix": "", "freeze": []}  # fmt: skip
    return argparse.Namespace(names=names, **known | others)


def test_models_of_one_side_are_trained_together_and_go_on(made_crops):
    landmarks.train(options("V", "U"))
    first = {name: torch.load(landmarks.checkpoint_path(name)) for name in ("V", "U")}
    assert first["V"]["step"] == first["U"]["step"] > 0
    landmarks.train(options("V", "U", minutes=0.04))
    for name in ("V", "U"):
        now = torch.load(landmarks.checkpoint_path(name))
        assert now["step"] > first[name]["step"]
        assert not torch.equal(now["average"]["maps.weight"], first[name]["average"]["maps.weight"])


def test_models_of_different_sides_are_not(made_crops):
    with pytest.raises(SystemExit, match="one input side"):
        landmarks.train(options("3", "T"))


def test_packed_crops_come_back(made_crops, tmp_path, monkeypatch):
    packed = tmp_path / "crops.pack"
    pack.pack(packed, 90)
    there = tmp_path / "there"
    monkeypatch.setenv("OSF_TRAINING_CACHE", str(there))
    pack.unpack(packed)
    back = crops.load()
    assert back.images.shape == made_crops.images.shape
    assert np.abs(back.images.astype(int) - made_crops.images).mean() < 6
    assert np.array_equal(back.points, made_crops.points)
    assert back.backgrounds.shape == made_crops.backgrounds.shape
    assert packed.stat().st_size < (tmp_path / "crops.npy").stat().st_size / 2


@pytest.mark.parametrize("name", ["3", "T"])
def test_a_mirrored_batch_has_its_points_on_the_same_pixels(made_crops, name):
    config = LANDMARK_MODELS[name]
    batch = samples.Batch(*map(torch.from_numpy, next(iter(samples.Samples(config, 8, seed=1)))))
    order = samples.mirror_order(config.points)
    assert np.array_equal(order[order], np.arange(config.points))
    twin = batch.mirrored(torch.from_numpy(order))
    faces = batch.is_face.bool()
    across, back = twin.points[faces], twin.mirrored(torch.from_numpy(order))
    torch.testing.assert_close(across[:, order, 0], 1 - batch.points[faces][..., 0])
    torch.testing.assert_close(across[:, order, 1], batch.points[faces][..., 1])
    torch.testing.assert_close(back.points[faces], batch.points[faces])
    torch.testing.assert_close(back.boxes, batch.boxes)
    assert torch.equal(twin.images[:, :, 0], batch.images[:, :, -1])
    places = twin.points * twin.boxes[:, None, 2:] + twin.boxes[:, None, :2]
    torch.testing.assert_close(places[0::2][faces[0::2]], places[1::2][faces[0::2]], atol=1e-5, rtol=1e-5)


def test_frozen_parts_stay_as_they_are(made_crops):
    landmarks.train(options("T"))
    landmarks.train(options("T", improve=True, suffix="_late", freeze=["stem", "middle"]))
    one, other = (torch.load(landmarks.checkpoint_path(name))["average"] for name in ("T", "T_late"))
    for part, stays in (("stem.0", True), ("middle.0.body.0.0", True), ("high.0.body.0.0", False), ("maps", False)):
        assert torch.equal(one[f"{part}.weight"], other[f"{part}.weight"]) == stays


def test_normalisations_that_are_kept_are_kept_between_two_trainings_too(made_crops):
    landmarks.train(options("T"))
    landmarks.train(options("T", improve=True, suffix="_late", freeze=["norms"]))
    one, other = (torch.load(landmarks.checkpoint_path(name))["average"] for name in ("T", "T_late"))
    mean = export.load_network("T", "_late", 0.7).state_dict()
    for key in one:
        if key.endswith(("running_mean", "running_var")):
            assert torch.equal(one[key], other[key]) and torch.equal(one[key], mean[key])
    assert not torch.equal(one["stem.0.weight"], mean["stem.0.weight"])


def test_gaps_may_differ_between_two_views_more_than_places(made_crops):
    """What holds points still would else hold lids and lips still."""
    config = LANDMARK_MODELS["V"]
    batch = samples.Batch(*map(torch.from_numpy, next(iter(samples.Samples(config, 8, seed=1)))))
    faces = batch.is_face.bool()
    logits, maps = torch.zeros(8, 66), torch.zeros(8, 66, 196)

    def steadiness(moved: list[int], signs: list[float]) -> float:
        answers = batch.points.clone()
        for point, sign in zip(moved, signs, strict=True):
            answers[0::2, point, 1] += 0.01 * sign
        held, loose = (Loss(replace(config, steady=steady))((answers, logits, maps), batch) for steady in (100.0, 0.0))
        return float(held - loose)

    assert faces.any()
    still, together, apart = steadiness([], []), steadiness([60, 64], [1, 1]), steadiness([60, 64], [1, -1])
    assert 0.1 * (together - still) < apart - still < 0.4 * (together - still)


def test_between_two_trainings(made_crops):
    landmarks.train(options("T"))
    landmarks.train(options("T", improve=True, suffix="_more", steady=120.0))
    one, other = (torch.load(landmarks.checkpoint_path(name))["average"] for name in ("T", "T_more"))
    mean = export.load_network("T", "_more", 0.25)
    assert not mean.training
    key = "high.0.body.0.0.weight"
    assert not torch.equal(one[key], other[key])
    torch.testing.assert_close(mean.state_dict()[key], 0.75 * one[key] + 0.25 * other[key])
    # Its normalisations have seen samples: what goes into the first is as large as it expects.
    made, *_ = next(iter(samples.Samples(LANDMARK_MODELS["T"], 64, seed=5)))
    images = samples.to_input(torch.from_numpy(made))
    with torch.no_grad():
        seen = mean.stem[0](images).var((0, 2, 3))
    torch.testing.assert_close(mean.stem[1].running_var, seen, rtol=0.3, atol=0.05)
