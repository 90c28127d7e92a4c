"""Authlib's validator of JWT access tokens (RFC 9068) accepts the tokens of users and of service accounts."""

import json
import sys
import urllib.parse
import urllib.request

from authlib.oauth2.rfc9068 import JWTBearerTokenValidator

url, email, password, service_account, api_key = sys.argv[1:]


def fetch(path, body=None, media_type="application/json"):
    headers = {"content-type": media_type} if body else {}
    data = body.encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(url + path, data=data, headers=headers)) as response:
        return json.load(response)


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return fetch("/.well-known/jwks.json")


validator = Validator(issuer=fetch("/.well-known/oauth-authorization-server")["issuer"], resource_server="denizen")


def validated(token, scopes):
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, scopes, None)
    return claims


session = fetch("/api/v1/sessions", json.dumps({"email": email, "password": password}))
claims = validated(session["access_token"], ["users:read"])
assert claims["client_id"] == "denizen" and claims["email_verified"] is False, claims
form = {
    "grant_type": "client_credentials",
    "client_id": service_account,
    "client_secret": api_key,
    "scope": "users:read",
}
granted = fetch("/oauth2/token", urllib.parse.urlencode(form), "application/x-www-form-urlencoded")
claims = validated(granted["access_token"], ["users:read"])
assert claims["client_id"] == claims["sub"] == service_account, claims
