// TLS that the relay ends itself: a certificate made here, and logins bound to the connection that they were made on.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Certificate } from "../../relay/listener.ts";
import { Obstacle } from "../../relay/obstacle.ts";
import { digestOf } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";

const folder = mkdtempSync(join(tmpdir(), "keybound-tls-"));
let certificate: Certificate;
let other: Certificate;

beforeAll(() => {
  certificate = selfSigned("one");
  other = selfSigned("two");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function selfSigned(name: string): Certificate {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", [...made, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

describe("over TLS", () => {
  test("a login is bound to its connection", async () => {
    await using house = await House.empty(new Tenant(), { certificate });
    const { tenant, url } = house;
    expect(url).toMatch(/^wss:/);
    const ca = certificate.cert;
    const client = await WireClient.dial(url, { ca });
    await client.done({ type: "create-tenant", claim: house.relay.claimCode ?? "" }, tenant.log);
    expect(client.hello.header["channel"]).toBe(true);
    const welcome = await client.logIn(tenant, tenant.founder.signer, { role: "operator" });
    expect(welcome.header["type"]).toBe("welcome");
    for (const channel of [digestOf("another connection"), undefined]) {
      const thief = await WireClient.dial(url, { ca });
      const answer = await thief.logIn(tenant, tenant.founder.signer, { role: "operator", channel });
      expect(answer.header).toMatchObject({ type: "failed", code: "login-relay" });
    }
  });

  test("a certificate can be changed while the relay runs, and one that does not fit changes nothing", async () => {
    await using house = await House.empty(new Tenant(), { certificate });
    expect(() => house.relay.setCertificate({ cert: other.cert, key: certificate.key })).toThrow(Obstacle);
    await (await WireClient.dial(house.url, { ca: certificate.cert })).close();
    house.relay.setCertificate(other);
    await (await WireClient.dial(house.url, { ca: other.cert })).close();
  });

  test("a certificate that does not fit its key stops the start, and nothing is left locked", async () => {
    await using house = await House.empty();
    await house.stop();
    await expect(house.start({ certificate: { cert: other.cert, key: certificate.key } })).rejects.toThrow(
      "the certificate and its key do not belong together",
    );
    await expect(house.start({ certificate: { cert: "no PEM", key: "no PEM" } })).rejects.toThrow(Obstacle);
    await house.start();
  });
});
