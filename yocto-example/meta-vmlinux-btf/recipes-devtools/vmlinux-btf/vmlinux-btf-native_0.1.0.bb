# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

SUMMARY = "Splits the BTF of a Linux kernel into what vmlinux needs and a module with the rest"
LICENSE = "Apache-2.0 AND BSD-3-Clause AND ISC AND MIT AND (BSD-2-Clause OR GPL-2.0-only)"
LIC_FILES_CHKSUM = "\
    file://LICENSE;md5=ff1c51906a5f7ab360aa34eb8c4311a0 \
    file://LICENSES/bundled.txt;md5=22607e313cd71a7180566dc1b669566b \
"

# Made by npm run bundle in the repository of vmlinux-btf.
SRC_URI = "file://vmlinux-btf-${PV}.tar file://vmlinux-btf.sh"
S = "${UNPACKDIR}/vmlinux-btf-${PV}"

inherit native

DEPENDS = "${@'nodejs-native' if d.getVar('VMLINUX_BTF_NODEJS') == 'native' else ''}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

# cp keeps the times: a kernel of 7.x links again when a script is newer than its vmlinux.
do_install() {
    install -d ${D}${datadir}/vmlinux-btf ${D}${bindir}
    cp -R --preserve=mode,timestamps ${S}/build ${S}/node_modules ${S}/package.json ${S}/scripts ${D}${datadir}/vmlinux-btf/
    install -m 0755 ${UNPACKDIR}/vmlinux-btf.sh ${D}${bindir}/vmlinux-btf
}
