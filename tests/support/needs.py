"""Headers of ours that need one of another project."""

import shlex
import subprocess

# That header, its package for pkg-config where it has one, and what it wants
# defined.
NEEDS = {
    'mqttloop/glib.h': ('glib.h', 'glib-2.0', []),
    'mqttloop/libev.h': ('ev.h', None, []),
    'mqttloop/libuv.h': ('uv.h', 'libuv', ['-D_POSIX_C_SOURCE=200809L']),
    'mqttloop/sd-event.h': ('systemd/sd-event.h', 'libsystemd', []),
}


def needs_of(name):
    """The header that one of ours needs, or None, and flags for a compiler;
    what others' headers say is no warning of ours."""
    header, package, flags = NEEDS.get(name, (None, None, []))
    if not package:
        return header, flags
    done = subprocess.run(['pkg-config', '--cflags', package],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    return header, flags + [word.replace('-I', '-isystem', 1)
                            for word in shlex.split(done.stdout)]
