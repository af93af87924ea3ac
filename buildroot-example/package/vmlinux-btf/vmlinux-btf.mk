################################################################################
#
# vmlinux-btf
#
################################################################################

VMLINUX_BTF_VERSION = 0.1.0
VMLINUX_BTF_SOURCE = vmlinux-btf-$(VMLINUX_BTF_VERSION).tar
VMLINUX_BTF_SITE = file://$(BR2_EXTERNAL_VMLINUX_BTF_PATH)/package/vmlinux-btf
VMLINUX_BTF_LICENSE = GPL-2.0 or BSD-2-Clause, Apache-2.0, BSD-3-Clause, ISC, MIT (bundled packages)
VMLINUX_BTF_LICENSE_FILES = \
	LICENSE \
	LICENSES/BSD-2-Clause.txt \
	LICENSES/GPL-2.0-only.txt \
	LICENSES/bundled.txt
HOST_VMLINUX_BTF_DEPENDENCIES = host-nodejs

# The tar is made, not downloaded: without this hook a missing one is told as a
# failed copy.
define HOST_VMLINUX_BTF_FIND_BUNDLE
	@test -e $(HOST_VMLINUX_BTF_DL_DIR)/$(VMLINUX_BTF_SOURCE) || \
		test -e $(HOST_VMLINUX_BTF_PKGDIR)/$(VMLINUX_BTF_SOURCE) || \
		test -n "$(call qstrip,$(BR2_PRIMARY_SITE))" || { \
		echo "vmlinux-btf: $(HOST_VMLINUX_BTF_PKGDIR)/$(VMLINUX_BTF_SOURCE) is missing:" \
			"run npm ci && npm run bundle in the repository of vmlinux-btf" >&2; \
		exit 1; \
	}
endef
HOST_VMLINUX_BTF_PRE_DOWNLOAD_HOOKS += HOST_VMLINUX_BTF_FIND_BUNDLE

# cp keeps the times: a kernel of 7.x links again when a script is newer than
# its vmlinux.
define HOST_VMLINUX_BTF_INSTALL_CMDS
	rm -rf $(HOST_DIR)/share/vmlinux-btf
	mkdir -p $(HOST_DIR)/share/vmlinux-btf
	cp -a $(@D)/build $(@D)/node_modules $(@D)/package.json $(@D)/scripts \
		$(HOST_DIR)/share/vmlinux-btf/
	$(INSTALL) -D -m 0755 $(HOST_VMLINUX_BTF_PKGDIR)/vmlinux-btf.sh \
		$(HOST_DIR)/bin/vmlinux-btf
endef

ifeq ($(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF),y)
# What CONFIG_DEBUG_INFO_BTF depends on. Of the kinds of debug information the
# one that is configured stays.
define HOST_VMLINUX_BTF_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_BPF_SYSCALL)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEBUG_KERNEL)
	$(Q)if ! grep -q '^CONFIG_DEBUG_INFO_DWARF[45]=y' $(KCONFIG_DOT_CONFIG); then \
		$(call KCONFIG_MUNGE_DOT_CONFIG,CONFIG_DEBUG_INFO_NONE,CONFIG_DEBUG_INFO_NONE=n) && \
		$(call KCONFIG_MUNGE_DOT_CONFIG,CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT,CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y); \
	fi
	$(call KCONFIG_DISABLE_OPT,CONFIG_DEBUG_INFO_REDUCED)
	$(call KCONFIG_DISABLE_OPT,CONFIG_DEBUG_INFO_SPLIT)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEBUG_INFO_BTF)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEBUG_INFO_BTF_MODULES)
endef
endif

$(eval $(host-generic-package))
