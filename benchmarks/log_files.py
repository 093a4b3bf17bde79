"""Reads what W&B and TensorBoard leave on disk, a file whose writer was killed included."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

from benchmarks.log_points import KEYS, Points

_BLOCK = 32768  # LevelDB's log format: records are cut at these bounds
_HEADER = struct.Struct("<IHB")
_FULL, _LAST = 1, 4


def read_wandb(home: Path) -> Points:
    """Read the history out of the ``.wandb`` file of an offline run."""
    from wandb.proto.wandb_internal_pb2 import Record

    points: Points = {}
    for path in home.glob("wandb/offline-run-*/*.wandb"):
        for raw in _records(path.read_bytes()):
            record = Record()
            record.ParseFromString(raw)
            if record.WhichOneof("record_type") == "history":
                for item in record.history.item:
                    key = item.key or item.nested_key[0]
                    if key in KEYS:
                        points[key, record.history.step.num] = float(json.loads(item.value_json))
    return points


def _records(data: bytes) -> Iterator[bytes]:
    at, parts = 7, []  # W&B's own 7 bytes come first
    while True:
        left = _BLOCK - at % _BLOCK
        if left < _HEADER.size:
            at += left
        if at + _HEADER.size > len(data):
            return
        _, length, kind = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        if kind == 0 or at + length > len(data):
            return
        parts.append(data[at : at + length])
        at += length
        if kind in (_FULL, _LAST):
            yield b"".join(parts)
            parts = []


def read_events(home: Path) -> Points:
    """Read the scalars out of TensorBoard's event files."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    points: Points = {}
    for path in home.glob("events/events.*"):
        for raw in RawEventFileLoader(str(path)).Load():
            event = Event.FromString(raw)
            for value in event.summary.value:
                points[value.tag, event.step] = value.simple_value
    return points
