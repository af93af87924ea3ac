include $(sort $(wildcard $(BR2_EXTERNAL_VMLINUX_BTF_PATH)/package/*/*.mk))
