// An echo server. Prints its port, and then a line for each connection that ended: its close code.
// Text messages that are commands: "close CODE REASON", "terminate", "ping", "received".
"use strict";
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: true,
  maxPayload: 4 << 20,
});

function command(socket, request, text) {
  const [verb, ...rest] = text.split(" ");
  if (verb === "close") socket.close(Number(rest[0]), rest.slice(1).join(" "));
  else if (verb === "terminate") socket.terminate();
  else if (verb === "ping") socket.ping("from the server");
  else if (verb === "received") socket.send(String(request.socket.bytesRead));
  else return false;
  return true;
}

server.on("connection", (socket, request) => {
  socket.on("message", (data, isBinary) => {
    if (!isBinary && command(socket, request, data.toString())) return;
    if (request.url !== "/fragments") return socket.send(data, { binary: isBinary });
    for (let at = 0; at < data.length; at += 1000) {
      const fin = at + 1000 >= data.length;
      socket.send(data.subarray(at, at + 1000), { binary: isBinary, fin });
    }
  });
  socket.on("pong", (data) => socket.send("pong: " + data));
  socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
});
server.on("listening", () => console.log(`port ${server.address().port}`));
