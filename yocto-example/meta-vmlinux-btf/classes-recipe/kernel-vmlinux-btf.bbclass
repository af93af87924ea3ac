# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Links the kernel with the mandatory part of its BTF, packages the rest as kernel-module-vmlinux-btf, puts the report into
# DEPLOYDIR, and fails the build when a budget breaks. Enable it for every kernel with
#
#   KERNEL_CLASSES:append = " kernel-vmlinux-btf"
#
# in a distribution or local.conf, or inherit it in the recipe of one. docs/yocto.md of vmlinux-btf tells the rest.

# What the base keeps of what is only pointed to: "complete" or "forward".
VMLINUX_BTF_CLOSURE ??= "complete"
# What of the types of modules stays: "keep", "prune" or "strip".
VMLINUX_BTF_MODULE_BTF ??= "keep"
# Absolute path of a vmlinux-btf.config.json with keep rules, and budgets.
VMLINUX_BTF_CONFIG ??= ""
# Budgets besides those of the file: METRIC=LIMIT, without spaces, such as "btf.base=450KiB total.flash=100%".
VMLINUX_BTF_BUDGETS ??= ""
# Absolute path of an earlier report.json that budgets of increase are compared with.
VMLINUX_BTF_BASELINE ??= ""
# Formats of the report in DEPLOYDIR, with commas: text, html, comment, json, csv and others of vmlinux-btf report.
VMLINUX_BTF_REPORTS ??= "text,html"
# "1": the carrier is packaged; "1": it is loaded at boot.
VMLINUX_BTF_CARRIER ??= "1"
VMLINUX_BTF_AUTOLOAD ??= "0"
# Absolute paths of key and certificate that modules are signed with; both or none.
VMLINUX_BTF_SIGN_KEY ??= ""
VMLINUX_BTF_SIGN_CERT ??= ""

VMLINUX_BTF_TOOL = "${STAGING_BINDIR_NATIVE}/vmlinux-btf"
VMLINUX_BTF_WRAPPERS = "${STAGING_DATADIR_NATIVE}/vmlinux-btf/build/bin/kbuild"
VMLINUX_BTF_PAHOLE = "${STAGING_BINDIR_NATIVE}/pahole"
VMLINUX_BTF_SIDE = "${B}/.vmlinux-btf"
VMLINUX_BTF_LINK_OPTS = "--pahole ${VMLINUX_BTF_PAHOLE} --closure ${VMLINUX_BTF_CLOSURE} --module-btf ${VMLINUX_BTF_MODULE_BTF}"
VMLINUX_BTF_LINK_OPTS .= "${@' --config ' + d.getVar('VMLINUX_BTF_CONFIG') if d.getVar('VMLINUX_BTF_CONFIG') else ''}"
VMLINUX_BTF_FINISH_OPTS = "${@' --sign-key ' + d.getVar('VMLINUX_BTF_SIGN_KEY') + ' --sign-cert ' + d.getVar('VMLINUX_BTF_SIGN_CERT') if d.getVar('VMLINUX_BTF_SIGN_KEY') else ''}"
VMLINUX_BTF_BASELINE_OPTS = "${@' --baseline ' + d.getVar('VMLINUX_BTF_BASELINE') if d.getVar('VMLINUX_BTF_BASELINE') else ''}"
VMLINUX_BTF_DEPLOY = "${DEPLOYDIR}/${KERNEL_DEPLOYSUBDIR}/vmlinux-btf"

python () {
    if bool(d.getVar('VMLINUX_BTF_SIGN_KEY')) != bool(d.getVar('VMLINUX_BTF_SIGN_CERT')):
        bb.fatal('VMLINUX_BTF_SIGN_KEY and VMLINUX_BTF_SIGN_CERT: set both or none')
}

def vmlinux_btf_checksums(d, *names):
    """The files that variables name, and the BPF objects that a configuration names, as file-checksums takes them."""
    import json
    files = [d.getVar(name) for name in names if d.getVar(name)]
    for file in list(files):
        try:
            with open(file) as text:
                objects = json.load(text).get('keepFor', [])
            files += [os.path.join(os.path.dirname(file), name) for name in objects]
        except (OSError, ValueError, AttributeError, TypeError):
            # Said by vmlinux-btf, with the place.
            pass
    return ' '.join('%s:%s' % (file, os.path.exists(file)) for file in files)

