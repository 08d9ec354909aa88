"""Runs a program as container runtimes do by default: a seccomp filter refuses io_uring.

Usage: without_io_uring.py ERRNO PROGRAM ARGUMENT...
"""
import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
LOAD, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x35, 0x06  # of classic BPF
ALLOW, FAIL_WITH = 0x7FFF0000, 0x00050000
IO_URING_SETUP, IO_URING_REGISTER = 425, 427  # on every architecture; enter is between them


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def refuse_io_uring(error):
    steps = b"".join(struct.pack("HBBI", *step) for step in (
        (LOAD, 0, 0, 0),  # the number of the system call
        (JUMP_IF_AT_LEAST, 0, 1, IO_URING_SETUP),
        (JUMP_IF_AT_LEAST, 0, 1, IO_URING_REGISTER + 1),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, FAIL_WITH | error)))
    program = Program(len(steps) // 8, steps)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no seccomp filter")


if __name__ == "__main__":
    assert platform.machine() in ("x86_64", "aarch64")
    refuse_io_uring(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
