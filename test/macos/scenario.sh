#!/bin/sh
# The package on a real Mac: what Linux cannot show. Run as root, by sudo of somebody who is not: scenario.sh FOLDER, where FOLDER has
# what scenario-files.ts writes: older.pkg, newer.pkg, acme.keybound and pin.txt. The Mac must have no agent.
# Changes this Mac, and leaves nothing when all is well. Ends with 1 at the first thing that is not as it must be.
set -u
folder=$(cd "${1:?usage: scenario.sh FOLDER}" && pwd) || exit 2
user=${SUDO_USER:?run it by sudo, as somebody who is not root}
program=/usr/local/libexec/keybound-agent
command=/usr/local/bin/keybound-agent
label=io.keybound.agent
plist=/Library/LaunchDaemons/$label.plist
state=/var/db/keybound
log=/var/log/keybound-agent.log
install_log=/var/log/keybound-agent-install.log

# that WHAT COMMAND...: the command must succeed.
that() {
    what=$1
    shift
    if "$@"; then
        echo "ok      $what"
    else
        echo "NOT SO  $what"
        tail -n 30 "$install_log" "$log" 2>/dev/null
        launchctl print "system/$label" 2>/dev/null | head -n 40
        exit 1
    fi
}

not() { ! "$@"; }

within_90_s() {
    for _second in $(seq 90); do
        if "$@"; then return 0; fi
        sleep 1
    done
    return 1
}

as_user() { sudo -u "$user" -H "$@"; }
has() { grep -q "$2" "$1"; }
is() { [ "$1" = "$2" ]; }
pid() { launchctl print "system/$label" 2>/dev/null | awk '$1 == "pid" { print $3; exit }'; }
is_running() { [ -n "$(pid)" ] && ps -o command= -p "$(pid)" | grep -q "keybound-agent.cjs run"; }
is_another() { is_running && [ "$(pid)" != "$1" ]; }
is_gone() { not ps -p "$1" >/dev/null; }
is_known() { launchctl print "system/$label" >/dev/null 2>&1; }
field() { "$command" status --json | "$program/node" -p "JSON.parse(require('fs').readFileSync(0, 'utf8'))['$1']"; }
install_pkg() { installer -pkg "$folder/$1" -target / >/dev/null 2>&1; }
exits_with() { wanted=$1; shift; "$@" >/dev/null 2>&1; [ $? -eq "$wanted" ]; }

lay() {
    install -d -m 0700 /etc/keybound
    install -m 0600 "$folder/acme.keybound" /etc/keybound/deployment.keybound
    (umask 077; printf '%s\n' "$1" >/etc/keybound/trust)
}

that "there is no agent here before" [ ! -e "$program" ] && that "nor a state" [ ! -e "$state" ]
that "Installer reads the package" pkgutil --payload-files "$folder/older.pkg"
that "lsbom reads its bill of materials" sh -c "d=\$(mktemp -d) && pkgutil --expand '$folder/older.pkg' \$d/x && lsbom \$d/x/keybound-agent.pkg/Bom"

# Refused at the installation: installed, running, not bound, and said so.
lay AAAAA-AAAAA-AAAAA-AAAAA-AAAAA
that "a package under another pin makes the installation fail" exits_with 1 install_pkg older.pkg
that "and the log says why" has "$install_log" package-trust
that "and the agent runs and waits" within_90_s is_running
that "without an owner" is "$(field bound)" false

lay "$(cat "$folder/pin.txt")"
that "one silent line installs and binds" install_pkg older.pkg
that "the log says so" has "$install_log" "bound to Acme (epoch 1)"
that "what was laid down is used up" [ ! -e /etc/keybound/deployment.keybound ]
that "launchd runs the agent" within_90_s is_running
that "the device is bound" is "$(field owner)" Acme
that "the receipt of the package has its version" sh -c "pkgutil --pkg-info $label | grep -q 'version: 0.0.1'"
that "Node has its publisher's signature still" codesign --verify --strict "$program/node"
that "the property list is one" plutil -lint "$plist"
that "its log says what it serves" within_90_s has "$log" "serving the owner"
in_unified_log() { log show --last 10m --predicate 'eventMessage CONTAINS "serving the owner"' | grep -q 'keybound-agent {'; }
that "and so does the unified log" within_90_s in_unified_log

# As somebody else.
that "a user sees who owns the device" as_user "$command" status
that "a user cannot read the state" not as_user ls "$state"
that "nor the logs" not as_user cat "$log" "$install_log"
that "nor stop the agent" not as_user launchctl bootout "system/$label"
that "nor write beside the programs" not as_user touch "$program/x"
that "nor remove it" not as_user "$program/uninstall"
that "all programs and the service are root's alone to write" \
    [ -z "$(find "$program" "$plist" /usr/local/libexec \( ! -user 0 -o -perm -020 -o -perm -002 \))" ]
that "the state is root's alone" [ -z "$(find "$state" \( ! -user 0 -o -perm -040 -o -perm -004 \) ! -type d)" ]

# Killed, and stopped in order.
former=$(pid)
kill -9 "$former"
that "an agent that was killed is started again" within_90_s is_another "$former"
former=$(pid)
launchctl bootout "system/$label"
that "it stops" within_90_s is_gone "$former"
that "in an orderly way" sh -c "'$command' journal --json --last 1 | grep -q stopped"
launchctl bootstrap system "$plist"
that "and starts" within_90_s is_running

device=$(field device)
that "the same package again is taken" install_pkg older.pkg
that "an upgrade works" install_pkg newer.pkg
that "and runs" within_90_s is_running
that "as the same device" is "$(field device)" "$device"
that "an older version is refused" exits_with 1 install_pkg older.pkg
that "and the newer goes on running" is_running
that "and the log says how to insist" has "$install_log" "touch /etc/keybound/downgrade"
install -d -m 0700 /etc/keybound && touch /etc/keybound/downgrade
that "which works" install_pkg older.pkg
that "once" [ ! -e /etc/keybound/downgrade ]
that "and is the older one" is "$(cat "$program/version")" 0.0.1
that "that can be upgraded again" install_pkg newer.pkg

rm "$program/keybound-agent-inventory.cjs" "$command"
that "the same package repairs" install_pkg newer.pkg
that "what was gone" [ -e "$program/keybound-agent-inventory.cjs" ]
that "and the command" "$command" --version
launchctl disable "system/$label"
that "an upgrade of a disabled service" install_pkg newer.pkg
that "leaves it off" not is_known
launchctl enable "system/$label"
that "and one of an enabled one" install_pkg newer.pkg
that "starts it" within_90_s is_running

that "an uninstall works" "$program/uninstall"
that "and leaves no service" not is_known
that "and no program" [ ! -e "$program" ]
that "and no receipt" exits_with 1 pkgutil --pkg-info "$label"
that "and keeps the journal" [ -e "$state/state.db" ]
that "which the next installation takes up" install_pkg newer.pkg
that "and runs" within_90_s is_running
that "an uninstall with --purge works" "$program/uninstall" --purge
that "and leaves nothing" [ -z "$(ls -d "$program" "$plist" "$command" "$state"* /etc/keybound /var/log/keybound-agent* 2>/dev/null)" ]
echo "all is as it must be"
