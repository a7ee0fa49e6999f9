// What a program needs to reach a logged-on user's desktop: variables that name sockets of that user, as far as they are there.
import { lstatSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { LoginSession } from "./login-sessions.ts";

type Variables = Readonly<Record<string, string>>;

/** `runtime`: where each logged-on user has a folder, `/run/user`. Empty where the user has none. */
export function sessionEnvironment(uid: number, { runtime, session }: Session): Variables {
  return { ...runtimeOf(join(runtime, String(uid)), uid, session), ...ofSession(session) };
}

type Session = { readonly runtime: string; readonly session?: LoginSession | undefined };

/** A folder or socket that belongs to somebody else is not this user's, whatever its name. */
function runtimeOf(folder: string, uid: number, session: LoginSession | undefined): Variables {
  if (statOf(folder, uid)?.isDirectory() !== true) return {};
  const bus = join(folder, "bus");
  const wayland = session?.type === "wayland" ? waylandIn(folder, uid) : undefined;
  return {
    XDG_RUNTIME_DIR: folder,
    ...(statOf(bus, uid)?.isSocket() === true ? { DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}` } : {}),
    ...(wayland === undefined ? {} : { WAYLAND_DISPLAY: wayland }),
  };
}

/** Compositors take the first free number. */
function waylandIn(folder: string, uid: number): string | undefined {
  const names = Array.from({ length: 10 }, (_, number) => `wayland-${number}`);
  return names.find((name) => statOf(join(folder, name), uid)?.isSocket() === true);
}

function ofSession(session: LoginSession | undefined): Variables {
  if (session?.type === undefined) return {};
  const { id, type, display } = session;
  return { XDG_SESSION_ID: id, XDG_SESSION_TYPE: type, ...(display === undefined ? {} : { DISPLAY: display }) };
}

function statOf(path: string, uid: number): Stats | undefined {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats?.uid === uid ? stats : undefined;
  } catch (error) {
    // A file system that a user has mounted there answers nobody else.
    if (error instanceof Error && "code" in error && error.code === "EACCES") return undefined;
    throw error;
  }
}
