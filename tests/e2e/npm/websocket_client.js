// Usage: node websocket_client.js URL SCENARIO. Fails by its exit code.
"use strict";
const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { once } = require("node:events");
const WebSocket = require("ws");

const url = process.argv[2];

async function open(path = "/", options = {}) {
  const socket = new WebSocket(url + path, options);
  await once(socket, "open");
  return socket;
}

async function ask(socket, message, options = {}) {
  socket.send(message, options);
  const [data, isBinary] = await once(socket, "message");
  return { data, isBinary };
}

async function close(socket, code, reason) {
  socket.close(code, reason);
  const [got, why] = await once(socket, "close");
  assert.equal(got, code);
  return why.toString();
}

const scenarios = {
  async "text and binary"() {
    const socket = await open();
    for (const text of ["", "hello", "grüße \u{1f980}", "x".repeat(70_000)]) {
      const { data, isBinary } = await ask(socket, text);
      assert.equal(isBinary, false);
      assert.equal(data.toString(), text);
    }
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1 << 20]) {
      const bytes = crypto.randomBytes(size);
      const { data, isBinary } = await ask(socket, bytes);
      assert.equal(isBinary, true);
      assert.ok(bytes.equals(data), `${size} bytes`);
    }
    await close(socket, 1000);
  },

  async fragments() {
    const socket = await open("/fragments");
    const bytes = crypto.randomBytes(10_000);
    socket.send(bytes.subarray(0, 1), { binary: true, fin: false });
    socket.send(bytes.subarray(1, 5_000), { binary: true, fin: false });
    socket.ping(); // control frames may come between
    const answer = once(socket, "message");
    socket.send(bytes.subarray(5_000), { binary: true, fin: true });
    const [data] = await answer;
    assert.ok(bytes.equals(data));
    await close(socket, 1000);
  },

  async "ping and pong"() {
    const socket = await open();
    socket.ping("from the client");
    const [pong] = await once(socket, "pong");
    assert.equal(pong.toString(), "from the client");
    const ping = once(socket, "ping");
    const { data } = await ask(socket, "ping"); // the server's, which the client answers
    assert.equal((await ping)[0].toString(), "from the server");
    assert.equal(data.toString(), "pong: from the server");
    await close(socket, 1000);
  },

  async "close of the client"() {
    for (const [code, reason] of [[1000, ""], [1001, "going"], [4999, "as agreed"]]) {
      await close(await open(), code, reason);
    }
  },

  async "close of the server"() {
    for (const [code, reason] of [[1000, "done"], [1013, "later"], [4000, "as agreed"]]) {
      const socket = await open();
      socket.send(`close ${code} ${reason}`);
      const [got, why] = await once(socket, "close");
      assert.deepEqual([got, why.toString()], [code, reason]);
    }
    const socket = await open();
    socket.send("terminate");
    const [got] = await once(socket, "close");
    assert.equal(got, 1006); // the connection was cut, and that is what the client sees
  },

  async "fifty at once"() {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => open()));
    for (let round = 0; round < 4; ++round) {
      await Promise.all(sockets.map(async (socket, number) => {
        const { data } = await ask(socket, `${number} in ${round}`);
        assert.equal(data.toString(), `${number} in ${round}`);
      }));
    }
    await Promise.all(sockets.map((socket) => close(socket, 1000)));
  },

  async "permessage-deflate"() {
    const socket = await open("/", { perMessageDeflate: { threshold: 0 } });
    assert.match(socket.extensions, /^permessage-deflate/);
    const text = "many times the same ".repeat(1 << 16); // 1.25 MiB
    const { data } = await ask(socket, text);
    assert.equal(data.toString(), text);
    const received = Number((await ask(socket, "received")).data.toString());
    assert.ok(received < 20_000, `${received} bytes came to the server`);
    await close(socket, 1000);
    const plain = await open("/", { perMessageDeflate: false });
    assert.equal(plain.extensions, "");
    await close(plain, 1000);
  },
};

scenarios[process.argv[3]]().catch((error) => {
  console.error(error);
  process.exit(1);
});
