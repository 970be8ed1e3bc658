"""Builds that reach no network."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

import pytest

from tests.builder.workshop import Workshop
from wheelhouse_resolver.builder.process.network import (
    NetworkError,
    check_network_can_be_left,
    leave_network,
)

NOBODY = 65534

#: prctl(2): what `setuid` has switched off, and starting a program switches on.
PR_SET_DUMPABLE = 4


@pytest.mark.parametrize("user", [None, NOBODY], ids=["root", "another"])
def test_a_process_that_has_left_talks_to_itself_alone_and_stays_who_it_is(user: int | None) -> None:
    if user is not None and os.geteuid() != 0:
        pytest.skip("only root can become another")
    try:
        check_network_can_be_left()
    except NetworkError as error:
        pytest.skip(str(error))
    with socket.create_server(("127.0.0.1", 0)) as outside:
        socket.create_connection(outside.getsockname()).close()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if user is not None:
                    os.setgroups([])
                    os.setgid(user)
                    os.setuid(user)
                    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
                before = os.getuid(), os.getgid()
                leave_network()
                with socket.create_server(("127.0.0.1", 0)) as inside:
                    socket.create_connection(inside.getsockname()).close()
                code = 2 if (os.getuid(), os.getgid()) != before else 3
                socket.create_connection(outside.getsockname()).close()
            except ConnectionRefusedError:
                code = 0 if code == 3 else 4
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_where_it_is_forbidden_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("wheelhouse_resolver.builder.process.network._unshare", forbidden)
    node = os.uname().nodename
    said = f"builds cannot be cut off from the network on {node}: Operation not permitted"
    with pytest.raises(NetworkError) as caught:
        check_network_can_be_left()
    assert str(caught.value) == said
    assert "user.max_user_namespaces" in caught.value.hint
    workshop = Workshop(tmp_path, unpacked=True)
    record = workshop.build(workshop.lost(), network=False)
    assert record.problem.startswith(f"host: {said} (hint: ")
