// A script with its header, as it was read: from its bytes, wherever they are kept.
import { createHash } from "node:crypto";
import { text } from "../../protocol/bytes.ts";
import { Fault } from "../fault.ts";
import { readBounded } from "../home/stored-file.ts";
import { MAX_SCRIPT_BYTES } from "../limits.ts";
import { type Header, readHeader } from "./header.ts";

export type Script = {
  readonly header: Header;
  readonly source: string;
  /** SHA-256 of its bytes, in hex, as sha256sum prints it. */
  readonly sha256: string;
};

/** Throws `file-missing`, `file-large`, or `script-header` where it is no text or its header is wrong. */
export function readScriptFile(path: string): Script {
  return scriptOf(sourceOf(path), path);
}

/** A file's text. Throws `script-header` for what is no UTF-8, or has a NUL. */
export function sourceOf(path: string): string {
  const source = text(readBounded(path, MAX_SCRIPT_BYTES));
  if (source === undefined || source.includes("\0")) throw new Fault("script-header", `${path}: not UTF-8 text`);
  return source;
}

/** `file` is what it is called in an error. */
export function scriptOf(source: string, file: string): Script {
  return { header: readHeader(source, file), source, sha256: sha256Of(source) };
}

export function sha256Of(source: string): string {
  return createHash("sha256").update(source, "utf8").digest("hex");
}
