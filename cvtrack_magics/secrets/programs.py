"""Command lines: which words of a program's line are its passwords, by its own grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cvtrack_magics.secrets.names import strength
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder
from cvtrack_magics.secrets.spans import Span

_TABLE = r"""
curl | :-u :--user :-U :--proxy-user --oauth2-bearer --pass --proxy-pass
xh | :-a :--auth
http | :-a :--auth
ab | :-A :-P
etcdctl | :--user
skopeo | :--creds :--src-creds :--dest-creds
podman | :--creds
buildah | :--creds
oras | -p --password
crane auth login | !-p --password
docker login | !-p --password
podman login | !-p --password
helm | --password
svn | --password
wget | --password --http-password --ftp-password --proxy-password
aria2c | --http-passwd --ftp-passwd
mysql | *-p --password
mysqldump | *-p --password
mysqladmin | *-p --password
mariadb | *-p --password
mongo | !-p --password
mongosh | !-p --password
mongodump | !-p --password
mongorestore | !-p --password
mongoexport | !-p --password
mongoimport | !-p --password
redis-cli | !-a --pass
cqlsh | !-p --password
clickhouse-client | --password
influx | !-password --password
sqlcmd | !-P
bcp | -P
isql | !-P #3
racadm | !-p
rootpw | #1
conda config --set token | #1
impdp | /#1
expdp | /#1
sqlplus | /#1
sqlldr | /#1
snowsql | -p
rdesktop | !-p
xfreerdp | */p:
plink | !-pw
pscp | !-pw
putty | !-pw
sshpass | !-p
ssh-keygen | -N -P
hydra | -p
psexec | -p
ncftpget | -p
lftp | ,-u
smbclient | #2 %-U
snmpget | -c -A -X -a -x
snmpwalk | -c -A -X
ldapsearch | -w
ldapmodify | -w
ldapadd | -w
ipmitool | -P
mosquitto_pub | -P
mosquitto_sub | -P
mosquitto_passwd -b | #3
htpasswd | #3
htpasswd -b | #3
rabbitmqctl add_user | #2
rabbitmqctl change_password | #2
keytool | !-storepass !-keypass !-srcstorepass !-deststorepass
jarsigner | !-storepass !-keypass
openssl | -k -K
openssl passwd | #1
mkpasswd | #1
useradd | -p --password
usermod | -p --password
gpg | --passphrase
unzip | -P
zip | -P
rar | *-p *-hp
unrar | *-p
7z | *-p
7za | *-p
7zz | *-p
qpdf | --password
pdftk | -user_pw
pdftotext | -upw -opw
x11vnc | !-passwd
wpa_passphrase | #2
cmdkey | */pass:
schtasks | */rp
net use | \\
net user | #2
runas | */pass:
vault login | #1
vault kv put | =
vault kv patch | =
vault write | =
vault unseal | #1
consul kv put | #2
mc alias set | #4
mc config host add | #4
mc admin user add | #3
mcli alias set | #4
rclone obscure | #1
rclone config create | =
gh secret set | -b --body
gh variable set | -b --body
fly secrets set | =
flyctl secrets set | =
heroku config:set | =
modal secret create | =
doppler secrets set | =
railway variables set | =
eb setenv | =
supabase secrets set | =
kubectl create secret generic | =
op item create | =
databricks secrets put-secret | --string-value #3
databricks secrets put | --string-value
az login | -p --password
az acr login | -p --password
poetry config | #3
ngrok authtoken | #1
ngrok config add-authtoken | #1
doctl auth init | -t
bw unlock | #1
bw login | #2
security add-generic-password | -w
security add-internet-password | -w
security unlock-keychain | -p
anaconda login | --password
twine upload | -p --password
mount | ~password ~pass
mount.cifs | ~password ~pass
sshfs | ~password
conjur variable set | -v
aws ssm put-parameter | --value
aws secretsmanager create-secret | --secret-string
aws secretsmanager put-secret-value | --secret-string
"""
"""A program with its subcommands, and what it takes: ``-p`` a flag before a secret, ``*-p`` one
that has it in the same word, ``:-u`` ``,-u`` ``%-U`` before a user and a secret, ``#2`` the second
word that is no flag, ``/#1`` behind the user there, ``=`` each value of ``name=value``, ``~name``
a value among options with commas, ``\\`` the word behind a share.
"""
_LONGEST = 800  # characters of a command line
_MOST = 40  # words of one
_BEHIND = (" ", '",', "',")
_VALUE = r"(?:\"(?P<d{0}>[^\"\n]{{0,400}})\"|'(?P<s{0}>[^'\n]{{0,400}})')"
_WORD = re.compile(
    r"(?P<gap>[ \t]{1,8}(?:\\\r?\n[ \t]{0,40})?)"
    rf"(?:\\?{_VALUE.format(1)}"
    rf"|(?P<b>(?:[\w.\-]{{1,60}}=|-[A-Za-z])(?=[\"'])){_VALUE.format(2)}"
    r"|(?P<p>(?:\\(?!\r?\n)|[^\s\"'`|;&<>)\\]){1,400}))"
)
_LISTED = re.compile(rf"[\"']?[ \t]{{0,4}},\s{{0,40}}[bfru]{{0,2}}{_VALUE.format(1)}")
_PIPED = re.compile(
    r"echo[ \t]{1,4}(?:-n[ \t]{1,4})?[\"']?[\w.\-]{1,40}:(?P<v>[^\s\"'|:]{4,200})[\"']?"
    r"[ \t]{0,4}\|[ \t]{0,4}(?:sudo[ \t]{1,4})?chpasswd"
)
_HERE = re.compile(
    r"(?:kinit|gh auth login|su|sudo -S|passwd|cryptsetup|gpg)\b[^\n<]{0,80}<<<"
    r"[ \t]{0,4}[\"']?(?P<v>[^\s\"'$]{4,200})"
)
_GRAMMARS: dict[str, list[tuple[list[str], list[str]]]] = {}
for _line in _TABLE.split("\n"):
    _program, _, _takes = _line.partition(" | ")
    if _takes:
        _first, *_more = _program.split()
        _GRAMMARS.setdefault(_first, []).append((_more, _takes.split()))
_PROGRAMS = frozenset(_GRAMMARS)
_SIGNS = str.maketrans(dict.fromkeys("!\"'`(/[,;|&$%\\", " "))
"""What may stand at a program's name; no search for a program that is no word of the text."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a command line, and where it ends in the text: a value is always its tail."""

    text: str
    end: int


