"""Completeness of the clients: every RPC is spoken, both clients have the same methods, and each is documented with an example."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor

import clients.python
import ledger.api.v1
from clients.python import AsyncBatcher, AsyncClient, AsyncSubscription, Batcher, Client, Subscription
from clients.python.core import calls
from clients.python.core.calls import Rpc


def methods_of_the_api() -> dict[str, MethodDescriptor]:
    folder = Path(ledger.api.v1.__file__).parent
    found: dict[str, MethodDescriptor] = {}
    for path in sorted(folder.glob("*_service_pb2.py")):
        module = importlib.import_module(f"ledger.api.v1.{path.stem}")
        for service in module.DESCRIPTOR.services_by_name.values():
            found |= {f"/{service.full_name}/{method.name}": method for method in service.methods}
    return found


def rpcs_of_the_client() -> dict[str, Rpc[Any, Any]]:
    found: dict[str, Rpc[Any, Any]] = {}
    for info in pkgutil.iter_modules(importlib.import_module("clients.python.core").__path__):
        module = importlib.import_module(f"clients.python.core.{info.name}")
        found |= {value.path: value for value in vars(module).values() if isinstance(value, Rpc)}
    return found


METHODS = methods_of_the_api()
SURFACE = sorted(name for name in vars(Client) if not name.startswith("_"))


@pytest.mark.parametrize("path", METHODS)
def test_every_rpc_has_a_method_of_the_client_with_its_messages(path: str) -> None:
    rpc = rpcs_of_the_client().get(path)

    assert rpc is not None, f"{path} has no call in clients/python/core"
    assert METHODS[path].input_type.full_name == rpc.request.DESCRIPTOR.full_name
    assert METHODS[path].output_type.full_name == rpc.response.DESCRIPTOR.full_name


@pytest.mark.parametrize(
    ("sync", "aio"),
    [(Client, AsyncClient), (Batcher, AsyncBatcher), (Subscription, AsyncSubscription)],
    ids=lambda one: one.__name__,
)
def test_both_clients_have_the_same_surface(sync: type, aio: type) -> None:
    def surface(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(one) for one in inspect.signature(value).parameters.values()] if callable(value) else []
            for name, value in vars(kind).items()
            if not name.startswith("_")
        }

    assert surface(sync) == surface(aio)


@pytest.mark.parametrize("name", SURFACE)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_method_is_documented_with_an_example(kind: type, name: str) -> None:
    member = inspect.getattr_static(kind, name)

    assert member.__doc__
    assert isinstance(member, property) or name == "close" or "Example:" in member.__doc__


def test_every_public_name_is_documented() -> None:
    assert [] == [name for name in clients.python.__all__ if not inspect.getdoc(getattr(clients.python, name))]


def test_the_signature_of_a_method_shows_its_arguments() -> None:
    assert ["customer", "oldest_first", "which"] == list(inspect.signature(Client("x").history).parameters)


def test_an_argument_that_does_not_exist_is_refused_before_anything_is_sent() -> None:
    client: Any = Client("127.0.0.1:1")

    with pytest.raises(TypeError, match="handz"):
        client.handoffs(handz="shipping")
    with pytest.raises(TypeError, match="pending"):
        client.card("email:a@example.org", pending=True)


def test_calls_are_made_without_loading_a_connection() -> None:
    assert "grpc" not in vars(calls)
