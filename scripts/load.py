"""A small load for tests of several nodes: clients that read and write, and the nodes that they use."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


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
        subprocess.run([binary, *arguments], cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL)

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
