/** A floor: a Node that has only `ws` connected to a server (first argument) and an SQLite file open (second argument). */
import { DatabaseSync } from "node:sqlite";
import { WebSocket } from "ws";

const [, , url = "", file = ""] = process.argv;
const db = new DatabaseSync(file);
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS t (a INTEGER) STRICT");
db.exec("INSERT INTO t (a) VALUES (1)");
const socket = new WebSocket(url, { perMessageDeflate: false });
socket.on("open", () => socket.send("hello"));
socket.on("message", () => console.log("connected"));
