"""An HTTP server and an echo server, until it is killed. Argument: the HTTP port, 0 for any.

HTTP: GET is answered with the path; anything else with the CRC-32 of its body.
"""
import asyncio
import sys
import zlib


async def serve_http(reader, writer):
    try:
        while (head := await read_head(reader)) is not None:
            line, fields = head
            method, path, _ = line.split(" ")
            answer = path if method == "GET" else f"{await body_checksum(reader, fields):08x}"
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
            writer.write((head + answer).encode())
            await writer.drain()
    except (OSError, EOFError):
        pass
    writer.close()


async def read_head(reader):
    """(first line, fields by lower-case name), or None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    line, *rest = head[:-4].split("\r\n")
    return line, {name.lower(): value.strip()
                  for name, _, value in (field.partition(":") for field in rest)}


async def body_checksum(reader, fields):
    checksum = 0
    if fields.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            checksum = zlib.crc32((await reader.readexactly(size + 2))[:-2], checksum)
        await reader.readexactly(2)
        return checksum
    left = int(fields.get("content-length", 0))
    while left:
        data = await reader.read(min(left, 65536))
        if not data:
            raise EOFError
        checksum = zlib.crc32(data, checksum)
        left -= len(data)
    return checksum


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def main(http_port):
    http = await asyncio.start_server(serve_http, "127.0.0.1", http_port, backlog=4096)
    tcp = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=4096)
    addresses = ["127.0.0.1:%d" % server.sockets[0].getsockname()[1] for server in (http, tcp)]
    print("http", addresses[0], "tcp", addresses[1], flush=True)
    await asyncio.gather(http.serve_forever(), tcp.serve_forever())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
