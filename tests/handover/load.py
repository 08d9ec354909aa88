"""Clients of Weir, each on one connection for all its life, until SIGTERM brings them to an end.

Argument: who does what, as JSON: {"http": [HOST, PORT], "clients": N, "hosts": N, "requests":
[[METHOD, PATH, CRC-32 or null], ...], "pause_s": S, "uploads": N, "tcp": [HOST, PORT],
"tunnels": N}. The last line says what was done, and what failed: {"requests": N, "uploads": N,
"tunnels": N, "failures": [...]}.
"""
import asyncio
import collections
import json
import random
import signal
import sys
import zlib

CHUNK_BYTES = 1000
UPLOAD_BYTES = 1 << 20
DEADLINE_S = 20  # for any one answer


class Load:
    def __init__(self, plan):
        self.plan = plan
        self.done = collections.Counter()
        self.failures = []
        self._end = asyncio.get_running_loop().create_future()
        self._began = 0

    def begin(self):
        """A client has had its first answer."""
        self._began += 1
        if self._began == sum(self.plan.get(kind, 0) for kind in ("clients", "uploads", "tunnels")):
            print("all connected", flush=True)

    def end(self):
        self._end.set_result(None)

    def is_over(self):
        return self._end.done()

    async def rest(self):
        """Between two steps of a client, or until the end: this makes the rate that of the plan."""
        await asyncio.wait([self._end], timeout=self.plan["pause_s"] * random.uniform(0.5, 1.5))

    async def run(self, client, number):
        """One client; whatever it raises is a failure."""
        try:
            await client(self, number)
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(f"{client.__name__} {number}: {error!r}")


async def ask_again_and_again(load, number):
    reader, writer = await asyncio.open_connection(*load.plan["http"])
    is_new = True
    while is_new or not load.is_over():
        method, path, checksum = random.choice(load.plan["requests"])
        body = random.randbytes(CHUNK_BYTES) if method == "POST" else b""
        host = f"h{random.randrange(load.plan['hosts'])}.example"
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await read_answer(reader)
        if checksum is not None and zlib.crc32(answer) != checksum:
            raise ValueError(f"{path} came with another checksum")
        load.done["requests"] += 1
        if is_new:
            load.begin()
        is_new = False
        await load.rest()
    writer.close()


async def upload(load, number):
    """Trickles until the end, and sends the rest of it then. Every other one is chunked."""
    is_chunked = number % 2 == 1
    reader, writer = await asyncio.open_connection(*load.plan["http"])
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {UPLOAD_BYTES}"
    writer.write(f"POST /upload HTTP/1.1\r\nHost: upload.example\r\n{length}\r\n\r\n".encode())
    load.begin()
    sent, checksum = 0, 0
    while sent < UPLOAD_BYTES:
        size = UPLOAD_BYTES - sent if load.is_over() else CHUNK_BYTES
        data = random.randbytes(size)
        writer.write(b"%x\r\n%s\r\n" % (size, data) if is_chunked else data)
        await writer.drain()
        sent, checksum = sent + size, zlib.crc32(data, checksum)
        await load.rest()
    if is_chunked:
        writer.write(b"0\r\n\r\n")
    answer = await read_answer(reader)
    if answer != b"%08x" % checksum:
        raise ValueError(f"the server says {answer}, not {checksum:08x}")
    load.done["uploads"] += 1
    writer.close()


async def tunnel(load, number):
    """What comes back is what was sent, up to the end of both directions."""
    reader, writer = await asyncio.open_connection(*load.plan["tcp"])
    is_new, sent, received = True, 0, 0
    while is_new or not load.is_over():
        data = random.randbytes(CHUNK_BYTES)
        writer.write(data)
        echoed = await asyncio.wait_for(reader.readexactly(CHUNK_BYTES), DEADLINE_S)
        sent, received = zlib.crc32(data, sent), zlib.crc32(echoed, received)
        if is_new:
            load.begin()
        is_new = False
        await load.rest()
    last = random.randbytes(100 * CHUNK_BYTES)
    writer.write(last)
    writer.write_eof()
    echoed = await asyncio.wait_for(reader.read(-1), DEADLINE_S)
    if zlib.crc32(last, sent) != zlib.crc32(echoed, received):
        raise ValueError("the echo has another checksum")
    load.done["tunnels"] += 1
    writer.close()


async def read_answer(reader):
    """The body of a 200."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
    line, *fields = head.decode("latin-1").split("\r\n")
    length = next(int(field.partition(":")[2]) for field in fields
                  if field.lower().startswith("content-length:"))
    body = await asyncio.wait_for(reader.readexactly(length), DEADLINE_S)
    if line.split(" ")[1] != "200":
        raise ValueError(f"{line}: {body[:300]}")
    return body


async def main(plan):
    load = Load(plan)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.end)
    everybody = [(ask_again_and_again, plan.get("clients", 0)), (upload, plan.get("uploads", 0)),
                 (tunnel, plan.get("tunnels", 0))]
    await asyncio.gather(*(load.run(client, number)
                           for client, count in everybody for number in range(count)))
    print(json.dumps({**load.done, "failures": load.failures}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
