"""What a team has, on one machine: PostgreSQL, an S3 server, MLflow with passwords before both.

No password is a word of a program: they are in the environment of the one that needs them, and in
files that only their owner reads.
"""

from __future__ import annotations

import base64
import configparser
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from tests.faults.servers import QUIET, Postgres, free_port

BUCKET = "mlflow"
ADMIN = "admin"
WEED = Path(sys.executable).parent / "weed"
WAIT = 280  # seconds that a program has to answer, on a busy machine, too
GRACE = 15  # seconds that a program has to end


def secret_file(path: Path, text: str) -> Path:
    """Write a file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path


class Program:
    """A server with the processes it starts, and a log of what they say."""

    def __init__(self, command: list[str], folder: Path, log: str, **environment: str) -> None:
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "AWS_"))}
        self.log = folder / log
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**plain, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, url: str) -> None:
        """Wait until an address answers, with whatever."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                urllib.request.urlopen(url, timeout=2).close()
                return
            except HTTPError:
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(self.log.read_text(errors="replace")[-4000:]) from None
                time.sleep(0.1)

    def stop(self, *, at_once: bool = False) -> None:
        """Let it end; kill what does not."""
        for number in (signal.SIGKILL,) if at_once else (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)


class ObjectStore:
    """SeaweedFS as an S3 server with one bucket and one key."""

    def __init__(self, folder: Path, key: str, secret: str) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.key, self._secret = key, secret
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        who = {
            "name": "mlflow",
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": actions,
        }
        config = secret_file(folder / "s3.json", json.dumps({"identities": [who]}))
        ports = [
            f"-{name}={free_port()}"
            for one in ("master", "volume", "filer")
            for name in (f"{one}.port", f"{one}.port.grpc")
        ]
        command = [
            *(str(WEED), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *ports),
            *("-s3", f"-s3.config={config}", f"-s3.port={self.port}"),
            *(f"-s3.port.grpc={free_port()}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-volume.max=20", "-master.volumeSizeLimitMB=256", "-master.telemetry=false"),
        ]
        self.program = Program(command, folder, "s3.log")

    def wait_up(self) -> None:
        """Wait until it keeps what it is given, and make the bucket."""
        self.program.wait_for(self.uri)
        client, deadline = self.client(), time.monotonic() + WAIT
        while True:
            try:
                if BUCKET not in [one["Name"] for one in client.list_buckets()["Buckets"]]:
                    client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
                return
            except Exception:
                if self.program.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def client(self) -> Any:
        """Return a client that has the key."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.uri,
            aws_access_key_id=self.key,
            aws_secret_access_key=self._secret,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}),
        )

    def objects(self) -> dict[str, bytes]:
        """Return all that is in the bucket."""
        client, found = self.client(), {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for one in page.get("Contents", []):
                body = client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"]
                found[one["Key"]] = body.read()
        return found

    def environment(self, secret: str = "") -> dict[str, str]:
        """Return what MLflow's server needs to write here; with another secret, if one is said."""
        return {
            "MLFLOW_S3_ENDPOINT_URL": self.uri,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": secret or self._secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


class Team:
    """The whole of it, in a folder that it goes on from."""

    def __init__(self, folder: Path, port: int = 0, workers: int = 1) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.secrets = self._secrets()
        self.port = port or free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._workers = workers
        self.objects = ObjectStore(folder / "s3", self.secrets["key"], self.secrets["secret"])
        try:
            with ThreadPoolExecutor() as beside:
                ready = beside.submit(self.objects.wait_up)
                self.database = Postgres(folder / "postgres", self.secrets["database"])
                self._make_database("auth")
                ready.result()
            self.server = self._serve()
        except BaseException:
            self.stop()
            raise

    def _secrets(self) -> dict[str, str]:
        kept = self.folder / "secrets.json"
        if not kept.exists():
            names = ("admin", "database", "key", "secret", "pages")
            secret_file(kept, json.dumps({name: secrets.token_hex(16) for name in names}))
        return dict(json.loads(kept.read_text()))

    def _make_database(self, name: str) -> None:
        import psycopg2

        with closing(psycopg2.connect(self.database.uri.replace("+psycopg2", ""))) as connection:
            connection.autocommit = True
            with closing(connection.cursor()) as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if cursor.fetchone() is None:
                    cursor.execute(f'CREATE DATABASE "{name}"')

    def _serve(self, secret: str = "") -> Program:
        config = configparser.ConfigParser(interpolation=None)
        config["mlflow"] = {
            "default_permission": "EDIT",
            "database_uri": self.database.uri.removesuffix("postgres") + "auth",
            "admin_username": ADMIN,
            "auth_cache_ttl_seconds": "60",  # else each request hashes its password anew
        }
        path = self.folder / "auth.ini"
        with secret_file(path, "").open("w") as file:
            config.write(file)
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", str(self._workers)),
        ]
        served = Program(
            command,
            self.folder,
            "mlflow.log",
            **QUIET,
            **self.objects.environment(secret),
            MLFLOW_BACKEND_STORE_URI=self.database.uri,
            MLFLOW_ARTIFACTS_DESTINATION=f"s3://{BUCKET}",
            MLFLOW_AUTH_CONFIG_PATH=str(path),
            MLFLOW_AUTH_ADMIN_PASSWORD=self.secrets["admin"],
            MLFLOW_FLASK_SERVER_SECRET_KEY=self.secrets["pages"],
        )
        served.wait_for(f"{self.uri}/health")
        return served

    def serve_again(self, secret: str = "") -> None:
        """Start MLflow's server anew, with another secret for the S3 server, if one is said."""
        self.server.stop(at_once=True)
        self.server = self._serve(secret)

    def ask(self, path: str, *, api: str = "2.0", **body: Any) -> dict[str, Any]:
        """Ask the REST interface as the administrator."""
        who = base64.b64encode(f"{ADMIN}:{self.secrets['admin']}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {who}"}
        data = json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.uri}/api/{api}/mlflow/{path}", data, headers)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return dict(json.loads(answer.read() or b"{}"))

    def member(self, name: str) -> dict[str, str]:
        """Let a person in; return the environment that theirs needs."""
        password = self.secrets.get(f"of {name}")
        if password is None:
            password = secrets.token_hex(16)
            self.ask("users/create", username=name, password=password)
            self.secrets[f"of {name}"] = password
            secret_file(self.folder / "secrets.json", json.dumps(self.secrets))
        return {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": password,
        }

    def deny(self, name: str, experiment: str) -> None:
        """Keep a member from an experiment."""
        self.ask(
            "users/permissions/grant",
            api="3.0",
            username=name,
            resource_type="experiment",
            resource_id=experiment,
            permission="DENY",
        )

    def env_file(self, name: str) -> Path:
        """Return the file that a person reads into the shell that Jupyter is started from."""
        said = "".join(f"export {key}={value}\n" for key, value in self.member(name).items())
        return secret_file(self.folder / f"{name}.env", said)

    def stop(self, *, at_once: bool = False) -> None:
        """Stop all of it, MLflow first; the folder keeps what it has."""
        if hasattr(self, "server"):
            self.server.stop(at_once=at_once)
        if hasattr(self, "database"):
            with suppress(RuntimeError):
                self.database.stop()
        self.objects.program.stop(at_once=at_once)

    def remove(self) -> None:
        """Stop all of it, and remove what it had."""
        self.stop(at_once=True)
        shutil.rmtree(self.folder, ignore_errors=True)
