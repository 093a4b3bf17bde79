"""What fastai's recorder has of each epoch goes into the open run, by the names it has there."""

from __future__ import annotations

from cvtrack_magics.run.adapters.following import Call, Followed


def _begun(call: Call) -> None:
    learn = call.owner.learn
    if not hasattr(learn, "lr_finder"):
        optimizer = {key: learn.opt.hypers[-1][key] for key in learn.opt.hypers[-1]}
        found = {f"optimizer.{key}": value for key, value in optimizer.items()}
        call.params({"n_epoch": learn.n_epoch, "batch_size": learn.dls.bs, **found})


def _epoch_ended(call: Call) -> None:
    recorder = call.owner
    if not hasattr(recorder.learn, "lr_finder"):
        names, values = list(recorder.metric_names)[1:], list(recorder.log)[1:]
        call.reported_by("fastai")
        call.numbers(dict(zip(names, values, strict=False)), int(recorder.epoch), on=True)


METHODS = (
    Followed("fastai.learner", "Recorder", "before_fit", _begun),
    Followed("fastai.learner", "Recorder", "after_epoch", _epoch_ended),
)
