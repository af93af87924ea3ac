# What of Buildroot the extension of the linux package meets: variables that linux.mk sets before it includes the extension, and the
# steps that run hooks. The test gives BASE, EXTENSION and the options.
qstrip = $(strip $(subst ",,$(1)))
#"))
define sep


endef

BINARIES_DIR = $(BASE)/images
TARGET_DIR = $(BASE)/target
HOST_DIR = $(BASE)/$(if $(PKG),per-package,host)
LINUX_DIR = $(BASE)/linux
BR2_MAKE = make
PARALLEL_JOBS = 3
INSTALL = install
EXTRA_ENV = HOST_DIR=$(HOST_DIR)
LINUX_ARCH_PATH = $(LINUX_DIR)/arch
KCONFIG_DISABLE_OPT = @echo "off $(strip $(1))" >>$(LINUX_DIR)/log
define LINUX_COPY_CUSTOM_DTS_FILES
	@echo trees >>$(LINUX_DIR)/log
endef
LINUX_VERSION_PROBED = `echo 6.12.1`
LINUX_MAKE_ENV = ENV=1
LINUX_MAKE_FLAGS = ARCH=arm HOSTCC="gcc -O2"
LINUX_KCONFIG_DEPENDENCIES = toolchain
LINUX_DEPENDENCIES = host-kmod
ifneq ($(APPENDED),)
define LINUX_APPEND_DTB
	(cd $(LINUX_DIR) && \
		echo appended >>log)
endef
endif

include $(EXTENSION)

run-hooks = $(foreach hook,$(1),$(call $(hook))$(sep))

.PHONY: flags dependencies build install images finalize linux-rebuild-with-initramfs
flags:
	@printf '%s\n' $(LINUX_MAKE_FLAGS)
dependencies:
	@echo $(LINUX_KCONFIG_DEPENDENCIES) : $(LINUX_DEPENDENCIES)
build: PKG=LINUX
build:
	$(call run-hooks,$(LINUX_PRE_BUILD_HOOKS))
	@echo commands >>$(LINUX_DIR)/log
	$(LINUX_APPEND_DTB)
	$(call run-hooks,$(LINUX_POST_BUILD_HOOKS))
install:
	$(call run-hooks,$(LINUX_POST_INSTALL_TARGET_HOOKS))
images:
	$(call run-hooks,$(LINUX_POST_INSTALL_IMAGES_HOOKS))
finalize:
	$(call run-hooks,$(LINUX_TARGET_FINALIZE_HOOKS))
linux-rebuild-with-initramfs: build
linux-rebuild-with-initramfs:
	@echo rebuilt >>$(LINUX_DIR)/log
	$(LINUX_APPEND_DTB)
	@echo copied >>$(LINUX_DIR)/log
