"""Command lines, statements, cells and calls whose secret is known by their own grammar."""

from __future__ import annotations

from tests.secrets.shapes import KEY, PASSWORD
from tests.secrets.tokens import drawn
from tests.secrets.written import WORD

HEAD, TAIL = drawn(20), drawn(18)
AZURE = drawn(86) + "=="

COMMANDS = rf"""
!curl -sSu bob:{WORD} https://h.example
!curl -fsSLu "bob:{WORD}" https://h.example
!curl -U bob:{WORD} https://h.example
!curl --proxy-user=bob:{WORD} https://h.example
os.system("curl -su bob:{WORD} https://h.example")
subprocess.run(["curl", "-su", "bob:{WORD}", "https://h.example"])
!net use \\srv\data {WORD} /user:bob
!net use Z: \\srv\data {WORD} /user:corp\bob
!net use \\srv\data /user:bob {WORD}
!net user bob {PASSWORD} /add
!cmdkey /add:srv /user:bob /pass:{WORD}
!plink -pw {WORD} bob@h
!vault kv put secret/db password={WORD}
!vault kv put -mount=secret db user=bob password={WORD}
!vault kv patch secret/db other={PASSWORD}
!vault login {KEY}
!mc alias set minio http://h:9000 bobuser {PASSWORD}
!mc config host add s3 https://h BOBUSER {PASSWORD}
!/usr/bin/redis-cli -h h -a {WORD} ping
!mysql -u root -p{WORD}
!mongosh "mongodb://h" -u bob -p {WORD}
!sqlcmd -S h -U sa -P {WORD}
!gh secret set API -b"{PASSWORD}"
!poetry config http-basic.x bob {PASSWORD}
!rabbitmqctl add_user bob {PASSWORD}
!mosquitto_passwd -b file bob {PASSWORD}
!skopeo copy --src-creds bob:{PASSWORD} docker://a docker://b
!helm repo add x https://h --username bob --password {WORD}
!rar a -hp{WORD} a.rar
!7za a -p{WORD} x.7z
!keytool -genkey -storepass {WORD}
!mount -t cifs //h/s /m -o username=bob,password={WORD},ro
!smbclient //h/s {PASSWORD} -U bob
!echo bob:{WORD} | sudo chpasswd
!kinit bob <<< {WORD}
!fly secrets set DB={PASSWORD}
!modal secret create s K={PASSWORD}
!snmpget -v2c -c {PASSWORD} h
!etcdctl --user root:{WORD} get x
!ssh-keygen -t rsa -N "{PASSWORD}"
!impdp bob/{PASSWORD}@orcl
!docker run -e MYSQL_ROOT_PASSWORD={WORD} mysql
!helm install x --set auth.password={WORD},b=2
!terraform apply -var "db_password={WORD}"
!openssl enc -aes-256-cbc -pass pass:{WORD} -in a
!openssl passwd -6 {PASSWORD}
!useradd -p {PASSWORD} bob
printf '{WORD}' | docker login -u bob --password-stdin
PRAGMA key = '{WORD}';
(password . "{WORD}")
!ansible all -e "ansible_password={WORD}"
""".strip().split("\n")

STATEMENTS = rf"""
set password {PASSWORD}
set password "{WORD}"
set db_password {{{WORD}}}
set ::db(password) "{WORD}"
{{password, "{WORD}"}}
[{{user, "bob"}}, {{password, <<"{WORD}">>}}]
#{{password => <<"{WORD}">>}}
-define(PASSWORD, "{WORD}").
(setq password "{WORD}")
(define password "{WORD}")
{{:password "{WORD}"}}
#define WIFI_PASS "{WORD}"
local password "{WORD}"
define('DB_PASSWORD', '{WORD}');
Connect-It -Password "{WORD}"
set my_pass = "{PASSWORD}"
CREATE USER bob WITH PASSWORD '{WORD}';
CREATE USER bob IDENTIFIED WITH mysql_native_password BY '{WORD}';
INSERT INTO users (name, password) VALUES ('ann', '{WORD}'), ('bob', '{PASSWORD}');
UPDATE users SET password = MD5('{WORD}');
requirepass {WORD}
username bob password 0 {PASSWORD}
<add connectionString="Server=h;User Id=sa;Password={WORD};" />
OrderedDict([('user', 'bob'), ('password', '{WORD}')])
{{"name":"password","value":"{WORD}"}}
user=bob pass={PASSWORD}
""".strip().split("\n")

CELLS = {
    "markdown row": f"| name | value |\n|---|---|\n| user | bob |\n| password | {WORD} |\n",
    "row": f"| password | {WORD} |",
    "row marked": f"| **API key** | `{KEY}` |",
    "row of two words": f"| db password | {PASSWORD} | for tests |",
    "box": f"│ password │ {PASSWORD} │",
    "latex": f"password & {WORD} \\\\",
    "html cells": f"<tr><td>password</td><td>{WORD}</td></tr>",
    "html head": f"<th>Password:</th>\n<td>{WORD}</td>",
    "html terms": f"<dt>API key</dt><dd>{KEY}</dd>",
    "bullet": f"- **Password**: {WORD}\n",
    "bullet 2": f"* **Password:** `{WORD}`\n",
    "columns": f"password        {PASSWORD}",
    "next line": f"Storage account key:\n{AZURE}\n",
    "next line bare": f"AccountKey\n{AZURE}\n",
    "next line quoted": f'storage_key = \\\n    "{AZURE}"\n',
    "next line yaml": f"AZURE_STORAGE_KEY:\n  {AZURE}\n",
    "row in code": f"print('| password | {WORD} |')",
    "row behind a logger's words": f"WARNING:root:| **Password** | `{WORD}` |",
    "printed below": f"print('Storage account key:'); print('{AZURE}')",
    "data frame": "<table><thead>\n<tr><th></th>\n<th>user</th>\n<th>password</th></tr></thead>\n"
    f"<tbody>\n<tr>\n<th>0</th>\n<td>bob</td>\n<td>{WORD}</td></tr>\n"
    f"<tr><th>1</th><td>ann</td><td>{PASSWORD}</td></tr></tbody></table>",
    "lines in code": f"f.write('user: bob\\npassword: {WORD}\\n')",
    "key in lines of code": f"text = '\\napi_key: \"{KEY}\"\\n'",
    "prompt": f"Password:\n{PASSWORD}\n",
}

