// All that the relay keeps, by what it is; the only files with SQL are this folder's `database`, `schema` and `store-…`.
import { Database, type DatabaseOptions } from "./database.ts";
import { BlobStore } from "./store-blobs.ts";
import { ClaimStore } from "./store-claims.ts";
import { DeviceStore } from "./store-devices.ts";
import { JobStore } from "./store-jobs.ts";
import { LogStore } from "./store-logs.ts";
import { ProposalStore } from "./store-proposals.ts";
import { ReceiptStore } from "./store-receipts.ts";
import { RequestStore } from "./store-requests.ts";

export type Store = {
  readonly db: Database;
  readonly claims: ClaimStore;
  readonly logs: LogStore;
  readonly devices: DeviceStore;
  readonly jobs: JobStore;
  readonly receipts: ReceiptStore;
  readonly requests: RequestStore;
  readonly proposals: ProposalStore;
  readonly blobs: BlobStore;
};

export function openStore(options: DatabaseOptions): Store {
  const db = new Database(options);
  const blobs = new BlobStore(db);
  const proposals = new ProposalStore(db, blobs);
  const jobs = new JobStore(db, { proposals, blobs });
  return {
    db,
    claims: new ClaimStore(db),
    logs: new LogStore(db),
    devices: new DeviceStore(db),
    jobs,
    receipts: new ReceiptStore(db, jobs),
    requests: new RequestStore(db),
    proposals,
    blobs,
  };
}
