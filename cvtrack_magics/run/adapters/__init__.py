"""Libraries with records of their own: what they are told is told to the open run, too.

Each is followed once it is imported, and none is imported for it.
"""

from __future__ import annotations

from cvtrack_magics.run.adapters import (
    accelerate,
    fastai,
    following,
    keras,
    lightning,
    mlflow_logger,
    tensorboard,
    tqdm,
    transformers,
    ultralytics,
)

METHODS = (
    *accelerate.METHODS,
    *fastai.METHODS,
    *keras.METHODS,
    *lightning.METHODS,
    *mlflow_logger.METHODS,
    *tensorboard.METHODS,
    *tqdm.METHODS,
    *transformers.METHODS,
    *ultralytics.METHODS,
)


def follow() -> None:
    """Follow the libraries that are imported, and those that will be."""
    following.follow(METHODS)


def leave() -> None:
    """Give them back as they were."""
    following.leave(METHODS)
