#!/bin/sh
# Fetch lwIP, Debian's source package, into a folder: lwip.sh FOLDER. Its
# sources are then in FOLDER/lwip. The list of sources is made from this
# machine's own; nothing of the system is changed. Needs dpkg-dev.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ ! -d "$folder/lwip" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/sources.d" "$work/lists/partial"

# Debian's own, both forms, with deb-src in place of deb.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    case "$file" in
    *.list) [ ! -f "$file" ] || sed -n '/debian/s/^deb /deb-src /p' "$file" ;;
    esac
done >"$work/sources.d/from.list"
for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || awk -v RS= -v ORS='\n\n' '/debian-archive-keyring/' \
        "$file" | sed 's/^Types:.*/Types: deb-src/'
done >"$work/sources.d/from.sources"

apt() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$work/sources.d" \
        -o Dir::State::lists="$work/lists" "$@"
}
cd "$work"
apt update
apt source lwip
mv "$(find . -maxdepth 1 -type d -name 'lwip-*')" "$folder/lwip"
