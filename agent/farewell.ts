// Answers that the device still owed its former owner: sent over the connection that is open yet, then forgotten.
import type { Logger } from "pino";
import type { RelayConnection } from "./relay-connection.ts";
import { bytesOf, numberOf, textOf } from "./row.ts";
import type { State } from "./state.ts";
import { sendReceipt } from "./uploads.ts";

/** Keeps the unconfirmed receipts of the present owner aside, inside the transaction that ends its binding. */
export function keepFarewell(state: State): void {
  state.run("DELETE FROM farewell");
  state.run(
    "INSERT INTO farewell (seq, job, bytes) SELECT seq, job, bytes FROM receipt WHERE stored = 0 ORDER BY seq LIMIT 256",
  );
}

/** Sends them where there is still a connection under the former identity; the journal names them either way. */
export async function sendFarewell(state: State, connection: RelayConnection | undefined, log: Logger): Promise<void> {
  const rows = state.all("SELECT seq, job, bytes FROM farewell ORDER BY seq");
  for (const row of rows) {
    if (connection?.isOpen !== true) break;
    await sendReceipt(connection, {
      seq: numberOf(row, "seq"),
      job: textOf(row, "job"),
      bytes: bytesOf(row, "bytes"),
      result: undefined,
    });
  }
  state.write("farewell", () => state.run("DELETE FROM farewell"));
  log.info({ receipts: rows.length }, "last answers sent to the former owner");
}
