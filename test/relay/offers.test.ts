// An approval goes to the newcomer who waits, and the revealed nonce back to the client that offered it; to nobody else.
import { describe, expect, test } from "vitest";
import { toBase64url } from "../../protocol/bytes.ts";
import { MAX_OFFERS } from "../../relay/limits.ts";
import { approvalOf, requestOf } from "../cast/key-request.ts";
import { person } from "../cast/person.ts";
import { digestOf, idOf } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { accessAt, operatorAt } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { codeFor, newcomerAt } from "./moves.ts";

const grace = person("Grace");
const hedy = person("Hedy", "admin");
const ida = person("Ida");

/** A tenant of two admins and an operator, a client of each admin, and a newcomer with a request. */
async function scene() {
  const tenant = new Tenant();
  tenant.add(hedy);
  tenant.add(ida);
  const house = await House.withTenant(tenant);
  const { url } = house;
  const [ada, other] = [await operatorAt(url, tenant), await operatorAt(url, tenant, hedy)];
  const newcomer = await newcomerAt(url, tenant, grace);
  const { bytes, id, nonce } = requestOf(tenant, grace);
  await newcomer.done({ type: "file-request" }, [bytes]);
  const offer = { type: "offer-approval", request: id };
  return { house, url, tenant, ada, other, newcomer, id, offer, nonce: toBase64url(nonce) };
}

