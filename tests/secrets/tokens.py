"""Invented tokens, each of the form its issuer publishes; built here, so that no file holds one."""

from __future__ import annotations

import base64
import random
import string

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def drawn(count: int, alphabet: str = LETTERS) -> str:
    """Return random text with a digit in it, the same at each run of the tests."""
    source = random.Random(f"{count}{alphabet}")
    return "".join(source.choice(alphabet) for _ in range(count - 2)) + "a7"


JWT = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in ('{"alg":"HS256"}', '{"sub":"12345","name":"bob"}', drawn(24))
)
UPPER = string.ascii_uppercase + string.digits

TOKENS = {
    "hf": "hf_" + drawn(34),
    "github": "ghp_" + drawn(36),
    "github-oauth": "gho_" + drawn(36),
    "github-server": "ghs_" + drawn(36),
    "github-pat": "github_pat_" + drawn(22) + "_" + drawn(59),
    "gitlab": "glpat-" + drawn(20),
    "gitlab-trigger": "glptt-" + drawn(40, HEX),
    "bitbucket": "ATBB" + drawn(32),
    "atlassian": "ATATT3" + drawn(186),
    "anthropic": "sk-ant-api03-" + drawn(93),
    "openrouter": "sk-or-v1-" + drawn(64, HEX),
    "openai": "sk-" + drawn(48),
    "openai-project": "sk-proj-" + drawn(64),
    "aws-key-id": "AKIA" + drawn(16, UPPER).upper(),
    "aws-session-id": "ASIA" + drawn(16, UPPER).upper(),
    "google-api-key": "AIza" + drawn(35),
    "google-client-secret": "GOCSPX-" + drawn(28),
    "google-access": "ya29." + drawn(120),
    "azure-client-secret": "abc8Q~" + drawn(34),
    "slack-bot": "xoxb-123456789012-" + drawn(24),
    "slack-user": "xoxp-123456789012-" + drawn(32),
    "slack-app": "xapp-1-A0123-" + drawn(40),
    "stripe": "sk_live_" + drawn(24),
    "stripe-restricted": "rk_live_" + drawn(24),
    "stripe-webhook": "whsec_" + drawn(32),
    "twilio": "SK" + drawn(32, HEX),
    "sendgrid": "SG." + drawn(22) + "." + drawn(43),
    "mailgun": "key-" + drawn(32, HEX),
    "mailchimp": drawn(32, HEX) + "-us14",
    "sendinblue": "xkeysib-" + drawn(64, HEX) + "-" + drawn(16),
    "npm": "npm_" + drawn(36),
    "pypi": "pypi-AgEIcHlwaS5vcmc" + drawn(80),
    "docker": "dckr_pat_" + drawn(27),
    "databricks": "dapi" + drawn(32, HEX),
    "neptune": "eyJhcGlfYWRkcmVzcyI6" + drawn(90),
    "kaggle": "KGAT_" + drawn(32),
    "replicate": "r8_" + drawn(37),
    "jwt": JWT,
    "age": "AGE-SECRET-KEY-1" + drawn(58, UPPER).upper(),
    "digitalocean": "dop_v1_" + drawn(64, HEX),
    "shopify": "shpat_" + drawn(32, HEX),
    "square": "sq0atp-" + drawn(22),
    "telegram": "123456789:AA" + drawn(33),
    "linear": "lin_api_" + drawn(40),
    "notion": "ntn_" + drawn(46),
    "notion-old": "secret_" + drawn(43),
    "figma": "figd_" + drawn(40),
    "airtable": "pat" + drawn(14) + "." + drawn(64, HEX),
    "grafana": "glsa_" + drawn(32) + "_" + drawn(8, HEX),
    "newrelic": "NRAK-" + drawn(27, UPPER).upper(),
    "sentry": "sntryu_" + drawn(64, HEX),
    "postman": "PMAK-" + drawn(24, HEX) + "-" + drawn(34, HEX),
    "pulumi": "pul-" + drawn(40, HEX),
    "terraform": drawn(14) + ".atlasv1." + drawn(67),
    "vault": "hvs." + drawn(92),
    "doppler": "dp.pt." + drawn(43),
    "netlify": "nfp_" + drawn(36),
    "supabase": "sbp_" + drawn(40, HEX),
    "planetscale": "pscale_tkn_" + drawn(43),
    "rubygems": "rubygems_" + drawn(48, HEX),
    "hubspot": "pat-na1-01234567-89ab-cdef-0123-456789abcdef",
    "groq": "gsk_" + drawn(52),
    "perplexity": "pplx-" + drawn(48),
    "nvidia": "nvapi-" + drawn(64),
    "xai": "xai-" + drawn(80),
    "langsmith": "lsv2_pt_" + drawn(32, HEX) + "_" + drawn(10, HEX),
    "pinecone": "pcsk_" + drawn(60),
    "roboflow": "rf_" + drawn(28),
    "runpod": "rpa_" + drawn(44),
    "tailscale": "tskey-auth-" + drawn(30),
    "prefect": "pnu_" + drawn(36),
    "elevenlabs": "sk_" + drawn(48, HEX),
    "tavily": "tvly-" + drawn(32),
    "fireworks": "fw_" + drawn(24),
    "circleci": "CCIPAT_" + drawn(50),
    "dynatrace": "dt0c01." + drawn(24, UPPER).upper() + "." + drawn(64, UPPER).upper(),
}
"""Tokens that are known by their form, wherever they stand."""