# elfutils-native is for resolve_btfids, which the kernel builds.
DEPENDS:append = " pahole-native vmlinux-btf-native elfutils-native"
# linux-yocto: passes no PAHOLE=false, and takes its fragment for BTF.
KERNEL_DEBUG = "True"
# Kconfig asks pahole for its version: without an answer CONFIG_DEBUG_INFO_BTF vanishes silently.
do_kernel_configme[depends] += "pahole-native:do_populate_sysroot vmlinux-btf-native:do_populate_sysroot"

FILESEXTRAPATHS:append = ":${VMLINUX_BTF_LAYERDIR}/files"
SRC_URI:append = "${@' file://vmlinux-btf.cfg' if bb.data.inherits_class('kernel-yocto', d) else ''}"

# The words that vmlinux-btf kbuild prints, for every call of make. What the base keeps is read when make is called: it is known
# only once the tool is there.
EXTRA_OEMAKE:append = ' PAHOLE="${VMLINUX_BTF_WRAPPERS}/pahole" RESOLVE_BTFIDS="${VMLINUX_BTF_WRAPPERS}/resolve_btfids"'
EXTRA_OEMAKE:append = ' VMLINUX_BTF_PAHOLE="${VMLINUX_BTF_PAHOLE}" VMLINUX_BTF_OPTIONS="`cat ${B}/.vmlinux-btf-options 2>/dev/null`"'

# make through vmlinux-btf kbuild: links again when options have changed or modules need other types in the base, re-bases modules
# in one process, makes the carrier and the report.
vmlinux_btf_kbuild() {
	( cd ${B} && ${VMLINUX_BTF_TOOL} kbuild ${VMLINUX_BTF_LINK_OPTS} ${VMLINUX_BTF_FINISH_OPTS} \
		-- ${MAKE} ${EXTRA_OEMAKE} ${@oe.utils.parallel_make_argument(d, '-j%d')} "$@" ${KERNEL_EXTRA_ARGS} ) ||
		bbfatal_log "vmlinux-btf kbuild failed: its last line says why"
}

# The last word of a configuration: without CONFIG_DEBUG_INFO_BTF it says here why.
do_configure:append() {
	vmlinux_btf_kbuild olddefconfig
}

do_compile:prepend() {
	words=`cd ${B} && ${VMLINUX_BTF_TOOL} kbuild ${VMLINUX_BTF_LINK_OPTS}` || bbfatal_log "vmlinux-btf kbuild failed: its last line says why"
	printf '%s\n' $words | sed -n 's/^VMLINUX_BTF_OPTIONS=//p' > ${B}/.vmlinux-btf-options
}

# In the environment of kernel_do_compile, whose build time is that of the kernel: another one would link again.
do_compile:append() {
	vmlinux_btf_kbuild ${KERNEL_IMAGETYPE_FOR_MAKE} modules $use_alternate_initrd
}

python vmlinux_btf_write_budgets() {
    import json
    budgets = []
    for word in (d.getVar('VMLINUX_BTF_BUDGETS') or '').split():
        metric, equals, limit = word.partition('=')
        if not equals:
            bb.fatal('VMLINUX_BTF_BUDGETS: %s is not METRIC=LIMIT' % word)
        budgets.append({'metric': metric, 'max': limit})
    with open(d.expand('${WORKDIR}/vmlinux-btf.budgets.json'), 'w') as file:
        json.dump({'budgets': budgets}, file)
}

# The budgets of one file: vmlinux_btf_gate FILE WHERE-IT-IS-SET.
vmlinux_btf_gate() {
	status=0
	${VMLINUX_BTF_TOOL} check ${VMLINUX_BTF_SIDE}/report.json --config "$1"${VMLINUX_BTF_BASELINE_OPTS} || status=$?
	case $status in
	0) ;;
	1) bbfatal_log "a budget of $2 is broken: ${VMLINUX_BTF_SIDE}/report.txt has the sizes" ;;
	*) bbfatal_log "vmlinux-btf check failed: its last line says why" ;;
	esac
}

