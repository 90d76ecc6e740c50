"""The service as a process that can be killed, the two databases it runs on, and the people who call it."""

import csv
import http.client
import io
import json
import os
import sqlite3
import subprocess
import time
import uuid

START_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 60
PASSWORD = "a password for crashes"


class Gone(Exception):
    """The service was killed before it answered."""


class Service:
    """One `zhuxiao serve` at a time, on a database that outlives it."""

    def __init__(self, binary, folder, database_url, port):
        self.binary, self.port, self.database_url = binary, port, database_url
        self.log = os.path.join(folder, "service.log")
        keys = os.path.join(folder, "keys")
        with open(keys, "w", encoding="ascii") as file:
            file.write(f"crash={'5a' * 32}\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ZHUXIAO_")},
            "ZHUXIAO_KEYS": keys,
            "ZHUXIAO_LOG": "warn",
            "ZHUXIAO_PASSWORD_HASH_KIB": "1024",
            # A run may be longer than a hold or a session by default is.
            "ZHUXIAO_HOLD_MINUTES": "1440",
            "ZHUXIAO_SESSION_HOURS": "72",
            "ZHUXIAO_TOTP_REQUIRED": "false",
            # Its clients are few people in a great hurry.
            "ZHUXIAO_REQUESTS_PER_SECOND_MAX": "1000000",
        }
        self.process = None

    def start(self):
        """Starts it and waits until it is ready to serve."""
        command = [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--database-url", self.database_url]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        begun = time.monotonic()
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - begun > START_SECONDS_MAX:
                raise SystemExit(f"the service does not start, see {self.log}")
            time.sleep(0.005)

    def is_ready(self):
        try:
            return Connection(self.port).send("GET", "/readyz").status == 200
        except Gone:
            return False

    def kill(self):
        """SIGKILL: it can neither finish nor say anything."""
        self.process.kill()
        self.process.wait()

    def run(self, *arguments, said=None):
        """Runs another command of the program: its exit code and what it wrote."""
        command = [self.binary, *arguments, "--database-url", self.database_url]
        done = subprocess.run(command, env=self.environment, input=said, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def must(self, *arguments, said=None):
        code, told = self.run(*arguments, said=said)
        if code != 0:
            raise SystemExit(f"zhuxiao {' '.join(arguments)} ended with {code}: {told}")
        return told.strip()


class Answer:
    """An answer, read whole."""

    def __init__(self, response):
        self.status = response.status
        self.is_replay = response.headers.get("idempotency-replayed") == "true"
        self.text = response.read()

    @property
    def body(self):
        return json.loads(self.text)


class Connection:
    """A kept connection of one client."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS_MAX)

    def send(self, method, path, person=None, key=None, body=None):
        headers = {"content-type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
        if person:
            headers["authorization"] = f"Bearer {person.token}"
        if key:
            headers["idempotency-key"] = key
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            self.http.request(method, path, sent, headers)
            return Answer(self.http.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self.http.close()
            raise Gone(str(error)) from error

    def must(self, method, path, person=None, key=None, body=None):
        answer = self.send(method, path, person, key, body)
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path} was answered {answer.status}: {answer.text.decode()}")
        return answer.body


class Person:
    """Somebody signed in."""

    def __init__(self, service, role, *place):
        self.account = f"{role}-{uuid.uuid4().hex[:12]}"
        service.must("admin", "create", "--account", self.account, "--name", role, "--role", role, *place, said=PASSWORD)
        signed = {"account": self.account, "password": PASSWORD}
        self.token = Connection(service.port).must("POST", "/v1/sessions", body=signed)["token"]


class Sqlite:
    """A file; read beside the service."""

    name = "SQLite"

    def __init__(self, folder):
        self.file = os.path.join(folder, "crash.db")
        self.url = f"sqlite://{self.file}?mode=rwc"

    def rows(self, sql):
        connection = sqlite3.connect(self.file)
        try:
            return [tuple(text_of(value) for value in row) for row in connection.execute(sql)]
        finally:
            connection.close()

    def drop(self):
        """It goes with its folder."""


class Postgres:
    """A database of a server that runs already; read with psql."""

    name = "PostgreSQL"

    def __init__(self, server_url):
        self.server_url, self.database = server_url, f"crash_{uuid.uuid4().hex}"
        self.url = f"{server_url.rsplit('/', 1)[0]}/{self.database}"
        self.psql(server_url, f"create database {self.database}")

    def rows(self, sql):
        return [tuple(row) for row in csv.reader(io.StringIO(self.psql(self.url, sql)))]

    def drop(self):
        self.psql(self.server_url, f"drop database {self.database} with (force)")

    @staticmethod
    def psql(url, sql):
        command = ["psql", "--no-psqlrc", "--quiet", "--csv", "--tuples-only", "--dbname", url, "--command", sql]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{sql}: {done.stderr}")
        return done.stdout


def text_of(value):
    """A value of SQLite as psql writes it."""
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value))
    return "" if value is None else str(value)
