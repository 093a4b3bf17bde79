"""Passwords of networks and devices, grants of Azure, and what only looks like them."""

from __future__ import annotations

import pytest

from cvtrack_magics.secrets import Masker
from tests.secrets.shapes import KEY, PASSWORD
from tests.secrets.written import WORD

SHORT = "aB3%2Fx9Z"
GUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
HOOK = "9f86d081884c7d659a2feaa0c55ad015"
HELD = (KEY, KEY[:20], KEY[:12], PASSWORD, WORD, SHORT, HOOK)
BLOB = "https://acc.blob.core.windows.net/c/f?"

FORMS = {
    # CHAP
    "iscsid": f"node.session.auth.password = {PASSWORD}",
    "iscsid, both ways": f"node.session.auth.password_in = {PASSWORD}",
    "discovery": f"discovery.sendtargets.auth.password_in = {PASSWORD}",
    "tgtd": f"<target iqn.2020-01.x>\n  incominguser bob {PASSWORD}\n</target>",
    "tgtd, out": f"\toutgoinguser bob {PASSWORD}\n",
    "ietd": f"IncomingUser bob {PASSWORD}\n",
    "chap-secrets": f"# client server secret IP\nbob\t*\t{PASSWORD}\t*\n",
    "chap-secrets, quoted": f'"bob" pptpd "{PASSWORD}" *\n',
    "chap-secrets, address": f"bob * {PASSWORD} 10.0.0.5\n",
    "pap-secrets": f"bob@isp * {PASSWORD} *",
    "chap, a line of a user": f"bob chap * {PASSWORD}",
    "pap, a line of a user": f"bob@isp\tpap\t*\t{KEY[:12]}\n",
    "chap in YAML": f"chap_secret: {PASSWORD}",
    # grants of Azure
    "short": f"{BLOB}sv=2022-11-02&sig={SHORT}",
    "short, first": f"{BLOB}sig={KEY[:12]}%3D&se=2026-01-01",
    "bare": f"sig={KEY[:12]}&se=1764547200",
    "service bus": f"SharedAccessSignature sr=x&sig={KEY[:20]}&se=1&skn=p",
    "of a flag": f"az storage blob list --sas-token 'sp=r&sig={KEY[:20]}'",
    "workflow": f"https://x.logic.azure.com/invoke?api-version=1&sp=r&sig={KEY[:12]}",
    "Teams": f"https://x.office.com/webhook/{GUID}@{GUID}/IncomingWebhook/{HOOK}/{GUID}",
    # pgpass
    "a port of one digit": f"localhost:1:*:*:{PASSWORD}",
    "a port of two": f"10.0.0.5:80:*:bob:{PASSWORD}",
    "a port of three": f"*:543:*:bob:{PASSWORD}",
    # others
    "EAP": f'bob : EAP "{PASSWORD}"',
    "XAUTH": f'bob : XAUTH "{PASSWORD}"',
    "WireGuard": f"PresharedKey = {KEY}zz00aaBB=",
    "SNMP": f"rocommunity {PASSWORD}\n",
    "SNMP of a router": f"snmp-server community {PASSWORD} RO",
    "enable": f"enable secret 5 $1$abcd${KEY}",
    "user of a router": f"username bob privilege 15 secret 9 $9${KEY}",
    "OSPF": f"ip ospf authentication-key 7 {PASSWORD}",
    "OSPF, digest": f"ip ospf message-digest-key 1 md5 {PASSWORD}",
    "TACACS": f"tacacs-server key 7 {PASSWORD}",
    "key chain": f"key-string {PASSWORD}",
    "IKE": f"crypto isakmp key {PASSWORD} address 10.0.0.1",
    "Redis": f"user bob on >{PASSWORD} ~* +@all",
    "Redis, set": f"ACL SETUSER bob on ~cache:* +get >{PASSWORD}",
    "Redis, nothing granted": f"user bob on >{KEY[:12]}",
    "header of a token": f"label-studio: Token {KEY}{KEY}",
    "ngrok": f'ngrok.set_auth_token("{KEY}")',
    "hub": f"hub.login('{KEY}')",
    "pairs of users": f"demo.launch(auth=[('bob', '{PASSWORD}')])",
    "boto3 by place": f"boto3.client('s3', None, None, True, 'AKIA2E0A8F3B244C9986', '{KEY}')",
    "git": f"git config http.extraheader 'AUTHORIZATION: basic {KEY}'",
    "kickstart": f"rootpw --plaintext {PASSWORD}",
    "isql": f"isql -U sa -P {PASSWORD}",
    "racadm": f"racadm -r h -u root -p {PASSWORD} getsysinfo",
    "conda": f"conda config --set token {KEY}",
}
STAY = (
    "area = width * height2 *\n",
    "loss = alpha * conv2d *\n    beta\n",
    "x * Conv2dBlock3 * y",
    "*  a bullet point1 *\n",
    "| a | b * c2 * |",
    "from a2 import *\nfrom b3 import *\n",
    "sig=0.5&x=1",
    "sig=gaussian2&mode=full",
    "def f(x, sig=Sigma2): pass",
    "https://h/x?sig=Gauss5&bins=10",
    "user Bob2 > report5.txt",
    "user bob on >Log2",
    "user alice off >Report3",
    "setuser model1 on >Stage2",
    "user guest on >q4_sales",
    "layer chap * 12pages",
    "bob chap * results",
    "hub.login('run_2024_exp3')",
    "Token classification2",
    "community Detection2 in graphs",
    "a secret 5 percent of users know",
    "enable secret sharing2 between ranks",
    "the shared_key = 'layer2'",
    "batch_password_in_use: 3",
    "localhost:80:GET:index:ok200",
    "train.py:12:fit:INFO:loss0.25",
    "model.trainer:120:fit:step:value9",
    "10.0.0.5:80:12:30:value9",
    "encoder: EAP 'x1'",
    "/IncomingWebhook/<token>/<id>",
    "rootpw is set2 elsewhere",
)


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_of_a_network_is_left(form: str) -> None:
    text = FORMS[form]
    masked = Masker(alone=True).mask(text).text
    assert not any(secret in masked for secret in HELD), masked
    assert Masker(alone=True).mask(masked).text == masked


@pytest.mark.parametrize("text", STAY)
def test_what_only_looks_so_stays(text: str) -> None:
    assert Masker(alone=True).mask(text).text == text
