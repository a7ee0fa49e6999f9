# Listens as systemd does: binds the datagram socket at argv[1], prints each message as a line of JSON with its sender's pid.
import json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind("\0" + sys.argv[1][1:] if sys.argv[1].startswith("@") else sys.argv[1])
print("listening", flush=True)
while True:
    data, control, _, _ = s.recvmsg(4096, 256)
    # systemd-notify waits until what it sent along is closed: then its message has been read.
    for kind, d in [(kind, d) for _, kind, d in control if kind == socket.SCM_RIGHTS]:
        for descriptor in struct.unpack(f"{len(d) // 4}i", d):
            os.close(descriptor)
    pid = next(struct.unpack("3i", d[:12])[0] for _, kind, d in control if kind == socket.SCM_CREDENTIALS)
    print(json.dumps({"pid": pid, "says": data.decode()}), flush=True)
