"""Builds without a network: Linux network namespaces, as `unshare --net` makes them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

from wheelhouse_resolver.errors import WheelhouseError, reason_of

#: unshare(2).
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

#: netdevice(7): set the flags of an interface; it is up and runs.
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40


class NetworkError(WheelhouseError, RuntimeError):
    """A process that cannot be cut off from the network."""

    _message = "builds cannot be cut off from the network on {node}: {problem}"
    _hint = (
        "user namespaces are forbidden there (by the container, or user.max_user_namespaces, "
        "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns): "
        "build elsewhere, or with a network"
    )
    node: str
    problem: str


def leave_network() -> None:
    """Cut this process, and what it will start, off from every network but a loopback of its own.

    Users and files stay as they are. For a process with one thread. Raises `NetworkError`.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        try:
            _unshare(_CLONE_NEWNET)  # root may
        except PermissionError:
            _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with open(f"/proc/self/{name}", "wb") as file:
                    file.write(text.encode())
        # Down in a new namespace; tests talk to themselves.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _UP_AND_RUNNING))
    except (OSError, AttributeError) as error:
        problem = reason_of(error) if isinstance(error, OSError) else "this needs Linux"
        raise NetworkError(os.uname().nodename, problem) from error


def _unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "unshare")


def check_network_can_be_left() -> None:
    """Try it, in a process of its own. Raises `NetworkError`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        problem = "it failed"
        try:
            leave_network()
            problem = ""
        except NetworkError as error:
            problem = error.problem
        finally:  # this copy of us must not run on
            os.write(writer, problem.encode(errors="replace")[:4000])
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as file:
        problem = file.read()
    os.waitpid(child, 0)
    if problem:
        raise NetworkError(os.uname().nodename, problem)
