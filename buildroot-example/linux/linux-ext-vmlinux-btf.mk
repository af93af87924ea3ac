################################################################################
#
# vmlinux-btf
#
################################################################################

ifeq ($(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF),y)

# All of these are recursive: HOST_DIR is another folder in each package when
# per-package directories are on, and LINUX_DIR is not known yet here.
VMLINUX_BTF_TOOL = $(HOST_DIR)/bin/vmlinux-btf
VMLINUX_BTF_SHARE = $(HOST_DIR)/share/vmlinux-btf
VMLINUX_BTF_TARGET_FILES = $(VMLINUX_BTF_SHARE)/scripts/target
VMLINUX_BTF_SCRIPTS = $(BR2_EXTERNAL_VMLINUX_BTF_PATH)/scripts
VMLINUX_BTF_SIDE = $(LINUX_DIR)/.vmlinux-btf
VMLINUX_BTF_CARRIER = $(VMLINUX_BTF_SIDE)/vmlinux_btf.ko
VMLINUX_BTF_OPTIONS_FILE = $(LINUX_DIR)/.vmlinux-btf-options
VMLINUX_BTF_INSTALLED_FILE = $(LINUX_DIR)/.vmlinux-btf-installed

# Paths of options are relative to the folder of Buildroot, as all of them are.
VMLINUX_BTF_CONFIG_FILE = $(abspath $(call qstrip,$(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_CONFIG_FILE)))
VMLINUX_BTF_BUDGETS = $(abspath $(call qstrip,$(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_BUDGETS)))
VMLINUX_BTF_BASELINE = $(abspath $(call qstrip,$(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_BASELINE)))
VMLINUX_BTF_REPORTS = $(call qstrip,$(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_REPORTS))
VMLINUX_BTF_SIGN_KEY = $(abspath $(call qstrip,$(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_SIGN_KEY)))
VMLINUX_BTF_SIGN_CERT = $(abspath $(call qstrip,$(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_SIGN_CERT)))

VMLINUX_BTF_LINK_OPTS = \
	--pahole $(HOST_DIR)/bin/pahole \
	--closure $(if $(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_CLOSURE_FORWARD),forward,complete) \
	--module-btf $(or \
		$(if $(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_MODULES_PRUNE),prune), \
		$(if $(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_MODULES_STRIP),strip), \
		keep) \
	$(if $(VMLINUX_BTF_CONFIG_FILE),--config $(VMLINUX_BTF_CONFIG_FILE))
VMLINUX_BTF_FINISH_OPTS = \
	$(if $(VMLINUX_BTF_SIGN_KEY), \
		--sign-key $(VMLINUX_BTF_SIGN_KEY) --sign-cert $(VMLINUX_BTF_SIGN_CERT))
VMLINUX_BTF_SCRIPT_OPTS = \
	--source $(LINUX_DIR) \
	--formats $(or $(VMLINUX_BTF_REPORTS),text) \
	$(if $(VMLINUX_BTF_BUDGETS),--budgets $(VMLINUX_BTF_BUDGETS)) \
	$(if $(VMLINUX_BTF_BASELINE),--baseline $(VMLINUX_BTF_BASELINE))

# The words that vmlinux-btf kbuild prints. They go to every call of make for
# the kernel, that of linux-menuconfig and of other packages too. What the base
# keeps is read when make is called: it is only known once the tool is built.
VMLINUX_BTF_MAKE_FLAGS = \
	PAHOLE=$(VMLINUX_BTF_SHARE)/build/bin/kbuild/pahole \
	RESOLVE_BTFIDS=$(VMLINUX_BTF_SHARE)/build/bin/kbuild/resolve_btfids \
	VMLINUX_BTF_PAHOLE=$(HOST_DIR)/bin/pahole \
	VMLINUX_BTF_NODE=$(HOST_DIR)/bin/node \
	VMLINUX_BTF_OPTIONS=$$(cat $(VMLINUX_BTF_OPTIONS_FILE) 2>/dev/null)
# check-package TypoInPackageVariable
LINUX_MAKE_FLAGS += $(VMLINUX_BTF_MAKE_FLAGS)

