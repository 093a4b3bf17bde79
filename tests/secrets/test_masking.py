"""Secrets are masked by value, whatever their format and place; all else stays as it is."""

from __future__ import annotations

import ast
import importlib.util
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from cvtrack_magics.records import Artifact
from cvtrack_magics.redact import redact
from cvtrack_magics.secrets import Masker, looks_secret
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.secrets.tokens import rules
from tests.secrets.files import FILES, PASSWORD_64, WORD_64
from tests.secrets.harmless import HARMLESS
from tests.secrets.lines import HELD, LINES, PARTS_OF, STAYS
from tests.secrets.shapes import KEY, PARTS, PASSWORD, SHAPES
from tests.secrets.tokens import BY_PLACE, HIDDEN_PARTS, TOKENS, drawn
from tests.secrets.usual import USUAL
from tests.secrets.written import ENCODED, PHRASE, WORD, WRITTEN

PLACES = {
    "code": "x = '{}'\n",
    "print": "using {} now\n",
    "end of a line": "token is {}",
    "json": '{{"a": "{}"}}',
    "call": "login('{}')\n",
    "error": "ValueError: bad credential {}: refused",
    "listing": "['{}', 'b']",
    "after an escape": "a\\n{}\\nb",
    "shell": "!tool {} --x\n",
    "markdown": "`{}`",
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_is_masked_wherever_it_stands(kind: str) -> None:
    token = TOKENS[kind]
    for place, frame in PLACES.items():
        masked = Masker().mask(frame.format(token))
        assert token not in masked.text, place
        assert masked.found, place
        before, _, after = frame.format("\0").partition("\0")
        assert masked.text.startswith(before.rstrip("'")), place
        assert masked.text.endswith(after.lstrip("'")), place


@pytest.mark.parametrize("place", BY_PLACE)
def test_a_secret_is_known_by_its_place(place: str) -> None:
    check_is_masked(BY_PLACE[place], HIDDEN_PARTS)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_is_known_by_the_name_beside_it(shape: str) -> None:
    text = SHAPES[shape]
    masked = check_is_masked(text, PARTS)
    if '"' in text:  # what is bare is no code
        assert _parses(masked) == _parses(text)


@pytest.mark.parametrize("text", [*WRITTEN.values(), *FILES.values()], ids=[*WRITTEN, *FILES])
def test_a_secret_is_known_by_how_it_is_kept(text: str) -> None:
    check_is_masked(text, (PASSWORD, KEY, WORD, PHRASE, ENCODED, PASSWORD_64, WORD_64, "12345678"))


@pytest.mark.parametrize("text", LINES)
def test_a_secret_is_known_by_the_grammar_around_it(text: str) -> None:
    check_is_masked(text, HELD)


@pytest.mark.parametrize("form", PARTS_OF)
def test_code_whose_parts_are_masked_is_code(form: str) -> None:
    assert _parses(Masker().mask(PARTS_OF[form]).text)


@pytest.mark.parametrize("line", STAYS)
def test_commands_and_cells_without_secrets_stay(line: str) -> None:
    assert Masker().mask(line).text == line


SETTINGS = ["a.ini", "a.cfg", "a.conf", "a.properties", ".env", "a.env", "a.toml", "x/a.INI"]


@pytest.mark.parametrize("line", [f"password = {WORD}", f"password={WORD}", f"pwd = {PHRASE} # x"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_file_of_settings_has_values_and_no_variables(name: str, line: str) -> None:
    masker = RecordMasker(Masker())
    (kept,) = masker.records([Artifact(f"configs/{name}", f"user = bob\n{line}\n")])
    assert WORD not in repr(kept)
    assert PHRASE not in repr(kept)
    code = Artifact("code/cell.py", f"user = bob\n{line}\n")
    assert RecordMasker(Masker()).records([code]) == [code]


def check_is_masked(text: str, parts: Sequence[str]) -> str:
    masked = Masker().mask(text)
    assert masked.found
    assert not [part for part in parts if part in masked.text]
    assert masked.text.count("\n") == text.count("\n")
    assert Masker().mask(masked.text).text == masked.text
    return masked.text


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def test_formats_are_many_and_each_pattern_has_an_end() -> None:
    assert len(rules()) >= 60
    for rule in rules():
        assert not any(sign in rule.pattern.pattern for sign in ("*", "]+", ")+", ",}")), rule.name


@pytest.mark.parametrize("line", [*USUAL, *HARMLESS])
def test_usual_lines_stay(line: str) -> None:
    assert Masker().mask(line).text == line


def test_usual_lines_are_many_and_stay_together() -> None:
    for lines in (USUAL, HARMLESS):
        text = "\n".join(lines)
        assert len(lines) >= 100
        assert Masker().mask(text).text == text


def test_code_of_libraries_stays_the_same_program() -> None:
    """At most one file in a thousand is changed; their tests, with passwords, are left aside."""
    found = importlib.util.find_spec("torchvision")
    roots = [Path(sysconfig.get_path("stdlib")), Path(str(found and found.origin)).parent]
    files = [
        path
        for root in roots
        for path in sorted(root.rglob("*.py"))
        if not {"site-packages", "dist-packages", "test", "tests", "lib2to3", "idlelib"}
        & set(path.relative_to(root).parts)
    ]
    changed = []
    for path in files:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        masked = Masker().mask(text).text
        if masked != text and ast.dump(ast.parse(masked)) != ast.dump(ast.parse(text)):
            changed.append(path.name)
    assert len(files) > 500
    assert len(changed) <= len(files) / 1000, changed


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("pwd", "/home/me", False),
        ("n_tokens", "auto", False),
        ("private_key_frames", 2, False),
        ("token_dim", 384, False),
        ("secret_file", "/run/secrets/x", False),
        ("password_field_width", 12, False),
        ("key_dim", 64, False),
        ("token", "mean", False),
        ("use_token", "yes", False),
        ("sort_key", "val/acc", False),
        ("DB_PASSWORD_PROD", "x1", True),
        ("aws_secret_access_key", "x1", True),
        ("hub.access_token", "x1", True),
        ("db.pwd", "hunter2", True),
    ],
)
def test_names(key: str, value: object, secret: bool) -> None:
    assert looks_secret(key, value) is secret


def test_a_value_that_its_name_gave_away_is_masked_where_it_is_bare() -> None:
    masker = Masker()
    masker.mask('password = "hunter2Hunter7"')
    assert masker.mask("it is hunter2Hunter7!").text == "it is ***password***!"


def test_values_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    value = "kd82kqpw93jf"
    monkeypatch.setenv("MY_API_TOKEN", value)
    monkeypatch.setenv("CI_SECRET_STAGE", "development")
    monkeypatch.setenv("SSH_TOKEN", "/tmp/agent.123")
    text = f"got {value} in development at /tmp/agent.123"
    expected = "got ***env:MY_API_TOKEN*** in development at /tmp/agent.123"
    assert Masker().mask(text).text == expected


def test_settings() -> None:
    token, line = TOKENS["hf"], "password = 'abc'"
    assert Masker("off").mask(token).text == token
    assert Masker("on", ["hf"]).mask(token).text == token
    assert Masker("on", ["hf_*"]).mask(token).text == token
    assert Masker("on", ["github"]).mask(token).text == "***hf***"
    assert Masker().mask(line).text == line
    assert Masker("strict").mask(line).text == "password = '***password***'"


HOSTILE = {
    **{f"{part!r}": part for part in ("a", "-", "a:", "@", "a@a:b", '"', "'", "\\", " ", "\n")},
    **{f"{part!r}": part for part in ("http://", "http://a:b@", "a://b:c/@", "&token=", "://")},
    **{f"{part!r}": part for part in ("token ", 'token="', "password", "key.", "secret: ")},
    **{f"{part!r}": part for part in ("eyJ", "eyJaaaaaaaaaaaa.", "sk-", " sk-a1", ".G", ":AA")},
    **{f"{part!r}": part for part in ("AZDO", "-us1", "Q~", ".atlasv1.", "wandb key ", "curl ")},
    **{f"{part!r}": part for part in ("-----BEGIN PRIVATE KEY-----", "login ", "deadbeef01")},
    **{f"{part!r}": part for part in ("пароль=", "&quot;password", "\x1b[1mpassword=", "echo a|")},
    **{f"{part!r}": part for part in ("password + ", "name: password\nvalue: ", "Fernet(", "a$")},
    **{f"{part!r}": part for part in ("uthorization: ", "{", "+a\n-b\n", "@@ -1 +1 @@\n", "İ")},
    **{
        f"{part!r}": part
        for part in ("a,password\n", "password,", 'a,password\n",', "a  password\n")
    },
    **{f"{part!r}": part for part in ("a|password\n|--\n", "password;", "\tpassword", 'pw,"')},
    **{
        f"{part!r}": part
        for part in ("[a]\npassword = b\n", "password=bcdefgh\n", "a.password=bcdefgh\n")
    },
    **{
        f"{part!r}": part for part in ("password = bcd efg 7\n", "password <- ", '"a" -> password ')
    },
    **{
        f"{part!r}": part
        for part in ("<password ", "<name>password</name>\n", '<a name="password">')
    },
    **{
        f"{part!r}": part for part in ("kind: Secret\n", "kind: Secret\ndata:\n a: bcde\n", "\n---")
    },
    **{
        f"{part!r}": part
        for part in ("machine a login b ", "a:*:b:c:", ":5432:", "zip -P ", "gpg ")
    },
    **{
        f"{part!r}": part
        for part in ("password%3D", "%253D", "%22", "\\u0026pass=", "docker login ")
    },
    **{
        f"{part!r}": part
        for part in ("password: <%= a || ", "password: ${A:-b", "password = <<E\n")
    },
    **{
        f"{part!r}": part
        for part in ('variable "password" {', "password:\n default: ", "mdp=", "$6$a$")
    },
    **{
        f"{part!r}": part
        for part in (
            "curl -u a:b ",
            "net use ",
            "vault kv put a=b ",
            '"a" + ',
            '"a", ',
            "| password ",
        )
    },
    **{
        f"{part!r}": part
        for part in (
            "password:\n",
            "{password, ",
            "(setq password ",
            "<td>password</td>",
            "assword'",
        )
    },
    **{
        f"{part!r}": part
        for part in (
            "INSERT INTO a (b) VALUES (",
            "insert into a (password) values ('b'),",
            "su <<< ",
        )
    },
    **{
        f"{part!r}": part
        for part in (
            "<thead><th>password",
            "<tbody>",
            "<thead>password<tbody><td>",
            "a</table><thead>",
        )
    },
    **{
        f"{part!r}": part
        for part in ("ConvertTo-SecureString ", "password As a =", "api.key=", "?key=")
    },
}


@pytest.mark.parametrize("part", HOSTILE.values(), ids=HOSTILE)
def test_work_grows_with_the_text(part: str) -> None:
    """Counts our lines that run: of eight times the text at most some twelve times as many."""
    small, large = (_work(part * (size // len(part))) for size in (4_000, 32_000))
    assert large < 12 * small + 2_000


def _work(text: str) -> int:
    import sys

    count = 0

    def step(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += 1
        return step

    masker = Masker()
    masker.mask("warm")
    sys.settrace(step)  # type: ignore[arg-type]
    try:
        masker.mask(text)
        redact(text)
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize(
    "part",
    [
        *("a", "deadbeef01", "http://a:b@", "-----BEGIN ", "a" * 99 + "://", "password="),
        *("\x1b[1mpw='", "a,password\n", 'password,a\nb,"', "a  password\n", 'password,b\n","'),
        *("[a]\npassword = bcdefgh\n", "kind: Secret\ndata:\n  a: bcde\n", "password = ab cd 7\n"),
        *("<password ", "password%3D", "machine a login b ", "zip ", "a:*:b:c:", "password <- "),
        *('variable "password" {', "password: <%= ", "password = <<E\n", "пароль=", "$6$a$"),
    ],
)
def test_a_megabyte_of_it_ends(part: str) -> None:
    text = part * (1_000_000 // len(part))
    assert Masker().mask(text).text.count("***") % 2 == 0
    assert redact(text) is not None


def test_the_docs_example_of_redact_holds() -> None:
    assert redact(f"fetch https://me:{drawn(20)}@h/x failed") == "fetch https://h/x failed"
