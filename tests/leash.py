"""Become a program that is killed when its parent ends: `leash.py PARENT_PID USER PROGRAM ARGUMENT...`.

A killed test run must leave no server behind, and PostgreSQL refuses to run as root. It is a program of its own
because `preexec_fn` is unsafe, and warned about, in a process with threads. USER is `-` for "as I am".
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent_pid, user, program = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if user != "-":
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        # After setuid, which clears it. SIGQUIT is PostgreSQL's immediate shutdown and ends any other program.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent_pid:
            sys.exit("The parent ended before its program began.")
    # A shell that runs the tests in the background ignores SIGQUIT, and its children inherit that.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
