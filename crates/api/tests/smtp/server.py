"""A mail server for the tests: aiosmtpd, which behaves as the recipient's address says.

    server.py PORT [--tls implicit|starttls|none] [--cert FILE --key FILE] [--user USER --password PASSWORD]

It listens on 127.0.0.1 and writes one JSON object a line: {"event": "ready", "port": …}, then
{"event": "mail", …} for each mail it took and {"event": "refused", …} for each it did not. Addresses:

    busy…@      451 at the first attempt for this address, then taken
    refused…@   550
    full…@      552 after the data
    hang…@      no answer at all
    slow…@      taken after a second
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult


# A client that trusts nobody, and a password in the clear, are what some tests are about.
logging.disable()
warnings.simplefilter("ignore")


def tell(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Handler:
    def __init__(self):
        self.tried = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split("@")[0]
        if local.startswith("refused"):
            tell(event="refused", to=address)
            return "550 5.1.1 <%s>: nobody here" % address
        if local.startswith("busy") and address not in self.tried:
            self.tried.add(address)
            tell(event="refused", to=address)
            return "451 4.3.0 <%s>: later" % address
        if local.startswith("hang"):
            tell(event="hangs", to=address)
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        local = address.split("@")[0]
        if local.startswith("full"):
            tell(event="refused", to=address)
            return "552 5.2.2 <%s>: full" % address
        if local.startswith("slow"):
            tell(event="slow", to=address)
            await asyncio.sleep(1)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell(
            event="mail",
            sender=envelope.mail_from,
            to=address,
            tls=session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            user=session.auth_data,
            peer=session.peer[1],
            id=message["message-id"],
            subject=message["subject"],
            header_to=str(message["to"]),
            text=message.get_body(("plain",)).get_content(),
            html=message.get_body(("html",)).get_content(),
        )
        return "250 OK"


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        is_right = (data.login, data.password) == (user.encode(), password.encode())
        if not is_right:
            tell(event="refused", to="")
        return AuthResult(success=is_right, handled=False, auth_data=user)

    return check


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("--tls", choices=["implicit", "starttls", "none"], default="none")
    arguments.add_argument("--cert")
    arguments.add_argument("--key")
    arguments.add_argument("--user")
    arguments.add_argument("--password")
    given = arguments.parse_args()

    context = None
    if given.tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.cert, given.key)
    settings = {"enable_SMTPUTF8": True, "loop": asyncio.get_running_loop(), "hostname": "localhost"}
    if given.tls == "starttls":
        settings.update(tls_context=context, require_starttls=True)
    if given.user:
        check = authenticator(given.user, given.password)
        settings.update(authenticator=check, auth_required=True, auth_require_tls=given.tls == "starttls")
    handler = Handler()
    implicit = context if given.tls == "implicit" else None
    listener = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, **settings), "127.0.0.1", given.port, ssl=implicit
    )
    tell(event="ready", port=listener.sockets[0].getsockname()[1])
    await listener.serve_forever()


asyncio.run(main())
