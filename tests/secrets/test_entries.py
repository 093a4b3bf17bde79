"""Entries below a name for many secrets, lines of ``.pgpass`` at any port, keys of telemetry."""

from __future__ import annotations

import pytest

from cvtrack_magics.secrets import Masker
from tests.secrets.shapes import KEY, PASSWORD
from tests.secrets.written import WORD

OTHER = KEY[::-1]
GUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
HELD = (KEY, OTHER, PASSWORD, WORD, GUID)

FORMS = {
    "two below secrets": f"secrets:\n  - {KEY}\n  - {OTHER}\n",
    "two passwords": f"secrets:\n  - {PASSWORD}\n  - {KEY}\n",
    "quoted": f"secrets:\n  - \"{KEY}\"\n  - '{OTHER}'\n",
    "quoted passwords": f"passwords:\n  - \"{PASSWORD}\"\n  - '{KEY}'\n",
    "nested": f"app:\n  secrets:\n    - {KEY}\n    - {OTHER}\n",
    "in a flow": f"secrets: [{KEY}, {OTHER}]\n",
    "at the margin": f"tokens:\n- {KEY}\n- {OTHER}\n",
    "api_keys": f"api_keys:\n  - {KEY}\n  - {OTHER}\n",
    "named values": f"secrets:\n  - name: a\n    value: {KEY}\n  - name: b\n    value: {OTHER}\n",
    "a map": f"secrets:\n  db: {PASSWORD}\n  api: {KEY}\n",
    "maps in a list": f"secrets:\n  - db: {PASSWORD}\n  - api: {KEY}\n",
    "comments": f"secrets:  # two\n  - {KEY}  # a\n  - {OTHER}\n",
    "windows": f"secrets:\r\n  - {KEY}\r\n  - {OTHER}\r\n",
    "pgpass port": f"db.example:5499:shop:bob:{PASSWORD}\n",
    "pgpass address": f"10.0.0.5:7432:*:bob:{PASSWORD}\n",
    "pgpass IPv6": f"[::1]:7432:*:bob:{PASSWORD}\n",
    "pgpass word": f"localhost:54321:shop:postgres:{WORD}\n",
    "pgpass all": f"*:9999:*:*:{PASSWORD}\n",
    "pgpass socket": f"/var/run/postgresql:5999:shop:bob:{PASSWORD}\n",
    "pgpass in code": f'line = "db.example:5499:shop:bob:{PASSWORD}"',
    "instrumentation key": f"InstrumentationKey={GUID};IngestionEndpoint=https://x.example/",
    "of YAML": f"instrumentationKey: {GUID}\n",
    "of the environment": f"APPINSIGHTS_INSTRUMENTATIONKEY={GUID}",
    "of JSON": f'"InstrumentationKey": "{GUID}"',
    "plain for Dovecot": f"bob:{{PLAIN}}{PASSWORD}",
}
STAY = (
    "secrets:\n  - db_password\n  - api_token\n",
    "services:\n  web:\n    secrets:\n      - source: db_password\n        target: /run/db\n",
    "secrets:\n  db_password:\n    file: ./db_password.txt\n",
    "secrets: inherit\n",
    "secrets:\n  TOKEN: ${{ secrets.TOKEN }}\n",
    "secrets: [db_password, api_token]\nimage: sha256-9f8Kd02jQpLx7ZtR\n",
    f"secrets:\n  - db_password\ndigest: {KEY}\n",
    "tokens:\n  - '<pad>'\n  - unk_token\n",
    "special_tokens:\n- <s>\n- </s>\n- <unk>\n",
    f"InstrumentationKeyName={GUID}",
    f"operation_Id: {GUID}",
    "train.py:1200:fit:INFO:loss0.25below",
    "model.trainer:1200:30:5:value9",
    "trainer:1200:fit:INFO:loss",
    "2026-11-30T10:15:30:120:shop",
    "10.0.0.5:7432:12:30:value9",
)


@pytest.mark.parametrize("form", FORMS)
def test_none_is_left(form: str) -> None:
    masked = Masker(alone=True).mask(FORMS[form]).text
    assert not [part for part in HELD if part in masked]
    assert masked.count("\n") == FORMS[form].count("\n")
    assert Masker(alone=True).mask(masked).text == masked


@pytest.mark.parametrize("text", STAY)
def test_what_only_looks_so_stays(text: str) -> None:
    assert Masker(alone=True).mask(text).text == text
