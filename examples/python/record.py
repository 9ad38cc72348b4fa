#!/usr/bin/env python3
"""Runs a command on a pty and has the session recorded while it runs.

    ./record.py who
"""

import ctypes
import os
import subprocess
import sys

utempter = ctypes.CDLL("libutempter.so.0", use_errno=True)
# Without this a str would go through as wide characters, of which one letter arrives.
utempter.utempter_add_record.argtypes = [ctypes.c_int, ctypes.c_char_p]
utempter.utempter_remove_record.argtypes = [ctypes.c_int]


def recorded(call, *arguments):
    if not call(*arguments):
        errno = ctypes.get_errno()
        print(f"record: {call.__name__}: {os.strerror(errno)}", file=sys.stderr)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: record.py COMMAND [ARGUMENT]...")
    master, slave = os.openpty()
    recorded(utempter.utempter_add_record, master, b"example")
    with subprocess.Popen(sys.argv[1:], stdin=slave, stdout=slave, stderr=slave) as child:
        os.close(slave)
        try:
            while text := os.read(master, 4096):
                sys.stdout.buffer.write(text)
        except OSError:
            pass  # A pty whose slave side is closed gives an error, and not an end of file.
    recorded(utempter.utempter_remove_record, master)
    sys.exit(child.returncode)


if __name__ == "__main__":
    main()
