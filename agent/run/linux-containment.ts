// Linux: a control group for each job where the agent may make one, and the agent as the parent of whatever loses its own.
import type { ChildProcess } from "node:child_process";
import type { Limits } from "../../protocol/job-body.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { type Cgroups, removeGroup } from "./cgroup.ts";
import { adoptedChildren, noteLeader, reapAdopted } from "./children.ts";
import type { Containment, Enclosure, FormerJob } from "./containment.ts";
import { endFamily, type Look } from "./end-family.ts";
import { Family, RUN_VARIABLE } from "./family.ts";
import { type Launch, spawnLaunch } from "./launch.ts";
import type { Libc } from "./libc.ts";
import { spawnWithPriority } from "./priority.ts";
import { allProcesses, type Process, readProcess } from "./processes.ts";
import { RunningJobs } from "./running-jobs.ts";

export type LinuxOptions = {
  /** `undefined` where no groups can be made. */
  readonly cgroups: Cgroups | undefined;
  /** `undefined` where the kernel's calls are not to be had: then orphans are found as far as they can be told by their looks. */
  readonly libc: Libc | undefined;
  readonly bootId: string;
  /** Folder for notes of what runs, private to the agent. */
  readonly running: string;
};

type Orphans = {
  readonly own: readonly Process[];
  /** Whether there are some that may be this family's or another's. */
  readonly isInDoubt: boolean;
};

type Left = { readonly family: Family; readonly giveBack: () => boolean };

let runs = 0;

/** A name that no other process has in this boot. */
const ownName = () => `${process.pid}-${readProcess(process.pid)?.startedAt}`;

export class LinuxContainment implements Containment {
  readonly #options: LinuxOptions;
  readonly #libc: Libc | undefined;
  readonly #running: RunningJobs;
  readonly #open = new Set<Family>();
  /** Ended jobs of which something lives, on purpose or because it cannot be ended. */
  readonly #left = new Set<Left>();
  readonly #cgroups: Cgroups | undefined;

