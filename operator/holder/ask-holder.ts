// Asking the key holder of a home: one connection for one request.
import { createConnection } from "node:net";
import { readLine } from "./line.ts";
import { type HolderAnswer, type HolderRequest, readAnswer, writeLine } from "./message.ts";
import { type HolderPlace, isOurs } from "./place.ts";

/** The answer; `undefined` where no holder of this user's listens there, or it does not answer as one does. */
export async function askHolder(place: HolderPlace, request: HolderRequest): Promise<HolderAnswer | undefined> {
  if (!isOurs(place.folder)) return undefined;
  const socket = createConnection(place.address);
  try {
    socket.write(writeLine(request));
    const line = await readLine(socket);
    return line && readAnswer(line);
  } finally {
    socket.destroy();
  }
}