vmlinux_btf_check() {
	if [ -n "${VMLINUX_BTF_BUDGETS}" ]; then
		vmlinux_btf_gate ${WORKDIR}/vmlinux-btf.budgets.json VMLINUX_BTF_BUDGETS
	fi
	# A file of keep rules need not have budgets.
	if [ -n "${VMLINUX_BTF_CONFIG}" ] && grep -q '"budgets"[[:space:]]*:' ${VMLINUX_BTF_CONFIG}; then
		vmlinux_btf_gate ${VMLINUX_BTF_CONFIG} ${VMLINUX_BTF_CONFIG}
	fi
}

do_vmlinux_btf() {
	# A link that came after the carrier was made, by whatever caused it.
	if [ ! ${VMLINUX_BTF_SIDE}/vmlinux_btf.ko -nt ${VMLINUX_BTF_SIDE}/link.json ]; then
		${VMLINUX_BTF_TOOL} kbuild --finish ${B}${VMLINUX_BTF_FINISH_OPTS} || bbfatal_log "vmlinux-btf kbuild failed: its last line says why"
	fi
	vmlinux_btf_check
}
do_vmlinux_btf[doc] = "Checks the split of the kernel's BTF, and its size budgets"
do_vmlinux_btf[dirs] = "${B}"
do_vmlinux_btf[prefuncs] += "vmlinux_btf_write_budgets"
do_vmlinux_btf[file-checksums] += "${@vmlinux_btf_checksums(d, 'VMLINUX_BTF_CONFIG', 'VMLINUX_BTF_BASELINE')}"
addtask vmlinux_btf after do_compile_kernelmodules before do_install do_sizecheck
do_compile[file-checksums] += "${@vmlinux_btf_checksums(d, 'VMLINUX_BTF_CONFIG')}"

# Modules, and the carrier, belong to this base: it is noted for the time when the kernel is linked once more around them.
do_install:append() {
	cp ${VMLINUX_BTF_SIDE}/base.btf ${B}/.vmlinux-btf-installed
	if [ "${VMLINUX_BTF_CARRIER}" = "1" ]; then
		install -D -m 0644 ${VMLINUX_BTF_SIDE}/vmlinux_btf.ko \
			${D}${nonarch_base_libdir}/modules/${KERNEL_VERSION}/extra/vmlinux_btf.ko
	fi
}
KERNEL_MODULE_AUTOLOAD:append = "${@' vmlinux_btf' if d.getVar('VMLINUX_BTF_AUTOLOAD') == '1' else ''}"

# kernel_do_compile has linked once more, with the initramfs inside, after modules and carrier were installed.
do_bundle_initramfs:append() {
	# Of an image type vmlinux the plain one is back in its place: the one that was linked last is put there meanwhile.
	if [ -e ${B}/vmlinux.initramfs ]; then
		mv ${B}/vmlinux ${B}/vmlinux.plain
		cp -p ${B}/vmlinux.initramfs ${B}/vmlinux
	fi
	vmlinux_btf_kbuild vmlinux modules $use_alternate_initrd
	if [ -e ${B}/vmlinux.plain ]; then mv ${B}/vmlinux.plain ${B}/vmlinux; fi
	cmp -s ${VMLINUX_BTF_SIDE}/base.btf ${B}/.vmlinux-btf-installed ||
		bbfatal_log "${B}: the link with the initramfs made another base than the installed modules were built for: KERNEL_DEBUG_TIMESTAMPS has to be 0, with which pahole makes the same BTF each time"
	vmlinux_btf_check
}

do_deploy:append() {
	install -d ${VMLINUX_BTF_DEPLOY}
	for file in report.json base.btf full.btf vmlinux_btf.ko; do
		install -m 0644 ${VMLINUX_BTF_SIDE}/$file ${VMLINUX_BTF_DEPLOY}/$file
	done
	# Of the first build there is no baseline yet.
	baseline=
	if [ -n "${VMLINUX_BTF_BASELINE}" ] && [ -e "${VMLINUX_BTF_BASELINE}" ]; then baseline="${VMLINUX_BTF_BASELINE_OPTS}"; fi
	${VMLINUX_BTF_TOOL} report ${B} --format ${VMLINUX_BTF_REPORTS} --to ${VMLINUX_BTF_DEPLOY} $baseline ||
		bbfatal_log "vmlinux-btf report failed: its last line says why"
}
