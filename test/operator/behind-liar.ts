// A house that reaches its relay only through one that lies, and two devices that joined by way of it.
import { expectDone, OperatorHouse } from "./house.ts";
import { LyingRelay } from "./lying-relay.ts";
import { SocketDevice } from "./socket-device.ts";

export type BehindLiar = { readonly liar: LyingRelay; readonly house: OperatorHouse };

/** The founder has a key; `init` adds to the command that makes it. */
export async function houseBehindLiar(init: readonly string[] = []): Promise<BehindLiar> {
  const liar = await LyingRelay.open();
  const house = await OperatorHouse.open({ front: liar.url });
  liar.upstream = house.relay.url;
  expectDone(await house.init(init));
  return { liar, house };
}

/** web1 and web2, of one package; they answer as the test has them answer. */
export async function twoDevices({ liar, house }: BehindLiar): Promise<readonly [SocketDevice, SocketDevice]> {
  const { file } = await house.package("acme.json");
  const enrol = (word: string) => SocketDevice.enrol(liar.url, { file, word, host: `${word}.example` });
  return [await enrol("web1"), await enrol("web2")];
}
