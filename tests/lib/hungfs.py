# SPDX-License-Identifier: Apache-2.0
"""
A file system that hangs: hungfs.py SECONDS FILE COMMAND... serves FILE by FUSE, maps its code in a process that
then becomes COMMAND's interpreter, and from then on takes SECONDS for each answer, as a slow disk; "inf": answers
nothing but that a file is closed, as a server that went away. Its mount is in a namespace of its own and ends with
it. For a tenant this takes a user namespace and no privilege.
"""
import ctypes
import math
import mmap
import os
import struct
import sys
import tempfile
import threading
import time

INIT, LOOKUP, GETATTR, OPEN, READ, RELEASE, FLUSH, FORGET, BATCH_FORGET = 26, 1, 3, 14, 15, 18, 25, 2, 42
NAME, ROOT, FILE = "libssl.so.3", 1, 2
ENOSYS, ENOENT = 38, 2
CLONE_NEWNS, MS_PRIVATE, MS_REC, MS_NOSUID, MS_NODEV = 0x00020000, 1 << 18, 1 << 14, 2, 4
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)


class Server:
    """Answers at once until `hangs` is set."""

    def __init__(self, content, seconds):
        self.seconds = seconds
        self.content, self.hangs = content, threading.Event()
        self.fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)

    def mount(self, directory):
        call("unshare", CLONE_NEWNS)
        call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        options = f"fd={self.fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        call("mount", b"hungfs", directory.encode(), b"fuse", MS_NOSUID | MS_NODEV, options)

    def attributes(self, node):
        mode, size = (0o40755, 4096) if node == ROOT else (0o100755, len(self.content))
        return struct.pack("<6Q10I", node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def answer(self, opcode, node, body):
        """The answer's body, or an error's number."""
        if opcode == INIT:
            return struct.pack("<4I2H2I2H8I", 7, 31, 1 << 17, 0, 8, 8, 1 << 17, 1, 32, 0, *[0] * 8)
        if opcode == LOOKUP:
            if body.rstrip(b"\0").decode() != NAME:
                return ENOENT
            return struct.pack("<4Q2I", FILE, 1, 0, 0, 0, 0) + self.attributes(FILE)
        if opcode == GETATTR:
            return struct.pack("<Q2I", 0 if self.seconds == math.inf else 60, 0, 0) + self.attributes(node)
        if opcode == OPEN:
            return struct.pack("<Q2I", 1, 2, 0)     # FOPEN_KEEP_CACHE
        if opcode == READ:
            _, offset, size = struct.unpack_from("<2QI", body)
            return self.content[offset:offset + size]
        return b"" if opcode in (RELEASE, FLUSH) else ENOSYS

    def serve(self):
        while True:
            request = os.read(self.fuse, 1 << 18)
            _, opcode, unique, node = struct.unpack_from("<2I2Q", request)
            if opcode in (FORGET, BATCH_FORGET):
                continue
            if self.hangs.is_set() and opcode not in (RELEASE, FLUSH):
                if self.seconds == math.inf:
                    continue
                time.sleep(self.seconds)
            said = self.answer(opcode, node, request[40:])
            error, body = (-said, b"") if isinstance(said, int) else (0, said)
            os.write(self.fuse, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def main():
    content = open(sys.argv[2], "rb").read()
    directory = tempfile.mkdtemp(prefix="hungfs-")
    server = Server(content, float(sys.argv[1]))
    server.mount(directory)
    threading.Thread(target=server.serve, daemon=True).start()
    with open(os.path.join(directory, NAME), "rb") as file:
        code = mmap.mmap(file.fileno(), 1 << 16, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
    child = os.fork()
    if not child:
        # It keeps the mapping, and is the tenant's program from here on. The device ends with the server.
        os.close(server.fuse)
        sys.argv = sys.argv[3:]
        with open(sys.argv[0], encoding="utf-8") as file:
            exec(compile(file.read(), sys.argv[0], "exec"), {"__name__": "__main__"})   # noqa: S102
        del code
        os._exit(0)
    code.close()    # while somebody answers that it is
    server.hangs.set()
    _, status = os.waitpid(child, 0)
    call("umount2", directory.encode(), 2)      # MNT_DETACH; what waits for an answer ends with the device
    os.rmdir(directory)
    os._exit(os.waitstatus_to_exitcode(status))


main()
