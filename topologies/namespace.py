# SPDX-License-Identifier: MPL-2.0
"""namespace - Linux network namespaces of this process and of others.

A topology lives in a network namespace of its own: its bridges cannot meet another topology's, the machine's
firewall does not touch its packets, and the kernel takes everything in it away when the last process has
left, however that process ended.
"""

import ctypes
import os
import signal
import subprocess
import time

CLONE_NEWNET = 0x40000000
NAMESPACE = "/proc/self/ns/net"


def namespace_call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"network namespace: {name}: {os.strerror(number)} (needs root)")


def namespace_enter():
    """Moves this thread, and what it starts from now on, to a new namespace with only a loopback interface.
    Gives a descriptor of the namespace it left, for namespace_return."""
    left = os.open(NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespace_call("unshare", CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    except BaseException:
        namespace_return(left)
        raise
    return left


def namespace_return(left):
    """Moves this thread back; takes the descriptor."""
    try:
        namespace_call("setns", left, CLONE_NEWNET)
    finally:
        os.close(left)


def namespace_of(pid):
    """What identifies the namespace of a process; None when the process is gone."""
    try:
        status = os.stat(f"/proc/{pid}/ns/net")
    except OSError:
        return None
    return status.st_dev, status.st_ino


def namespace_processes(namespaces):
    """The pids of all processes in the given namespaces, without this one."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and namespace_of(pid) in namespaces]


def namespace_clear(namespaces, deadline_s=5):
    """Kills every process in the given namespaces until none is left; gives the pids of those that stay."""
    end = time.monotonic() + deadline_s
    while True:
        pids = namespace_processes(namespaces)
        if not pids or time.monotonic() > end:
            return pids
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
            except OSError:
                continue
            try:
                # The handle keeps the pid from being another process's between the look and the kill.
                if namespace_of(pid) in namespaces:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            except ProcessLookupError:
                pass
            finally:
                os.close(handle)
