"""Which names say that their value is a secret."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Strength = Literal["", "password", "key", "token"]
"""What a name promises: any text, a key of some length, or a word that may be harmless."""

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_PASSWORDS = {"password", "passwd", "passphrase", "pwd", "passwords", "passcode"}
_PASSWORDS |= {
    "passwort",
    "kennwort",
    "motdepasse",
    "contrasena",
    "senha",
    "wachtwoord",
    "losenord",
    "haslo",
    "passworter",
    "passwoerter",
    "contrasenya",
    "heslo",
    "sifre",
    "lozinka",
    "jelszo",
    "salasana",
    "adgangskode",
    "kodeord",
    "passord",
    "palavrapasse",
    *("storepass", "keypass", "keystorepass", "truststorepass", "bindpw"),
    *("requirepass", "masterauth", "authtok"),
}
FOREIGN = (
    *("парол", "密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "पासवर्ड", "סיסמה"),
    *("كلمة المرور", "كلمة_المرور", "كلمة السر", "συνθηματικό"),
)
"""What a password is called in other scripts; it counts wherever in a name it stands."""
RARE = (
    *("kennwort", "contraseña", "contrasena", "contrasenya", "senha", "wachtwoord", "lösenord"),
    *("losenord", "hasło", "haslo", "mdp", "clave", "heslo", "sifre", "şifre", "parola", "psk"),
    *("lozinka", "jelszo", "jelszó", "salasana", "adgangskode", "kodeord", "masterauth"),
    *("authtok", "_pin"),
)
"""Names of passwords without ``pass`` or another usual word in them."""
_LATIN = str.maketrans("ñöłÑÖŁşŞóÓ", "nolNOLsSoO")
_KEYS = {"clave", "parola", "psk", "identitytoken", "registrytoken"}  # words of other uses too
_KEYS |= {"secret", "secrets", "credential", "credentials", "apikey", "authtoken", "accesstoken"}
_KEYS |= {"secretkey", "accesskey", "privatekey", "apitoken", "authkey"}
_ENDINGS = ("password", "passwd", "passphrase", "passwort", "kennwort")  # PGPASSWORD, mypassword
_OWNERS = {
    *("db", "database", "sql", "mysql", "postgres", "pg", "redis", "mongo", "smtp", "imap", "mail"),
    *("email", "ftp", "sftp", "ssh", "user", "root", "admin", "login", "proxy", "sudo", "ldap"),
    *("auth", "registry", "docker", "http", "wifi", "account", "svc", "server", "de", "pfx"),
    *("keystore", "truststore", "store", "cert", "become", "storage", "vpn", "mqtt", "jdbc"),
    *("vault", "jenkins", "nexus", "rabbitmq", "zip", "pdf", "ansible", "my"),
}
"""Whose ``pass`` or ``pw`` is a password; that of a training loop is none."""
_PAIRS = {
    *(("api", "key"), ("access", "key"), ("private", "key"), ("auth", "key")),
    *(("secret", "key"), ("account", "key"), ("signing", "key"), ("encryption", "key")),
    *(("api", "keys"), ("access", "keys"), ("license", "key"), ("subscription", "key")),
    *(("access", "token"), ("auth", "token"), ("api", "token"), ("bearer", "token")),
    *(("fernet", "key"), ("master", "key"), ("key", "data"), ("identity", "token")),
    *(("storage", "key"), ("shared", "access"), ("preshared", "key")),
    *(("refresh", "token"), ("session", "token"), ("client", "secret"), ("pass", "word")),
}
_PINS = {
    *("card", "sim", "user", "bank", "atm", "debit", "credit", "account", "login", "door"),
    *("security", "hsm", "token", "smartcard", "unlock", "secret", "admin"),
}
"""Whose ``pin`` is a number that is a password; that of a board, and a postal code, is none."""
# What may stand behind the word that counts: DB_PASSWORD_PROD, AWS_ACCESS_KEY_ID, apiKeyValue.
_TAILS = {"id", "value", "str", "prod", "dev", "test", "staging", "default", "b", "v", "raw"}
_TAILS |= {"base", "plain", "plaintext", "old", "new", "in"}
# Vocabulary tokens of a tokenizer are called tokens too, and are no secret.
_VOCABULARY = {
    *("pad", "cls", "eos", "bos", "sep", "mask", "unk", "class", "special", "image", "img"),
    *("n", "num", "max", "min", "use", "total", "per", "new", "next", "dist", "distillation"),
    *("register", "prefix", "query", "pos", "text", "start", "end", "stop", "add", "with"),
}
_COUNTS = {"n", "num", "max", "min", "use", "has", "is", "with", "no", "len", "count", "require"}
_HARMLESS = re.compile(
    r"(?i)(?:auto|none|null|true|false|yes|no|on|off|mean|avg|max|min|sum|first|last|all|any|cls|"
    r"pool|learned|learnable|default|default_token|prompt|file|env|required|optional)"
)
_LONGEST_NAME = 1000
_MOST_LOOKED_AT = 100_000  # values of one list
_PATH = re.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?[\\/][\w.\-\\/ ~]*")


@lru_cache(maxsize=4096)
def strength(key: str) -> Strength:  # noqa: PLR0911
    """Say what a name promises of its value.

    Parameters
    ----------
    key : str
        A dotted name, an identifier of code, a flag or a variable of the environment.
    """
    if not key.isascii():
        if any(word in key.lower() for word in FOREIGN):
            return "password"
        key = key.translate(_LATIN)
    parts = [part for part in re.split(r"[./]", key) if part]
    while parts and not _WORDS.search(parts[-1]):  # passwords.0
        parts.pop()
    if not parts:
        return ""
    *above, last = parts
    words = [word.lower() for word in _WORDS.findall(last)]
    if words[0] in _COUNTS or "kms" in words:
        return ""
    while len(words) > 1 and words[-1] in _TAILS:
        words.pop()
    if words[-1] in _PASSWORDS or words[-1].endswith(_ENDINGS):
        return "password"
    if is_pin(words) or _is_pass_of_owner(words):
        return "password"
    if words[-1] in _KEYS or tuple(words[-2:]) in _PAIRS:
        return "key"
    if words[-1] in ("token", "tokens") and not _VOCABULARY.intersection(words):
        return "token"
    if above:
        parents = [word.lower() for word in _WORDS.findall(above[-1])]
        if parents and (parents[-1] in _KEYS - {"credentials"} or parents[-1] == "passwords"):
            return "key"
    return ""


def is_pin(words: list[str]) -> bool:
    """Say whether the words of a name are those of a person's number."""
    return words[-1:] == ["pin"] and bool(_PINS.intersection(words[-2:-1]))