# Kconfig asks pahole for its version: without an answer CONFIG_DEBUG_INFO_BTF
# vanishes silently.
# check-package TypoInPackageVariable
LINUX_KCONFIG_DEPENDENCIES += host-pahole host-vmlinux-btf

ifeq ($(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_CARRIER_XZ),y)
# check-package TypoInPackageVariable
LINUX_DEPENDENCIES += host-xz
VMLINUX_BTF_COMPRESS = xz --check=crc32 --lzma2=dict=1MiB
else ifeq ($(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_CARRIER_ZSTD),y)
# check-package TypoInPackageVariable
LINUX_DEPENDENCIES += host-zstd
VMLINUX_BTF_COMPRESS = zstd -q -19 --rm
else ifeq ($(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_CARRIER_GZIP),y)
VMLINUX_BTF_COMPRESS = gzip -n -9
endif

# make through vmlinux-btf kbuild: links again when options have changed or
# modules need other types in the base, re-bases modules in one process, makes
# the carrier and the report. Run from the kernel's folder, whose
# vmlinux-btf.config.json is the one that counts when no other is given. A
# jobserver does not come through Node, so -j is given.
VMLINUX_BTF_KBUILD = \
	cd $(LINUX_DIR) && $(LINUX_MAKE_ENV) $(VMLINUX_BTF_TOOL) kbuild \
		$(VMLINUX_BTF_LINK_OPTS) $(VMLINUX_BTF_FINISH_OPTS) \
		-- $(BR2_MAKE) -j$(PARALLEL_JOBS) -C $(LINUX_DIR)

# What the commands of the package do before their make: a device tree may be
# built into vmlinux, and plugins of gcc are turned off.
define VMLINUX_BTF_AS_BUILD_CMDS
	$(call KCONFIG_DISABLE_OPT,CONFIG_GCC_PLUGINS)
	$(foreach dts,$(call qstrip,$(BR2_LINUX_KERNEL_CUSTOM_DTS_PATH)), \
		cp -f $(dts) $(LINUX_ARCH_PATH)/boot/dts/
	)
	$(LINUX_COPY_CUSTOM_DTS_FILES)
endef

# Before the commands of the package, which then make what is left: images and
# device trees, of the vmlinux that is the last one. olddefconfig says here
# why there would be no BTF, not after the build; with the flags of the build, or
# conf would be compiled again for each of both.
define VMLINUX_BTF_BUILD
	$(VMLINUX_BTF_AS_BUILD_CMDS)
	$(Q)words=$$(cd $(LINUX_DIR) && $(VMLINUX_BTF_TOOL) kbuild $(VMLINUX_BTF_LINK_OPTS)) && \
		printf '%s\n' $$words | sed -n 's/^VMLINUX_BTF_OPTIONS=//p' > $(VMLINUX_BTF_OPTIONS_FILE)
	$(Q)$(VMLINUX_BTF_KBUILD) $(LINUX_MAKE_FLAGS) olddefconfig
	$(Q)$(VMLINUX_BTF_KBUILD) $(LINUX_MAKE_FLAGS) vmlinux modules
endef
# check-package TypoInPackageVariable
LINUX_PRE_BUILD_HOOKS += VMLINUX_BTF_BUILD

# A link that came after the carrier was made, by whatever caused it: then both
# are looked at once more.
define VMLINUX_BTF_CHECK_LINK
	$(Q)test $(VMLINUX_BTF_CARRIER) -nt $(VMLINUX_BTF_SIDE)/link.json || \
		$(LINUX_MAKE_ENV) $(VMLINUX_BTF_TOOL) kbuild --finish $(LINUX_DIR) $(VMLINUX_BTF_FINISH_OPTS)
endef
# check-package TypoInPackageVariable
LINUX_POST_BUILD_HOOKS += VMLINUX_BTF_CHECK_LINK

ifeq ($(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_CARRIER),y)
define VMLINUX_BTF_INSTALL_CARRIER
	$(INSTALL) -D -m 0644 $(VMLINUX_BTF_CARRIER) \
		$(TARGET_DIR)/lib/modules/$(LINUX_VERSION_PROBED)/updates/vmlinux_btf.ko
	$(if $(VMLINUX_BTF_COMPRESS), \
		$(LINUX_MAKE_ENV) $(VMLINUX_BTF_COMPRESS) \
			$(TARGET_DIR)/lib/modules/$(LINUX_VERSION_PROBED)/updates/vmlinux_btf.ko)
	$(INSTALL) -D -m 0755 $(VMLINUX_BTF_TARGET_FILES)/vmlinux-btf-load \
		$(TARGET_DIR)/usr/sbin/vmlinux-btf-load
