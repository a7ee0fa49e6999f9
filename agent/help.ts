// The agent's help, on one screen.

export const HELP = `keybound-agent obeys the holders of its owner's signature keys, and nobody else.

Usage: keybound-agent COMMAND [options]

Commands:
  bind FILE     take the owner of a deployment package, or bring the present owner's news
  run           serve the owner, in the foreground, until SIGTERM
  status        who owns this device, since when, and the last refusal
  journal       what this device accepted, refused and ran
  network       through which proxy relays are reached; with --proxy or --ca sets it
  leave         for uninstallers: tells the owner, then removes binding, keys, queue and files; the journal stays
  doctor        looks at everything that this device needs, and says what to do

Options:
  --state DIR   state folder (default: the installed agent's; a folder of yours needs no root)
  --json        machine-readable output, for status, journal, network and doctor
  --help, --version

bind:
  --trust PIN   the pin that was printed with the package; needed wherever the owner changes
  --rebind      let another organisation take this device over; needs --trust

bind, network; for one run alone, run:
  --proxy URL   http://[USER:PASSWORD@]HOST:PORT; direct: none; none: as environment or system say
  --ca FILE     PEM certificates that a relay's may come from, besides the system's; none

run:
  --prove       only show that this version, which is on trial, can serve; the starter asks for it
  --until-input-ends  stop when standard input ends as well, for a service host that holds it

journal:
  --last N      the newest N entries (default 50)
  --verify      walk the whole hash chain

doctor:
  --bundle FILE writes what support needs, without secrets; FILE must be new

Exit: 0 done, 1 refused or failed, 2 not understood.

Example:
  $ keybound-agent bind acme.keybound --trust 9BBH4-CTDVB-2MQQ4-F2DCN-DF61S
  bound to Acme Ltd (epoch 1)
  $ keybound-agent run
`;
