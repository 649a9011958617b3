"""mqttloop as others meet it: installed, as a subproject, under musl."""

import argparse
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from report import Failure, Report, Skip, run

HERE = Path(__file__).resolve().parent
WARNINGS = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror']

CMAKE_PROJECT = '''
cmake_minimum_required(VERSION 3.13)
project(consumer C)
find_package(mqttloop @VERSION@ CONFIG REQUIRED COMPONENTS mqttloop core)
add_executable(host "@HERE@/consumer.c")
target_link_libraries(host PRIVATE mqttloop::mqttloop)
add_executable(core "@HERE@/consumer_core.c")
target_link_libraries(core PRIVATE mqttloop::core)
foreach(companion libev libuv glib sd-event openssl websocket)
    if(TARGET mqttloop::${companion})
        string(REPLACE "-" "_" source ${companion})
        add_executable(${companion} "@HERE@/consumer_${source}.c")
        target_link_libraries(${companion} PRIVATE mqttloop::${companion})
    endif()
endforeach()
'''

MESON_PROJECT = '''
project('consumer', 'c', meson_version: '>= 1.0')
host = dependency('mqttloop', fallback: 'mqttloop',
  default_options: ['default_library=static'])
core = dependency('mqttloop-core', fallback: 'mqttloop')
executable('host', 'consumer.c', dependencies: host)
executable('core', 'consumer_core.c', dependencies: core)
'''


COMPANIONS = ['libev', 'libuv', 'glib', 'sd-event', 'openssl', 'websocket']


class Place:
    """A temporary folder with a tree to build from and a prefix."""

    def __init__(self, folder, arguments):
        self.folder = Path(folder)
        self.prefix = self.folder / 'prefix'
        self.source = arguments.source
        self.c = arguments.c
        self.version = arguments.version
        self.environment = dict(os.environ, CC=shlex.join(arguments.c))
        # The host's own libraries stay in the search path: c-ares is there.
        self.environment['PKG_CONFIG_PATH'] = str(
            self.libraries() / 'pkgconfig')

    def libraries(self):
        """Where meson puts libraries; known only after installing."""
        found = list(self.prefix.rglob('libmqttloop-core.a'))
        return found[0].parent if found else self.prefix / 'lib'

    def run(self, *command, **more):
        """Run a command with this place's compiler and packages."""
        return run(*command, env=dict(self.environment, **more))

    def answers(self, program):
        """Run a program that says which mqttloop it found."""
        said = self.run(program, LD_LIBRARY_PATH=str(self.libraries()))
        if f'mqttloop {self.version}:' not in said:
            raise Failure(f'{program} said: {said}')
        return said.strip()

    def build(self, name, *options, **more):
        """A build folder of mqttloop, configured and compiled."""
        build = self.folder / name
        self.run('meson', 'setup', build, self.source, '--prefix',
                 self.prefix, '--libdir=lib', '-Dtests=disabled', '-Dexamples=false',
                 '-Dwerror=true', '--wrap-mode=nodownload', *options, **more)
        self.run('meson', 'compile', '-C', build, **more)
        return build


def installs(place):
    """Headers, libraries, and what finds them."""
    build = place.build('build', '-Ddefault_library=both')
    place.run('meson', 'install', '-C', build)
    place.environment['PKG_CONFIG_PATH'] = str(place.libraries() / 'pkgconfig')
    files = [path.name for path in place.prefix.rglob('*')]
    for name in ['client.h', 'libmqttloop.so.0', 'libmqttloop.a',
                 'libmqttloop-core.a', 'mqttloop.pc', 'mqttloop-core.pc',
                 'mqttloopConfig.cmake', 'mqttloopConfigVersion.cmake']:
        if name not in files:
            raise Failure(f'{name} was not installed')
    return f'{len(files)} files'


def by_pkg_config(place, package, source, static):
    """Compile and link as a Makefile would."""
    name = package.removeprefix('mqttloop-')
    if name in COMPANIONS and not list(place.prefix.rglob(f'{name}.h')):
        raise Skip(f'{name} is not installed, so {package} was not built')
    said = place.run('pkg-config', '--cflags', package)
    compiling = shlex.split(said)
    linking = shlex.split(place.run('pkg-config', '--libs',
                                    *(['--static'] if static else []), package))
    if static:
        linking = [f'-l:lib{word[2:]}.a' if word.startswith('-lmqttloop')
                   else word for word in linking]
    program = place.folder / f'by-pkg-config-{package}-{static}'
    place.run(*place.c, *WARNINGS, *compiling, HERE / source, '-o', program,
              *linking)
    needs = place.run('readelf', '-d', program)
    shared = 'libmqttloop' in needs
    if shared == (static or package == 'mqttloop-core'):
        raise Failure(f'{program} is linked the other way:\n{needs}')
    return place.answers(program)


