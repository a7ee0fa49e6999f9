/** A floor: a WebSocket server that echoes, and pings as a relay does, and does nothing else. Prints its URL. */
import { WebSocketServer } from "ws";

const PING_EVERY_MS = 20_000;

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data));
});
setInterval(() => {
  for (const socket of server.clients) socket.ping();
}, PING_EVERY_MS);
server.on("listening", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") console.log(`echo at ws://127.0.0.1:${address.port}`);
});
