"""The maps of one frame, put into the packs of a sheet in the order of its samples."""

from __future__ import annotations

from cvtrack_magics.tasks.kind import Rows, kind_of
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.columns import Json, Packs, Places


class PlacedLayers:
    """The maps of a frame, put into the packs sample by sample."""

    def __init__(self, predictions: Predictions, rows: Rows, packs: Packs, side: int) -> None:
        self._rows, self._packs = rows, packs
        self.layers = kind_of(predictions.task).layers(predictions, side)
        self._places = {name: Places(len(rows)) for name in self.layers.names}

    def add(self, at: int) -> None:
        """Put the maps of one sample into the packs."""
        row = int(self._rows[at])
        if row < 0 or not self._places:
            return
        for name, data in self.layers.pictures(row):
            self._places[name].put(at, self._packs.add(data))

    def json(self, name: str) -> Json | None:
        """Return where the maps of a name lie, or None when the frame has none."""
        return self._places[name].json() if name in self._places else None
