/** The summary of an MSI, which has a random number and the time of day in it; here they are set. */
import { readFileSync, writeFileSync } from "node:fs";

/** FMTID_SummaryInformation, [MS-OLEPS] 3.1, as it lies in a file. */
const FORMAT = Buffer.from("e0859ff2f94f6810ab9108002b27b3d9", "hex");
/** The format's identifier comes after this much of the stream. */
const FORMAT_AT = 28;
const PACKAGE_CODE = 9;
const CREATED = 12;
const LAST_SAVED = 13;
const STRING_TYPE = 30;
const TIME_TYPE = 64;
/** FILETIME counts 100 ns from 1601. */
const EPOCH_MS = 11_644_473_600_000;

/** Sets package code (`{…}`, in capitals) and times. Throws where the file has no summary of the form that wixl writes. */
export function setSummary(
  file: string,
  { packageCode, madeAt }: { readonly packageCode: string; readonly madeAt: Date },
): void {
  const bytes = readFileSync(file);
  const values = valuesIn(bytes);
  const code = values.get(PACKAGE_CODE);
  if (code?.type !== STRING_TYPE || !/^\{[0-9A-F-]{36}\}$/.test(bytes.toString("latin1", code.at + 8, code.at + 46)))
    throw new Error(`no package code in ${file}`);
  bytes.write(packageCode, code.at + 8, "latin1");
  for (const property of [CREATED, LAST_SAVED]) {
    const time = values.get(property);
    if (time?.type !== TIME_TYPE) throw new Error(`no time of property ${property} in ${file}`);
    bytes.writeBigUInt64LE(BigInt(madeAt.getTime() + EPOCH_MS) * 10_000n, time.at + 4);
  }
  writeFileSync(file, bytes);
}

/** Where each property's type is, which its value follows. The stream lies in one piece, as the checks above would notice. */
function valuesIn(bytes: Buffer): ReadonlyMap<number, { readonly type: number; readonly at: number }> {
  const format = bytes.indexOf(FORMAT);
  if (format < 0 || bytes.indexOf(FORMAT, format + 1) >= 0) throw new Error("not one summary in the file");
  const section = format - FORMAT_AT + bytes.readUInt32LE(format + FORMAT.length);
  const count = bytes.readUInt32LE(section + 4);
  const entries = Array.from({ length: count }, (_, index) => section + 8 + index * 8);
  return new Map(
    entries.map((entry) => {
      const at = section + bytes.readUInt32LE(entry + 4);
      return [bytes.readUInt32LE(entry), { type: bytes.readUInt32LE(at), at }];
    }),
  );
}
