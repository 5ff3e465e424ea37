/* SPDX-License-Identifier: MPL-2.0 */
/* gather - the table of open requests, by id, each with its slots and its timer. */
#include "gather.h"

#include <stdlib.h>
#include <string.h>

#include "weft/limits.h"

struct gather_slot {
	const struct link *link;
	char name[LIMIT_ENDPOINT + 1];
	uint32_t below;
	bool is_open; /* still awaited */
};

struct gather {
	struct gather_table *table;
	char id[GATHER_ID_MAX];
	const char *own;
	struct partial partial;
	struct gather_slot *slots; /* whom it has asked */
	size_t slot_count, open_count;
	bool is_held, is_ended;
	int timer;
	gather_fn *on_end;
	void *context;
};

struct gather_table {
	zloop_t *loop;
	char prefix[GATHER_ID_MAX - 20];
	uint64_t made, late;
	zhashx_t *open;
};

struct gather_table *gather_table_create(zloop_t *loop, const char *prefix)
{
	struct gather_table *table = zmalloc(sizeof *table);

	table->loop = loop;
	snprintf(table->prefix, sizeof table->prefix, "%s", prefix);
	table->open = zhashx_new();
	return table;
}

size_t gather_table_open(const struct gather_table *table)
{
	return zhashx_size(table->open);
}

uint64_t gather_table_late(const struct gather_table *table)
{
	return table->late;
}

static struct gather *gather_find(struct gather_table *table, const char *id)
{
	return zhashx_lookup(table->open, id);
}

const char *gather_id(const struct gather *gather)
{
	return gather->id;
}

struct partial *gather_partial(struct gather *gather)
{
	return &gather->partial;
}

static void gather_end(struct gather *gather)
{
	if (gather->is_ended)
		return;
	gather->is_ended = true;
	gather->on_end(gather->context, gather);
}

static void gather_end_if_complete(struct gather *gather)
{
	if (!gather->is_held && gather->open_count == 0)
		gather_end(gather);
}

/* Ends without whoever is silent. */
static void gather_close(struct gather *gather, const char *child_message, const char *own_message)
{
	for (size_t i = 0; i < gather->slot_count; i++) {
		if (gather->slots[i].is_open)
			partial_add_missing(&gather->partial, gather->slots[i].name, "timeout", gather->slots[i].below,
					    child_message);
	}
	if (gather->is_held)
		partial_add_missing(&gather->partial, gather->own, "capture-failed", 0, own_message);
	gather->open_count = 0;
	gather_end(gather);
}

static int on_gather_close(zloop_t *loop, int timer, void *context)
{
	(void)loop;
	(void)timer;
	gather_close(context, "no answer in time", "the capture thread did not answer in time");
	return 0;
}

void gather_table_finish(struct gather_table *table)
{
	struct gather *gather;

	while (table && (gather = zhashx_first(table->open)))
		gather_close(gather, "the node that was asked is ending", "the node is ending");
}

void gather_table_destroy(struct gather_table *table)
{
	if (!table)
		return;
	zhashx_destroy(&table->open);
	free(table);
}

struct gather *gather_open(struct gather_table *table, const struct partial_ops *ops, const char *own, int close_ms,
			   gather_fn *on_end, void *context, struct error *err)
{
	struct gather *gather;

	if (zhashx_size(table->open) >= LIMIT_OPEN_REQUESTS) {
		error_set(err, ERROR_BUSY, "%d requests are open here (ask again in a second)", LIMIT_OPEN_REQUESTS);
		return NULL;
	}
	gather = zmalloc(sizeof *gather);
	gather->table = table;
	snprintf(gather->id, sizeof gather->id, "%s.%llu", table->prefix, (unsigned long long)++table->made);
	gather->own = own;
	partial_init(&gather->partial, ops);
	gather->is_held = true;
	gather->on_end = on_end;
	gather->context = context;
	gather->timer = zloop_timer(table->loop, (size_t)(close_ms > 0 ? close_ms : 1), 1, on_gather_close, gather);
	zhashx_insert(table->open, gather->id, gather);
	return gather;
}