def configure_by_cmake(place, source):
    """A build folder for ninja, which is here anyway, make perhaps not."""
    if not shutil.which('cmake'):
        raise Skip('cmake is not installed')
    return place.run('cmake', '-G', 'Ninja', '-S', source,
                     '-B', source / 'build',
                     f'-DCMAKE_PREFIX_PATH={place.prefix}')


def by_cmake(place):
    """Find the package in the prefix, build all targets, run them."""
    source = place.folder / 'cmake'
    source.mkdir()
    text = CMAKE_PROJECT.replace('@HERE@', str(HERE))
    (source / 'CMakeLists.txt').write_text(
        text.replace('@VERSION@', place.version))
    configure_by_cmake(place, source)
    place.run('cmake', '--build', source / 'build')
    programs = [source / 'build' / name for name in ('host', 'core', *COMPANIONS)]
    for program in programs:
        if program.exists():
            place.answers(program)
    return ', '.join(p.name for p in programs if p.exists())


def refuses_other_versions(place):
    """CMake is told which version fits, as the changelog promises."""
    major, minor, _patch = map(int, place.version.split('.'))
    for wanted, fits in ((f'{major}.{minor}', True),
                         (f'{major}.{minor}.999', False),
                         (f'{major}.{minor + 1}', False)):
        source = place.folder / f'cmake-{wanted}'
        source.mkdir()
        (source / 'CMakeLists.txt').write_text(
            'cmake_minimum_required(VERSION 3.13)\nproject(consumer C)\n'
            f'find_package(mqttloop {wanted} CONFIG QUIET)\n'
            'message("found=${mqttloop_FOUND}")\n')
        said = configure_by_cmake(place, source)
        if ('found=1' in said) != fits:
            raise Failure(f'asked for {wanted}: {said}')


def as_subproject(place):
    """A meson project that has the tree below subprojects/."""
    source = place.folder / 'consumer'
    (source / 'subprojects').mkdir(parents=True)
    (source / 'subprojects/mqttloop').symlink_to(place.source)
    (source / 'meson.build').write_text(MESON_PROJECT)
    for name in ('consumer.c', 'consumer_core.c'):
        shutil.copy(HERE / name, source)
    build = source / 'build'
    place.run('meson', 'setup', build, source, '--wrap-mode=nodownload',
              PKG_CONFIG_PATH='')
    place.run('meson', 'compile', '-C', build, 'host', 'core')
    place.answers(build / 'host')
    return place.answers(build / 'core')


def under_musl(place):
    """Core and posix with another libc, and without c-ares."""
    if not shutil.which('musl-gcc'):
        raise Skip('musl-gcc is not installed')
    build = place.build('musl', '-Dcares=disabled', '-Dpython=disabled',
                        *(f'-D{name}=disabled' for name in COMPANIONS),
                        '-Ddefault_library=static', CC='musl-gcc')
    program = place.folder / 'under-musl'
    place.run('musl-gcc', *WARNINGS, '-static', '-I', place.source / 'include',
              HERE / 'consumer.c', build / 'libmqttloop.a', '-o', program)
    return place.answers(program)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--source', type=Path, required=True)
    parser.add_argument('--version', required=True)
    parser.add_argument('--c', type=shlex.split, required=True)
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder, arguments)
        report.case('installs into a prefix', installs, place)
        companions = [(f'mqttloop-{name}', f'consumer_{name.replace("-", "_")}.c')
                 for name in COMPANIONS]
        for package, source in [('mqttloop', 'consumer.c'), *companions]:
            for static in (False, True):
                report.case(f'{package} by pkg-config, '
                            + ('static' if static else 'shared'),
                            by_pkg_config, place, package, source, static)
        report.case('mqttloop-core by pkg-config', by_pkg_config, place,
                    'mqttloop-core', 'consumer_core.c', True)
        report.case('by CMake', by_cmake, place)
        report.case('by CMake, no other version', refuses_other_versions,
                    place)
        report.case('as a meson subproject', as_subproject, place)
        report.case('core and posix under musl, without c-ares', under_musl,
                    place)
    report.end()


if __name__ == '__main__':
    main()
