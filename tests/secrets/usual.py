"""Lines that people write who train models; none holds a secret."""

USUAL = r"""
use_cls_token = True; n_tokens = "auto"; password_field_width = 12
token = tokenizer.tokenize(text)[0]
tokens = self.tok_emb(x) + self.pos_emb[:, :n_tokens]
cls_token = nn.Parameter(torch.zeros(1, 1, dim))
model = timm.create_model("vit_base_patch16_224", class_token=True, num_classes=10)
tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased", pad_token="<pad>")
sep_token="[SEP]"; unk_token='[UNK]'; mask_token = "<mask>"
token = os.environ["HF_TOKEN"]
token = os.getenv("HF_TOKEN")
api_key = os.environ.get("WANDB_API_KEY", "")
api_key = getpass.getpass("API key: ")
password = getpass("Password: ")
password = input("Enter your password: ")
login(token=token)
wandb.login(key=api_key)
wandb.init(project="demo", config=cfg)
url = f"https://{user}@{host}/x"
dsn = f"postgresql://{u}:{p}@{h}/db"
q = f"https://x/?api_key={key}&n=3"
pat = re.compile(r"https://[^@]+@")
pat = re.compile(r"://([^:]+):([^@]+)@")
pkg = "oci://reg@v1"
url = "https://pypi.org/simple"; remote = "git@github.com:team/a.git"
url = "ssh://git@host.example/team/a.git"
image = "docker.io/library/python@sha256:9f8e7d6c5b4a39281706f5e4d3c2b1a0"
commit = "2725cdf9a1b2c3d4e5f60718293a4b5c6d7e8f90"
sha256 = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0"
md5 = "d41d8cd98f00b204e9800998ecf8427e"
run_id = "0b1c2d3e4f5061728394a5b6c7d8e9f0"
id = uuid.UUID("123e4567-e89b-12d3-a456-426614174000")
weights = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
hf_hub_download("timm/vit_base_patch16_224.augreg2_in21k_ft_in1k", "model.safetensors")
from hf_hub import hf_hub_url_for_some_long_name
pwd=/home/me
private_key_frames=2
!pwd
!ls -la /home/me/data && export CUDA_VISIBLE_DEVICES=0,1
%env CUDA_VISIBLE_DEVICES=0
%env TOKENIZERS_PARALLELISM=false
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["MASTER_ADDR"] = "localhost"; os.environ["MASTER_PORT"] = "29500"
parser.add_argument("--token", type=str, default=None, help="the token of the hub")
parser.add_argument("--api-key", help="your API key", required=True)
parser.add_argument("--max-tokens", type=int, default=128)
args.token = args.token or cfg.hub.token
api_key = cfg["api_key"]
api_key = "your-api-key-here"
api_key = "YOUR_API_KEY"
token = "<token>"
token = "xxx"
token = "${TOKEN}"
token: ${HF_TOKEN}
password: "{{ vault_password }}"
password = None
secret = settings.SECRET_KEY
secrets = dbutils.secrets.get(scope="s", key="k")
key = jax.random.PRNGKey(0)
key, subkey = jax.random.split(key)
keys = sorted(state_dict.keys())
missing_keys, unexpected_keys = model.load_state_dict(sd, strict=False)
keypoints = outputs["keypoints"]; key_padding_mask = None
lambda d: d["key"]
sort_key="val/acc"; monitor_key = "loss"
for key, value in metrics.items(): log({key: value})
query, key, value = self.qkv(x).chunk(3, dim=-1)
key = self.key_proj1(x)
token_dim=384; token_type_ids = torch.zeros(2, 3)
num_register_tokens = 4; prefix_tokens = 5
max_new_tokens=256; eos_token_id=2
input_token_len = 512
secret_santa = 3
author = "Bob"; authors = ["a@b.c"]
email = "bob@example.org"
Authorization = "authorization"
headers = {"Authorization": f"Bearer {token}"}
headers["Authorization"] = "Bearer " + token
authorization = base64.decodebytes(raw)
mlflow.set_tracking_uri("http://localhost:5000")
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.log_param("lr", 3e-4)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.05)
sk-learn-pipeline-with-many-words = 1
from sklearn.model_selection import train_test_split
task-2-sk-learn-example-text-long
transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
img = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk=")
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhf=
x = x @ w.T + b
y = a@b
@torch.no_grad()
@dataclass(frozen=True)
assert tokens.shape == (b, n, d), f"{tokens.shape}"
assert password != ""
def login(user: str, password: str) -> None: ...
def f(token: str = "", api_key: str | None = None): ...
class Token(NamedTuple): key: str
self.token = token
if token is None: raise ValueError("token is required")
raise ValueError("no token: set HF_TOKEN")
print(f"token={token}")
print("tokens per second:", tps)
logger.info("Loaded 12345 tokens in 3.2s")
epoch 3: loss=0.123456 acc=0.98765 tokens/s=12345.6
conv1_weight_key = "backbone.layer1.0.conv1.weight"
teacher_key = "teacher.blocks.11.attn.qkv.weight"
api_key_name = "X-API-Key"
token_url = "https://login.example.org/oauth2/token"
secret_file = "/run/secrets/db"
password_file = Path("/run/secrets/pw")
credentials = "/home/me/.aws/credentials"
credential = DefaultAzureCredential()
ssh_key = "~/.ssh/id_rsa"
private_key = load_pem_private_key(f.read(), password=None)
public = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 me@host"
def password_field(): return "user_password"
def hash_password(pw): return "sha256"
def token_kind(): return "subword"
case "password": kind = "string"
if name == "token": return "tok_field"
sqlite3.connect("cache.db", 5, "deferred", "v2")
sock.connect(("host.example", 8080))
signal.connect("clicked", self, "on_click2")
FTP("ftp.example", "anonymous", "guest")
-----BEGIN PUBLIC KEY-----
class_names = ["cat", "dog"]; label_key = "fine_label"
pretrained_cfg = dict(url="https://dl.fbaipublicfiles.com/deit/deit_tiny_patch16_224-a1311bcf.pth")
%%mlrun baseline --tag owner=bob --params cfg
%config CvTrack.live_plot = False
pip install torch==2.4.1+cu121 --index-url https://download.pytorch.org/whl/cu121
requests==2.32.3 --hash=sha256:70761cfe03c773ceb22aa2f671b4757976145175cdfca038c02654d061d6dcc6
diff --git a/token.py b/token.py
index 4b825dc642..6ef19b4122 100644
tokenizer.add_special_tokens({"additional_special_tokens": ["<img>"]})
token_pooling = "mean"; token = "cls"
fields = ["username", "password", "email", "password2", "address1"]
print("password:", password, "for", "user1")
first_pass, second_pass = "forward", "backward-2"
pad_token, cls_token = "[PAD]", "[CLS]"
tokens = ["hello", "world", "##ing", "x2"]
cfg.get("password", None); cfg.get("token", "auto")
parser.add_argument("--token", "-t", help="the token of the hub")
parser.add_argument("--password", action="store_true", default=False)
password = getpass("Password: ")
pw, ph = 16, 16
cookies = {"theme": "dark"}
set_cookie(response, "theme=dark-mode-2")
n_pass = 3; forward_pass = "conv1->relu2"
(key, value) = ("val/acc1", "resnet50d")
the next token is chosen at temperature 0.7 from top50
| token | resnet50d.ra2_in1k |
assert token in ("a1", "b2", "mobilenetv3_large_100")
key, token = "image_0001.png", "mobilenetv3_large_100"
setattr(self, "token", mobilenetv3_large_100)
getattr(batch, "key", "image_0001.png")
Secret Santa 2024; the pass was 3rd; password is required
author=("bob", "alice1"); authors = ("bob", "alice2")
mysql -u root -p db
the token was mobilenetv3_large_100
spawn_pw2 = "upward2"
client.get_secret_value(SecretId="prod/ml/wandb2")
secret = get_secret("prod/db/password2")
SECRET = "projects/123/secrets/db/versions/1"
password = "pre${SUFFIX2}"
password = "geheim$parole"
template = "password=$PASSWORD2 user=$USER"
pattern = "token=%s id=%d"
password: 12
password = 1234
reset_password("bob9@mail.example")
password_reset(user_id2)
get_password("enter it")
{"name": "learning_rate", "value": "0.00012"}
- name: CUDA_VISIBLE_DEVICES
{"name": "token_dim", "value": "384x2"}
names = ["password", "user"]; value = "x2"
echo done | tee train2.log
hmac.new(key, message, "sha256")
hmac.compare_digest(a, b)
Fernet(key); Fernet.generate_key()
jwt.encode(payload, key, algorithm="HS256")
URL.create("postgresql", username=u, password=p, host="h2")
host:5432:db2
the API key is given in ~/.netrc, line 2
an API key was provided in config2.yaml
<td>{&quot;lr&quot;: 0.1, &quot;sort_key&quot;: &quot;val/acc1&quot;}</td>
title = "密度"; author = "пароход 2024"
tokens = "the quick " + "brown fox"
api_key = "x-" + name
cache_key = "f3a9c1b77d04e6e8"
s3.get_object(Bucket="b", Key="train/0001.npz")
plate_key = "AB12CDE"; hotkey = "ctrl+shift+k2"
KeyError: "key 'conv1d_transpose2' not found"
user_secrets.get_secret("wandb_api_key2")
model = AutoModel.from_pretrained("org/model", revision="a1b2c3d4e5f60718293a4b5c6d7e8f9012345678")
!pip install git+https://github.com/org/repo@a1b2c3d4e5f60718293a4b5c6d7e8f9012345678
token_reduction = "tome_r13"; token_label="TokenLabel2021"
"password": "********"
password: !vault |
password: ENC[AES256_GCM,data:abc]
""".strip().split("\n")
