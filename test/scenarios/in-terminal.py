# Runs a program in a terminal of its own, with this program's input as its keyboard and its screen as this program's output.
#   python3 in-terminal.py PROGRAM ARGUMENT...
import fcntl, os, pty, select, struct, sys, termios

child, fd = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 160, 0, 0))
watched = [0, fd]
while True:
    ready, _, _ = select.select(watched, [], [])
    if fd in ready:
        try:
            seen = os.read(fd, 65536)
        except OSError:
            break
        if not seen:
            break
        os.write(1, seen)
    if 0 in ready:
        typed = os.read(0, 65536)
        if typed:
            os.write(fd, typed)
        else:
            watched = [fd]
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