describe("an approval", () => {
  test("reaches the newcomer, and what is revealed to it reaches the admin who offered it", async () => {
    const { house, tenant, ada, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    const approval = approvalOf(tenant, tenant.founder, id);
    await ada.done(offer, [approval]);
    expect((await newcomer.next("approval-news")).parts).toEqual([Buffer.from(approval)]);
    const session = idOf(`session for ${id}`);
    await newcomer.done({ type: "reveal", session, nonce });
    expect((await ada.next("reveal-news")).header).toEqual({ type: "reveal-news", session, nonce });
  });

  test("of each of two admins comes, and each sees only what is revealed to them", async () => {
    const { house, tenant, ada, other, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    const [first, second] = [idOf("first"), idOf("second")];
    await ada.done(offer, [approvalOf(tenant, tenant.founder, id, { session: first })]);
    await other.done(offer, [approvalOf(tenant, hedy, id, { session: second })]);
    await newcomer.done({ type: "reveal", session: second, nonce });
    expect((await other.next("reveal-news")).header["session"]).toBe(second);
    await ada.request({ type: "list-requests" });
    expect(ada.waiting("reveal-news")).toEqual([]);
    await newcomer.done({ type: "reveal", session: first, nonce });
    expect((await ada.next("reveal-news")).header["session"]).toBe(first);
  });

  test("is offered by an admin's client with its own key as well", async () => {
    const { house, url, tenant, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    const client = await accessAt(url, tenant, tenant.founder);
    await client.done(offer, [approvalOf(tenant, tenant.founder, id)]);
    await newcomer.done({ type: "reveal", session: idOf(`session for ${id}`), nonce });
    expect((await client.next("reveal-news")).header["nonce"]).toBe(nonce);
  });

  test("fails while the newcomer is away", async () => {
    const { house, tenant, ada, newcomer, id, offer } = await scene();
    await using _ = house;
    await newcomer.close();
    await expect.poll(() => codeFor(ada, offer, [approvalOf(tenant, tenant.founder, id)])).toBe("newcomer-away");
  });

  test("fails for a request that is not open", async () => {
    const { house, tenant, ada, newcomer, id, offer } = await scene();
    await using _ = house;
    const none = digestOf("none");
    const ofNone = approvalOf(tenant, tenant.founder, none);
    expect(await codeFor(ada, { ...offer, request: none }, [ofNone])).toBe("request-unknown");
    await ada.done({ type: "reject-request", request: id });
    expect(await codeFor(ada, offer, [approvalOf(tenant, tenant.founder, id)])).toBe("request-unknown");
    expect(newcomer.waiting("approval-news")).toEqual([]);
  });

  test("is refused unless it is this client's own admin's, for this request and this log", async () => {
    const { house, url, tenant, ada, newcomer, id, offer } = await scene();
    await using _ = house;
    const { founder } = tenant;
    const idas = await operatorAt(url, tenant, ida);
    expect(await codeFor(idas, offer, [approvalOf(tenant, founder, id)])).toBe("signer-role");
    const cases = [
      { part: approvalOf(tenant, hedy, id), code: "signer-unknown" },
      { part: approvalOf(tenant, grace, id), code: "signer-unknown" },
      { part: approvalOf(tenant, ida, id), code: "signer-role" },
      { part: approvalOf(tenant, founder, digestOf("other")), code: "frame-form" },
      { part: approvalOf(tenant, founder, id, { tenant: digestOf("other") }), code: "tenant-other" },
      { part: approvalOf(tenant, founder, id, { keyHead: { seq: 1, id: digestOf("other") } }), code: "log-fork" },
      { part: new Uint8Array(20_000), code: "envelope-size" },
    ];
    for (const { part, code } of cases) expect(await codeFor(ada, offer, [part])).toBe(code);
    await newcomer.request({ type: "read-log", log: "key", from: 0 });
    expect(newcomer.waiting("approval-news")).toEqual([]);
  });

  test("does not take over the session of another client's", async () => {
    const { house, tenant, ada, other, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    await ada.done(offer, [approvalOf(tenant, tenant.founder, id)]);
    expect(await codeFor(other, offer, [approvalOf(tenant, hedy, id)])).toBe("frame-form");
    await newcomer.done({ type: "reveal", session: idOf(`session for ${id}`), nonce });
    expect((await ada.next("reveal-news")).header["nonce"]).toBe(nonce);
  });
});

describe("a nonce is revealed to nobody", () => {
  test("for a session that nobody offered, or that was offered to another newcomer", async () => {
    const { house, url, tenant, ada, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    expect(await codeFor(newcomer, { type: "reveal", session: idOf("none"), nonce })).toBe("session-unknown");
    await ada.done(offer, [approvalOf(tenant, tenant.founder, id)]);
    const eve = await newcomerAt(url, tenant, person("Eve"));
    const reveal = { type: "reveal", session: idOf(`session for ${id}`), nonce };
    expect(await codeFor(eve, reveal)).toBe("session-unknown");
    await ada.request({ type: "list-requests" });
    expect(ada.waiting("reveal-news")).toEqual([]);
  });

  test("after either of the two was disconnected", async () => {
    const { house, url, tenant, ada, other, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    await ada.done(offer, [approvalOf(tenant, tenant.founder, id)]);
    await ada.close();
    const reveal = { type: "reveal", session: idOf(`session for ${id}`), nonce };
    await expect.poll(() => codeFor(newcomer, reveal)).toBe("session-unknown");
    await other.done(offer, [approvalOf(tenant, hedy, id)]);
    const again = await newcomerAt(url, tenant, grace);
    expect(await codeFor(again, reveal)).toBe("session-unknown");
  });

  test("after the request was rejected", async () => {
    const { house, tenant, ada, other, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    await ada.done(offer, [approvalOf(tenant, tenant.founder, id)]);
    await other.done({ type: "reject-request", request: id });
    expect(await codeFor(newcomer, { type: "reveal", session: idOf(`session for ${id}`), nonce })).toBe(
      "session-unknown",
    );
  });

  test("beyond the newest approvals", async () => {
    const { house, tenant, ada, newcomer, id, offer, nonce } = await scene();
    await using _ = house;
    const sessions = Array.from({ length: MAX_OFFERS + 1 }, (_unused, i) => idOf(`session ${i}`));
    for (const session of sessions) await ada.done(offer, [approvalOf(tenant, tenant.founder, id, { session })]);
    const codes = [];
    for (const session of sessions) codes.push(await codeFor(newcomer, { type: "reveal", session, nonce }));
    expect(codes).toEqual(["session-unknown", ...Array.from({ length: MAX_OFFERS }, () => "ok")]);
  });
});