SECRET = "hunter2" + "Hunter7"
HEX40, HEX32 = drawn(40, HEX), drawn(32, HEX)
NUMBER = "93847261"

BY_PLACE = {
    "assignment": f'password = "{SECRET}"',
    "annotated": f'db_password: str = "{SECRET}"',
    "keyword": f"connect(user='bob', password='{SECRET}')",
    "dict": f'{{"user": "bob", "client_secret": "{SECRET}"}}',
    "json in a string": f'x = "{{\\"api_key\\": \\"{SECRET}\\"}}"',
    "environ": f'os.environ["X_TOKEN"] = "{drawn(20)}"',
    "setdefault": f'os.environ.setdefault("MY_SECRET", "{SECRET}")',
    "magic": f"%env DB_PASSWORD={SECRET}",
    "export": f"!export API_KEY={SECRET}",
    "dotenv": f"DB_PASSWORD={SECRET}\n",
    "yaml": f"db:\n  password: {SECRET}\n",
    "toml": f'api_key = "{SECRET}"\n',
    "flag": f"!tool --token {drawn(20)} --lr 0.1",
    "flag with =": f"!tool --password={SECRET}",
    "compared": f'if password == "{SECRET}":',
    "pydantic": f'password = SecretStr("{SECRET}")',
    "header": f'headers = {{"Authorization": "Bearer {drawn(32)}"}}',
    "curl header": f"!curl -H 'Authorization: token {drawn(32)}' https://h/x",
    "curl user": f"!curl -u bob:{SECRET} https://h/x",
    "basic auth": f'requests.get(u, auth=("bob", "{SECRET}"))',
    "login": f'server.login("bob", "{SECRET}")',
    "wandb": f'wandb.login(key="{HEX40}")',
    "wandb cli": f"!wandb login --relogin {HEX40}",
    "wandb environment": f"%env WANDB_API_KEY={HEX40}",
    "netrc": f"machine api.wandb.ai login user password {HEX40}",
    "kaggle": f'{{"username":"bob","key":"{HEX32}"}}',
    "aws secret": f"aws_secret_access_key = {drawn(40)}",
    "azure": f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={drawn(86)}==",
    "sas": f"https://x.blob.core.windows.net/c?sv=2022&sig={drawn(40)}%3D",
    "url": f"https://bob:{SECRET}@host.example/x",
    "url token": f"git+https://{drawn(24)}@host.example/x.git",
    "dsn": f"postgresql+psycopg2://u:{SECRET}@db:5432/x",
    "dsn with @": f"postgresql://u:{SECRET}@9!@db.example/x",
    "dsn with /": f"mysql://u:{SECRET}/9@db.example/x",
    "remote": f"origin bob:{SECRET}@host.example:team/a.git (fetch)",
    "query": f"https://h/x?n=1&access_token={SECRET}&m=2",
    "slack hook": f"https://hooks.slack.com/services/T0123/B0123/{drawn(24)}",
    "printed": f"Config(api_key={drawn(24)}, lr=0.1)",
    "bot's address": f"https://api.telegram.org/bot123456789:AA{drawn(33)}/getMe",
    "signed address": f"https://b.s3.example/k?X-Amz-Signature={drawn(64, HEX)}",
    "number": f"password = {NUMBER}",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\n"
    + (drawn(64) + "\n") * 3
    + "-----END RSA PRIVATE KEY-----",
    "service account": '{"private_key": "-----BEGIN PRIVATE KEY-----\\n'
    + (drawn(64) + "\\n") * 3
    + '-----END PRIVATE KEY-----\\n"}',
}
"""Texts whose secret is known by its place only."""

HIDDEN_PARTS = (SECRET, HEX40, HEX32, NUMBER, *(drawn(n) for n in (20, 24, 32, 33, 40, 64, 86)))
HIDDEN_PARTS += (drawn(64, HEX),)
