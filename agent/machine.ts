// What the agent asks of the machine it runs on, one function a platform where platforms differ.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, hostname, platform, release, uptime } from "node:os";
import nodeMachineId from "node-machine-id";
import type { EnrolmentRequest } from "../protocol/enrolment.ts";
import { ASK_TIME_MS } from "./limits.ts";

export type Machine = {
  readonly host: string;
  readonly platform: EnrolmentRequest["platform"];
  readonly release: string;
  readonly arch: string;
  /** The system's own id of this installation; changes when a disk image is started as another machine. */
  readonly machineId: string;
  /** Another value after each start of the system. */
  readonly bootId: string;
};

const PLATFORMS: Partial<Record<NodeJS.Platform, Machine["platform"]>> = {
  linux: "linux",
  win32: "windows",
  darwin: "macos",
};

/** `now` serves only where the system names no boot, and the boot's time has to do. */
export function readMachine(now: number): Machine {
  return {
    host: printable(hostname(), 253),
    platform: PLATFORMS[platform()] ?? "other",
    release: printable(release(), 128),
    arch: printable(arch(), 32),
    machineId: nodeMachineId.machineIdSync(true),
    bootId: bootIdOf(platform()) ?? bootTimeId(now),
  };
}

function bootIdOf(system: NodeJS.Platform): string | undefined {
  if (system === "linux") return linuxBootId();
  return system === "darwin" ? macBootId() : undefined;
}

function linuxBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

// A UUID of each start of the kernel.
function macBootId(): string | undefined {
  const options = { encoding: "utf8", timeout: ASK_TIME_MS, env: {} } as const;
  const { stdout } = spawnSync("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], options);
  const id = stdout?.trim() ?? "";
  return /^[0-9A-Fa-f-]{36}$/.test(id) ? id : undefined;
}

// To ten seconds, because uptime and clock are read one after the other and the clock is corrected now and then.
function bootTimeId(now: number): string {
  return `boot-${Math.round((now - uptime() * 1000) / 10_000)}`;
}

function printable(text: string, max: number): string {
  const plain = text.replace(/[^\x21-\x7e]/g, "").slice(0, max);
  return plain === "" ? "unknown" : plain;
}
