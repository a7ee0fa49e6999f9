// A relay of one's own for a test: a real one on a free port and a folder of its own, with the clock of a tenant.
import { mkdtempSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../relay/relay.ts";
import { openRelayStore, type RelayOptions, type RunningRelay, startRelay } from "../../relay/start.ts";
import type { Store } from "../../relay/store.ts";
import { Tenant } from "../cast/tenant.ts";
import { WireClient } from "../cast/wire-client.ts";

export type LoggedLine = { readonly fields: object; readonly message: string };

export class House implements AsyncDisposable {
  readonly folder: string;
  readonly tenant: Tenant;
  readonly lines: LoggedLine[] = [];
  readonly #over: Partial<RelayOptions>;
  #relay: RunningRelay | undefined;

  private constructor(tenant: Tenant, over: Partial<RelayOptions>) {
    this.tenant = tenant;
    this.folder = mkdtempSync(join(tmpdir(), "keybound-relay-"));
    this.#over = over;
  }

  /** A relay that runs and has the tenant. */
  static async withTenant(tenant: Tenant = new Tenant(), over: Partial<RelayOptions> = {}): Promise<House> {
    const house = await House.empty(tenant, over);
    await house.move(tenant);
    return house;
  }

  /** A relay that runs and has no tenant. */
  static async empty(tenant: Tenant = new Tenant(), over: Partial<RelayOptions> = {}): Promise<House> {
    const house = new House(tenant, over);
    await house.start();
    return house;
  }

  get relay(): RunningRelay {
    if (this.#relay === undefined) throw new Error("the relay does not run");
    return this.#relay;
  }

  get url(): string {
    return this.relay.url;
  }

  async start(over: Partial<RelayOptions> = {}): Promise<void> {
    this.#relay = await startRelay({
      folder: this.folder,
      listen: { host: "127.0.0.1", port: 0 },
      now: () => this.tenant.clock.now,
      ticks: () => performance.now(),
      random: (bytes) => new Uint8Array(randomBytes(bytes)),
      log: this.#log(),
      ...this.#over,
      ...over,
    });
  }

  async stop(): Promise<void> {
    await this.#relay?.close();
    this.#relay = undefined;
  }

  /** Makes a tenant here with a new claim code, and brings its log. */
  async move(tenant: Tenant): Promise<void> {
    const client = await WireClient.dial(this.url);
    const [genesis, ...later] = tenant.log;
    if (genesis === undefined) throw new Error("a tenant without a log");
    await client.done({ type: "create-tenant", claim: this.relay.newClaimCode() }, [genesis]);
    await client.logIn(tenant, tenant.founder.signer, { role: "operator" });
    for (const entry of later) await client.done({ type: "append", log: "key" }, [entry]);
    await client.close();
  }

  /** What is on the relay's disk, read beside it: for what nobody can ask it for. */
  stored<T>(read: (store: Store) => T): T {
    const store = openRelayStore({ folder: this.folder });
    try {
      return read(store);
    } finally {
      store.db.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #log(): Log {
    const note = (fields: object, message: string) => void this.lines.push({ fields, message });
    return { info: note, warn: note, error: note };
  }
}
