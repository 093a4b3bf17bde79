"""Where programs and their files take a password by its place: a flag, a field, a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.connectors import GAP
from cvtrack_magics.secrets.placeholders import is_placeholder
from cvtrack_magics.secrets.spans import Span

STRING = r"[\"'](?P<v>[^\"'\n]{4,512})[\"']"
_BARE = r"[\"']?(?P<v>[^\s\"'\-$<{\[][^\s\"']{3,200})"
_WORDS = r"[\"']?(?P<v>(?<=[\"'])[^\"'\n]{4,200}|[^\s\"'\-$<{\[][^\s\"']{3,200})"
_LOGIN = (
    r"(?:\s{1,40}(?:login|account)[ \t]{1,4}\S{1,200}){1,2}"
    rf"\s{{1,40}}password[ \t]{{1,4}}{_WORDS}"
)
_ARGUMENT = rf"[^()\n,=]{{1,100}},{GAP}"
_SENT = (
    r"(?:send(?:line|all)?|write)\b[ \t]{0,4}(?:--[ \t]{0,4})?\(?[ \t]{0,4}[bruf]?"
    r"[\"'](?P<v>[^\"'\n\\$]{4,200})(?:\\{1,2}[rn]){0,2}[\"']"
)
_TYPED = r"[bruf]?[\"'](?P<v>[^\s\"'\\$(){}=/.,:;]{6,200})(?:\\{1,2}[rn]){0,2}[\"']"
_HASH = r"(?P<v>[\w./]{22,86})"
_BASE32 = r"[A-Z2-7]{16,128}={0,6}"

Form = tuple[str, str, str, bool]
"""Anchor, label, pattern at the anchor, and whether the value has to look like a key."""


def _flag(program: str, flag: str, before: str = "", *, mixed: bool = True) -> Form:
    """Return the form of a password that a program takes behind a flag."""
    start = re.escape(program.rstrip())
    return program, "password", rf"{start}[^\n]{{0,200}}?[ \t]{flag}{before}{_BARE}", mixed


FORMS: tuple[Form, ...] = (
    # command lines
    _flag("docker login ", r"(?:-p|--password)[ =]{1,4}", mixed=False),
    _flag("podman login ", r"(?:-p|--password)[ =]{1,4}", mixed=False),
    _flag("helm registry login ", r"(?:-p|--password)[ =]{1,4}", mixed=False),
    _flag("ldapsearch ", r"-w[ \t]{0,2}"),
    _flag("ldapmodify ", r"-w[ \t]{0,2}"),
    _flag("ldapadd ", r"-w[ \t]{0,2}"),
    _flag("smbclient ", r"-U[ \t]{0,2}[\"']?[\w\\\-.]{1,64}%"),
    _flag("7z ", "-p"),
    _flag("twine upload ", r"-p[ \t]{1,4}"),
    _flag("openssl enc ", r"-k[ \t]{1,4}"),
    _flag("xfreerdp ", r"/p:"),
    _flag("htpasswd ", r"-b[ \t]{1,4}[^\s]{1,100}[ \t]{1,4}[^\s]{1,64}[ \t]{1,4}"),
    _flag("zip ", r"-P[ \t]{1,4}"),
    _flag("ipmitool ", r"-P[ \t]{1,4}"),
    _flag("mosquitto_pub ", r"-P[ \t]{1,4}"),
    _flag("mosquitto_sub ", r"-P[ \t]{1,4}"),
    _flag("lftp ", r"-u[ \t]{1,4}[^\s,\"']{1,64},"),
    _flag("wget ", r"--(?:http-|ftp-|proxy-)?password=", mixed=False),
    ("gpg ", "password", rf"gpg [^\n]{{0,200}}?--passphrase[ =]{{1,4}}{_WORDS}", False),
    (
        "sqlplus ",
        "password",
        r"sqlplus (?:-\w{1,10}[ \t]){0,3}\w{1,64}/(?P<v>[^\s\"'@/]{4,200})",
        True,
    ),
    ("-pass pass:", "password", r"-pass pass:(?P<v>[^\s\"']{4,200})", False),
    ("PRAGMA key", "password", rf"PRAGMA key[ \t]{{0,4}}=[ \t]{{0,4}}{STRING}", False),
    ("-passin pass:", "password", r"-passin pass:(?P<v>[^\s\"']{4,200})", False),
    ("-passout pass:", "password", r"-passout pass:(?P<v>[^\s\"']{4,200})", False),
    ("--from-literal=", "password", rf"--from-literal=[\"']?[\w.\-]{{1,64}}={_BARE}", True),
    ("::add-mask::", "secret", r"::add-mask::(?P<v>[^\s\"'$]{4,200})", False),
    # calls and statements
    *(
        (by, "password", rf"{by}[ \t]{{1,4}}{STRING}", False)
        for by in ("IDENTIFIED BY", "identified by")
    ),
    *(
        (by, "password", rf"{by}[^\n=]{{1,100}}=[ \t]{{0,4}}{STRING}", False)
        for by in ("PASSWORD FOR ", "password for ")
    ),
    (
        "ConvertTo-SecureString",
        "password",
        r"ConvertTo-SecureString(?=[^\n]{0,400}-AsPlain)(?:[ \t]{1,4}-\w{1,16}){0,6}[ \t]{1,4}"
        rf"{_WORDS}",
        False,
    ),
    ("Credential(", "password", rf"Credential\({GAP}{_ARGUMENT}{STRING}", True),
    (
        "key_set_with_value(",
        "password",
        rf"key_set_with_value\({GAP}{_ARGUMENT}{_ARGUMENT}{STRING}",
        False,
    ),
    (
        "IDENTIFIED WITH ",
        "password",
        rf"IDENTIFIED WITH [\w'\"]{{1,60}} (?:BY|AS) {STRING}",
        False,
    ),
    *(
        (word, "password", rf"{word}[ \t]{{0,20}}{_BARE}", False)
        for word in ("requirepass ", "masterauth ", "insecure-password ")
    ),
    *(  # of routers and switches
        (f"{word} {way} ", "password", rf"{word} {way} (?P<v>[^\s\"']{{4,200}})", True)
        for word in ("password", "secret")
        for way in "0579"
    ),
    ("sig=", "sas", r"(?<=[?&;])sig=(?P<v>[\w%+/\-.~]{16,200})", True),
    # what is typed where a program asks
    *(
        (
            prompt,
            "password",
            rf"{prompt}[^\"'\n]{{0,30}}[\"'][^\"'\n]{{0,80}}(?:\n[^\"'\n]{{0,80}}){{0,2}}{_SENT}",
            False,
        )
        for prompt in ("assword", "assphrase", "asscode", "ASSWORD")
    ),
    *(
        (sends, "password", rf"{re.escape(sends)}{_TYPED}", True)
        for sends in ("send ", "sendline(", ".send(", "stdin.write(", "send -- ")
    ),
    # calls, by the place of their arguments
    ("Minio(", "secret", rf"Minio\({GAP}{_ARGUMENT}{_ARGUMENT}{STRING}", True),
    ("Session(", "secret", rf"Session\({GAP}{_ARGUMENT}[\"'](?P<v>[\w/+]{{40}})[\"']", True),
    (
        "Redis(",
        "password",
        rf"Redis\({GAP}[^()\n,]{{1,100}},{GAP}\d{{1,5}},{GAP}\d,{GAP}{STRING}",
        True,
    ),
    ("URL(", "password", rf"URL\({GAP}{_ARGUMENT}{_ARGUMENT}{STRING}", True),
    *(
        (f"{client}.connect(", "password", rf"{client}\.connect\({GAP}{_ARGUMENT}{STRING}", True)
        for client in ("racle", "oracledb")
    ),
    ("connect(", "password", r"connect\([\"'][\w.\-]{1,64}/(?P<v>[^\"'@/\s]{4,200})@", False),
    (".decrypt(", "password", rf"\.decrypt\([bB]?{STRING}\)", True),
    *(
        (call, "client-key", rf"{re.escape(call)}{GAP}[\"'](?P<v>[\w\-]{{16,200}})[\"']", True)
        for call in ("AI(", "Client(", "Api(", "API(", "Roboflow(", "Experiment(", "WandbApi(")
    ),
    ("Basic ", "authorization", r"Basic (?P<v>[A-Za-z0-9+/]{16,2048}={0,2})(?!\w)", True),
    # what a header or an address is signed with
    ("response=", "authorization", r"response=\\?\"(?P<v>[0-9a-f]{32,128})\\?\"", False),
    ("mac=", "authorization-mac", r"mac=\\?\"(?P<v>[\w+/=]{16,128})\\?\"", True),
    ("ignature=", "signature", r"ignature=\\?[\"']?(?P<v>[\w%+/~=\-]{27,1024})", True),
    *(
        (f"{way} ", "negotiated", rf"(?<![\w ]){way} (?P<v>[A-Za-z0-9+/]{{24,8192}}={{0,2}})", True)
        for way in ("Negotiate", "NTLM")
    ),
    *(
        (f": {way} ", "negotiated", rf": {way} (?P<v>[A-Za-z0-9+/]{{24,8192}}={{0,2}})", True)
        for way in ("Negotiate", "NTLM")
    ),
    ("code=4/", "code", r"code=(?P<v>4/[\w\-]{20,200})", True),
    (
        "Access Key [",
        "secret",
        r"Access Key \[[^\]\n]{0,40}\]:[ \t]{0,4}(?P<v>[\w/+]{16,128})",
        True,
    ),
    # seeds of one-time passwords
    *(
        (
            f"{call}(",
            "otp-seed",
            rf"{call}\({GAP}(?:s[ \t]?=[ \t]?)?[\"'](?P<v>{_BASE32})[\"']",
            False,
        )
        for call in ("TOTP", "HOTP")
    ),
    ("--totp", "otp-seed", rf"--totp[^\n]{{0,60}}?[ \t][\"']?(?P<v>{_BASE32})(?!\w)", False),
    *(
        (
            seed,
            "otp-seed",
            rf"{seed}\\?[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}\\?[\"']?(?P<v>{_BASE32})(?!\w)",
            True,
        )
        for seed in ("seed", "SEED", "Seed")
    ),
    ('"d"', "private-key", r"\"d\"[ \t]{0,4}:[ \t]{0,4}\"(?P<v>[\w\-]{40,2048})\"", True),
    (
        "jdbc:oracle:",
        "password",
        r"jdbc:oracle:\w{2,8}:[\w.]{1,64}/(?P<v>[^\s\"'@/]{4,200})@",
        False,
    ),
    *(  # of ODBC, where a sign in them has a meaning
        (
            f"{name}={{",
            "password",
            rf"{name}=\{{(?=[^{{}}\n]{{0,200}}[^\w{{}}.()\[\]\"':!])(?P<v>[^{{}}\n]{{4,200}})\}}",
            True,
        )
        for name in ("PWD", "Pwd", "pwd", "Password", "PASSWORD")
    ),
    (
        "AUTH ",
        "password",
        r"(?<![\w \-])AUTH (?:\w{1,32} )?(?P<v>[^\s\"'{}()]{6,200})(?=[ \t]{0,4}(?:\r?\n|\Z))",
        True,
    ),
    # lines of files
    ("machine ", "password", rf"machine [ \t]{{0,8}}[^\s\"']{{1,200}}{_LOGIN}", False),  # .netrc
    ("default login", "password", rf"default(?= ){_LOGIN}", False),
    *(  # .pgpass
        (
            f":{port}:",
            "password",
            r"(?<!\.py)(?<!\.pyx)(?<!\.c)(?<!\.cc)(?<!\.cpp)(?<!\.h)(?<!\.js)(?<!\.ts)(?<!\.log)"
            rf":{re.escape(port)}:[\w*\-]{{1,64}}:[\w.*\-@]{{1,64}}:"
            r"(?P<v>(?:\\.|[^\s\"':\\]){4,200})(?=[\s\"']|\Z)",
            port == "*",
        )
        for port in ("5432", "5433", "5434", "5439", "6432", "6543", "15432", "26257", "*")
    ),
    (  # .npmrc
        "_auth",
        "npm",
        r"(?<![\w.])_auth[ \t]{0,4}=[ \t]{0,4}\"?(?P<v>[A-Za-z0-9+/]{12,512}={0,2})(?![\w(.\[])",
        True,
    ),
    ("_authToken", "npm", r"_authToken\"?[ \t=]{1,4}\"?(?P<v>[^\s\"']{8,200})", True),
    ('user = "', "password", r"user = \"[^\s:\"@]{1,64}:(?P<v>[^\s\"]{6,200})\"", True),  # .curlrc
    ("\npassword\nV ", "password", r"\npassword\nV \d{1,3}\n(?P<v>[^\n]{4,200})\n", False),
    ("pin-value=", "password", r"pin-value=(?P<v>[^\s\"'&;?]{4,200})", False),
    # what is left of passwords in files of users: short ones can be tried
    ("$apr1$", "password-hash", rf"\$apr1\$[^$\s:]{{1,16}}\${_HASH}", False),
    *(
        (
            f"${n}$",
            "password-hash",
            rf"\${n}\$(?:rounds=\d{{1,9}}\$)?[^$\s:]{{1,16}}\${_HASH}",
            False,
        )
        for n in "56"
    ),
    *(
        (f"{{{kind}}}", "password", rf"(?<=:)\{{{kind}\}}(?P<v>[^\s:\"']{{4,200}})", False)
        for kind in ("PLAIN", "CLEAR", "CLEARTEXT")
    ),
    *(
        (f"{{{kind}}}", "password-hash", rf"\{{{kind}\}}(?P<v>[\w+/]{{20,128}}={{0,2}})", False)
        for kind in ("SHA", "SSHA", "MD5", "SMD5", "SHA256", "SSHA256", "SHA512", "SSHA512")
    ),
    *(
        (
            f"${n}$",
            "password-hash",
            rf"\${n}\$[\w./]{{1,20}}\$[\w./]{{1,40}}\$(?P<v>[\w./]{{30,90}})",
            False,
        )
        for n in ("y", "gy", "7")
    ),
    *((f"$2{n}$", "password-hash", rf"\$2{n}\$\d\d\$(?P<v>[\w./]{{53}})", False) for n in "aby"),
    (
        "$argon2",
        "password-hash",
        r"\$argon2(?:id|i|d)\$v=\d{1,3}\$[^\s$]{1,60}\$(?P<v>[\w+/$]{20,200})",
        False,
    ),
    (
        "pbkdf2_sha256$",
        "password-hash",
        r"pbkdf2_sha256\$\d{1,8}\$[^\s$]{1,60}\$(?P<v>[\w+/=]{20,100})",
        False,
    ),
)

_MANIFEST = "kind: Secret"
_REACH = 8000  # characters of a manifest before and behind its kind
_DATA = re.compile(
    r"^(?:data|stringData):[ \t]{0,8}\r?\n(?P<block>(?:[ \t]{1,40}[^\n]{0,8000}\n?){1,200})", re.M
)
_ENTRY = re.compile(
    r"^[ \t]{1,40}[\w.\-\"']{1,80}:[ \t]{1,8}[\"']?"
    r"(?P<v>[^\s\"'|>][^\n\"']{3,8000}?)[\"']?[ \t\r]{0,8}$",
    re.M,
)


def find_in_manifests(text: str) -> Iterator[Span]:
    """Find the values of Kubernetes' secrets, whatever they are called."""
    done, at = 0, text.find(_MANIFEST)
    while at >= 0:
        if at >= done:
            start = max(text.rfind("\n---", done, at), done, at - _REACH)
            end = text.find("\n---", at, at + _REACH)
            done = end if end >= 0 else min(len(text), at + _REACH)
            for data in _DATA.finditer(text, start, done):
                for entry in _ENTRY.finditer(text, *data.span("block")):
                    if not is_placeholder(entry["v"]):
                        yield Span(*entry.span("v"), "secret")
        at = text.find(_MANIFEST, at + len(_MANIFEST))
