"""Clicks, progress, notes and other runs in a real kernel: what goes over the wire."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.display.wire import Wire, decoded, is_end

ACTED = """
done = []
p = LivePlot('t', on_action=lambda action, text: done.append((action, text,
    threading.current_thread() is threading.main_thread())))
"""


@pytest.fixture
def subshell(wire: Wire) -> str:
    client = wire.kernel.client
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    reply = client.get_control_msg(timeout=10)
    if reply["content"].get("status") != "ok":
        pytest.skip("this kernel has no subshells")
    return str(reply["content"]["subshell_id"])


def answers(wire: Wire, content: object, subshell: str | None = None) -> list[dict[str, Any]]:
    asked = wire.send(content, subshell)
    return [message for message, _ in wire.messages(lambda got: is_end(got, asked))]


def printed(wire: Wire, code: str) -> Any:
    ran = wire.kernel.run(f"import json; print(json.dumps({code}))").check()
    return json.loads(ran.text)


PAGES_CHOICE = "p._widget.comm._reply_subshell_for = lambda data, chosen: chosen"  # no own one


def test_a_greeting_is_answered_off_the_main_thread_only(wire: Wire, subshell: str) -> None:
    wire.run(ACTED + PAGES_CHOICE)
    assert answers(wire, {"kind": "hello"}) == []
    assert answers(wire, {"kind": "hello"}, subshell) == [
        {"kind": "live", "actions": ["stop", "pause", "mark"]}
    ]
    offers = "p.offer({'mark'}); p.offer(['mark']); p.offer(['mark', 'fly'])"
    assert [message for message, _ in wire.run(offers)] == [{"kind": "live", "actions": ["mark"]}]
    wire.run("p.finish('FINISHED')")
    assert answers(wire, {"kind": "hello"}, subshell) == []


def test_a_page_that_knows_no_subshells_reaches_a_cell_that_is_busy(wire: Wire) -> None:
    """As VS Code's, which says that it supports none, and older notebooks'."""
    wire.run(ACTED)
    busy = wire.kernel.start(
        "print('busy'); end = time.time() + 20\n"
        "while not done and time.time() < end: time.sleep(0.01)\n"
        "p.finish('FINISHED')"
    )
    wire.messages(lambda got: got["msg_type"] == "stream")
    assert answers(wire, {"kind": "hello"}) == [
        {"kind": "live", "actions": ["stop", "pause", "mark"]}
    ]
    wire.send({"kind": "action", "action": "stop"})
    wire.messages(lambda got: is_end(got, busy))
    assert printed(wire, "done") == [["stop", "", False]]


def test_all_plots_of_a_kernel_are_heard_on_one_thread_that_is_opened_anew(wire: Wire) -> None:
    count = "len(get_ipython().kernel.shell_channel_thread.manager.list_subshell())"
    before = printed(wire, count)
    for _ in range(3):
        wire.run(ACTED)
        assert answers(wire, {"kind": "hello"}) != []
    opened = printed(wire, count)
    assert opened <= before + 1
    wire.run("from cvtrack_magics.display import busy_kernel\n(own,) = busy_kernel._own.values()")
    client = wire.kernel.client
    client.control_channel.send(
        client.session.msg("delete_subshell_request", {"subshell_id": printed(wire, "own")})
    )
    assert client.get_control_msg(timeout=10)["content"]["status"] == "ok"
    assert answers(wire, {"kind": "hello"}) != []
    assert printed(wire, count) == opened


def test_nothing_is_offered_to_a_page_that_did_not_greet(wire: Wire) -> None:
    assert wire.run(ACTED + "p.offer({'mark'})") == []


def test_a_click_reaches_a_cell_that_is_busy(wire: Wire, subshell: str) -> None:
    wire.run(ACTED)
    busy = wire.kernel.start(
        "p.push({'a': points(0, [1])}); print('busy'); end = time.time() + 8\n"
        "while not done and time.time() < end: time.sleep(0.01)\n"
        "p.control('stopping'); print(done)"
    )
    wire.messages(lambda got: got["msg_type"] == "stream")
    start = time.monotonic()
    wire.send({"kind": "action", "action": "stop"}, subshell)
    seen = wire.messages(lambda got: is_end(got, busy))
    assert time.monotonic() - start < 2
    assert printed(wire, "done") == [["stop", "", False]]
    assert seen[-1][0]["state"] == {"control": {"state": "stopping", "note": ""}}


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "action", "action": "fly", "text": ""},
        {"kind": "action", "action": ["stop"], "text": ""},
        {"kind": "action", "action": "mark", "text": 3},
        {"kind": "action"},
        {"kind": "action", "action": "pause", "text": ""},
        {"kind": "action", "action": "resume", "text": ""},
    ],
)
def test_a_click_that_was_not_offered_does_nothing(wire: Wire, content: object) -> None:
    wire.run(ACTED + "p.offer({'stop', 'mark'})")
    assert answers(wire, content) == []
    assert printed(wire, "done") == []


def test_a_note_is_cut_and_an_error_of_the_callback_stays_inside(wire: Wire) -> None:
    wire.run(ACTED)
    answers(wire, {"kind": "action", "action": "mark", "text": "\x1b[31m" + "x" * 9000})
    ((action, text, _),) = printed(wire, "done")
    assert (action, len(text), text[:5]) == ("mark", 500, "[31mx")
    wire.run("def boom(*_): raise RuntimeError\np = LivePlot('t', on_action=boom)")
    assert answers(wire, {"kind": "action", "action": "stop"}) == []
    wire.run(ACTED + "p.finish('FINISHED')")
    answers(wire, {"kind": "action", "action": "stop"})
    assert printed(wire, "done") == []


def test_a_callback_may_call_the_plot(wire: Wire) -> None:
    wire.run("p = LivePlot('t', on_action=lambda action, text: p.mark(3, text))")
    (answer,) = answers(wire, {"kind": "action", "action": "mark", "text": "n"})
    (mark,) = answer["state"]["marks"]
    assert (mark["step"], mark["text"]) == (3, "n")


def test_a_reloaded_page_gets_all_that_was_shown(wire: Wire) -> None:
    wire.run(
        """