PARTS_OF = {
    "join": f'x = "".join(["hf_", "{HEAD}", "{TAIL}"])',
    "join tuple": f"x = ''.join(('ghp_', '{HEAD}', '{TAIL}'))",
    "join lines": f'x = "".join([\n    "hf_",\n    "{HEAD}",\n    "{TAIL}",\n])',
    "list": f'parts = ["hf_", "{HEAD}", "{TAIL}"]',
    "plus": f'x = "hf_" + "{HEAD}" + "{TAIL}"',
    "beside": f'x = "hf_" "{HEAD}{TAIL}"',
    "percent": f'x = "hf_%s" % "{HEAD}{TAIL}"',
    "format": f'x = "hf_{{}}".format("{HEAD}{TAIL}")',
    "f-string": f"x = f\"{{'hf_'}}{{'{HEAD}{TAIL}'}}\"",
    "f-string 2": f"x = f\"hf_{{'{HEAD}{TAIL}'}}\"",
    "named": f'token = "".join(["{HEAD}", "{TAIL}"])',
    "named word": f'password = "".join(["{WORD[:7]}", "{WORD[7:]}"])',
}

CALLS = rf"""
send "{PASSWORD}\r"
send -- "{PASSWORD}\r"
expect "*assword:" {{ send "{WORD}\r" }}
child.expect("assword:"); child.sendline("{WORD}")
tn.read_until(b"Password: "); tn.write(b"{WORD}\n")
stdin.write("{PASSWORD}\n")
log_text('expect "assword:"\nsend "{WORD}\\r"', 'a.exp')
cfg = {{"auth": ("bob", "{PASSWORD}")}}
set_experiment_tag("password", "{WORD}")
!echo 'db_password={WORD}' >> .env
Minio("h:9000", "BOBUSER", "{PASSWORD}")
boto3.Session("BOBUSER", "{drawn(40)}")
Redis("h", 6379, 0, "{PASSWORD}")
oracledb.connect("bob", "{PASSWORD}", "h/orcl")
oracledb.connect("bob/{WORD}@h/orcl")
zf.setpassword(b"{WORD}")
reader.decrypt("{PASSWORD}")
OpenAI("{drawn(24)}")
password = base64.b64decode("{PASSWORD}")
""".strip().split("\n")
LINES = [*COMMANDS, *STATEMENTS, *CELLS.values(), *PARTS_OF.values(), *CALLS]
HELD = (PASSWORD, KEY, WORD, WORD[:7], AZURE[:-2], HEAD, TAIL, HEAD + TAIL, drawn(24), drawn(40))

STAYS = r"""
Use curl -u user:password https://h to log in.
!curl -u $USER:$PASS https://h
!curl -sS https://h/x -o data.zip
!net use Z: \\srv\data /user:bob
!vault kv get secret/db
!vault kv put secret/db @file.json
!mc alias set minio http://h:9000 $KEY $SECRET
!mysql -u root -p mydb
!zip -r out.zip runs/exp1
!docker login -u bob --password-stdin
!mount -o loop,ro disk1.img /mnt
helm upgrade --install app1 chart2 --set image.tag=v1a2b3
ab = test1 + x2
| user | password | lastlogin |
|---|---|---|
| password | string | Password of the account |
| token | str | The token |
password | Flags.LOGIN | Flags.NAME
- **password**: string
- **token**: Optional[str]
(define token (read-char port))
set token [lindex $argv 0]
set password [lindex $argv 1]
labels = ["hf_", "cls", "patch16", "dist"]
names = ["resnet18", "resnet34", "wide_resnet50_2"]
path = "/".join(["data", "train2017", "0001.jpg"])
f.write("epoch1\n")
conn.send("ready\n")
channel.send(b"step 12\n")
INSERT INTO runs (name, acc) VALUES ('exp1a2b', 0.93);
return token
x = {password, other}
choices = [("password", "Password"), ("token", "Token")]
raise ValueError("password is required")
<td>password</td><td>string</td>
first pass: 0.93
!helm install x --set image.token=latest
openssl passwd -6
!useradd -m bob
print("password: required\n")
print("Token:"); print("accepted")
<thead><tr><th>password</th></tr></thead><tbody><tr><td>yes</td></tr></tbody>
<thead><tr><th>token</th></tr></thead><tbody><tr><td>resnet50</td></tr></tbody>
ax.set_title("password", "centre")
key: 9f8e7d6c5b4a39281706f5e4d3c2b1a0
""".strip().split("\n")
