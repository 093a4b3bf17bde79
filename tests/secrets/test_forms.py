"""A secret is masked in every form of FORMS, and in the places that a run keeps text in."""

from __future__ import annotations

import json

import pytest

from cvtrack_magics.records import Artifact, Dataset, Param, Tag
from cvtrack_magics.secrets import Masker, looks_secret
from cvtrack_magics.secrets.records import RecordMasker
from tests.secrets.forms import FORMS, HELD, STAY


def _is_held(text: str) -> bool:
    return any(secret in text for secret in HELD)


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_of_a_form_is_left(form: str) -> None:
    assert _is_held(form) or "4711" in form
    masked = Masker(alone=True).mask(form).text
    assert not _is_held(masked)
    assert "4711" not in masked.partition("\n")[0]
    assert Masker(alone=True).mask(masked).text == masked


@pytest.mark.parametrize("text", STAY)
def test_what_only_looks_so_stays(text: str) -> None:
    assert Masker(alone=True).mask(text).text == text


def test_no_secret_of_any_form_is_in_a_record() -> None:
    left = []
    for form in FORMS[:-1]:
        cell = {"cell_type": "code", "source": form.splitlines(keepends=True), "outputs": []}
        diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,{} @@\n{}\n"
        lines = form.splitlines()
        records = [
            Param("note", form),
            Tag("note", form),
            Artifact("code/cell.py", form),
            Artifact("output.txt", f"before\n{form}\nafter"),
            Artifact("config.yaml", form),
            Artifact("notebook.ipynb", json.dumps({"cells": [cell], "metadata": {}})),
            Artifact("x.diff", diff.format(len(lines), "\n".join(f"+{line}" for line in lines))),
            Dataset("d", form, "training", "0"),
        ]
        masked = RecordMasker(Masker()).records(records)
        left += [
            (form, type(before).__name__, getattr(before, "path", ""))
            for before, after in zip(records, masked, strict=True)
            if _is_held(repr(after))
        ]
    assert left == []


@pytest.mark.parametrize(
    ("name", "value", "is_one"),
    [("card_pin", 4711, True), ("sim.pin", "4711", False), ("sim_pin", "4711", True),
     ("pin", 4711, False), ("gpio_pin", 17, False), ("pin_memory", 1, False)],
)  # fmt: skip
def test_a_pin_is_a_number_unless_it_is_a_persons(name: str, value: object, is_one: bool) -> None:
    assert looks_secret(name, value) is is_one
