"""Twenty architectures of other libraries, small and with random weights; nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SIDE, COUNT = 64, 5
TIMM = (
    "resnet26d", "efficientnet_lite0", "mobilevit_xxs", "convnextv2_atto",
    "vit_tiny_patch16_224", "edgenext_xx_small", "poolformer_s12", "repvgg_a0",
)  # fmt: skip
SEGMENTERS = {"Unet": "resnet18", "FPN": "mobilenet_v2", "DeepLabV3Plus": "resnet18"}
ULTRALYTICS = ("yolov8n", "yolov8n-seg", "yolov8n-cls")
_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def _timm(name: str) -> Any:
    import timm

    sized = {"img_size": SIDE} if name.startswith("vit") else {}
    return timm.create_model(name, pretrained=False, num_classes=COUNT, **sized)


def _segmenter(name: str) -> Any:
    import segmentation_models_pytorch as smp

    make = getattr(smp, name)
    return make(SEGMENTERS[name], encoder_weights=None, classes=COUNT)


def _ultralytics(name: str) -> Any:
    from ultralytics import YOLO

    return YOLO(f"{name}.yaml", verbose=False).model


def _transformers(name: str, settings: dict[str, Any]) -> Any:
    import transformers

    family = name.partition("For")[0]
    config = getattr(transformers, f"{family}Config")(num_labels=COUNT, **settings)
    return getattr(transformers, name)(config)


TRANSFORMERS: dict[str, dict[str, Any]] = {
    "ViTForImageClassification": {**_SMALL, "image_size": SIDE, "patch_size": 16},
    "ConvNextForImageClassification": {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1]},
    "SwinForImageClassification": {
        "image_size": SIDE, "embed_dim": 16, "depths": [1, 1], "num_heads": [1, 2],
        "window_size": 4,
    },
    "SegformerForSemanticSegmentation": {
        "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "decoder_hidden_size": 32,
    },
    "YolosForObjectDetection": {
        **_SMALL, "image_size": [SIDE, SIDE], "num_detection_tokens": 6,
        "use_mid_position_embeddings": False,
    },
    "DPTForDepthEstimation": {
        **_SMALL, "num_hidden_layers": 4, "image_size": SIDE, "backbone_out_indices": [0, 1, 2, 3],
        "neck_hidden_sizes": [8, 16, 24, 32], "fusion_hidden_size": 16,
    },
}  # fmt: skip


def _all() -> dict[str, tuple[str, Callable[[], Any]]]:
    found: dict[str, tuple[str, Callable[[], Any]]] = {}
    for name in TIMM:
        found[name] = "timm", lambda name=name: _timm(name)
    for name, settings in TRANSFORMERS.items():
        found[name] = "transformers", lambda name=name, own=settings: _transformers(name, own)
    for name in SEGMENTERS:
        found[name] = "segmentation_models_pytorch", lambda name=name: _segmenter(name)
    for name in ULTRALYTICS:
        found[name] = "ultralytics", lambda name=name: _ultralytics(name)
    return found


NETWORKS = _all()
"""The library, and what makes the network, by the architecture's name."""
