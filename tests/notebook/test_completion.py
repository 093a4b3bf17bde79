"""What Tab offers: what fits the word at the cursor, from the notebook and from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from IPython.core.completer import provisionalcompleter

from cvtrack_magics.commands.line import Line
from cvtrack_magics.commands.table import commands
from tests.conftest import closed_uri
from tests.kernels import Kernel


@pytest.fixture
def offers(shell: Any, store: str) -> Any:
    """Return what Tab offers at the end of a line, in a shell with runs, a model and names."""
    client = mlflow.MlflowClient(store)
    for at, name in enumerate(("resnet-18", "resnet-50", "resnet-18")):
        run_id = client.create_run("0", run_name=name, start_time=at + 1).info.run_id
        client.log_metric(run_id, "val/top1_acc", 0.9)
    client.create_registered_model("digits")
    for _ in range(3):
        client.create_model_version("digits", str(at), run_id)
    client.set_registered_model_alias("digits", "champion", "2")
    client.transition_model_version_stage("digits", "1", "Staging")
    shell.ip.user_ns.update(my_images=[1], my_model=2)

    def offered(line: str) -> list[str]:
        return [str(word) for word in shell.ip.complete(None, line, len(line))[1]]

    return offered


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("%mlrun train --ne", {"--nested"}),
        ("%%mlrun train --ra", {"--ranks"}),
        ("%%mlrun train --baseline res", {"resnet-18", "resnet-50"}),
        ("%%mlrun train --baseline=resnet-5", {"resnet-50"}),
        ("%%mlrun train --baseline digits@", {"champion"}),
        ("%%mlrun train --task dep", {"depth-estimation"}),
        ("%%mlrun train --tag back", {"backbone="}),
        ("%mltags fast back", {"backbone="}),
        ("%mlparams my_", {"my_images", "my_model"}),
        ("%mlconfig my_m", {"my_model"}),
        ("%mldata my_i", {"my_images"}),
        ("%mlautolog ex", {"explore"}),
        ("%mlexperiment Def", {"Default"}),
        ("%mlhelp mlg", {"mlgrid", "mlgate"}),
        ("%mlgrid my_i", {"my_images"}),
        ("%mlgrid --run resnet-1", {"resnet-18"}),
        ("%mlgrid my_images --compare resnet-5", {"resnet-50"}),
        ("%mlgrid my_images --only fi", {"fixed"}),
        ("%mlgrid my_images --sort -lo", set()),
        ("%mleval my_images --task det", {"detection"}),
        ("%mleval my_images --mlflow my_m", {"my_model"}),
        ("%mlcam my_model my_i", {"my_images"}),
        ("%mlexport to", {"torchscript"}),
        ("%mlexport onnx my_m", {"my_model"}),
        ("%mlexport onnx my_model --example my_i", {"my_images"}),
        ("%mlexport onnx my_model --dynamic batch,he", {"height"}),
        ("%mlbench my_model --runners eager,to", {"torchscript"}),
        ("%mlbench digits@ch", {"champion"}),
        ("%mlmodel my_model --register di", {"digits"}),
        ("%mlload di", {"digits"}),
        ("%mlload digits@ch", {"champion"}),
        ("%mlload digits/", {"digits/3", "digits/2", "digits/1", "digits/Staging"}),
        ("m = %mlload digits/St", {"digits/Staging"}),
        ("%mlgate digits --champion val", {"val/top1_acc"}),
        ("%mlgate digits --require 'val", {"val/top1_acc"}),
        ("%mlgate digits --require ha", {"has("}),
        ("%mlgate digits --version ", {"3", "2", "1"}),
        ("%mlgate --run resnet-5", {"resnet-50"}),
        ("%mlcard res", {"resnet-18", "resnet-50"}),
        ("%mlcheck di", {"digits"}),
    ],
)
def test_tab_offers_what_fits(offers: Any, line: str, wanted: set[str]) -> None:
    found = set(offers(line))
    assert wanted <= found
    if not line.endswith(" "):  # after a blank IPython adds what it knows
        ours = {"resnet-18", "resnet-50", "digits", "champion", "my_images", "my_model"}
        assert found & ours <= wanted


@pytest.mark.parametrize("line", ["%%mlrun r --", "%%mlrun r ", "%mlgate digits --", "%mleval "])
def test_our_words_come_first_and_nothing_foreign(offers: Any, shell: Any, line: str) -> None:
    (Path.cwd() / "--a-file-of-that-folder").touch()
    code = f"{line}\nmore = 1"
    with provisionalcompleter():
        found = [one.text for one in shell.ip.Completer.completions(code, len(line))]
    known = {option for one in commands().values() for option in one.parser.option_names()}
    assert found
    assert set(found) <= known | set(shell.ip.user_ns)


@pytest.mark.parametrize(
    "line",
    [
        *("%%mlrun r --seed ", "%%mlrun r --seed 4", "%%mlrun r --ranks "),
        *("%mlgate digits --margin ", "%mlseed 3 --"),
    ],
)
def test_a_number_is_offered_numbers(offers: Any, shell: Any, line: str) -> None:
    (Path.cwd() / "4-a-file-of-that-folder").touch()
    with provisionalcompleter():
        found = [one.text for one in shell.ip.Completer.completions(line, len(line))]
    assert found
    assert all(word.replace(".", "").isdigit() or word == "--deterministic" for word in found)


def test_python_is_completed_where_we_have_no_word(offers: Any, shell: Any) -> None:
    shell.ip.user_ns["something"] = "text"
    line = "%mlparams something.cap"
    with provisionalcompleter():
        found = [one.text for one in shell.ip.Completer.completions(line, len(line))]
    assert "capitalize" in found


def test_nothing_else_is_offered_for_a_value(offers: Any) -> None:
    assert "--promote" in offers("%mlgate digits --pro")
    assert not [word for word in offers("%mlgate digits --margin ") if word.startswith("--")]


def test_a_store_that_is_away_offers_nothing(offers: Any) -> None:
    mlflow.set_tracking_uri(closed_uri())
    for line in ("%mlgate di", "%mlload digits@", "%mlgrid --run res", "%mlexperiment Def"):
        assert not {"digits", "champion", "resnet-18", "Default"} & set(offers(line))


def test_a_value_may_begin_with_a_minus() -> None:
    line = Line("%m", "x").option("--sort").option("--margin", type=float).option("--soft")
    assert line.read("--sort -loss --margin -0.5").sort == "-loss"
    assert line.read("--margin -0.5 --sort -a").margin == -0.5
    with pytest.raises(Exception, match="expected one argument"):
        line.read("--sort --margin 1")


def test_unloading_takes_all_of_it_away(offers: Any, shell: Any) -> None:
    matchers = shell.ip.Completer.custom_matchers
    assert len(matchers) == 1
    shell.run("%unload_ext cvtrack_magics")
    assert not matchers
    assert "digits/Staging" not in offers("m = %mlload digits/St")


def test_an_ipython_that_asks_nobody_on_tab_has_all_magics(tmp_path: Path, store: str) -> None:
    """As Colab's 7.34; ``make hosts`` tries that one itself."""
    with Kernel(tmp_path, MLFLOW_TRACKING_URI=store) as kernel:
        kernel.run("import IPython.core.completer as c; del c.context_matcher").check()
        kernel.run("%load_ext cvtrack_magics\n%mlexperiment x").check()
        ran = kernel.run("%%mlrun train\nfrom cvtrack_magics import log\nlog(a=1)").check()
        assert "FINISHED train" in ran.text
        kernel.run("%unload_ext cvtrack_magics").check()
