"""Which call belongs to which class, and how a servicer's methods are wrapped before gRPC sees them.

Requests reach the wrapper as bytes: gRPC itself answers bytes that are no message with the text of an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from ledger.api.v1.errors_pb2 import FIELD_UNKNOWN
from ledger.api.v1.ledger_service_pb2 import AppendRequest, Lane
from ledger.application import APPEND_EVENTS_MAX
from ledger.errors import LedgerError
from ledger.intake.validate import check, check_known, warm
from ledger.server.call import Check, Read, stream, unary
from ledger.server.limits import CallClass, Gate

APPEND: Final = "ledger.api.v1.LedgerService.Append"
COPY: Final = "ledger.internal.v1.NodeService.CopyViews"
STATUS: Final = frozenset(
    {"ledger.api.v1.LedgerService.GetHead", "ledger.api.v1.AdminService.GetStatus", "grpc.health.v1.Health.Check"}
)
LANES: Final = frozenset(Lane.values())


def handlers_of(
    servicer: Any, service: ServiceDescriptor, gates: dict[CallClass, Gate], stopping: asyncio.Event
) -> grpc.GenericRpcHandler[Any, Any]:
    """Return what gRPC calls for a service: the servicer's methods, each in the outermost wrapper."""
    handlers: dict[str, Any] = {}
    for method in service.methods:
        gate, read = gates[class_of(method)], Read(GetMessageClass(method.input_type).FromString, check_of(method))
        function = getattr(servicer, method.name)
        write = GetMessageClass(method.output_type).SerializeToString
        if method.server_streaming:
            handlers[method.name] = grpc.unary_stream_rpc_method_handler(
                stream(function, gate, read, stopping),
                response_serializer=write,
            )
        else:
            handlers[method.name] = grpc.unary_unary_rpc_method_handler(
                unary(function, gate, read),
                response_serializer=write,
            )
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def class_of(method: MethodDescriptor) -> CallClass:
    """Return the class of a call."""
    if method.full_name == COPY:
        return CallClass.COPY
    if method.server_streaming:
        return CallClass.STREAM
    if method.full_name == APPEND:
        return CallClass.APPEND
    return CallClass.STATUS if method.full_name in STATUS else CallClass.READ


def check_of(method: MethodDescriptor) -> Check:
    """Return how the request of a call is checked. Raises LedgerError when called with a bad one."""
    if method.full_name == APPEND:
        return _check_shell
    return _check_request


def warm_up(services: Iterable[ServiceDescriptor]) -> None:
    """Compile the rules of every request, so that no first caller waits for it."""
    for service in services:
        for method in service.methods:
            warm(GetMessageClass(method.input_type)())


def _check_request(request: Message) -> None:
    check_known(request)
    check(request)


def _check_shell(request: AppendRequest) -> None:
    # Groups are checked one by one by the ledger: a bad one is refused alone.
    if len(UnknownFieldSet(request)):
        raise LedgerError(
            FIELD_UNKNOWN,
            "AppendRequest carries a field that this ledger does not know: update the ledger, or drop the field.",
            violations=[("AppendRequest", "unknown field")],
            field="AppendRequest",
        )
    # The library looks at all that is inside before it leaves it out: a tenth of an append. It is asked to say what is wrong.
    if not 0 < len(request.groups) <= APPEND_EVENTS_MAX or request.lane not in LANES:
        check(request)
