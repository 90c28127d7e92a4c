"""An S3 server for tests: moto, behind a check of every signature by botocore.

Prints its port as a line of JSON. Requests below /_admin are not checked. `POST /_fail?count=N&method=PUT` makes the next
N requests with this method fail with 503; `GET /_log` lists the requests.
"""

import json
import sys
from threading import Lock
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEY = "denizen-tests"
SECRET = "a secret of the tests"
REGION = "eu-central-1"


def refusal(environ, query):
    """The error code for a request that is not signed with the key of the tests."""
    if "X-Amz-Signature" not in query:
        return "AccessDenied"
    key, _, region, service, _ = query["X-Amz-Credential"].split("/")
    if key != KEY:
        return "InvalidAccessKeyId"
    if (region, service) != (REGION, "s3"):
        return "AuthorizationQueryParametersError"
    path, _, raw = environ["RAW_URI"].partition("?")
    signed = "&".join(part for part in raw.split("&") if not part.startswith("X-Amz-Signature="))
    url = f"http://{environ['HTTP_HOST']}{path}?{signed}"
    request = AWSRequest(method=environ["REQUEST_METHOD"], url=url)
    request.context["timestamp"] = query["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(KEY, SECRET), "s3", REGION, int(query["X-Amz-Expires"]))
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return None if auth.signature(text, request) == query["X-Amz-Signature"] else "SignatureDoesNotMatch"


class Checked:
    def __init__(self):
        self.storage = create_backend_app("s3")
        self.lock = Lock()
        self.failing = {}
        self.log = []

    def __call__(self, environ, start_response):
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        if path.startswith("/_admin/"):
            environ["PATH_INFO"] = path[len("/_admin"):]
            for name in ("RAW_URI", "REQUEST_URI"):
                environ[name] = environ[name][len("/_admin"):]
            return self.storage(environ, start_response)
        if path == "/_fail":
            self.failing[query["method"]] = int(query["count"])
            return answer(start_response, "200 OK", "{}")
        if path == "/_log":
            return answer(start_response, "200 OK", json.dumps(self.log))
        with self.lock:
            names = sorted(name for name in query if not name.startswith("X-Amz-"))
            self.log.append({"method": method, "path": path, "query": names})
            fails = self.failing.get(method, 0) > 0
            self.failing[method] = self.failing.get(method, 0) - 1
        if fails:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return refuse(start_response, "503 Slow Down", "SlowDown")
        code = refusal(environ, query)
        if code:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return refuse(start_response, "403 Forbidden", code)
        return self.storage(environ, start_response)


def answer(start_response, status, body):
    body = body.encode()
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]


def refuse(start_response, status, code):
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>Refused</Message></Error>'
    return answer(start_response, status, body)


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def main():
    server = make_server("127.0.0.1", int(sys.argv[1]), Checked(), threaded=True, request_handler=Handler)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


main()