def _is_pass_of_owner(words: Sequence[str]) -> bool:
    last = words[-1]
    if last.endswith("pass") and last[:-4] in _OWNERS:  # SSHPASS, dbpass
        return True
    return last in ("pass", "passe", "pw") and bool(_OWNERS.intersection(words[-2:-1]))


def looks_secret(key: str, value: object) -> bool:
    """Say whether a named value is to be hidden.

    Parameters
    ----------
    key : str
        Dotted name, as in ``"db.password"``.
    value : object
        Booleans, ``None`` and empty text are never secret, and no path is. A number is
        secret only as a password. A name that ends in ``token`` is secret only when the
        value is text that is not a vocabulary token: ``max_token=128``,
        ``n_tokens="auto"`` and ``pad_token="<pad>"`` are hyper-parameters.
    """
    if value is None or isinstance(value, bool) or value == "":
        return False
    kind = strength(key[-_LONGEST_NAME:])
    if not kind:
        return False
    if isinstance(value, (list, tuple)):
        return _one_is_secret(kind, value)
    return _is_secret(kind, value)


def _one_is_secret(kind: Strength, values: Sequence[object]) -> bool:
    left, stack = _MOST_LOOKED_AT, list[object]([values])
    while stack:
        value = stack.pop()
        if isinstance(value, (list, tuple)):
            left -= len(value)
            if left < 0:  # it may hold itself, and be secret where nobody looked
                return True
            stack.extend(value)
        elif _is_secret(kind, value):
            return True
    return False


def _is_secret(kind: Strength, value: object) -> bool:
    if value is None or isinstance(value, bool) or value == "":
        return False
    if not isinstance(value, str):
        return kind == "password" or (kind == "key" and not isinstance(value, (int, float)))
    if _HARMLESS.fullmatch(value) or (_PATH.fullmatch(value) and len(value) < 200):
        return False
    return not (kind == "token" and value[0] in "<[")


def words_of(key: str) -> list[str]:
    """Return the words of a name in small letters; camel case counts."""
    return [word.lower() for word in _WORDS.findall(key)]


def speaks_of_secrets(text: str) -> bool:
    """Say whether a text is itself only a name that promises a secret, as HF_TOKEN is."""
    return any(bool(strength("_".join(pair))) for pair in itertools.pairwise(["", *words_of(text)]))