void gather_destroy(struct gather *gather)
{
	if (!gather)
		return;
	zloop_timer_end(gather->table->loop, gather->timer);
	zhashx_delete(gather->table->open, gather->id);
	partial_clear(&gather->partial);
	free(gather->slots);
	free(gather);
}

int gather_expect(struct gather *gather, const struct link *link, struct error *err)
{
	struct gather_slot *slots = realloc(gather->slots, (gather->slot_count + 1) * sizeof *slots);

	if (!slots)
		return error_set(err, ERROR_INTERNAL, "gather: out of memory");
	gather->slots = slots;
	slots[gather->slot_count] = (struct gather_slot){.link = link, .below = link_below(link), .is_open = true};
	snprintf(slots[gather->slot_count++].name, sizeof slots->name, "%s", link_name(link));
	gather->open_count++;
	return 0;
}

void gather_release(struct gather *gather)
{
	gather->is_held = false;
	gather_end_if_complete(gather);
}

/* Strikes the slot of a link; false when it is not awaited. */
static bool gather_strike(struct gather *gather, const struct link *link, struct gather_slot *slot)
{
	for (size_t i = 0; i < gather->slot_count; i++) {
		if (gather->slots[i].link != link || !gather->slots[i].is_open)
			continue;
		*slot = gather->slots[i];
		gather->slots[i].is_open = false;
		gather->open_count--;
		return true;
	}
	return false;
}

/*
 * This node and its own children are asked directly. Taken from a child's word for them, they would be dropped as
 * duplicates when their own answers come.
 */
static bool gather_claims_another(const struct gather *gather, const struct gather_slot *slot,
				  const struct partial *partial)
{
	if (partial_holds(partial, gather->own))
		return true;
	for (size_t i = 0; i < gather->slot_count; i++) {
		if (strcmp(gather->slots[i].name, slot->name) != 0 && partial_holds(partial, gather->slots[i].name))
			return true;
	}
	return false;
}

/* A refusal hides what the child has said to be below it; an answer must be the child's own. */
static void gather_merge(struct gather *gather, const struct gather_slot *slot, struct partial *partial)
{
	if (partial->error.code)
		partial_add_missing(&gather->partial, slot->name, partial_why(partial->error.code), slot->below,
				    partial->error.text);
	else if (!partial_names(partial, slot->name))
		partial_add_missing(&gather->partial, slot->name, "mismatch", slot->below,
				    "its answer does not name it");
	else if (gather_claims_another(gather, slot, partial))
		partial_add_missing(&gather->partial, slot->name, "overlap", slot->below,
				    "its answer claims a node that is asked on another way");
	else
		partial_merge(&gather->partial, partial, slot->name, NULL);
}

void gather_take(struct gather_table *table, const struct link *link, const uint8_t *head, size_t head_len,
		 const uint8_t *body, size_t body_len)
{
	char id[GATHER_ID_MAX];
	struct gather_slot slot;
	struct gather *gather = NULL;
	struct partial partial;
	struct error why = {0};

	if (partial_peek(head, head_len, id, sizeof id, NULL) == 0)
		gather = gather_find(table, id);
	if (!gather || !gather_strike(gather, link, &slot)) {
		table->late++;
		return;
	}
	if (partial_decode(&partial, gather->partial.ops, head, head_len, body, body_len, &why) < 0) {
		partial_add_missing(&gather->partial, slot.name, partial_why(why.code), slot.below, why.text);
	} else {
		gather_merge(gather, &slot, &partial);
		partial_clear(&partial);
	}
	gather_end_if_complete(gather);
}

void gather_lose(struct gather_table *table, const struct link *link)
{
	zlistx_t *hit = zlistx_new();
	struct gather_slot slot;
	struct gather *gather;

	for (gather = zhashx_first(table->open); gather; gather = zhashx_next(table->open)) {
		if (!gather_strike(gather, link, &slot))
			continue;
		partial_add_missing(&gather->partial, slot.name, "down", slot.below, "its connection broke");
		zlistx_add_end(hit, gather);
	}
	while ((gather = zlistx_detach(hit, NULL)))
		gather_end_if_complete(gather);
	zlistx_destroy(&hit);
}
