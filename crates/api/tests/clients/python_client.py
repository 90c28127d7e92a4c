"""A client in Python (grpcio), which learns the contract from the server itself, by reflection.

    python_client.py HOST:PORT ADMIN_EMAIL PASSWORD
"""

import queue
import sys
import threading
import uuid

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

target, email, password = sys.argv[1:]
channel = grpc.insecure_channel(target)
database = ProtoReflectionDescriptorDatabase(channel)
pool = DescriptorPool(database)


def message(name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"denizen.v1.{name}"))


class Service:
    """The methods of a service, as `service.GetUser(id=…)`."""

    def __init__(self, name, token=None, compression=None):
        self.descriptor = pool.FindServiceByName(f"denizen.v1.{name}")
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        self.compression = compression

    def __getattr__(self, name):
        method = self.descriptor.methods_by_name[name]
        request, response = (message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type))
        kinds = {(False, False): channel.unary_unary, (True, False): channel.stream_unary, (False, True): channel.unary_stream, (True, True): channel.stream_stream}
        call = kinds[method.client_streaming, method.server_streaming](
            f"/{self.descriptor.full_name}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )

        def send(messages=None, timeout=20, **fields):
            sent = messages if method.client_streaming else request(**fields)
            return call(sent, metadata=self.metadata, timeout=timeout, compression=self.compression)

        return send


def refused(code, reason, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        details = rpc_status.from_call(error).details
        info = error_details_pb2.ErrorInfo()
        request = error_details_pb2.RequestInfo()
        assert any(part.Unpack(info) for part in details), error
        assert any(part.Unpack(request) for part in details) and request.request_id, error
        assert (info.reason, info.domain) == (reason, "denizen"), info
        violations = error_details_pb2.BadRequest()
        any(part.Unpack(violations) for part in details)
        return [(at.field, at.reason) for at in violations.field_violations]
    raise AssertionError(f"not refused: {reason}")


# The contract, from the server.
services = set(database.get_services())
assert {f"denizen.v1.{name}Service" for name in ("User", "Session", "Token", "Role", "ApiKey", "ServiceAccount", "SigningKey", "Event")} <= services

# Health.
health = health_pb2_grpc.HealthStub(channel)
SERVING = health_pb2.HealthCheckResponse.SERVING
assert health.Check(health_pb2.HealthCheckRequest(service="denizen.v1.UserService")).status == SERVING
watched = health.Watch(health_pb2.HealthCheckRequest())
assert next(watched).status == SERVING
watched.cancel()

# Sessions.
sessions = Service("SessionService")
signed_in = sessions.SignIn(email=email, password=password, label="python")
refused(grpc.StatusCode.UNAUTHENTICATED, "invalid_credentials", lambda: sessions.SignIn(email=email, password="wrong horse battery"))
tokens = sessions.RefreshSession(refresh_token=signed_in.tokens.refresh_token).tokens
token = tokens.access_token
mine = Service("SessionService", token)
assert [session.is_current for session in mine.ListSessions().sessions].count(True) == 1

# Users, compressed as well.
for compression in (None, grpc.Compression.Gzip):
    users = Service("UserService", token, compression)
    address = f"{uuid.uuid4()}@example.com"
    made = users.CreateUser(email=address, password=password, name="Ada", attributes={"theme": "dark", "columns": 3}).user
    assert made.attributes["columns"] == 3
    got = users.GetUser(id=made.id).user
    assert got == made
    changed = users.UpdateUser(user={"id": made.id, "name": "Ada King", "etag": got.etag}, update_mask={"paths": ["name"]}).user
    assert (changed.name, changed.email) == ("Ada King", address)
    refused(grpc.StatusCode.ABORTED, "stale", lambda: users.UpdateUser(user={"id": made.id, "name": "x", "etag": got.etag}, update_mask={"paths": ["name"]}))
    assert refused(grpc.StatusCode.ALREADY_EXISTS, "email_taken", lambda: users.CreateUser(email=address, password=password, name="A")) == [("email", "taken")]
    assert refused(grpc.StatusCode.INVALID_ARGUMENT, "invalid_input", lambda: users.GetUser(id="x")) == [("id", "invalid_id")]
    assert users.GetMe().session_id == signed_in.session_id
    users.DeleteUser(id=made.id)
    refused(grpc.StatusCode.NOT_FOUND, "user_not_found", lambda: users.GetUser(id=made.id))

# Streams: 2,000 rows in, one of them refused; all of them out.
users = Service("UserService", token)
Request = message("ImportUsersRequest")


def rows():
    for chunk in range(20):
        yield Request(users=[{"email": f"row{chunk}.{at}@example.com", "name": "Row"} for at in range(100)])
    yield Request(users=[{"email": "nobody", "name": "Row"}])


told = users.ImportUsers(rows())
assert (told.rows, told.created, told.failed) == (2001, 2000, 1)
assert told.results[-1].row == 2001 and told.results[-1].faults[0].field == "email"
exported = [user.email for page in users.ExportUsers() for user in page.users]
assert len(exported) == len(set(exported)) >= 2001
pages, page_token = 0, ""
while True:
    page = users.ListUsers(page_size=200, page_token=page_token, prefix="row1.")
    pages, page_token = pages + 1, page.next_page_token
    assert all(user.email.startswith("row1.") for user in page.users)
    if not page_token:
        break
half = users.ExportUsers()
next(half)
half.cancel()

# Events, as they come: in pages, watched from a cursor, and followed at the pace of what is acknowledged.
events = Service("EventService", token)
page = events.ListEvents(page_size=5)
assert len(page.events) == 5 and page.next_page_token == page.cursor == page.events[-1].cursor
second = events.ListEvents(page_size=5, page_token=page.cursor).events
watched = events.Watch(after=page.cursor)
assert [next(watched).event for _ in second] == list(second)
watched.cancel()
refused(grpc.StatusCode.INVALID_ARGUMENT, "invalid_input", lambda: next(events.Watch(after="forged")))
said = queue.SimpleQueue()
Said = message("FollowRequest")
said.put(Said(start={"after": page.cursor, "window": 2}))
followed = events.Follow(iter(said.get, None))
for at, event in enumerate(second):
    assert next(followed).event == event
    if at % 2:
        said.put(Said(ack={"cursor": event.cursor}))
said.put(None)
list(followed)
assert followed.code() == grpc.StatusCode.OK, followed

# Roles, programs and their keys.
roles = Service("RoleService", token)
roles.CreateRole(name="python", permissions=["users:read"])
assert roles.UpdateRole(role={"name": "python", "description": "From Python."}, update_mask={"paths": ["description"]}).role.permissions == ["users:read"]
accounts, keys = Service("ServiceAccountService", token), Service("ApiKeyService", token)
account = accounts.CreateServiceAccount(name="A program", role="python").service_account
issued = keys.CreateApiKey(name="A key", scopes=["users:read"], service_account_id=account.id)
program = Service("UserService", issued.secret)
assert program.ListUsers(with_total_size=True).total_size >= 2001
refused(grpc.StatusCode.PERMISSION_DENIED, "forbidden", lambda: program.ImportUsers(iter([])))
assert keys.ListApiKeys(service_account_id=account.id).api_keys[0].id == issued.api_key.id

# Tokens.
oauth = Service("TokenService")
granted = oauth.GrantToken(client={"client_id": account.id, "client_secret": issued.secret})
assert granted.scope == "users:read"
looked = Service("TokenService", granted.access_token).Introspect(token=token)
assert looked.active and looked.email == email
assert oauth.GetKeys().keys[0].alg == "ES256"
assert Service("SigningKeyService", token).ListSigningKeys().signing_keys
accounts.DeleteServiceAccount(id=account.id)
roles.DeleteRole(role="python")
refused(grpc.StatusCode.UNAUTHENTICATED, "invalid_token", lambda: program.ListUsers())

# What is no method, a deadline, many at once.
try:
    channel.unary_unary("/denizen.v1.UserService/Nothing")(b"")
    raise AssertionError("there is no such method")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
try:
    users.ImportUsers((threading.Event().wait(5) for _ in range(1)), timeout=0.2)
    raise AssertionError("it should have been too late")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
threads = [threading.Thread(target=lambda: [users.GetMe() for _ in range(20)]) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]

mine.SignOut()
refused(grpc.StatusCode.UNAUTHENTICATED, "invalid_token", lambda: users.GetMe())
print("grpcio: every service answers")
