/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_count_min_merge - two count-min sketches into one.
 *
 * The merge is exact when both are and the keys fit. Else, plain: cells add, and an exact side's kept counts go into
 * them first, so that the cells are those of one sketch that was fed both streams. Conservative: cells add. Why the
 * bounds hold is said in sketch_count_min.c.
 *
 * All memory is taken before anything is changed. Used by sketch_count_min.c's ops; the wire half uses the reserve.
 */
#include "sketch_count_min.h"

/* At least doubles, so that merging many small sketches does not copy the table each time. */
int count_min_reserve(struct count_min *cm, uint32_t keys, struct error *err)
{
	uint32_t places = sketch_table_places(keys), doubled = cm->table.place_count * 2;

	if (keys <= sketch_table_capacity(cm->table.place_count))
		return 0;
	if (doubled > cm->places_max)
		doubled = cm->places_max;
	if (sketch_table_resize(&cm->table, places > doubled ? places : doubled) < 0)
		return error_set(err, ERROR_INTERNAL, "count-min: %u keys: out of memory", keys);
	return 0;
}

static struct kept *find_same(const struct sketch_table *table, const struct kept *kept, uint64_t hash)
{
	return sketch_table_find(table, kept->key.bytes, kept->key.len, hash);
}

/* Keys of the union of both tables. */
static uint32_t union_count(const struct sketch_table *into, const struct sketch_table *from)
{
	uint32_t count = into->used;

	for (uint32_t i = 0; i < from->place_count; i++) {
		if (from->hashes[i] && !find_same(into, &from->places[i], from->hashes[i]))
			count++;
	}
	return count;
}

/*
 * Unites the kept keys; a key kept on one side only gets what the other side says of it as one not kept, so both sides
 * must else still be as before the merge. The keys that into holds alone come first, while they can be told from
 * those it gets.
 */
static void kept_unite(struct count_min *into, const struct count_min *from)
{
	for (uint32_t i = 0; i < into->table.place_count && !from->exact; i++) {
		struct kept *kept = &into->table.places[i];
		uint64_t hash = into->table.hashes[i];

		if (hash && !find_same(&from->table, kept, hash))
			kept->over = saturate_add(kept->over, count_min_key_upper(from, hash));
	}
	for (uint32_t i = 0; i < from->table.place_count; i++) {
		const struct kept *kept = &from->table.places[i];
		uint64_t hash = from->table.hashes[i];
		struct kept *own;

		if (hash == 0)
			continue;
		own = find_same(&into->table, kept, hash);
		if (!own) {
			own = sketch_table_insert(&into->table, kept->key.bytes, kept->key.len, hash);
			own->over = count_min_key_upper(into, hash);
		}
		own->packets = saturate_add(own->packets, kept->packets);
		own->bytes = saturate_add(own->bytes, kept->bytes);
		own->over = saturate_add(own->over, kept->over);
	}
}

/* from's cells, or what they would be had it handed over its keys. */
static void cells_unite(struct count_min *into, const struct count_min *from)
{
	bool is_plain = !into->sketch.params.is_conservative;

	if (from->exact) {
		if (is_plain)
			count_min_cells_add_table(into, &from->table);
		return;
	}
	for (size_t i = 0; i < count_min_cell_count(into); i++)
		into->cells[i] = saturate_add(into->cells[i], from->cells[i]);
	into->floor = is_plain ? saturate_add(into->floor, from->floor) : count_min_cells_top(into);
}

/* More keys than fit lay in a larger table for a moment. */
static void prune_to(struct count_min *cm, struct sketch_table *fitting, uint32_t capacity)
{
	count_min_prune(cm, capacity);
	sketch_table_copy(fitting, &cm->table);
	sketch_table_clear(&cm->table);
	cm->table = *fitting;
}

int count_min_merge(struct sketch *sketch, const struct sketch *other, struct error *err)
{
	struct count_min *into = (struct count_min *)sketch;
	const struct count_min *from = count_min_of(other);
	struct sketch_table fitting = {0};
	uint32_t count = union_count(&into->table, &from->table), capacity = count_min_capacity(into);
	bool is_full = count > capacity, is_exact = into->exact && from->exact && !is_full;

	if (!is_exact && count_min_cells_reserve(into, err) < 0)
		return -1;
	if (is_full && sketch_table_init(&fitting, into->places_max) < 0)
		return error_set(err, ERROR_INTERNAL, "count-min: %u keys: out of memory", capacity);
	if (count_min_reserve(into, count, err) < 0) {
		sketch_table_clear(&fitting);
		return -1;
	}
	if (!is_exact && into->exact && into != from && !sketch->params.is_conservative)
		count_min_cells_add_table(into, &into->table);
	kept_unite(into, from);
	if (!is_exact)
		cells_unite(into, from);
	into->exact = is_exact;
	into->packets = saturate_add(into->packets, from->packets);
	into->bytes = saturate_add(into->bytes, from->bytes);
	if (is_full)
		prune_to(into, &fitting, capacity);
	return 0;
}
