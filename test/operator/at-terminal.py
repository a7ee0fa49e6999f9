# Runs a program in a terminal of its own, types what is expected of a person, and prints what was on the screen.
#   python3 at-terminal.py SCRIPT.json   with {"command": [...], "env": {...}, "steps": [["text to wait for", "text to type"], ...]}
import json, os, pty, select, sys, time

script = json.load(open(sys.argv[1]))
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(script["env"])
    os.execv(script["command"][0], script["command"])
screen = b""
at = 0
deadline = time.time() + 30
steps = list(script["steps"])
while time.time() < deadline:
    if steps and steps[0][0].encode() in screen[at:]:
        at += screen[at:].index(steps[0][0].encode()) + len(steps[0][0].encode())
        time.sleep(0.2)
        os.write(fd, steps.pop(0)[1].encode())
        continue
    ready, _, _ = select.select([fd], [], [], 0.2)
    if ready:
        try:
            read = os.read(fd, 65536)
        except OSError:
            break
        if not read:
            break
        screen += read
if time.time() >= deadline:
    os.kill(pid, 9)
_, status = os.waitpid(pid, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "screen": screen.decode("utf8", "replace"), "left": len(steps)}))
