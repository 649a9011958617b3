"""meson-python, with wheels tagged for what they serve.

meson-python 0.12 tags an extension of the limited API for the interpreter that
built it; the one here serves CPython from 3.9 on.
"""

import base64
import hashlib
import re
import zipfile
from pathlib import Path

import mesonpy
# What a build backend has to offer; other names are not asked for.
from mesonpy import build_sdist, get_requires_for_build_sdist  # noqa: F401
from mesonpy import get_requires_for_build_wheel  # noqa: F401

SERVES = 'cp39'
TAG = re.compile(r'cp3\d+-abi3-')


def record_of(name, content):
    """Its line in RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f'{name},sha256={digest.decode().rstrip("=")},{len(content)}'


def with_tag(name, content, entries):
    """The content of one file of the wheel under the other tag."""
    if name.endswith('.dist-info/WHEEL'):
        return TAG.sub(f'{SERVES}-abi3-', content.decode()).encode()
    if name.endswith('.dist-info/RECORD'):
        return '\n'.join([*entries, f'{name},,', '']).encode()
    return content


def retag(old, new):
    """Copy a wheel; RECORD, which tells of all others, comes last."""
    entries = []
    with zipfile.ZipFile(old) as source, \
            zipfile.ZipFile(new, 'w', zipfile.ZIP_DEFLATED) as target:
        members = sorted(source.infolist(),
                         key=lambda member: member.filename.endswith('RECORD'))
        for member in members:
            content = with_tag(member.filename, source.read(member), entries)
            entries.append(record_of(member.filename, content))
            target.writestr(member, content, zipfile.ZIP_DEFLATED)


def build_wheel(wheel_directory, config_settings=None,
                metadata_directory=None):
    """As mesonpy's, with the other tag."""
    name = mesonpy.build_wheel(wheel_directory, config_settings,
                               metadata_directory)
    tagged = TAG.sub(f'{SERVES}-abi3-', name)
    if tagged != name:
        old = Path(wheel_directory, name)
        retag(old, Path(wheel_directory, tagged))
        old.unlink()
    return tagged
