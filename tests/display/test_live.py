"""The live plot in a real kernel: what goes over the wire, and when."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from tests.display.wire import Wire, decoded, is_end


def test_a_push_sends_the_new_points_and_nothing_else(wire: Wire) -> None:
    first, second = wire.run(
        "p = grown_up(); p.push({'a': points(0, [1, 2]), 'b': points(5, [7])});"
        "p.push({'a': points(2, [3])})"
    )
    assert decoded(*first) == {
        "a": [(0, 1.0, 1.7e9), (1, 2.0, 1.7e9 + 1)],
        "b": [(5, 7.0, 1.7e9 + 5)],
    }
    assert decoded(*second) == {"a": [(2, 3.0, 1.7e9 + 2)]}
    assert second[0]["series"] == [{"name": "a", "start": 2, "count": 1, "end": 3}]
    assert second[0]["status"] == "RUNNING"


def test_a_young_plot_repeats_itself_for_a_page_that_is_still_loading(wire: Wire) -> None:
    _, second = wire.run(
        "p = LivePlot('t'); p.push({'a': points(0, [1])}); p.push({'b': points(0, [2])})"
    )
    assert {name: len(rows) for name, rows in decoded(*second).items()} == {"a": 1, "b": 1}
    assert all(entry["start"] == 0 for entry in second[0]["series"])


def test_a_young_plot_with_many_points_does_not(wire: Wire) -> None:
    _, second = wire.run(
        "p = LivePlot('t'); p.push({'a': points(0, [1.0] * 3000)});p.push({'a': points(3000, [2])})"
    )
    assert decoded(*second) == {"a": [(3000, 2.0, 1.7e9 + 3000)]}


def test_what_is_not_a_number_survives(wire: Wire) -> None:
    ((message, buffers),) = wire.run(
        "p = grown_up(); p.push({'a': points(0, [float('nan'), float('inf'), -float('inf')])})"
    )
    nan, high, low = (value for _, value, _ in decoded(message, buffers)["a"])
    assert math.isnan(nan)
    assert (high, low) == (math.inf, -math.inf)


def test_the_last_message_says_how_it_ended(wire: Wire) -> None:
    *_, (message, _) = wire.run(
        "p = grown_up(); p.push({'a': points(0, [1])}); p.finish('FAILED'); p.close()"
    )
    assert message["status"] == "FAILED"


def test_a_view_that_asks_gets_everything(wire: Wire) -> None:
    wire.run("p = grown_up(); p.push({'a': points(0, [1, 2])}); p.push({'a': points(2, [3])})")
    asked = wire.send({"kind": "replay"})
    ((message, buffers),) = wire.messages(lambda got: is_end(got, asked))
    assert message["full"]
    assert [value for _, value, _ in decoded(message, buffers)["a"]] == [1, 2, 3]
    assert message["series"][0]["end"] == 3


def test_a_long_run_is_replayed_thinned_and_goes_on_at_its_true_end(wire: Wire) -> None:
    wire.run("p = grown_up(); p.push({'a': points(0, [0.0] * 70_000 + [9.0] + [0.0] * 9_999)})")
    asked = wire.send({"kind": "replay"})
    ((message, buffers),) = wire.messages(lambda got: is_end(got, asked))
    assert sum(map(len, buffers)) < 1_000_000
    assert 9.0 in [value for _, value, _ in decoded(message, buffers)["a"]]
    assert message["series"][0]["end"] == 80_000


@pytest.mark.parametrize("content", [{"kind": "other"}, "replay", 3, None, {"kind": ["replay"]}])
def test_other_messages_are_left_unanswered(wire: Wire, content: object) -> None:
    wire.run("p = grown_up(); p.push({'a': points(0, [1])})")
    asked = wire.send(content)
    assert wire.messages(lambda got: is_end(got, asked)) == []


def test_a_page_that_reloads_during_a_long_cell_is_answered_at_once(wire: Wire) -> None:
    client = wire.kernel.client
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    reply = client.get_control_msg(timeout=10)
    if reply["content"].get("status") != "ok":
        pytest.skip("this kernel has no subshells")
    subshell = reply["content"]["subshell_id"]
    wire.run("p = grown_up()")
    # The comm was last used by the shell that is busy now, the trap answer_while_busy avoids.
    busy = wire.kernel.start("p.push({'a': points(0, [1])}); print('busy'); time.sleep(4)")
    wire.messages(lambda got: got["msg_type"] == "stream")
    start = time.monotonic()
    asked = wire.send({"kind": "replay"}, subshell)
    ((message, _),) = wire.messages(lambda got: is_end(got, asked))
    assert message["full"]
    assert time.monotonic() - start < 2
    wire.messages(lambda got: is_end(got, busy))


def test_many_threads_lose_and_mix_nothing(wire: Wire) -> None:
    sent = wire.run(
        """
