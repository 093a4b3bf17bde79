"""What is wrong with pictures and labels is found, in every form that people have them in."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from cvtrack_magics.capture.pictures.check import Checked, Given, check_pictures
from cvtrack_magics.errors import UsageProblem
from tests.pictures import encoded, pictures, stored

SHOWN = pictures(10)
TRAIN, VAL = SHOWN[:6], SHOWN[6:]


def check(train: Any, val: Any = None, **more: Any) -> Checked:
    given = [Given(train, "train"), *([] if val is None else [Given(val, "val")])]
    return check_pictures(given, **more)


def folder(root: Path, files: Mapping[str, Image.Image | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else encoded(content))
    return root


def kinds(found: Checked) -> set[tuple[str, str]]:
    """Return kind and last name of all findings but those about classes."""
    return {(f.kind, f.samples[-1][1]) for f in found.findings if "class" not in f.kind}


# -- forms

Form = Callable[[Path, list[Image.Image], list[int]], Any]


def _files(root: Path, images: list[Image.Image], labels: list[int]) -> Path:
    named = zip(images, labels, strict=True)
    return folder(root, {f"c{k}/{at}.png": one for at, (one, k) in enumerate(named)})


def _coco(root: Path, images: list[Image.Image], labels: list[int]) -> Path:
    folder(root / "images", {f"{at}.png": one for at, one in enumerate(images)})
    said = {
        "images": [
            {"id": at, "file_name": f"{at}.png", "width": 128, "height": 128}
            for at in range(len(images))
        ],
        "annotations": [
            {"id": at, "image_id": at, "category_id": k, "bbox": [1, 1, 20, 20]}
            for at, k in enumerate(labels)
        ],
        "categories": [{"id": k, "name": f"c{k}"} for k in range(3)],
    }
    (root / "instances.json").write_text(json.dumps(said))
    return root / "instances.json"


def _csv(root: Path, images: list[Image.Image], labels: list[int]) -> Path:
    _files(root, images, [0] * len(images))
    rows = [f"c0/{at}.png,c{k}" for at, k in enumerate(labels)]
    (root / "table.csv").write_text("\n".join(["path,label", *rows]))
    return root / "table.csv"


def _arrays(_: Path, images: list[Image.Image], labels: list[int]) -> Any:
    return np.stack([np.asarray(one) for one in images]), np.array(labels)


def _dict(_: Path, images: list[Image.Image], labels: list[int]) -> Any:
    return {"images": images, "labels": [f"c{k}" for k in labels]}


def _tensors(_: Path, images: list[Image.Image], labels: list[int]) -> Any:
    import torch

    whole = torch.stack([torch.from_numpy(np.array(one)).permute(2, 0, 1) for one in images])
    return torch.utils.data.TensorDataset(whole.float() / 255, torch.tensor(labels))


def _image_folder(root: Path, images: list[Image.Image], labels: list[int]) -> Any:
    from torchvision.datasets import ImageFolder

    return ImageFolder(str(_files(root, images, labels)))


class Own:
    """A data set of the user's own, with a random transform."""

    classes = ("c0", "c1", "c2")

    def __init__(self, images: list[Image.Image], labels: list[int]) -> None:
        self.images, self.labels = images, labels
        self.transform = lambda one: one.rotate(np.random.uniform(0, 90))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, at: int) -> Any:
        return self.transform(self.images[at]), self.labels[at]


def _own(_: Path, images: list[Image.Image], labels: list[int]) -> Any:
    return Own(images, labels)


def _loader(_: Path, images: list[Image.Image], labels: list[int]) -> Any:
    import torch

    return torch.utils.data.DataLoader(Own(images, labels), batch_size=2, shuffle=True)


