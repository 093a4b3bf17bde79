"""Lines with names of secrets in them, or with their forms, that hold none."""

from __future__ import annotations

HARMLESS = r"""
token_count,label
token_count;n_tokens;password_length
password_length = 12
password_length: 12
n_tokens,password_strength,secret_santa
12,3,alice7bob9
secret_santa = "alice7bob9"
secret_santa: alice7bob9
text,token,label
id,tokens,n_tokens
key,value
val/acc1,0.9712
password_field,label_field
user_password_field,user_name_field
columns = ["user", "password", "age"]
df.columns = ["id", "api_key", "label"]; df.drop(columns=["password"])
df = df.drop(["password", "api_key"], axis=1)
df[["user", "password"]].head()
SELECT user, password, host FROM accounts
from auth import user, password
for user, password in rows:
def connect(user, password, database):
def login(user, password, *, remember=remembered1):
password = entered
password = values
password = config2
self.password = password1
cfg.password = secret_value
args.password = typed_in
password: SecretStr
password: Optional[str] = None
password: string
password: required
Password: incorrect
Password: accepted for bob
password: wrong, 3 attempts left
password = "Enter your password"
password = "must be at least 8 characters"
password = "The password to use"
password_help = "at least 8 characters"
{"password": "Your new password, again"}
{"password": ["This field is required."]}
labels = {"password": "Mot de passe", "user": "Utilisateur"}
"password": "Contraseña nueva"
password="please type it in"
mdp = "FrozenLake"
mdp = MDP(states, actions)
mdp_gamma = 0.99; mdp_states = 16
clave = "val/acc"
parola = "ciao"
parola = "buongiorno"
clave: rumba
senha_valida = True
passwort_laenge = 8
пароль_длина = 12
x <- 3; n_tokens <- 128
tokens <- strsplit(text, " ")[[1]]
token <- "[CLS]"
key <- "val/acc"
pw <- 16
pass <- 3
token::Int = 5
token::String = "cls"
"key" => "val/acc"
:token => :cls
$tokens = 128
$key = "val/acc"
$tokenCount = $tokens.Count
print("tokens %3d of %3d" % (n, total))
print("password %3d" % n_failed, "attempts")
print(f"token%3d" % i)
"key%3d" % index
https://h/x?q=a%3Db&sort_key%3Dval
https://h/x?key=name&page=2
https://h/x?key=val%2Facc
https://h/search?q=password%20manager
https://h/search?q=secret+santa&token_count=3
file%3A%2F%2F%2Fdata%2Ftrain.csv
https%3A%2F%2Fh.example%2Fx
machine learning with a login password is hard
machine translation tokens: 12345
train.py:5432:loss:acc1:val_best
host:5432:db2
nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false
use_auth=True; _auth = None
self._auth = make_auth2(token)
docker login -u bob --password-stdin
docker login registry.example
zip -r out.zip data; unzip -q data.zip -d data1
7z x data7.7z -oout
gpg --verify model1.sig
mosquitto_sub -t sensors/1 -p 1883
lftp -e "mirror data1" host
wget --user=bob --ask-password https://h/x
wget https://h/x/model2.pt --password=$PW
kind: Secret
  secretName: db-credentials1
secretKeyRef: {name: db, key: password}
  key: password
  name: db-secret2
Environment=CUDA_VISIBLE_DEVICES=0,1
Environment="TOKENIZERS_PARALLELISM=false"
EnvironmentFile=/etc/app/secrets.env
POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}
POSTGRES_PASSWORD_FILE: /run/secrets/pg
- POSTGRES_PASSWORD=${DB_PW}
password: ${DB_PASSWORD:?is not set}
password: ${{ secrets.PYPI_TOKEN }}
token: ${{ secrets.GITHUB_TOKEN }}
id-token: write
with: {token: "${{ github.token }}"}
variable "db_password" { type = string }
variable "db_password" { description = "password of the database" }
variable "token_count" { default = "128" }
password = var.db_password
password = random_password.db.result
password = data.vault_generic_secret.db.data["password"]
spring.datasource.password=${DB_PASSWORD}
spring.security.password.encoder=bcrypt
app.token.length=32
model.tokens.max=4096
api.key.header=X-Api-Key
password.min.length=8
<password/>
<password></password>
<input type="password" name="password" id="password1"/>
<label for="password">Your password, please</label>
<user name="bob" passwordRequired="true"/>
<property name="password" ref="dbPassword"/>
<property name="tokens" value="12345"/>
<string name="password_hint">At least 8 characters</string>
<key>CFBundleVersion</key><string>1.2.3</string>
password: <%= ENV['DB_PASSWORD'] %>
password: <%= Rails.application.credentials.db_password %>
secret_key_base: <%= ENV["SECRET_KEY_BASE"] %>
| user | password | role |
|---|---|---|
| password | text | required |
| token_count | 12345 | int64 |
 user     password  rows
0  user      object   120
password    0
token_count    12345
password       object
dtype: object
user        120 non-null object
Basic usage: see docs/usage2.md
Basic block with 3x3conv
BasicBlock2 and Bottleneck50
user = "bob:admin"
echo "::add-mask::$TOKEN"
SET PASSWORD FOR 'bob' = PASSWORD(x);
IDENTIFIED BY PASSWORD
ConvertTo-SecureString $env:PW -AsPlainText -Force
Read-Host -AsSecureString "Password"
psk = "QPSK"; psk_order = 4
modulation = "8psk"
cost: $5$ per run; $6$ off
passport = "AB1234567"; passenger_id = "P10023"
bypass = "conv1x1"; compass = "north2"
keyboard = "qwerty12"; keynote = "talk2024"
monkey = "banana42"; turkey_id = "TR1923abc"
n_passes = 12; two_pass = "first2"
passes: 12
pass_rate = 0.97; passthrough = "layer4"
tokenizer_path = "tokenizers/bpe32k"
keyframes = "0,25,50"; keyword = "resnet50"
password_reset_url = "https://h.example/reset"
has_password = True; password_required = False
password_hash = hash_password(pw)
credential_type = "service_account"
secretary = "alice7bob9"
passwords = [[name1, name2], [name3]]
access_token = [[first_token]]
keys = [[row_key1, row_key2]]
api_keys = [[k for k in row] for row in rows]
psk = qpsk(bits)
psk = "two"
modulation = "psk"; psk = "binary phase shift keying"
scheme_psk = PSK(order=16)
password = q
password = r
pass_rate = q(0.95)
pw = q(weights, bits=8)
token = q[0]
bypass = True
bypass = "residual1"
compass = "north1east2"
underpass = 'bridge22b'
trespass_count = 3
multipass = "stage1stage2"
one_pass = "fast16fast"
single_pass = 'v2beta10x'
"pwd": "IPython.core.magics.osm:OSMagics",
secret_key = "django.conf.settings:SECRET"
password_hasher = "django.contrib.auth.hashers:PBKDF2PasswordHasher"
tokenizer = R"(\w+|[^\w\s]+)"
token_pattern = r"(?u)\b\w\w+\b"
password_re = r"^(?=.*[a-z]).{8,}$"
twine upload dist/*
openssl enc -d -in a -out b
xfreerdp /v:host /u:bob
7z x archive.7z -aoa
htpasswd -c users bob
set password {args.password}
n_key = [[1, 2], [3, 4]]
key = [["a1", "b2"]]
print("[[password]]")
See [[Password policy]] in the wiki.
tokens = %q
token = {"\\\"": 1}
""".strip().split("\n")
