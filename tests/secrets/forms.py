"""Secrets as shells, files of settings, headers and other languages have them."""

from __future__ import annotations

PASSWORD = "Tr0ub4dor&3x"
KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCY7Zq2Hs9dKe"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HELD = (PASSWORD, KEY, DIGEST, SEED, "b9Zq7!x", "MIIEowIBAAKCAQEA0Z3V", "SflKxwRJSMeKKF2QT4")
_JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJzdWIiOiIxMjM0NTY3ODkwIn0.",
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV",
)
_BODY = "MIIEowIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7"

FORMS = (
    # shells
    f"PASSWORD=$'{PASSWORD}'\n",
    f"export DB_PASSWORD=$'{PASSWORD}'",
    f'PASSWORD=$"{PASSWORD}"\n',
    f"read -r PASSWORD <<< '{PASSWORD}'",
    f"PASSWORD=$(cat <<'EOF'\n{PASSWORD}\nEOF\n)",
    f"docker run -e 'DB_PASSWORD={PASSWORD}' img",
    f"docker build --build-arg NPM_TOKEN={KEY} .",
    f"kubectl create secret generic x --from-literal=db={PASSWORD}",
    f"helm upgrade x c --set a=b,auth.password={PASSWORD}",
    f"AWS Secret Access Key [None]: {KEY}",
    f"gh auth login --with-token <<< {KEY}",
    f"AUTH {PASSWORD}\n",
    f"oathtool --totp -b {SEED}",
    # other languages
    f"%let pw={PASSWORD};",
    f'$s = ConvertTo-SecureString -AsPlainText -Force -String "{PASSWORD}"',
    f"ConvertTo-SecureString -AsPlainText '{PASSWORD}' -Force",
    f"ConvertTo-SecureString {PASSWORD} -AsPlainText -Force",
    f"New-Object System.Net.NetworkCredential('bob', '{PASSWORD}')",
    f"Sys.setenv(DB_PASSWORD = '{PASSWORD}')",
    f'ENV["DB_PASSWORD"] = "{PASSWORD}"',
    f"pyotp.TOTP('{SEED}')",
    # files of settings
    f"password: >-\n  {PASSWORD}\nuser: x\n",
    f"db:\n  password: |\n    {PASSWORD}\n",
    f"api_key: |2-\n    {KEY}\n",
    f"password: >- # the one\n  {PASSWORD}\n",
    f"password: |\n\n  {PASSWORD}\n",
    f"password: &pw {PASSWORD}\n",
    f"password: !unsafe '{PASSWORD}'\n",
    f"passwords:\n  - {PASSWORD}\n  - second{PASSWORD}\n",
    f"ansible_become_pass: {PASSWORD}\n",
    f"ldap_default_authtok = {PASSWORD}\n",
    f'password = """\n{PASSWORD}"""\n',
    f"mfa_seed: {SEED}\n",
    f"seed = '{SEED}'",
    "DRIVER={X};SERVER=h;UID=me;PWD={a;b9Zq7!x};",
    f"jdbc:oracle:thin:scott/{PASSWORD}@//h:1521/x",
    f"userPassword: {{SSHA}}{KEY}",
    f"bob:{{SHA}}{KEY}=",
    f"me:$y$j9T$F5Jx5fExrKuPp53xLKQ..1${KEY}:1",
    # headers and addresses
    f'Authorization: Digest username="me", realm="x", nonce="abc", response="{DIGEST}"',
    f"Authorization: AWS4-HMAC-SHA256 SignedHeaders=host, Signature={DIGEST}{DIGEST}",
    f"Authorization: Negotiate {KEY}=",
    f'Authorization: Hawk id="x", ts="1", mac="{KEY}="',
    f'Authorization: OAuth oauth_consumer_key="x", oauth_signature="{KEY}%3D"',
    f"https://h/cb?code=4/0{KEY}&state=x",
    f"https://d.cloudfront.net/x?Expires=1&Signature={KEY}~7&Key-Pair-Id=K2J",
    f"https://b.s3.amazonaws.com/k?X-Amz-Expires=9&X-Amz-Signature={DIGEST}{DIGEST}",
    f"otpauth://totp/X:me?secret={SEED}&issuer=X",
    # keys
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: x\n"
    f"{_BODY}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
    f"PuTTY-User-Key-File-3: ssh-rsa\\nPrivate-Lines: 1\\n{_BODY}\\nPrivate-MAC: 9f86\\n",
    f'{{"kty":"RSA","n":"abc","d":"{KEY}{KEY}"}}',
    "\n".join(_JWT),
    "\n  ".join(_JWT),
    # a person's number
    "card_pin = 47119\nprint(47119)".replace("47119", "4711"),
)
STAY = (
    "pin = 4711",
    "led_pin = 13\nclk_pin = 4711\n",
    "pincode = 560001\npin_code = 560001\n",
    "PIN_MEMORY = True\npin_memory = 4711\n",
    "Signature = inspect.signature(fn)\n",
    "signature=ModelSignature(inputs=schema_1, outputs=schema_2)\n",
    "password: Optional[str] = Field(default=None, max_length=12)\n",
    "{password: pw1,\n user: u1,\n}",
    "services:\n  db:\n    secrets:\n      - db-prod-key1\n      - web-cert2\n",
    "passwords:\n  - name: first\n  - user_pw\n",
    "secrets: |\n  the names of the secrets are in the vault\n",
    "f'DRIVER={driver};PWD={password1};UID={user}'",
    "PWD={os.environ['PW1']}",
    "seed = 'COCO_TRAIN_2017_VAL_SPLIT'",
    "seed = 1234567234567234\n",
    "AUTH is done by the proxy1\n",
    "Negotiate the terms of thisVeryLongButHarmlessWord1234\n",
    "response=requests.get(url)\n",
    '{"a": 1, "d": "a sentence of words with 1 number, and long enough to count as one"}',
    "password: >-\n  {{ vault_password }}\n",
    "password: |\n  ${DB_PASSWORD}\n",
    "password: &default\n  min_length: 8\n",
)
