"""Which files and labels differ between two data sets, by what was recorded of them."""

from __future__ import annotations

import pytest

from cvtrack_magics.comparison.data import data_of, wanted_texts
from tests.comparison.make import data, run

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def manifest(*rows: tuple[str, str]) -> str:
    return "".join(f"{content}\t7\t{name}\n" for content, name in rows)


def listing(*rows: tuple[str, str, str]) -> str:
    head = "# cvtrack-data 2 {}\n"
    return head + "".join(f"{content}\t{label}\t{name}\n" for content, label, name in rows)


MANIFEST, LISTING = "datasets/cats.manifest.tsv", "datasets/cats.samples.tsv"
CASES = {
    "added": (
        {MANIFEST: manifest((A, "1.png"))},
        {MANIFEST: manifest((A, "1.png"), (B, "2.png"))},
        "train: 1 added (2.png); 1 the same.",
    ),
    "removed and changed": (
        {MANIFEST: manifest((A, "1.png"), (B, "2.png"))},
        {MANIFEST: manifest((C, "1.png"))},
        "train: 1 removed (2.png); 1 changed (1.png).",
    ),
    "labels": (
        {MANIFEST: manifest((A, "1.png")), LISTING: listing((A, "0", "1.png"), (B, "1", "2.png"))},
        {MANIFEST: manifest((A, "1.png")), LISTING: listing((A, "1", "1.png"), (B, "1", "2.png"))},
        "train: 1 label changed (1.png: 0 → 1).",
    ),
    "many": (
        {MANIFEST: manifest((A, "0.png"))},
        {MANIFEST: manifest(*((A, f"{n}.png") for n in range(9)))},
        "train: 8 added (1.png, 2.png, 3.png, 4.png, 5.png and 3 more); 1 the same.",
    ),
    "no list": ({}, {}, "train: the content differs; no list of it tells where."),
    "no manifest": ({MANIFEST: "x\n"}, {MANIFEST: "y\n"}, "train: a manifest cannot be read."),
    "a listing of somebody": (
        {LISTING: listing((A, "0", "a\\"))},
        {LISTING: listing((A, "1", "a\\"))},
        "train: 1 label changed (a\\: 0 → 1).",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_differs_of_two_data_sets(case: str) -> None:
    mine, theirs, said = CASES[case]
    pair = [run("a", datasets=(data("cats", A),)), run("b", datasets=(data("cats", B),))]
    found = data_of(pair, [mine, theirs])
    assert found.notes == (said,)
    assert found.rows[0].values == (f"cats {A[:12]}", f"cats {B[:12]}")


def test_an_order_is_no_change_of_the_samples() -> None:
    pair = [
        run("a", datasets=(data("cats", A, samples=C),)),
        run("b", datasets=(data("cats", B, samples=C),)),
    ]
    assert data_of(pair).notes == ("train: the same samples in another order.",)


def test_data_that_was_not_identified_is_said_to_be_unknown() -> None:
    pair = [run("a", datasets=(data("cats", A),)), run("b", datasets=(data("cats", ""),))]
    assert "not identified; nothing is known" in data_of(pair).notes[0]


def test_lists_are_read_only_where_the_digests_differ() -> None:
    files = {MANIFEST: 1, LISTING: 1}
    one = run("a", datasets=(data("cats", A), data("dogs", C, "test")), files=files)
    same = run("b", datasets=(data("cats", A), data("dogs", C, "test")), files=files)
    other = run("c", datasets=(data("cats", B), data("dogs", C, "test")), files=files)
    assert wanted_texts([one, same]) == []
    assert wanted_texts([one, other]) == [
        (which.run_id, path) for which in (one, other) for path in (MANIFEST, LISTING)
    ]


def test_a_second_set_for_the_same_use_is_compared_with_the_second() -> None:
    one = run("a", datasets=(data("cats", A), data("dogs", B)))
    other = run("b", datasets=(data("cats", A), data("dogs", C)))
    assert [row.name for row in data_of([one, other]).rows] == ["train 2"]
