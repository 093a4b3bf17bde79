"""A value that its name gave away somewhere is masked wherever it stands bare."""

from __future__ import annotations

from typing import Any

import mlflow
import pytest

from cvtrack_magics.records import Param, Tag
from cvtrack_magics.run.code_secrets import LOOKED_AT, CodeSecrets
from cvtrack_magics.secrets import Masker
from cvtrack_magics.secrets.records import HIDDEN, RecordMasker
from tests.conftest import Shell
from tests.store_views import runs_of

VALUE = "hunter2Zq9Tx77Kp"

SAME_TEXT = {
    "behind": f"db_password = '{VALUE}'\nnote = 'see {VALUE} there'",
    "before": f"# it was {VALUE} once\ndb_password = '{VALUE}'",
    "in a word": f"password = '{VALUE}'\nname = 'run-{VALUE}-1'",
    "in an address of no kind": f"secret_key: {VALUE}\nwhere: host/{VALUE}/x",
    "several": f"password = '{VALUE}'" + f"\nprint('{VALUE}')" * 5,
    "in quotes of quotes": f'auth = {{"password": "{VALUE}"}}; cmd = "run \'{VALUE}\'"',
}


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("place", list(SAME_TEXT))
def test_it_is_masked_everywhere_in_its_own_text(place: str, alone: bool) -> None:
    masked = Masker(alone=alone).mask(SAME_TEXT[place])
    assert VALUE not in masked.text
    assert masked.text.count("***") == 2 * SAME_TEXT[place].count(VALUE)
    assert masked.text.count("\n") == SAME_TEXT[place].count("\n")


@pytest.mark.parametrize(
    "value", ["some.module:Name", "password", "12345678", "short1", "/home/me/x1", "<your key 1>"]
)
def test_what_is_no_secret_by_itself_stays_elsewhere(value: str) -> None:
    text = f"note = 'as {value} said'"
    assert Masker().mask(f"password = '{value}'\n{text}").text.endswith(text)


def test_records_of_one_call_give_each_other_away() -> None:
    masking = RecordMasker(Masker())
    first, second, third = masking.records(
        [Param("note", f"see {VALUE}"), Param("db.password", VALUE), Tag("why", VALUE)]
    )
    assert isinstance(first, Param)
    assert isinstance(third, Tag)
    assert (first.value, third.value) == ("see ***secret***", "***secret***")
    assert second == Param("db.password", HIDDEN)
    tags = RecordMasker(Masker()).tags({"note": VALUE, "api_key": VALUE})
    assert VALUE not in str(tags)


def test_nothing_is_learned_where_masking_is_off() -> None:
    masker = Masker("off")
    assert RecordMasker(masker).records([Param("password", VALUE)]) == [Param("password", VALUE)]
    masker.configure("on")
    assert masker.mask(f"see {VALUE}").text == f"see {VALUE}"


def test_code_is_looked_through_once_and_the_newest_first() -> None:
    seen: list[str] = []

    class Counting(Masker):
        def mask(self, text: str, *, settings: bool = False) -> Any:
            seen.append(text)
            return super().mask(text, settings=settings)

    code = CodeSecrets(Counting())
    code.look(["a = 1", "b = 2"], "b = 2")
    code.look(["a = 1", "b = 2", "c = 3"], "c = 3")
    assert seen == ["b = 2", "a = 1", "c = 3"]
    code.look(["", "", "", "x" * LOOKED_AT, "y" * LOOKED_AT], "z")
    assert [len(text) for text in seen[3:]] == [1, LOOKED_AT - 1]


CELLS = [
    f"api_key = '{VALUE}'",
    "%%mlrun 'of a cell above' --params dict(note=api_key)\nprint(api_key)\nlog(acc=1.0)",
    f"%%mlrun one --params dict(db_password='{VALUE}',note='see {VALUE}')\nlog(acc=1.0)",
    f"%%mlrun two\npw = '{VALUE}'\nmlparams(dict(note=f'see {{pw}}'))\nlog({{'m' + pw: 1.0}})",
]


def test_a_run_never_has_what_its_code_gives_away(shell: Shell, store: str) -> None:
    shell.run("from cvtrack_magics import log, mlparams")
    for cell in CELLS:
        shell.run(cell)
        assert shell.result.success, cell
    client = mlflow.MlflowClient(store)
    found = runs_of(store)
    assert len(found) == 3
    for run in found.values():
        assert VALUE not in str(run.to_dictionary())
        assert run.data.params["note"].endswith("***")
        for path in ("code/cell.py", "code/session.ipynb", "logs/output.txt"):
            if path != "logs/output.txt" or run.info.run_name == "of a cell above":
                assert VALUE not in client.download_artifacts(run.info.run_id, path)
                with open(client.download_artifacts(run.info.run_id, path)) as file:
                    assert VALUE not in file.read(), (run.info.run_name, path)


def test_a_long_text_that_comes_again_is_masked_with_what_is_known_by_then() -> None:
    masker = Masker()
    text = "line\n" * 60_000 + "Zx9kQ2mW7pL4 stands here\n"
    assert masker.mask(text).text == text
    masker.learn("Zx9kQ2mW7pL4", "secret")
    assert "Zx9kQ2mW7pL4" not in masker.mask(text).text
    masker.configure("on", ["Zx9kQ2mW7pL4"])
    assert masker.mask(text).text == text
