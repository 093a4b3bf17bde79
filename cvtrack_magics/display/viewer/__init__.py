"""What a viewer is given: one JSON document and packs of pictures.

The widget, the saved notebook and the HTML artifact are all fed by this. Format
``cvtrack-sheet/1``; numbers lie in columns, ``{"dtype": "f4", "data": base64}``, little
endian, with dtype ``u1 i1 u2 u4 i4 f4 f8`` (f8 where f4 would round a score); pictures lie in
packs (byte strings, about 1 MB each) and are named by three columns ``{"pack", "start", "size"}``,
where size 0 means "not here".

::

    {"format": "cvtrack-sheet/1",
     "task": "classification" | "detection" | "semantic" | "instance" | "anomaly" | "depth",
     "title": str,
     "classes": [{"name": str, "colour": "#rrggbb"}],
     "count": N, "ids": [str] * N, "names": [str] * N or [],
     "width": column u4, "height": column u4,         # of the native pictures
     "tile": pictures, "tile_width": column u2, "tile_height": column u2,
     "full": pictures,                                # native; size 0: the tile is all there is
     "packs": number of packs,
     "shown": {"tiles": int, "of": N, "note": str},   # how many tiles are in here, and why
     "metrics": {name: float or null},                # of the last frame; empty so far
     "frames": [frame],                               # steps of one run, or runs to compare
     "compare": null or [a, b],                       # indices of frames: a is before, b after
     "digits": int,                                   # significant digits of figures; 4
     "settings": {"sort", "only", "truth", "pred", "threshold", "text", "worst"}}  # optional each

A frame::

    {"label": str, "run": str, "step": int or null,
     "present": column u1 or null,                    # samples this frame knows; null: all
     "scores": {name: column f4},                     # to sort by: loss, confidence, iou, ...
     "data": by task}

Data of a classification::

    {"truth": i4 (-1: unknown), "pred": i4 (argmax; -1: not all probabilities are numbers),
     "top": {"k": int, "classes": i4 N*k, "probs": f4 N*k},
     "probs": f4 N*K or null}                         # null where there are too many to carry

of a detection or instance segmentation::

    {"truth": boxes, "pred": boxes, "iou": 0.5}
    boxes: {"offsets": u4 N+1, "xyxy": f4 M*4 (native pixels), "labels": i4 M,
            "scores": f4 M or null,
            "crowd": u1 M or null,             # 1 in a crowd, 2 left out of account, 3 once
            "runs": null or {"offsets": u4 M+1, "counts": u4}}   # COCO run lengths, column-major

of key points the same, and ``"points"``::

    {"truth": f4 M*K*3 (x, y, labelled), "pred": f4 M*K*2, "areas": f4 M, "sigmas": [K]}

of oriented boxes the same, and ``"corners"``::

    {"truth": f4 M*8, "pred": f4 M*8}

of a semantic segmentation::

    {"truth": pictures, "pred": pictures,             # PNG: grey value = class, 255 = no class;
                                                      # beyond 254 classes red + 256 * green
     "wide": bool,                                    # which of the two; no class is then 65535
     "cells": {"offsets": u4 N+1, "index": u4 (truth * side + pred), "count": u4,
               "side": int}}                      # K, or K + 1 where some are of no class

of an anomaly detection::

    {"truth": i4 (1, 0, -1), "score": f4,
     "heat": pictures or null (grey PNG), "heat_range": [low, high],
     "mask": pictures or null (grey PNG, 255 = anomalous)}

of a depth estimation (grey PNG; 0 = no value, 1 … 255 from low to high)::

    {"truth": pictures, "pred": pictures, "error": pictures,
     "range": [low, high], "error_range": [0, high]}
"""
