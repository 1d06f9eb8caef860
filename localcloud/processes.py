"""Processes that end together: no child outlives the one that started it, whatever ends it."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel for a signal when this process's parent dies, even by SIGKILL.

    Linux only: elsewhere an orderly stop still ends the children, a killed supervisor leaves them.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.environ.get("LOCALCLOUD_PARENT")
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)
    # The parent may have died before the call, and then no signal comes.
    if parent and os.getppid() != int(parent):
        sys.exit("the supervisor has gone")
