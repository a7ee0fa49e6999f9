/**
 * What Node is told where it runs the agent, and in which words. The service's unit and the Windows service have the same words in
 * their own files, which a test compares with these. They stand on the command line, not in NODE_OPTIONS, so that no job inherits them.
 *
 * A young generation of at most 1 MiB a half: without it, it grows with the first jobs and is never given back, 2 MiB of private
 * memory after sixty of them (docs/benchmarks.md).
 */
export const AGENT_FLAGS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=1"] as const;

/** What the unit sets for it on Linux: one arena for the allocations of all threads, where glibc makes one for each. */
export const AGENT_ENVIRONMENT = { MALLOC_ARENA_MAX: "1" } as const;