def find_in_command_lines(text: str) -> Iterator[Span]:
    """Find what programs of the table take as passwords."""
    named = _PROGRAMS.intersection(text.translate(_SIGNS).split())
    for program, grammars in ((name, _GRAMMARS[name]) for name in named):
        for behind in _BEHIND:
            at = text.find(program + behind)
            while at >= 0:
                after = at + len(program)
                if at == 0 or not (text[at - 1].isalnum() or text[at - 1] in "_-."):
                    words, after = _words(text, after)
                    for more, takes in grammars:
                        yield from _taken(words, more, takes)
                at = text.find(program + behind, after)
    for anchor, pattern, before in (("chpasswd", _PIPED, 280), ("<<<", _HERE, 100)):
        at = text.find(anchor)
        while at >= 0:
            end = at + 240 if before == 100 else at + len(anchor)  # what is given stands behind
            for found in pattern.finditer(text, max(0, at - before), end):
                if not is_placeholder(found["v"]):
                    yield Span(*found.span("v"), "password")
            at = text.find(anchor, at + len(anchor))


def _words(text: str, at: int) -> tuple[list[_Word], int]:
    """Return the words of a command behind its program, and where the last one ends."""
    pattern = _LISTED if text[at] in "\"'" else _WORD
    words: list[_Word] = []
    limit = at + _LONGEST
    while len(words) < _MOST and at < limit:
        match = pattern.match(text, at)
        if match is None:
            break
        groups = match.groupdict()
        quoted = next((g for g in ("d1", "s1", "d2", "s2") if groups.get(g) is not None), "")
        head = groups.get("b") or ""
        words.append(
            _Word(head + match[quoted], match.end(quoted))
            if quoted
            else _Word(match["p"], match.end())
        )
        at = match.end()
    return words, at


def _taken(words: list[_Word], more: list[str], takes: list[str]) -> Iterator[Span]:
    if [word.text for word in words[: len(more)]] != more:
        return
    words = words[len(more) :]
    for take in takes:
        for value, end, sure in _candidates(words, take):
            if _is_secret(value, sure=sure):
                yield Span(end - len(value), end, "password")


def _candidates(words: list[_Word], take: str) -> Iterator[tuple[str, int, bool]]:
    """Yield what may be a password, where it ends, and whether nothing else stands there."""
    kind, plain = take[0], [word for word in words if not word.text.startswith("-")]
    if take == "=":
        for word in plain:
            name, _, value = word.text.partition("=")
            yield value, word.end, bool(strength(name))
    elif kind == "\\":
        share = (i for i, word in enumerate(words) if word.text.startswith("\\\\"))
        behind = [w for w in words[next(share, len(words)) + 1 :] if w.text[:1] not in "/*"]
        yield from ((word.text, word.end, True) for word in behind[:1])
    elif kind == "~":
        for word in words:
            for found in re.finditer(rf"(?:^|,){take[1:]}=(?P<v>[^,]{{1,200}})", word.text):
                yield found["v"], word.end - len(word.text) + found.end(), True
    elif take.lstrip("/")[0] == "#":
        for word in plain[int(take.lstrip("/#")) - 1 :][:1]:
            value = word.text.partition("/")[2].partition("@")[0] if kind == "/" else word.text
            yield value, word.end - len(word.text) + word.text.rfind(value) + len(value), False
    elif kind == "*":
        flag = take[1:]
        yield from ((w.text[len(flag) :], w.end, True) for w in words if w.text.startswith(flag))
    else:
        sign = kind if kind in ":,%" else ""
        for word in _behind_flag(words, take.lstrip(":,%!")):
            value = word.text.partition(sign)[2] if sign else word.text
            yield value, word.end, take[0] in ":!" or take.startswith("--")


def _behind_flag(words: list[_Word], flag: str) -> Iterator[_Word]:
    """Yield what follows a flag: the next word, or the rest of its own; one of several letters."""
    for word, following in zip(words, [*words[1:], None], strict=False):
        is_short = len(flag) == 2 and not word.text.startswith("--")
        bundled = is_short and re.fullmatch(rf"-[A-Za-z0-9#]{{0,8}}{re.escape(flag[1])}", word.text)
        if (word.text == flag or bundled) and following is not None:
            yield following
        elif word.text.startswith(f"{flag}="):
            yield _Word(word.text[len(flag) + 1 :], word.end)
        elif is_short and word.text.startswith(flag) and len(word.text) > 2:
            yield _Word(word.text[2:], word.end)


def _is_secret(value: str, *, sure: bool) -> bool:
    if len(value) < 4 or value[0] in "-$<{[/%@" or is_placeholder(value):
        return False
    return sure or (is_mixed(value) and any(c.isdigit() for c in value))