from cvtrack_magics.display.progress import Bar
p = grown_up(); p.push({'a': points(0, [1, 2])})
p.overlay('old', {'a': points(0, [5, 6])}); p.baseline('best', {'a': 3, 'b': float('nan')})
p.usage({'cpu_percent': points(0, [50])}); p.mark(1, 'here'); p.control('paused', 'at step 1')
p.progress([Bar('e', 'epoch', 1, 2, 1.0, float('nan'))])
"""
    )
    asked = wire.send({"kind": "replay"})
    run, overlay, usage = wire.messages(lambda got: is_end(got, asked))
    state = run[0]["state"]
    assert state["baselines"] == [{"label": "best", "values": [["a", 3.0]]}]
    assert state["control"] == {"state": "paused", "note": "at step 1"}
    assert state["bars"][0]["figures"] == "1/2"
    assert [mark["text"] for mark in state["marks"]] == ["here"]
    assert (overlay[0]["family"], overlay[0]["label"]) == ("overlay", "old")
    assert [value for _, value, _ in decoded(*overlay)["a"]] == [5, 6]
    assert list(decoded(*usage)) == ["cpu_percent"]
    assert all(message["full"] for message, _ in (run, overlay, usage))


def test_a_young_plot_repeats_what_stands_beside_it(wire: Wire) -> None:
    *_, (last, _) = wire.run("p = LivePlot('t'); p.mark(0, 'n'); p.push({'a': points(0, [1])})")
    assert last["state"]["marks"][0]["text"] == "n"


def test_another_run_comes_whole_in_parts_or_anew(wire: Wire) -> None:
    whole, more, again, tail, other = wire.run(
        "p = grown_up(); p.overlay('o', {'a': points(0, [1, 2])});"
        "p.overlay('o', {'a': points(0, [1, 2, 3])}); p.overlay('o', {'a': points(0, [1, 2, 3])});"
        "p.overlay('o', {'a': points(3, [4])});"
        "changed = points(0, [1, 2]); changed.steps[1] = 9; p.overlay('o', {'a': changed})"
    )
    sent = [[v for _, v, _ in decoded(*one)["a"]] for one in (whole, more, again, tail, other)]
    assert sent == [[1, 2], [3], [], [4], [1, 2]]
    assert [one[0]["full"] for one in (whole, more, again, tail, other)] == [False] * 4 + [True]
    assert tail[0]["series"] == [{"name": "a", "start": 3, "count": 1, "end": 4}]


def test_a_flood_is_thinned_and_counted(wire: Wire) -> None:
    sent = wire.run(
        """
