// Addresses: what may be listened on, what a relay is called, and who counts as one dialler.
import { describe, expect, test } from "vitest";
import { networkOf, readAddress, relayNames } from "../../relay/address.ts";
import { Bucket } from "../../relay/bucket.ts";
import { Diallers } from "../../relay/diallers.ts";
import { ADDRESS_BURST, ADDRESS_PER_SECOND, MAX_ADDRESSES } from "../../relay/limits.ts";
import { Obstacle } from "../../relay/obstacle.ts";

describe("an address", () => {
  test("is a host and a port, with IPv6 in brackets", () => {
    expect(readAddress("127.0.0.1:7600")).toEqual({ host: "127.0.0.1", port: 7600 });
    expect(readAddress("[::1]:0")).toEqual({ host: "::1", port: 0 });
    for (const text of ["7600", "host:", ":1", "host:65536", "a:b:1"])
      expect(() => readAddress(text)).toThrow(Obstacle);
  });
});

describe("a relay is called", () => {
  test("by every spelling of loopback where it listens there", () => {
    const names = relayNames({ host: "127.0.0.1", port: 7600 }, []);
    for (const url of ["ws://127.0.0.1:7600", "ws://localhost:7600", "ws://[::1]:7600"]) {
      expect(names).toContain(new URL(url).host);
    }
  });

  test("by the names given, with its port and with the scheme's own", () => {
    const names = relayNames({ host: "0.0.0.0", port: 8443 }, ["Relay.example.com", "other.example:9000"]);
    expect(names).toEqual(["relay.example.com", "relay.example.com:8443", "other.example:9000"]);
    expect(names).toContain(new URL("wss://relay.example.com").host);
  });
});

describe("diallers", () => {
  test("of one IPv6 network count as one, and IPv4 in IPv6 as IPv4", () => {
    expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
    expect(networkOf("2001:db8::1")).toBe("2001:db8:0:0");
    expect(networkOf("::1")).toBe("0:0:0:0");
    expect(networkOf("::ffff:192.0.2.1")).toBe("192.0.2.1");
  });

  test("who dial too often wait, and others do not", () => {
    let now = 0;
    const diallers = new Diallers(() => now);
    for (let i = 0; i < ADDRESS_BURST; i++) expect(diallers.take("192.0.2.1", 1)).toBe(true);
    expect(diallers.take("192.0.2.1", 1)).toBe(false);
    expect(diallers.take("192.0.2.2", 1)).toBe(true);
    now += (2 * 1000) / ADDRESS_PER_SECOND;
    expect(diallers.take("192.0.2.1", 1)).toBe(true);
  });

  test("beyond as many as are remembered push out the one longest unused", () => {
    const diallers = new Diallers(() => 0);
    diallers.take("192.0.2.1", ADDRESS_BURST);
    for (let i = 0; i < MAX_ADDRESSES; i++) diallers.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1);
    expect(diallers.take("192.0.2.1", 1)).toBe(true);
  });
});

describe("a bucket", () => {
  test("that is overdrawn says how long until it is paid back, and never holds more than its burst", () => {
    const bucket = new Bucket({ burst: 10, perSecond: 5 }, 0);
    expect(bucket.take(10, 0)).toBe(0);
    expect(bucket.take(5, 0)).toBe(5);
    expect(bucket.waitMs(5)).toBe(1000);
    expect(bucket.take(10, 3_600_000)).toBe(0);
    expect(bucket.take(1, 3_600_000)).toBe(1);
  });
});
