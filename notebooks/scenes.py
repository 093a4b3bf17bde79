"""Scenes for the tutorials, made of real pictures, the same ones each time.

``digit_scenes`` puts handwritten digits on photographs and knows their boxes and masks;
``room_scenes`` looks into rooms papered with photographs and knows how far away everything is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split

SIDE = 64
LIGHT = np.array([-0.5, -0.8, -0.4]) / np.linalg.norm([0.5, 0.8, 0.4])


@dataclass
class Material:
    """What scenes are made of: digits N × 8 × 8 with their labels, and photographs."""

    digits: np.ndarray
    labels: np.ndarray
    photos: list[np.ndarray]


def materials(test_share=0.3, cut=410):
    """Return the material of training and that of testing, which share no digit and no pixel."""
    digits = load_digits()
    photos = [photo / 255 for photo in load_sample_images().images]
    train, test, train_labels, test_labels = train_test_split(
        digits.images / 16, digits.target, test_size=test_share, stratify=digits.target, random_state=0
    )
    return (
        Material(train, train_labels, [photo[:, :cut] for photo in photos]),
        Material(test, test_labels, [photo[:, cut:] for photo in photos]),
    )


def enlarged(picture, side, how=Image.Resampling.BICUBIC):
    """Bring a picture with values 0..1 to side × side pixels."""
    image = Image.fromarray((picture * 255).round().astype(np.uint8))
    return np.asarray(image.resize((side, side), how)) / 255


def patch(photos, rng):
    """Return a square cut out of one of the photographs."""
    photo = photos[rng.integers(len(photos))]
    size = int(rng.integers(SIDE, min(photo.shape[:2])))
    top, left = (int(rng.integers(0, length - size + 1)) for length in photo.shape[:2])
    return enlarged(photo[top : top + size, left : left + size], SIDE, Image.Resampling.BILINEAR)


def eight_bit(scenes):
    """Return scenes with values 0..1 as one uint8 array N × H × W × 3."""
    return np.stack([(scene.clip(0, 1) * 255).round().astype(np.uint8) for scene in scenes])


# Digits on photographs


def box_of(mask):
    """Return the box around a mask: left, top, right, bottom."""
    ys, xs = np.nonzero(mask)
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def covered(box, other):
    """Return the share of the smaller of two boxes that lies in both."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    smaller = min((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return max(width, 0) * max(height, 0) / smaller


def place(digit, taken, rng, tries=20):
    """Put an enlarged digit where there is room; return how much of each pixel it is, or None."""
    for _ in range(tries):
        size = int(rng.integers(18, 28))
        top, left = rng.integers(0, SIDE - size, 2)
        share = np.zeros((SIDE, SIDE))
        share[top : top + size, left : left + size] = enlarged(digit, size)
        box = box_of(share > 0.4)
        if all(covered(box, other) < 0.25 for other in taken):
            return share
    return None


def digit_scene(material, rng):
    """Return a picture H × W × 3 and its objects: boxes, labels and masks."""
    scene = patch(material.photos, rng) * rng.uniform(0.25, 0.6)
    labels, masks = [], []
    for at in rng.integers(0, len(material.labels), rng.integers(2, 5)):
        share = place(material.digits[at], [box_of(mask) for mask in masks], rng)
        if share is None:
            continue
        ink = rng.uniform(0.6, 1, 3)
        scene = scene * (1 - share[..., None]) + ink * share[..., None]
        masks = [mask & (share <= 0.4) for mask in masks]  # the new digit lies on top
        masks.append(share > 0.4)
        labels.append(material.labels[at])
    boxes = np.array([box_of(mask) for mask in masks], float)
    return scene, {"boxes": boxes, "labels": np.array(labels), "masks": np.array(masks)}


def digit_scenes(count, material, seed):
    """Return uint8 pictures N × H × W × 3 and, for each, a dict of boxes, labels and masks."""
    rng = np.random.default_rng(seed)
    made = [digit_scene(material, rng) for _ in range(count)]
    return eight_bit([scene for scene, _ in made]), [objects for _, objects in made]


# Rooms with balls and boxes: the viewer stands at 0, looks along z, and y goes down


def rays():
    """Return where each pixel looks, H × W × 3, by a step of 1 in depth."""
    axis = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    across, down = np.meshgrid(axis, axis)
    return np.stack([across, down + 0.1, np.ones_like(across)], axis=-1)


def hit_plane(look, axis, at):
    """Return depth and normal of where each ray meets the plane that cuts an axis."""
    depth = np.full(look.shape[:2], np.inf)
    np.divide(at, look[..., axis], out=depth, where=look[..., axis] > 0)
    return depth, np.broadcast_to(-np.eye(3)[axis], look.shape)


def hit_ball(look, centre, radius):
    """Return depth and normal of where each ray meets a ball."""
    a, b = (look**2).sum(-1), look @ centre
    root = b**2 - a * (centre @ centre - radius**2)
    depth = np.where(root > 0, (b - np.sqrt(root.clip(0))) / a, np.inf)
    meets = look * np.where(root > 0, depth, 0)[..., None]
    return depth, (meets - centre) / radius


def hit_box(look, centre, half):
    """Return depth and normal of where each ray meets a box."""
    sides = np.sort([(centre - half) / look, (centre + half) / look], axis=0)
    near, far = sides[0].max(-1), sides[1].min(-1)
    depth = np.where((near > 0) & (near < far), near, np.inf)
    return depth, -np.sign(look) * (sides[0] == near[..., None])


def papered(meets, normal, photos, rng):
    """Return the colours of a surface, N × 3: a photograph all over it, and light."""
    flat = np.abs(normal[:, 1]) > 0.9
    places = np.stack([meets[:, 0], np.where(flat, meets[:, 2], meets[:, 1])])
    at = np.abs((places * 40).astype(int) % (2 * SIDE) - SIDE + 0.5).astype(int)  # there and back
    light = 0.4 + 0.6 * (normal @ LIGHT).clip(0)
    return patch(photos, rng)[at[1], at[0]] * light[:, None]


def room_scene(material, rng):
    """Return a picture H × W × 3 and its depth H × W in metres."""
    look = rays()
    hits = [hit_plane(look, 1, 1.0), hit_plane(look, 2, rng.uniform(5, 8))]
    for _ in range(rng.integers(2, 5)):
        size, far = rng.uniform(0.3, 0.7), rng.uniform(2, 4.5)
        centre = np.array([rng.uniform(-0.45, 0.45) * far, 1 - size, far])
        if rng.random() < 0.5:
            hits.append(hit_ball(look, centre, size))
        else:
            hits.append(hit_box(look, centre, size * np.array([rng.uniform(0.5, 1), 1, 0.6])))
    depths = np.stack([depth for depth, _ in hits])
    nearest, depth = depths.argmin(0), depths.min(0)
    scene = np.zeros((SIDE, SIDE, 3))
    for at, (_, normal) in enumerate(hits):
        seen = nearest == at
        scene[seen] = papered((look * depth[..., None])[seen], normal[seen], material.photos, rng)
    return scene, depth


def room_scenes(count, material, seed):
    """Return uint8 pictures N × H × W × 3 and depths N × H × W in metres."""
    rng = np.random.default_rng(seed)
    made = [room_scene(material, rng) for _ in range(count)]
    return eight_bit([scene for scene, _ in made]), np.stack([depth for _, depth in made])