p = grown_up(); values = [0.0] * 125_000; values[77_777] = 9.0; values[88_888] = float('nan')
for at in range(8):
    p.push({f'm{k}': points(at * 125_000, values) for k in range(4)})
"""
    )
    assert sum(len(buffer) for _, buffers in sent for buffer in buffers) < 3_000_000
    for at, (message, buffers) in enumerate(sent):
        assert message["thinned"]
        assert [e["end"] for e in message["series"]] == [(at + 1) * 125_000] * 4
        assert [column["name"] for column in message["columns"]][-1] == "rows"
        rows = memoryview(buffers[3]).cast("q").tolist()
        values = memoryview(buffers[1]).cast("d").tolist()
        assert {rows[i] - at * 125_000 for i, v in enumerate(values) if v == 9} == {77_777}
        assert {rows[i] - at * 125_000 for i, v in enumerate(values) if v != v} == {88_888}


def test_progress_is_not_sent_a_thousand_times_a_second(wire: Wire) -> None:
    sent = wire.run(
        """
from cvtrack_magics.display.progress import Bar
p = grown_up()
for i in range(1000):
    p.progress([Bar('e', 'epoch', i + 1, 1000, i, 10.0)])
p.push({'a': points(0, [1])})
"""
    )
    assert len(sent) < 30
    assert sent[-1][0]["state"]["bars"][0]["done"] == 1000


def test_a_push_with_four_million_points_behind_it_is_quick(wire: Wire) -> None:
    code = """
from cvtrack_magics.delivery.series import Series
p = grown_up(); import array
p.push({k: Series(array.array('q', range(10**6)), array.array('d', bytes(8 * 10**6)),
        array.array('d', bytes(8 * 10**6))) for k in 'abcd'})
took = []
for i in range(100):
    fresh = {k: points(10**6 + 10 * i, [0.5] * 10) for k in 'abcd'}
    start = time.perf_counter(); p.push(fresh); took.append(1e3 * (time.perf_counter() - start))
    time.sleep(0.002)
"""
    wire.run(code)
    median = printed(wire, "sorted(took)[50]")
    print(f"push with 4 x 1,000,000 points behind it: {median:.3f} ms")
    assert median < 5  # 1 ms on an idle machine


def test_without_a_front_end_nothing_raises() -> None:
    from cvtrack_magics.delivery.series import Series
    from cvtrack_magics.display.live import LivePlot
    from cvtrack_magics.display.progress import Bar

    plot = LivePlot("t")
    plot._widget.send = None  # whatever goes wrong on the way
    plot.push({"a": Series()})
    plot.usage({"cpu_percent": Series()})
    plot.overlay("o", {"a": Series()})
    plot.overlay("o", {})
    plot.baseline("b", {"a": 1})
    plot.mark(1, "x")
    plot.progress([Bar("e", "", 0, 0, 0, 0)])
    plot.control("paused")
    plot.offer(())
    plot._asked(None, {"kind": "replay"}, [])
    plot._asked(None, {"kind": ["hello"]}, [])
    plot.finish("FINISHED")
    plot.close()
    plot.close()
    assert [mark.text for mark in plot.marks] == ["x"]
    assert (dict(plot.baselines), list(plot.overlays)) == ({"b": {"a": 1.0}}, ["o"])
