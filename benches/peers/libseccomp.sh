#!/bin/sh
# Fetches the source of libseccomp from the distribution's own archive into FOLDER and makes its simulator a function.
#
#   libseccomp.sh FOLDER
#
# The archive is the one that apt takes packages from; its list of sources is kept in FOLDER, and the system's
# configuration is left as it is. tools/scmp_bpf_sim.c ends with the first decision: its loop is made to return the value
# instead, and nothing else of it is changed.
set -eu
cd "$1"
mkdir -p lists/partial cache/archives/partial none
apt-get indextargets --format 'deb-src $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Label: Debian' |
    sort -u >sources.list
test -s sources.list || { echo "apt knows no archive of Debian; apt-get update makes it known" >&2; exit 1; }
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts="$PWD/none" \
        -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User=root "$@"
}
ls libseccomp_*.orig.tar.gz >/dev/null 2>&1 || { apt update && apt source --download-only --tar-only libseccomp; }
tar xzf libseccomp_*.orig.tar.gz --strip-components=2 --wildcards '*/tools/bpf.h' '*/tools/util.[ch]' \
    '*/tools/scmp_bpf_sim.c' || { rm libseccomp_*.orig.tar.gz; exit 1; }
sed -e 's/^static void bpf_execute(/static uint32_t bpf_execute(/' -e 's/end_action(k, ip_c);/return k;/' \
    -e 's/^int main(/int simulator(/' scmp_bpf_sim.c >simulator.c
grep -q '^static uint32_t bpf_execute(' simulator.c && grep -q 'return k;' simulator.c || {
    echo "tools/scmp_bpf_sim.c is not as expected" >&2
    exit 1
}