endef
endif

ifeq ($(BR2_LINUX_KERNEL_EXT_VMLINUX_BTF_AUTOLOAD),y)
ifeq ($(BR2_INIT_SYSTEMD),y)
define VMLINUX_BTF_INSTALL_AUTOLOAD
	$(INSTALL) -D -m 0644 $(VMLINUX_BTF_TARGET_FILES)/systemd/vmlinux-btf.service \
		$(TARGET_DIR)/usr/lib/systemd/system/vmlinux-btf.service
endef
else
define VMLINUX_BTF_INSTALL_AUTOLOAD
	$(INSTALL) -D -m 0755 $(VMLINUX_BTF_TARGET_FILES)/init.d/vmlinux-btf \
		$(TARGET_DIR)/etc/init.d/S20vmlinux-btf
endef
endif
endif

# Modules, and the carrier, belong to this base: it is noted for the time when
# the kernel is linked once more around them. What an earlier build installed,
# of another release or with other options, goes.
define VMLINUX_BTF_INSTALL_TARGET
	rm -f $(TARGET_DIR)/lib/modules/*/updates/vmlinux_btf.ko* \
		$(TARGET_DIR)/usr/sbin/vmlinux-btf-load \
		$(TARGET_DIR)/etc/init.d/S20vmlinux-btf \
		$(TARGET_DIR)/usr/lib/systemd/system/vmlinux-btf.service
	$(VMLINUX_BTF_INSTALL_CARRIER)
	$(VMLINUX_BTF_INSTALL_AUTOLOAD)
	$(Q)cp $(VMLINUX_BTF_SIDE)/base.btf $(VMLINUX_BTF_INSTALLED_FILE)
endef
# check-package TypoInPackageVariable
LINUX_POST_INSTALL_TARGET_HOOKS += VMLINUX_BTF_INSTALL_TARGET

define VMLINUX_BTF_INSTALL_REPORTS
	$(Q)$(EXTRA_ENV) $(VMLINUX_BTF_SCRIPTS)/post-image.sh $(BINARIES_DIR) $(VMLINUX_BTF_SCRIPT_OPTS)
endef
# check-package TypoInPackageVariable
LINUX_POST_INSTALL_IMAGES_HOOKS += VMLINUX_BTF_INSTALL_REPORTS

define VMLINUX_BTF_GATE
	$(Q)$(EXTRA_ENV) $(VMLINUX_BTF_SCRIPTS)/post-build.sh $(TARGET_DIR) $(VMLINUX_BTF_SCRIPT_OPTS)
endef

ifeq ($(BR2_TARGET_ROOTFS_INITRAMFS),y)
# linux-rebuild-with-initramfs links once more, with modules and carrier inside,
# and runs no hook at all. LINUX_APPEND_DTB stands between its make and its
# copying of the image; private, for the build of the package has it as well.
define VMLINUX_BTF_AFTER_INITRAMFS
	$(Q)$(VMLINUX_BTF_KBUILD) $(LINUX_MAKE_FLAGS) vmlinux modules
	$(Q)cmp -s $(VMLINUX_BTF_SIDE)/base.btf $(VMLINUX_BTF_INSTALLED_FILE) || { \
		echo "vmlinux-btf: $(LINUX_DIR): the link with the initramfs made another base than the modules in it were built for:" \
			"set BR2_REPRODUCIBLE=y, with which pahole makes the same BTF each time, then run make linux-dirclean all" >&2; \
		exit 1; \
	}
	$(VMLINUX_BTF_INSTALL_REPORTS)
	$(VMLINUX_BTF_GATE)
endef
linux-rebuild-with-initramfs: private LINUX_APPEND_DTB += $(sep)$(VMLINUX_BTF_AFTER_INITRAMFS)

else
# check-package TypoInPackageVariable
LINUX_TARGET_FINALIZE_HOOKS += VMLINUX_BTF_GATE
endif

endif
