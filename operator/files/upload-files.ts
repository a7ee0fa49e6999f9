// Sealed files to the relay, each once, from where it has them; also over cuts of the line.
import { BLOB_PART_BYTES } from "../../protocol/limits.ts";
import { overCuts } from "../connection/over-cuts.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";
import { TransferView } from "../present/transfer.ts";
import { type SealedFile, sealedPartAt } from "./seal-file.ts";

/** When it returns, the relay has all of them, and a job may name them. */
export async function uploadFiles(session: Session, files: readonly SealedFile[]): Promise<void> {
  for (const file of files) await uploadFile(session, file);
}

async function uploadFile(session: Session, file: SealedFile): Promise<void> {
  const { local, size } = file;
  const view = new TransferView(session.desk.world, { verb: "uploading", done: "uploaded", name: local, size });
  let reached = 0;
  try {
    await overCuts(session, {
      step: () => sendFrom(session, file, (bytes) => view.at((reached = Math.max(reached, bytes)))),
      reached: () => reached,
    });
    view.end();
  } finally {
    view.clear();
  }
}

async function sendFrom(session: Session, file: SealedFile, onReached: (bytes: number) => void): Promise<void> {
  const { client } = session;
  const { blob } = file.entry;
  const { header } = await client.ask("blob-stat", { type: "stat-blob", blob });
  if (header.complete) return onReached(file.size);
  for (let offset = resumeAt(header.received, file); offset < file.size; offset += BLOB_PART_BYTES) {
    onReached(offset);
    const part = await sealedPartAt(file, offset);
    await client.ask("ok", { type: "put-blob", blob, offset, size: file.size }, [part]);
  }
  onReached(file.size);
}

/** Parts are the same at each try, so that a relay that kept some kept whole ones. */
function resumeAt(received: number, { size }: SealedFile): number {
  if (received < size && received % BLOB_PART_BYTES === 0) return received;
  throw new Fault("relay-odd", `${received} bytes of ${size} that nobody sent so`);
}
