// What the agent asks of the machine it runs on, one function a platform where platforms differ.
import { readFileSync } from "node:fs";
import { arch, hostname, platform, release, uptime } from "node:os";
import nodeMachineId from "node-machine-id";
import type { EnrolmentRequest } from "../protocol/enrolment.ts";

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

/** `now` serves only platforms that name no boot, where the boot's time has to do. */
export function readMachine(now: number): Machine {
  return {
    host: printable(hostname(), 253),
    platform: PLATFORMS[platform()] ?? "other",
    release: printable(release(), 128),
    arch: printable(arch(), 32),
    machineId: nodeMachineId.machineIdSync(true),
    bootId: platform() === "linux" ? linuxBootId() : bootTimeId(now),
  };
}

function linuxBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

// To ten seconds, because uptime and clock are read one after the other and the clock is corrected now and then.
function bootTimeId(now: number): string {
  return `boot-${Math.round((now - uptime() * 1000) / 10_000)}`;
}

function printable(text: string, max: number): string {
  const plain = text.replace(/[^\x21-\x7e]/g, "").slice(0, max);
  return plain === "" ? "unknown" : plain;
}
