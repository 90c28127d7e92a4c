"""Nodes, databases, and clients that read and write, for tests of whole systems."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
synchronous_commit = on
fsync = on
max_connections = 100
wal_level = replica
hot_standby = on
# The standby follows the restarted primary at once: writes wait for it.
wal_retrieve_retry_interval = '100ms'
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Connection:
    """HTTP/1.1 with keep-alive: as much as this load needs."""

    def __init__(self, port):
        self.port, self.streams = port, None

    async def request(self, method, path, body=None, token=None):
        """The status and the JSON of the response; status 0 if there is none."""
        try:
            return await asyncio.wait_for(self.attempt(method, path, body, token), 35)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError) as error:
            self.close()
            return 0, repr(error)

    def close(self):
        if self.streams:
            self.streams[1].close()
        self.streams = None

    async def attempt(self, method, path, body, token):
        if not self.streams:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: accounts\r\nContent-Length: {len(content)}\r\n"
        if body is not None:
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            head += f"Content-Type: {kind}\r\n"
        if token:
            head += f"Authorization: Bearer {token}\r\n"
        writer.write(head.encode() + b"\r\n" + content)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        if headers.get("transfer-encoding") == "chunked":
            content = b""
            while size := int(await reader.readline(), 16):
                content += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            content = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        status = int(lines[0].split()[1])
        try:
            return status, json.loads(content or b"null")
        except ValueError:
            return status, content.decode(errors="replace")


class Node:
    def __init__(self, number, folder, url):
        self.number, self.folder, self.port, self.process = number, folder, free_port(), None
        self.env = {
            "PATH": os.environ["PATH"],
            "DENIZEN__SERVER__PORT": str(self.port),
            "DENIZEN__SERVER__PUBLIC_URL": "https://accounts.example.com",
            "DENIZEN__DATABASE__URL": url,
            "DENIZEN__SECURITY__MASTER_KEY_FILE": str(folder / "master.key"),
            "DENIZEN__LIMITS__ADDRESS_PER_SECOND": "0",
            "DENIZEN__LIMITS__ACCOUNT_WRITES_PER_MINUTE": "0",
        }

    def command(self, binary, *arguments):
        done = subprocess.run([binary, *arguments], cwd=self.folder, env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"denizen {' '.join(arguments)}: {done.stderr}")

    async def start(self, binary):
        log = open(self.folder / f"node{self.number}.log", "ab")
        self.process = await asyncio.create_subprocess_exec(
            binary, "serve", cwd=self.folder, env=self.env, stdout=log, stderr=log
        )
        begun = time.monotonic()
        while (await Connection(self.port).request("GET", "/health/ready"))[0] != 200:
            if self.process.returncode is not None or time.monotonic() - begun > 60:
                sys.exit(f"node {self.number} does not start:\n{Path(log.name).read_text()}")
            await asyncio.sleep(0.01)
        return time.monotonic() - begun

    async def stop(self):
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await self.process.wait()
        if code != 0:
            sys.exit(f"node {self.number} stopped with code {code}")
        return time.monotonic() - begun

    async def kill(self):
        begun = time.monotonic()
        self.process.kill()
        await self.process.wait()
        return time.monotonic() - begun

    async def kill_if_running(self):
        if self.process and self.process.returncode is None:
            await self.kill()


class Client:
    """One account: five reads, then a write of the next number."""

    def __init__(self, number, port, pause_s=0):
        self.number, self.connection, self.pause_s = number, Connection(port), pause_s
        self.acknowledged, self.sent, self.requests, self.failures, self.times = 0, 0, 0, [], []
        self.last_write = 0.0

    async def sign_in(self):
        account = {"email": f"user{self.number}@example.com", "password": "correct horse battery"}
        status, answer = await self.connection.request("POST", "/api/v1/users", {**account, "name": "Ada"})
        assert status == 201, answer
        self.path = f"/api/v1/users/{answer['id']}"
        status, answer = await self.connection.request("POST", "/api/v1/sessions", account)
        assert status == 201, answer
        self.token = answer["access_token"]

    async def run(self, until):
        """Sends requests until the event is set; pauses for a moment after a failure."""
        while not until.is_set():
            for method in ["GET"] * 5 + ["PATCH"]:
                body = None
                if method == "PATCH":
                    self.sent += 1
                    body = {"attributes": {"number": self.sent}}
                begun = time.monotonic()
                status, answer = await self.connection.request(method, self.path, body, self.token)
                self.times.append(time.monotonic() - begun)
                self.requests += 1
                if status != 200:
                    self.failures.append(f"{method}: {status} {answer}")
                    await asyncio.sleep(self.pause_s)
                elif method == "PATCH":
                    self.acknowledged = self.sent
                    self.last_write = time.monotonic()

    async def verify(self):
        status, answer = await self.connection.request("GET", self.path, None, self.token)
        assert status == 200, answer
        stored = answer["attributes"].get("number", 0)
        return self.acknowledged <= stored <= self.sent


def script(name, *arguments):
    """What a script of this folder prints."""
    command = [Path(__file__).resolve().parent / name, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def binaries():
    """The folder with the newest PostgreSQL server, or nothing."""
    folder = script("postgres", "binaries")
    return Path(folder) if folder else None


class Database:
    """A PostgreSQL of its own, run by a user that is not root."""

    def __init__(self, name, folder):
        self.name, self.folder, self.owner, self.port = name, folder / name, script("postgres", "owner"), free_port()
        self.bin = binaries()
        if os.geteuid() == 0:
            os.makedirs(self.folder, 0o700)
            shutil.chown(self.folder, self.owner)

    def run(self, program, *arguments, check=True):
        command = [str(self.bin / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self.owner}", f"--regid={self.owner}", "--clear-groups", *command]
        quiet = None if check else subprocess.DEVNULL
        return subprocess.run(command, check=check, stdout=subprocess.DEVNULL, stderr=quiet, cwd="/")

    def create(self, *options, settings=""):
        self.run("initdb", "--pgdata", self.folder, "--username=denizen", "--encoding=UTF8", "--locale=C", *options)
        with open(self.folder / "postgresql.conf", "a") as file:
            file.write(SETTINGS + settings)

    def copy(self, primary):
        source = f"host=127.0.0.1 port={primary.port} user=denizen application_name=standby"
        self.run("pg_basebackup", "--pgdata", self.folder, "--dbname", source, "--write-recovery-conf", "--checkpoint=fast")
        with open(self.folder / "postgresql.conf", "a") as settings:
            # After a promotion, it does not wait for a standby of its own.
            settings.write("synchronous_standby_names = ''\n")

    def start(self):
        self.run("pg_ctl", "start", "--wait", "--pgdata", self.folder, "--log", self.folder / "server.log",
                 "--options", f"-c port={self.port}")

    def kill(self):
        """As if the machine had stopped: every process at once."""
        leader = int((self.folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        for process in [leader, *map(int, children)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while Path(f"/proc/{leader}").exists() and "Z" not in Path(f"/proc/{leader}/stat").read_text().rsplit(")", 1)[1][:3]:
            time.sleep(0.01)

    def psql(self, statement, **variables):
        return subprocess.run(["psql", "--quiet", "--no-align", "--tuples-only", "--command", statement,
                               f"postgres://denizen@127.0.0.1:{self.port}/postgres"],
                              check=True, capture_output=True, text=True, env={**os.environ, **variables}).stdout.strip()

    def stop(self):
        """Ends it, if it runs."""
        self.run("pg_ctl", "stop", "--mode=immediate", "--pgdata", self.folder, check=False)
