// Which hosts are dialled without a proxy: the list NO_PROXY as curl reads it, and what the lists of Windows and macOS have beyond it.

export type Target = {
  /** As a URL has it: lower case, an address of IPv6 in brackets. */
  readonly hostname: string;
  readonly port: string;
};

type Address = { readonly bits: bigint; readonly width: 32 | 128 };

/**
 * Whether an entry of this list, separated by commas, semicolons or spaces, is this host: a name is the host and all below it (curl 7.86),
 * unless names are meant `exactly`; `.name` and `*.name` are all below it (with `.name` the host too, where not `exactly`); `*` is all;
 * another `*` is any text. An address is that one, with `/BITS` its network. `:PORT` limits an entry. `<local>` is a name without dots.
 * Names are not resolved. An entry that says nothing sensible is nobody.
 */
export function isBypassed(target: Target, list: string, { exactly }: { readonly exactly: boolean }): boolean {
  const host = withoutDot(target.hostname);
  return list
    .toLowerCase()
    .split(/[\s,;]+/)
    .filter((entry) => entry !== "")
    .some((entry) => isOf({ host, port: target.port, entry: entry.replace(/^https?:\/\//, ""), exactly }));
}

type Question = { readonly host: string; readonly port: string; readonly entry: string; readonly exactly: boolean };

function isOf({ host, port, entry, exactly }: Question): boolean {
  if (entry === "*") return true;
  const address = addressOf(host);
  if (entry === "<local>") return address === undefined && !host.includes(".");
  const [, spelled = entry, wanted] = /^(\[[^\]]*\](?:\/\d+)?|[^:[\]]+):(\d+)$/.exec(entry) ?? [];
  if (wanted !== undefined && wanted !== port) return false;
  if (address !== undefined && !spelled.includes("*")) return isInNetwork(address, spelled);
  return isNamed(host, withoutDot(spelled), exactly);
}

function isNamed(host: string, entry: string, exactly: boolean): boolean {
  if (entry.startsWith("*.") && !entry.slice(2).includes("*")) return host.endsWith(entry.slice(1));
  if (entry.includes("*")) return isLike(host, entry);
  if (exactly) return entry.startsWith(".") ? host.endsWith(entry) : host === entry;
  const name = entry.replace(/^\./, "");
  return name !== "" && (host === name || host.endsWith(`.${name}`));
}

/** Each part between two stars is looked for where the one before ended: no expression that could take for ever. */
function isLike(host: string, pattern: string): boolean {
  const parts = pattern.split("*");
  const [first = "", last = ""] = [parts[0], parts.at(-1)];
  if (!host.startsWith(first) || !host.endsWith(last) || host.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = host.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= host.length - last.length;
}

function isInNetwork(address: Address, entry: string): boolean {
  const [spelled = "", bits] = entry.split("/");
  const network = addressOf(spelled.includes(":") || bits === undefined ? spelled : filledUp(spelled));
  if (network === undefined || network.width !== address.width) return false;
  const kept = bits === undefined ? network.width : Number(bits);
  if (bits === "" || !Number.isInteger(kept) || kept < 0 || kept > network.width) return false;
  const rest = BigInt(network.width - kept);
  return network.bits >> rest === address.bits >> rest;
}

/** `169.254/16`, as macOS writes a network. */
function filledUp(spelled: string): string {
  const parts = spelled.split(".");
  return [...parts, "0", "0", "0"].slice(0, Math.max(4, parts.length)).join(".");
}

/** With or without brackets; `undefined` where it is no address. */
function addressOf(spelled: string): Address | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(spelled)) return address4(spelled);
  const bare = spelled.replace(/^\[(.*)\]$/, "$1");
  if (!bare.includes(":") || !URL.canParse(`http://[${bare}]`)) return undefined;
  return address6(new URL(`http://[${bare}]`).hostname.slice(1, -1));
}

function address4(spelled: string): Address | undefined {
  const parts = spelled.split(".").map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return { width: 32, bits: parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
}

/** In the spelling that URLs give it: groups in hexadecimal, and at most one `::`. */
function address6(spelled: string): Address {
  const [head = [], tail = []] = spelled.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  const groups = [...head, ...zeros, ...tail];
  return { width: 128, bits: groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n) };
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, "");
}
