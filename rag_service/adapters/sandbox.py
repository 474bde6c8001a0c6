"""Limits that a process puts on itself before it touches a hostile file. Linux only; they cannot be taken back.

Memory, processor time, size of files, open files; and by a filter of system calls: no sockets, no programs, no look
into other processes. A kernel without such filters refuses; then the process goes on under the limits alone.
"""

import ctypes
import platform
import resource
import struct

MAX_CPU_SECONDS = 3600
MAX_OPEN_FILES = 64
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | 1  # EPERM
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ARCHITECTURE, NUMBER = 4, 0
"""Where they are in what a filter sees."""
CALLS = {
    # socket, connect, bind, listen, accept, execve, ptrace, process_vm_readv, process_vm_writev, accept4, execveat
    "x86_64": (0xC000003E, (41, 42, 49, 50, 43, 59, 101, 310, 311, 288, 322)),
    "aarch64": (0xC00000B7, (198, 203, 200, 201, 202, 221, 117, 270, 271, 242, 281)),
}


def confine(megabytes: int, written_bytes: int) -> None:
    """From here on this process, and whatever it starts, is limited."""
    memory = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (written_bytes, written_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def refuse_calls() -> bool:
    """Whether sockets and programs are out of reach now."""
    known = CALLS.get(platform.machine())
    if known is None:
        return False
    architecture, calls = known
    program = [(LOAD, 0, 0, ARCHITECTURE), (EQUALS, 1, 0, architecture), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, NUMBER)]
    for place, call in enumerate(calls):
        program.append((EQUALS, len(calls) - place, 0, call))
    program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(header), 0, 0) == 0)
