"""Chromium with a page that knows our front end, and a kernel with its messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.display.pages import HARNESS, serve
from tests.display.wire import SETUP, Wire
from tests.kernels import Kernel
from tests.lab import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api")
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    complaints: list[str] = []

    def note(message: Any) -> None:
        # The tests read pixels back, which is what Chromium would like to hear of in advance.
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.route("**/*", serve)
    page.goto("http://plot.test/")
    page.evaluate(HARNESS + "0")
    yield page
    page.close()
    assert complaints == []


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with Kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        wire = Wire(kernel)
        wire.run(SETUP)
        yield wire
