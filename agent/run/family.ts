// One job's processes on Linux: members of its control group where there is one, what descends from its first process, and orphans.
import { isAgentAlone, isEmpty, membersOf } from "./cgroup.ts";
import { allProcesses, nameOf, type Process, readProcess, variableOf, withDescendants } from "./processes.ts";

/** The variable by which a job's process, and whatever inherits from it, can be told. */
export const RUN_VARIABLE = "KEYBOUND_RUN";

export type Leader = Pick<Process, "pid" | "startedAt">;

export type FamilyOf = Pick<Family, "job" | "run" | "groups"> & {
  readonly leader?: Leader;
  readonly vacate?: () => void;
};

export class Family {
  readonly job: string;
  /** A name that no other run has in this boot, of any agent. */
  readonly run: string;
  /** Folders of its control group, the one that knows its members first; none without cgroups. */
  readonly groups: readonly string[];
  /** Processes that were seen to belong, by pid and start: they still do when they have lost their parent. */
  readonly #seen = new Set<string>();
  /** Takes the agent out of the control group, if it is in. */
  readonly vacate: () => void;
  leader: Leader | undefined;

  constructor({ job, run, groups, leader, vacate = () => undefined }: FamilyOf) {
    this.vacate = vacate;
    this.job = job;
    this.run = run;
    this.groups = groups;
    this.leader = leader;
  }

  /** The folder that knows its members. */
  get group(): string | undefined {
    return this.groups[0];
  }

  /**
   * Whether an orphan is this job's: it is in its control group, was seen in the family, is of the leader's session or process
   * group, or carries the run's name in the environment that it was started with. What has none of these nobody can tell.
   */
  owns(orphan: Process): boolean {
    if (this.#seen.has(nameOf(orphan)) || this.members().includes(orphan.pid)) return true;
    const { pid, startedAt } = this.leader ?? { pid: undefined, startedAt: 0 };
    if ((orphan.session === pid || orphan.group === pid) && orphan.startedAt >= startedAt) return true;
    return this.hasMarked(orphan);
  }

  hasMarked({ pid }: Process): boolean {
    return variableOf(pid, RUN_VARIABLE) === this.run;
  }

  /** Whether it was there to start this process. */
  mayOwn({ startedAt }: Process): boolean {
    return this.leader !== undefined && this.leader.startedAt <= startedAt;
  }

  /** The process that was spawned, while it is there. */
  get first(): Process | undefined {
    const { leader } = this;
    const found = leader === undefined ? undefined : readProcess(leader.pid);
    return found?.startedAt === leader?.startedAt ? found : undefined;
  }

  members(): readonly number[] {
    return this.group === undefined ? [] : membersOf(this.group).filter((pid) => pid !== process.pid);
  }

  /** The kernel's word on its control group. What makes a new process of itself as fast as we look is a member, unseen. */
  get hasNoMember(): boolean {
    if (this.group === undefined || isAgentAlone(this.group)) return true;
    if (this.members().length > 0) return false;
    this.vacate();
    return isEmpty(this.group);
  }

  /** Those that live, of its members and of what descends from its first process and from `orphans`. */
  living(orphans: readonly Process[]): readonly Process[] {
    const { first } = this;
    const members = this.members().flatMap((pid) => readProcess(pid) ?? []);
    const roots = [...(first === undefined ? [] : [first]), ...orphans];
    const found = roots.length === 0 ? members : withDescendants([...roots, ...members], allProcesses());
    for (const one of found) this.#seen.add(nameOf(one));
    return found.filter(({ pid, isEnded }) => !isEnded && pid !== process.pid);
  }
}
