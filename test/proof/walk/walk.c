// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every struct, union, enum, typedef and func of a BTF, looked for in a base and the rest on it, through libbpf:
 *
 *   walk ORIGINAL BASE REST      raw BTF of either byte order; REST is split BTF on BASE
 *
 * A definition is found when base or rest has one of the same kind and name with the same layout: size, members with their
 * names, offsets and bit fields, enumerators with their values, parameters. What it refers to is compared as far as to the
 * next names: each of those is looked for itself. In the place of a struct or union a forward declaration of its name may be
 * meant. Says, a line each:
 *
 *   KIND FOUND                   how many of that kind were found
 *   missing KIND NAME            of that kind and name there is none
 *   different KIND NAME          there are some, and none of that layout
 *
 * Ends with 0 when all were found, 1 when not, 2 when a file is no BTF.
 */
#include <bpf/btf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct btf *original, *split;

/* Types of `split` by kind and name: heads of chains, and the next of each chain. 0 ends one. */
static __u32 *heads, *nexts, buckets;

static const char *const kinds[] = {
	[BTF_KIND_STRUCT] = "struct", [BTF_KIND_UNION] = "union", [BTF_KIND_ENUM] = "enum",
	[BTF_KIND_ENUM64] = "enum64", [BTF_KIND_TYPEDEF] = "typedef", [BTF_KIND_FUNC] = "func",
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *name_of(const struct btf *btf, const struct btf_type *type)
{
	return btf__name_by_offset(btf, type->name_off);
}

static __u32 bucket_of(__u32 kind, const char *name)
{
	__u32 hash = 2166136261u ^ kind;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash & (buckets - 1);
}

/* False when there is no memory. */
static bool index_split(void)
{
	__u32 count = btf__type_cnt(split);

	for (buckets = 1; buckets < count; buckets *= 2)
		;
	heads = calloc(buckets, sizeof(*heads));
	nexts = calloc(count, sizeof(*nexts));
	if (heads == NULL || nexts == NULL)
		return false;
	for (__u32 id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(split, id);
		__u32 bucket = bucket_of(btf_kind(type), name_of(split, type));

		nexts[id] = heads[bucket];
		heads[bucket] = id;
	}
	return true;
}

static bool same_name(__u32 a, __u32 b)
{
	return strcmp(btf__name_by_offset(original, a), btf__name_by_offset(split, b)) == 0;
}

/* Whether one declares forward what the other is, or declares: bit 31 of info tells a union from a struct. */
static bool same_forward(const struct btf_type *a, const struct btf_type *b)
{
	const struct btf_type *forward = btf_is_fwd(a) ? a : b, *other = btf_is_fwd(a) ? b : a;
	bool is_union = btf_is_fwd(other) ? btf_kflag(other) : btf_is_union(other);

	return btf_is_fwd(forward) && (btf_is_fwd(other) || btf_is_composite(other)) && btf_kflag(forward) == is_union;
}

static bool same_reference(__u32 a, __u32 b);

static bool same_members(const struct btf_type *a, const struct btf_type *b)
{
	const struct btf_member *x = btf_members(a), *y = btf_members(b);

	for (int i = 0; i < btf_vlen(a); i++)
		/* The offset has the size of a bit field in it, where bit 31 of info says so. */
		if (x[i].offset != y[i].offset || !same_name(x[i].name_off, y[i].name_off) ||
		    !same_reference(x[i].type, y[i].type))
			return false;
	return true;
}

static bool same_parameters(const struct btf_type *a, const struct btf_type *b)
{
	const struct btf_param *x = btf_params(a), *y = btf_params(b);

	for (int i = 0; i < btf_vlen(a); i++)
		if (!same_name(x[i].name_off, y[i].name_off) || !same_reference(x[i].type, y[i].type))
			return false;
	return same_reference(a->type, b->type);
}

static bool same_enumerators(const struct btf_type *a, const struct btf_type *b)
{
	const struct btf_enum *x = btf_enum(a), *y = btf_enum(b);
	const struct btf_enum64 *wide_x = btf_enum64(a), *wide_y = btf_enum64(b);

	for (int i = 0; i < btf_vlen(a); i++)
		if (btf_is_enum64(a) ? !same_name(wide_x[i].name_off, wide_y[i].name_off) ||
					       btf_enum64_value(&wide_x[i]) != btf_enum64_value(&wide_y[i])
				     : !same_name(x[i].name_off, y[i].name_off) || x[i].val != y[i].val)
			return false;
	return true;
}

/* Whether two types are the same, but for what they refer to by name. `size` of a type is in one word with its `type`. */
static bool same_definition(const struct btf_type *a, const struct btf_type *b)
{
	if (a->info != b->info || !same_name(a->name_off, b->name_off))
		return false;
	switch (btf_kind(a)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return a->size == b->size && same_members(a, b);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return a->size == b->size && same_enumerators(a, b);
	case BTF_KIND_INT:
		return a->size == b->size && *(__u32 *)(a + 1) == *(__u32 *)(b + 1);
	case BTF_KIND_FLOAT:
		return a->size == b->size;
	case BTF_KIND_FWD:
		return true;
	case BTF_KIND_ARRAY:
		return btf_array(a)->nelems == btf_array(b)->nelems &&
		       same_reference(btf_array(a)->type, btf_array(b)->type) &&
		       same_reference(btf_array(a)->index_type, btf_array(b)->index_type);
	case BTF_KIND_FUNC_PROTO:
		return same_parameters(a, b);
	default:
		return same_reference(a->type, b->type);
	}
}

/* Whether two ids mean the same: by name where there is one, since what bears it is looked for on its own. */
static bool same_reference(__u32 a, __u32 b)
{
	const struct btf_type *x = btf__type_by_id(original, a), *y = btf__type_by_id(split, b);

	if (a == 0 || b == 0)
		return a == b;
	if (x->name_off == 0 || btf_is_int(x) || btf_is_float(x))
		return same_definition(x, y);
	return same_name(x->name_off, y->name_off) && (btf_kind(x) == btf_kind(y) || same_forward(x, y));
}

/* What is the matter with one type; NULL for nothing. */
static const char *look_for(const struct btf_type *type)
{
	const char *name = name_of(original, type), *matter = "missing";
	__u32 id = heads[bucket_of(btf_kind(type), name)];

	for (; id != 0; id = nexts[id]) {
		const struct btf_type *other = btf__type_by_id(split, id);

		if (btf_kind(other) != btf_kind(type) || strcmp(name_of(split, other), name) != 0)
			continue;
		if (same_definition(type, other))
			return NULL;
		matter = "different";
	}
	return matter;
}

static int walk(void)
{
	unsigned int found[KINDS] = { 0 };
	int result = 0;

	for (__u32 id = 1; id < btf__type_cnt(original); id++) {
		const struct btf_type *type = btf__type_by_id(original, id);
		__u32 kind = btf_kind(type);
		const char *matter;

		if (kind >= KINDS || kinds[kind] == NULL || type->name_off == 0)
			continue;
		matter = look_for(type);
		if (matter == NULL) {
			found[kind]++;
		} else {
			printf("%s %s %s\n", matter, kinds[kind], name_of(original, type));
			result = 1;
		}
	}
	for (__u32 kind = 0; kind < KINDS; kind++)
		if (kinds[kind] != NULL)
			printf("%s %u\n", kinds[kind], found[kind]);
	return result;
}

int main(int count, char **files)
{
	struct btf *base;

	if (count != 4) {
		fprintf(stderr, "walk ORIGINAL BASE REST\n");
		return 2;
	}
	original = btf__parse_raw(files[1]);
	base = btf__parse_raw(files[2]);
	split = base == NULL ? NULL : btf__parse_raw_split(files[3], base);
	if (original == NULL || split == NULL || !index_split()) {
		perror("walk");
		return 2;
	}
	return walk();
}