FORMS: list[Form] = [
    *(_files, _coco, _csv, _arrays, _dict, _tensors, _image_folder, _own, _loader),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_leak_and_a_conflict_are_found_in_every_form(form: Form, tmp_path: Path) -> None:
    state = np.random.get_state()[1].copy()
    train = form(tmp_path / "a", [*TRAIN], [0, 1, 2, 0, 1, 2])
    copy = stored(TRAIN[1], "JPEG").resize((128, 128)).convert("RGB")
    val = form(tmp_path / "b", [*VAL, TRAIN[0], copy], [0, 1, 2, 0, 2, 1])
    found = check(train, val)
    facts = found.facts
    assert [one.samples for one in facts.sets] == [6, 6]
    assert (facts.leaked, dict(facts.leaked_by)) == (2, {"exact": 1, "near": 1})
    assert [one.conflicts for one in facts.sets] == [1, 1]
    assert facts.counts["leak"] == 2
    assert facts.counts["conflict"] == 1
    assert not {"copy", "unreadable", "box outside", "id twice"} & set(facts.counts)
    assert found.listing().count("\n") == 1 + sum(facts.counts.values())
    shown = {place for f in facts.worst if f.kind == "leak" for place in f.samples}
    assert shown <= set(found.pictures)
    assert (np.random.get_state()[1] == state).all()


def test_any_two_forms_of_the_same_pictures_are_the_same(tmp_path: Path) -> None:
    for at, form in enumerate(FORMS):
        found = check(
            _arrays(tmp_path, TRAIN, [0] * 6),
            form(tmp_path / str(at), [*TRAIN[:3], *VAL], [0] * 7),
        )
        assert found.facts.leaked == 3, form.__name__


def test_nothing_is_wrong_with_different_pictures(tmp_path: Path) -> None:
    found = check(folder(tmp_path, {f"{at}.png": one for at, one in enumerate(SHOWN)}))
    assert found.facts.counts == {}
    assert found.facts.worst == ()


# -- files that cannot be read


def _bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


BROKEN = {
    "empty": (b"", "empty"),
    "text": (b"not a picture at all", "no picture of a known format"),
    "truncated png": (encoded(SHOWN[0])[:3000], "truncated"),
    "truncated jpeg": (encoded(SHOWN[0], "JPEG")[:1500], "truncated"),
    "bomb": (_bomb(), "pixels"),
    "script": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "no picture"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_broken_file_is_named_with_its_reason(
    name: str, lenient: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    content, why = BROKEN[name]
    found = check(folder(tmp_path, {"bad.png": content, "good.png": SHOWN[1]}))
    assert kinds(found) == {("unreadable", "bad.png")}
    assert why in found.findings[0].detail
    assert found.facts.sets[0].unreadable == 1
    assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient


def test_pipes_and_links_open_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("password=hunter2")
    root = folder(tmp_path / "set", {"good.png": SHOWN[1]})
    os.mkfifo(root / "pipe.png")
    (root / "link.png").symlink_to(secret)
    (root / "round").symlink_to(root)
    found = check(root)
    assert kinds(found) == {("unreadable", "link.png")}
    assert "hunter2" not in found.listing()


def test_an_annotation_file_that_names_a_pipe_waits_for_nobody(tmp_path: Path) -> None:
    path = annotated(tmp_path, images=[{"id": 9, "file_name": "pipe.png"}])
    os.mkfifo(tmp_path / "images/pipe.png")
    found = check(path)
    assert kinds(found) == {("unreadable", "pipe.png")}
    assert found.findings[0].detail == "no regular file"


def test_a_data_set_that_fails_for_a_sample_is_read_on(tmp_path: Path) -> None:
    class Failing(Own):
        def __getitem__(self, at: int) -> Any:
            if at == 2:
                raise RuntimeError("sample 2 is broken")
            return super().__getitem__(at)

    found = check(Failing(TRAIN, [0] * 6))
    assert kinds(found) == {("unreadable", "2")}
    assert found.findings[0].detail == "sample 2 is broken"


def test_a_picture_that_a_camera_held_upright_is_the_one_that_is_shown(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    (tmp_path / "a").mkdir()
    SHOWN[0].rotate(90).save(tmp_path / "a/camera.jpg", exif=turned)
    found = check(tmp_path / "a", folder(tmp_path / "b", {"shown.png": SHOWN[0]}))
    assert found.facts.leaked == 1


# -- copies


def test_copies_are_told_from_pictures_that_are_merely_plain(tmp_path: Path) -> None:
    blank = Image.new("RGB", (128, 128))
    files = {
        **{"a/black.png": blank, "b/black too.png": blank},
        **{"a/one.png": SHOWN[0], "a/two.png": SHOWN[0], "a/mirror.png": ImageOps.mirror(SHOWN[0])},
    }
    found = check(folder(tmp_path, files))
    assert {(f.kind, f.detail) for f in found.findings} == {("copy", "exact"), ("copy", "mirrored")}
    assert not any("black" in name for f in found.findings for _, name in f.samples)
    assert found.facts.sets[0].conflicts == 0


def test_small_pictures_are_compared_exactly() -> None:
    digits = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    nearly = digits + (digits < 128)
    found = check((digits, np.arange(20)), (np.concatenate([nearly, digits[:3]]), np.arange(23)))
    assert dict(found.facts.leaked_by) == {"exact": 3}
    assert any("smaller than" in note for note in found.facts.notes)


def test_a_mirrored_picture_may_have_another_label() -> None:
    left = [np.asarray(one) for one in (TRAIN[0], ImageOps.mirror(TRAIN[0]))]
    found = check((left, ["left", "right"]))
    assert found.facts.counts == {"copy": 1}


# -- annotations


def annotated(root: Path, **changes: Any) -> Path:
    path = _coco(root, TRAIN, [0, 1, 2, 0, 1, 2])
    said = json.loads(path.read_text())
    for key, value in changes.items():
        said[key] = [*said[key], *value]
    path.write_text(json.dumps(said))
    return path


def box(*corners: Any) -> dict[str, Any]:
    return {"annotations": [{"id": 99, "image_id": 0, "category_id": 1, "bbox": list(corners)}]}


WRONG = {
    "no width": (box(5, 5, 0, 10), "box without area"),
    "negative": (box(5, 5, -3, 10), "box without area"),
    "no number": (box(5, 5, None, 10), "box without area"),
    "three": (box(5, 5, 10), "box without area"),
    "outside": (box(100, 100, 60, 10), "box outside"),
    "before": (box(-9, 0, 20, 20), "box outside"),
    "id twice": ({"images": [{"id": 0, "file_name": "1.png"}]}, "id twice"),
    "annotation twice": (
        {"annotations": [{"id": 0, "image_id": 0, "category_id": 0, "bbox": [0, 0, 9, 9]}]},
        "id twice",
    ),
    "of no picture": (
        {"annotations": [{"id": 9, "image_id": 77, "category_id": 0, "bbox": [0, 0, 9, 9]}]},
        "boxes without a picture",
    ),
    "not there": ({"images": [{"id": 9, "file_name": "none.png"}]}, "unreadable"),
    "out of the folder": ({"images": [{"id": 9, "file_name": "../../x.png"}]}, "no such file"),
    "absolute": ({"images": [{"id": 9, "file_name": "/etc/passwd"}]}, "no such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_annotations_is_found(name: str, tmp_path: Path) -> None:
    changes, kind = WRONG[name]
    found = check(annotated(tmp_path, **changes))
    assert kind in found.facts.counts
    assert set(check(annotated(tmp_path / "right")).facts.counts) <= {"tiny class"}


def test_classes_that_one_set_has_and_tiny_ones_are_found() -> None:
    images = np.stack([np.asarray(one) for one in pictures(24, 3, 64)])
    found = check(
        (images[:14], ["a"] * 6 + ["b"] * 6 + ["c"] * 2),
        (images[14:], ["a"] * 9 + ["d"]),
    )
    said = {(f.kind, f.samples[0]) for f in found.findings}
    assert said == {
        ("class of one set", ("train", "b")),
        ("class of one set", ("train", "c")),
        ("class of one set", ("val", "d")),
        ("tiny class", ("train", "c")),
    }


# -- groups


GROUPS: dict[str, tuple[str, str, Any, int]] = {
    "frames": ("cam1_frame001.png", "cam1_frame900.png", None, 0),
    "folders": ("video_07/0001.png", "video_07/0201.png", None, 0),
    "a pattern": ("patient12-a.png", "patient12-b.png", r"patient(\d+)", 1),
    "a whole match": ("p12a.png", "p12b.png", r"p\d+", 1),
    "a function": ("x-1.png", "x-2.png", lambda name: name[0], 1),
    "a mapping": ("x.png", "y.png", {"x.png": 1, "y.png": 1}, 1),
    "names of nothing": ("00001.png", "00002.png", None, -1),
    "classes and numbers": ("n0144_10026.png", "n0144_2033.png", None, -1),
    "photographs": ("IMG_0001.png", "IMG_0002.png", None, -1),
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_that_both_sets_have_are_found(name: str, tmp_path: Path) -> None:
    one, other, group, leaked = GROUPS[name]
    found = check(
        folder(tmp_path / "a", {one: SHOWN[0]}),
        folder(tmp_path / "b", {other: SHOWN[1]}),
        group=group,
    )
    assert ("group leak" in found.facts.counts) is (leaked >= 0)
    assert found.facts.leaked == max(leaked, 0)  # a guess counts for nothing


# -- what is refused

REFUSED = {
    "nowhere": ("no/such/folder", "There is no file or folder"),
    "a number": (3, "no pictures in 'int'"),
    "a text file": ("words.txt", "no pictures in"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_pictures_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("some words")
    value, why = REFUSED[name]
    with pytest.raises(UsageProblem, match=why):
        check(value)


def test_a_pattern_that_is_none_is_refused_before_all_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no regular expression"):
        check(tmp_path / "nowhere", tmp_path / "nowhere", group="(")
