// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Writes a BTF again with libbpf, with a layout section: add-layout IN OUT. Wants a libbpf that has btf__new_empty_opts. */
#include <bpf/btf.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	LIBBPF_OPTS(btf_new_opts, options, .add_layout = true);
	struct btf *from = argc == 3 ? btf__parse(argv[1], NULL) : NULL;
	struct btf *to = btf__new_empty_opts(&options);
	const void *bytes;
	FILE *out;
	__u32 size;

	if (from == NULL || to == NULL || btf__set_endianness(to, btf__endianness(from)) < 0 || btf__add_btf(to, from) < 0)
		return 1;
	bytes = btf__raw_data(to, &size);
	out = bytes == NULL ? NULL : fopen(argv[2], "wb");
	return out == NULL || fwrite(bytes, 1, size, out) != size || fclose(out) != 0;
}
