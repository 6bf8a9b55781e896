"""Ports that several processes share."""

import socket

import pytest

from process.children.reserved_ports import ReservedPorts

EXIT_BAD_CONFIGURATION = 78


def listener(address: str, *, shared: bool) -> socket.socket:
    """Listen as gRPC does."""
    host, _, port = address.rpartition(":")
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        one.bind((host, int(port)))
        one.listen()
    except OSError:
        one.close()
        raise
    return one


def test_reserved_port_is_shared_only_on_purpose() -> None:
    """Two processes listen on it; a server that wants the port alone fails, before and after they listen."""
    with ReservedPorts() as ports:
        address = ports.reserve("127.0.0.1:0")
        with pytest.raises(OSError, match="in use"):
            listener(address, shared=False)
        with (
            listener(address, shared=True),
            listener(address, shared=True),
            pytest.raises(OSError, match="in use"),
        ):
            listener(address, shared=False)


def test_reserved_port_gets_no_connections() -> None:
    """The kernel gives them to those that listen."""
    with ReservedPorts() as ports:
        host, _, port = ports.reserve("127.0.0.1:0").rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))
        with listener(f"{host}:{port}", shared=True):
            for _ in range(20):
                socket.create_connection((host, int(port))).close()


@pytest.mark.parametrize("alone", [True, False])
def test_port_on_which_another_server_listens_is_refused(*, alone: bool) -> None:
    """Unless that server shares it, and this one may."""
    with ReservedPorts() as held, ReservedPorts() as ports:
        address = held.reserve("127.0.0.1:0")
        with listener(address, shared=True):
            if alone:
                with pytest.raises(SystemExit) as refused:
                    ports.reserve(address)
                assert refused.value.code == EXIT_BAD_CONFIGURATION
            else:
                assert ports.reserve(address, alone=False) == address


def test_port_that_another_server_reserves_is_refused() -> None:
    """Its processes may be about to listen."""
    with ReservedPorts() as held, ReservedPorts() as ports:
        address = held.reserve("127.0.0.1:0")
        with pytest.raises(SystemExit):
            ports.reserve(address)


def test_all_addresses_of_a_name_get_the_same_port() -> None:
    """An address that this machine does not have is left out."""
    with ReservedPorts() as ports:
        address = ports.reserve("localhost:0")
    assert address.startswith("localhost:")
    assert not address.endswith(":0")


@pytest.mark.parametrize("listen", ["256.0.0.1:1", "192.0.2.1:1"])
def test_address_of_another_machine_is_refused(listen: str) -> None:
    with ReservedPorts() as ports, pytest.raises(SystemExit) as refused:
        ports.reserve(listen)
    assert refused.value.code == EXIT_BAD_CONFIGURATION
