"""Who waits for whom, and for how long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from cvtrack_magics.errors import PromotionBusy, PromotionLost, UsageProblem
from cvtrack_magics.release.promotion import Terms, repair
from cvtrack_magics.release.promotion.lock import silent, turn
from cvtrack_magics.release.promotion.tickets import (
    CHOOSING,
    PREFIX,
    Ticket,
    decode,
    is_running,
    new_ticket,
    start_of,
)
from cvtrack_magics.store.registry import Registry
from tests.release.promotion.models import new_model

SOON = Terms(wait=0.3)
LEASE = Terms(wait=60, lease=4.0)


@pytest.fixture
def name(registry: Registry) -> str:
    """A registered model."""
    return new_model(registry.uri, 1)


def leave_ticket(registry: Registry, name: str, **changes: object) -> Ticket:
    """Put a ticket there as another process would."""
    ticket = replace(new_ticket("zoe", time.time()), **{"number": 1, **changes})
    registry.set_tag(name, ticket.key, ticket.encode())
    return ticket


def dead_pid() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def tickets(registry: Registry, name: str) -> list[str]:
    """Return the keys of all tickets."""
    return [key for key in registry.tags(name) if key.startswith(PREFIX)]


def test_a_ticket_comes_back_as_it_was_written() -> None:
    ticket = new_ticket("ana", 12.5)
    assert decode(ticket.key, ticket.encode()) == ticket
    assert is_running(ticket)


def test_turns_are_one_after_the_other(registry: Registry, name: str) -> None:
    inside: list[str] = []
    most = []

    def act(who: str) -> None:
        with turn(Registry(registry.uri), name, who, Terms(), silent):
            inside.append(who)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(who)

    threads = [threading.Thread(target=act, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4
    assert tickets(registry, name) == []


def test_a_living_holder_is_waited_for_and_named(registry: Registry, name: str) -> None:
    said: list[str] = []
    with turn(registry, name, "zoe", Terms(), silent):
        holder = f"zoe (process {os.getpid()} on "
        with pytest.raises(PromotionBusy) as caught:
            repair(registry, name, who="ana", step=said.append, terms=SOON)
    (line,) = caught.value._render_traceback_()
    assert f"Another promotion of {name!r} is under way: {holder}" in line
    assert "end that process" in line
    assert any(step.startswith(f"waits for {holder}") for step in said)
    assert tickets(registry, name) == []
    assert repair(registry, name, who="ana", terms=SOON) == ()


@pytest.mark.parametrize("number", [CHOOSING, 1])
def test_a_dead_holder_is_not_waited_for(registry: Registry, name: str, number: int) -> None:
    leave_ticket(registry, name, pid=dead_pid(), number=number)
    assert repair(registry, name, who="ana", terms=SOON) == ()
    assert tickets(registry, name) == []


def test_a_process_id_used_again_is_another_process(registry: Registry, name: str) -> None:
    started = start_of(os.getpid())
    assert started is not None
    leave_ticket(registry, name, started=started - 100)
    assert repair(registry, name, who="ana", terms=SOON) == ()


def test_a_zombie_is_dead(registry: Registry, name: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticket = leave_ticket(registry, name, pid=process.pid, started=start_of(process.pid))
    assert is_running(ticket)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_running(ticket)
    assert repair(registry, name, who="ana", terms=SOON) == ()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def test_a_ticket_left_behind_by_a_living_process_is_abandoned_one_day(
    registry: Registry, name: str
) -> None:
    leave_ticket(registry, name, seen=time.time() - 1000)
    assert repair(registry, name, who="ana", terms=SOON) == ()
    leave_ticket(registry, name, seen=time.time() - 100)
    with pytest.raises(PromotionBusy):
        repair(registry, name, who="ana", terms=SOON)


def test_a_ticket_of_another_host_has_a_lease(registry: Registry, name: str) -> None:
    leave_ticket(registry, name, place="elsewhere", host="gpu7", pid=dead_pid(), seen=0.0)
    with pytest.raises(PromotionBusy, match="on gpu7"):
        repair(registry, name, who="ana", terms=SOON)
    began = time.monotonic()
    assert repair(registry, name, who="ana", terms=LEASE) == ()
    assert time.monotonic() - began > LEASE.lease
    assert tickets(registry, name) == []


def test_a_sign_of_life_from_another_host_renews_its_lease(registry: Registry, name: str) -> None:
    ticket = leave_ticket(registry, name, place="elsewhere", host="gpu7")
    over = threading.Event()

    def beat() -> None:
        other = Registry(registry.uri)
        for n in range(1, 1000):
            if over.wait(0.1):
                return
            other.set_tag(name, ticket.key, replace(ticket, beat=n).encode())

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(PromotionBusy, match="on gpu7"):
            repair(registry, name, who="ana", terms=replace(LEASE, wait=6))
    finally:
        over.set()
        thread.join()


def test_tickets_nobody_understands_have_a_lease(registry: Registry, name: str) -> None:
    values = ["<script>", "[" * 4000, "{}", '{"number": 1e400}', '{"number": 1, "pid": -1}']
    for n, value in enumerate(values):
        registry.set_tag(name, f"{PREFIX}{n}", value)
    with pytest.raises(PromotionBusy, match="under way: somebody"):
        repair(registry, name, who="ana", terms=SOON)
    assert repair(registry, name, who="ana", terms=LEASE) == ()
    assert tickets(registry, name) == []


def test_who_slept_too_long_has_lost_its_turn(registry: Registry, name: str) -> None:
    with turn(registry, name, "ana", Terms(lease=4), silent) as mine:
        time.sleep(2.1)
        with pytest.raises(PromotionLost, match="gave its turn up"):
            mine.renew()


def test_whose_ticket_was_taken_away_has_lost_its_turn(registry: Registry, name: str) -> None:
    with turn(registry, name, "ana", Terms(lease=4), silent) as mine:
        for key in tickets(registry, name):
            registry.delete_tag(name, key)
        time.sleep(0.5)
        with pytest.raises(PromotionLost):
            mine.renew()
    assert tickets(registry, name) == []


def test_a_recent_sign_of_life_is_not_repeated(registry: Registry, name: str) -> None:
    with turn(registry, name, "ana", Terms(lease=20), silent) as mine:
        before = registry.tags(name)
        mine.renew()
        assert registry.tags(name) == before
        time.sleep(2.1)
        mine.renew()
        assert registry.tags(name) != before


def test_later_tickets_do_not_overtake(registry: Registry, name: str) -> None:
    with turn(registry, name, "ana", Terms(), silent):
        leave_ticket(registry, name, number=50)
    with pytest.raises(PromotionBusy):  # the higher number was there first
        repair(registry, name, who="bob", terms=SOON)


def test_no_turn_at_a_model_that_does_not_exist(registry: Registry) -> None:
    with pytest.raises(UsageProblem):
        repair(registry, "nobody", who="ana")