p = grown_up()
def work(name):
    for i in range(50):
        p.push({name: points(i, [float(i)])})
threads = [threading.Thread(target=work, args=(f"m{k}",)) for k in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
p.finish("FINISHED"); time.sleep(0.5)
"""
    )
    seen: dict[str, list[float]] = {}
    for message, buffers in sent[:-1]:
        (entry,) = message["series"]
        assert entry["start"] == len(seen.setdefault(entry["name"], []))
        seen[entry["name"]] += [v for _, v, _ in decoded(message, buffers)[entry["name"]]]
    assert seen == {f"m{k}": [float(i) for i in range(50)] for k in range(6)}


def test_a_push_costs_the_same_after_a_long_run(wire: Wire) -> None:
    code = """
import sys
p = grown_up(); calls = []
for i in range(200):
    fresh = {f"metric{k}": points(i * 20, [0.5] * 20) for k in range(10)}
    count = [0]
    sys.setprofile(lambda *event: count.__setitem__(0, count[0] + 1))
    p.push(fresh)
    sys.setprofile(None)
    calls.append(count[0])
first, last = sorted(calls[5:55])[25], sorted(calls[-50:])[25]
assert 0 < last <= 1.1 * first, (first, last)
assert last < 10_000, last
"""
    wire.run(code)


def test_what_is_displayed(wire: Wire) -> None:
    wire.run(
        "p = LivePlot('my run'); bundle = p.mimebundle();"
        "view = 'application/vnd.jupyter.widget-view+json';"
        "assert set(bundle) == {'text/plain', view};"
        "assert bundle[view]['model_id'] == p._widget.model_id;"
        "assert 'my run' in bundle['text/plain']"
    )


def test_which_front_ends_need_a_displayed_view(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from cvtrack_magics.display.plot_widget import needs_view

    monkeypatch.delenv("VSCODE_PID", raising=False)
    monkeypatch.setenv("JPY_SESSION_NAME", "/x.ipynb")
    assert not needs_view()
    monkeypatch.setenv("VSCODE_PID", "1")  # a JupyterLab started in a terminal of VS Code
    assert not needs_view()
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert needs_view()
    monkeypatch.delenv("VSCODE_PID")
    assert not needs_view()
    monkeypatch.setattr(sys.modules["__main__"], "__vsc_ipynb_file__", "/x.ipynb", raising=False)
    assert needs_view()
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    assert needs_view()


def test_without_a_kernel_everything_is_quiet(tmp_path: Path) -> None:
    from cvtrack_magics.delivery.series import Series
    from cvtrack_magics.display.live import LivePlot

    plot = LivePlot("t")
    plot.push({"a": Series()})
    plot.finish("KILLED")
    plot.close()
    plot.push({})


def test_a_plot_that_is_closed_leaves_nothing_behind(wire: Wire) -> None:
    """Also not the layout, which is a widget of its own: a notebook may have many runs."""
    wire.run("""
from ipywidgets.widgets import widget
open_before = set(widget._instances), set(widget.comm.get_comm_manager().comms)
for _ in range(20):
    p = grown_up(); p.push({'a': points(0, [1])}); p.finish('FINISHED'); p.close(); p.close()
open_after = set(widget._instances), set(widget.comm.get_comm_manager().comms)
assert open_after == open_before, open_after
""")