  constructor(options: LinuxOptions) {
    this.#options = options;
    this.#libc = options.libc?.becomeSubreaper() === true ? options.libc : undefined;
    this.#running = new RunningJobs(options.running);
    this.#cgroups = options.cgroups;
    if (this.#libc !== undefined) reapAdopted(this.#libc);
  }

  open(job: string, limits: Limits): Enclosure {
    this.#forgetGone();
    const run = `${ownName()}-${runs++}`;
    const group = this.#cgroups?.open(limits);
    const family = new Family({ job, run, groups: group?.paths ?? [], ...(group && { vacate: group.vacate }) });
    const unenforced = new Set(group?.unenforced ?? unenforcedWithout(limits));
    let isLeft = false;
    return {
      unenforced,
      spawn: (launch) => {
        const spawn = () => spawnWithPriority(limits.priority, () => this.#spawn(family, launch), unenforced);
        this.#note(family);
        this.#open.add(family);
        const child = group === undefined ? spawn() : group.inside(spawn);
        this.#note(family);
        return child;
      },
      end: () => endFamily(family, () => this.#look(family), this.#libc),
      letGo: () => (isLeft = true),
      contained: () => this.#contained(family, isLeft),
      close: () => this.#close({ family, giveBack: group?.giveBack ?? (() => true) }),
    };
  }

  #spawn(family: Family, launch: Launch): ChildProcess {
    const env = { ...launch.env, [RUN_VARIABLE]: family.run };
    const child = spawnLaunch({ ...launch, env }, { detached: true });
    noteLeader(child);
    if (child.pid !== undefined) family.leader = readProcess(child.pid);
    return child;
  }

  /** Before the spawn and after it: killed between the two, the agent finds what it spawned by group or variable. */
  #note({ job, run, groups, leader }: Family): void {
    const { bootId } = this.#options;
    const first = leader === undefined ? {} : { leader: { pid: leader.pid, startedAt: leader.startedAt } };
    this.#running.note(job, { bootId, run, groups: [...groups], ...first });
  }

  outside<T>(act: () => T): T {
    return this.#cgroups === undefined ? act() : this.#cgroups.outside(act);
  }

  /** What jobs of an agent that went down have left running in this boot is ended. Answers for each what is known of it. */
  async endFormer(jobs: readonly FormerJob[]): Promise<ReadonlyMap<string, Receipt["contained"]>> {
    const noted = this.#running.jobs().map((job) => ({ job, bootId: this.#running.find(job)?.bootId }));
    const all = new Map([...noted, ...jobs].map((one) => [one.job, one]));
    const ended = [...all.values()].map(async (one) => [one.job, await this.#endFormer(one)] as const);
    return new Map(await Promise.all(ended));
  }

  async #endFormer({ job, bootId }: { job: string; bootId: string | undefined }): Promise<Receipt["contained"]> {
    // Nothing outlives a boot.
    if (bootId !== this.#options.bootId) return this.#forget(job, "yes");
    const note = this.#running.find(job);
    // Noted before it is spawned: what has no note was not, or has been forgotten, and then nobody knows.
    if (note === undefined) return "unknown";
    const family = new Family({ job, ...note });
    const look = () =>
      lookAt(
        family,
        allProcesses().filter((one) => family.hasMarked(one)),
      );
    await endFamily(family, look, this.#libc);
    if (!look().isGone) return "no";
    for (const path of family.groups) removeGroup(path);
    return this.#forget(job, family.group === undefined ? "unknown" : "yes");
  }

  #forget<T>(job: string, known: T): T {
    this.#running.forget(job);
    return known;
  }

  #look(family: Family): Look {
    return lookAt(family, this.#orphans(family).own);
  }

  /** Each process that a job leaves without a parent becomes the agent's child; without that, all processes are looked through. */
  #orphans(family: Family): Orphans {
    if (this.#libc === undefined) return { own: allProcesses().filter((one) => family.owns(one)), isInDoubt: true };
    const all = [...this.#open, ...[...this.#left].map(({ family: left }) => left)];
    const own: Process[] = [];
    const { living, isSettled } = adoptedChildren(this.#libc);
    let isInDoubt = !isSettled;
    for (const orphan of living) {
      const owner = all.find((one) => one.owns(orphan));
      // Nobody's by its looks, it is the one's who alone was there to start it.
      const possible = owner === undefined ? all.filter((one) => one.mayOwn(orphan)) : [owner];
      if (!possible.includes(family)) continue;
      if (possible.length === 1) own.push(orphan);
      else isInDoubt = true;
    }
    return { own, isInDoubt };
  }

  #contained(family: Family, isLeft: boolean): Receipt["contained"] {
    if (family.leader === undefined) return "yes";
    const { own, isInDoubt } = this.#orphans(family);
    if (family.living(own).length > 0 || !family.hasNoMember) return isLeft ? "left" : "no";
    if (this.#libc === undefined) return family.group === undefined ? "unknown" : "yes";
    return isInDoubt ? "unknown" : "yes";
  }

  #close(left: Left): void {
    this.#open.delete(left.family);
    this.#left.add(left);
    this.#forgetGone();
    this.#running.forget(left.family.job);
  }

  #forgetGone(): void {
    for (const left of this.#left) if (this.#look(left.family).isGone && left.giveBack()) this.#left.delete(left);
  }
}

function lookAt(family: Family, orphans: readonly Process[]): Look {
  const living = family.living(orphans);
  return { living, isGone: living.length === 0 && family.hasNoMember };
}

// A limit of processes by user (RLIMIT_NPROC) counts what is not the job's and binds no root; one of address space (RLIMIT_AS) is
// for one process, not the job, and ends programs that reserve what they never use. A wrong limit is worse than a missing one.
function unenforcedWithout({ processes, memoryBytes }: Limits) {
  return [
    ...(processes === undefined ? [] : (["processes"] as const)),
    ...(memoryBytes === undefined ? [] : (["memoryBytes"] as const)),
  ];
}
