"""MicroPython's unix port, built with our module in it."""

import os
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
# What needs submodules of MicroPython is left out, but for TLS, if it is there.
OPTIONS = ('VARIANT=standard', 'MICROPY_PY_BTREE=0', 'MICROPY_PY_FFI=0',
           'MICROPY_PY_BLUETOOTH=0', 'FROZEN_MANIFEST=')
WITHOUT_TLS = ('MICROPY_PY_SSL=0', 'MICROPY_SSL_AXTLS=0',
               'MICROPY_SSL_MBEDTLS=0')


class Missing(Exception):
    """There is no MicroPython to build; the message says why."""


def checkout():
    """The folder that MICROPYTHON_DIR names."""
    folder = os.environ.get('MICROPYTHON_DIR')
    if not folder:
        raise Missing('MICROPYTHON_DIR names no checkout of MicroPython')
    if not (Path(folder) / 'ports/unix/Makefile').exists():
        raise Missing(f'MICROPYTHON_DIR: {folder} has no ports/unix')
    return Path(folder).resolve()


def build(folder, *options):
    """The interpreter, built in `folder`; nothing is written elsewhere."""
    folder = Path(folder).resolve()
    source = checkout()
    if not (source / 'lib/mbedtls/library/ssl_tls.c').exists():
        options = (*WITHOUT_TLS, *options)
    done = subprocess.run(
        ['make', '-j2', '-C', source / 'ports/unix', f'BUILD={folder}',
         f'USER_C_MODULES={TOP}/bindings/micropython', *OPTIONS, *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors='replace', check=False)
    if done.returncode:
        raise OSError(f'make ended with {done.returncode}:\n{done.stdout}')
    return folder / 'micropython'
