# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

# Configures the kernel once more, for modules of other recipes. Without pahole CONFIG_DEBUG_INFO_BTF would vanish there, struct module would
# be a smaller one, and the kernel would refuse such modules. elfutils-native is for resolve_btfids.
DEPENDS:append = " pahole-native elfutils-native"
