/* SPDX-License-Identifier: MPL-2.0 */
/* store_counter - a sketch's counters: finding, making, what they may take, and what capture's reports add to them. */
#include "store.h"

#include <string.h>

char *store_counter_print(const struct flowkey_type *key, const struct flowkey_type *distinct,
			  char buf[STORE_COUNTER_TEXT])
{
	char type[FLOWKEY_TYPE_MAX], counted[FLOWKEY_TYPE_MAX];

	flowkey_type_print(key, type);
	if (distinct->fields)
		snprintf(buf, STORE_COUNTER_TEXT, "%s by distinct %s", type, flowkey_type_print(distinct, counted));
	else
		snprintf(buf, STORE_COUNTER_TEXT, "%s", type);
	return buf;
}

struct store_counter *store_find_counter(struct store_sketch *sketch, const struct flowkey_type *key,
					 const struct flowkey_type *distinct, struct error *err)
{
	char known[256] = "none", text[STORE_COUNTER_TEXT];
	size_t used = 0;

	for (size_t i = 0; i < sketch->counter_count; i++) {
		const struct sketch_params *params = &sketch->counters[i].params;

		if (flowkey_type_equal(&params->key, key) && flowkey_type_equal(&params->distinct, distinct))
			return &sketch->counters[i];
		if (used < sizeof known)
			used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
						 store_counter_print(&params->key, &params->distinct, text));
	}
	error_set(err, ERROR_NO_SUCH_COUNTER, "sketch %s: no counter by %s (there are: %s)", sketch->id,
		  store_counter_print(key, distinct, text), known);
	return NULL;
}

int store_init_counter(struct store *store, struct store_counter *counter, const struct store_counter *wanted,
		       struct error *err)
{
	*counter = *wanted;
	counter->ring = epoch_ring_create(&wanted->params, &wanted->keep, epoch_of(wanted->since_ms), err);
	counter->number = store->next_number++;
	return counter->ring ? 0 : -1;
}

uint64_t store_counter_memory(const struct store_counter *counter)
{
	uint64_t live = sketch_memory_live(&counter->params);

	return 2 * live + (3 + EPOCH_OPEN) * EPOCH_SCALE * live + counter->keep.memory_bytes;
}

uint64_t store_memory_most(const struct store *store)
{
	uint64_t most = 0;

	for (const struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		for (size_t i = 0; i < sketch->counter_count; i++)
			most += store_counter_memory(&sketch->counters[i]);
	}
	return most;
}

static uint64_t counter_memory_now(const struct store_counter *counter)
{
	return 2 * sketch_memory_live(&counter->params) + epoch_ring_memory(counter->ring);
}

uint64_t store_memory_now(const struct store *store)
{
	uint64_t now = 0;

	for (const struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		now += counter_memory_now(&sketch->profile);
		for (size_t i = 0; i < sketch->counter_count; i++)
			now += counter_memory_now(&sketch->counters[i]);
	}
	return now;
}

struct store_counter *store_add_counter(struct store *store, struct store_sketch *sketch,
					const struct store_counter *wanted, struct error *err)
{
	struct store_counter *counter = &sketch->counters[sketch->counter_count];
	uint64_t others = store_memory_most(store), most = store_counter_memory(wanted);

	if (sketch->counter_count == LIMIT_COUNTERS) {
		error_set(err, ERROR_TOO_LARGE, "sketch %s: has %d counters already", sketch->id, LIMIT_COUNTERS);
		return NULL;
	}
	if (others + most > store->memory_total) {
		error_set(err, ERROR_TOO_LARGE,
			  "counter: may take %llu MiB, and %s's others %llu, of %llu in all (give it less memory or a "
			  "shorter keep, or start the node with a larger --memory-total)",
			  (unsigned long long)(most >> 20), store->node, (unsigned long long)(others >> 20),
			  (unsigned long long)(store->memory_total >> 20));
		return NULL;
	}
	if (store_init_counter(store, counter, wanted, err) < 0)
		return NULL;
	sketch->counter_count++;
	return counter;
}

void store_remove_counter(struct store_sketch *sketch, struct store_counter *counter)
{
	size_t at = (size_t)(counter - sketch->counters);

	epoch_ring_destroy(counter->ring);
	memmove(counter, counter + 1, (sketch->counter_count - at - 1) * sizeof *counter);
	sketch->counter_count--;
}

struct store_counter *store_find_number(struct store *store, uint64_t number, struct store_sketch **of)
{
	for (struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		*of = sketch;
		if (sketch->profile.number == number)
			return &sketch->profile;
		for (size_t i = 0; i < sketch->counter_count; i++) {
			if (sketch->counters[i].number == number)
				return &sketch->counters[i];
		}
	}
	return NULL;
}

/* A source's epochs go up, unless its host's clock went back: then the same seconds come once more. */
static void store_check_clock(struct store *store, unsigned int feed, int64_t epoch)
{
	int64_t before = store->epochs[feed];

	store->epochs[feed] = epoch;
	if (epoch >= before)
		return;
	for (struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		epoch_ring_rewind(sketch->profile.ring, epoch);
		for (size_t i = 0; i < sketch->counter_count; i++)
			epoch_ring_rewind(sketch->counters[i].ring, epoch);
	}
}

int store_take_report(struct store *store, unsigned int feed, const struct capture_report *report, struct error *err)
{
	int result = 0;

	store_check_clock(store, feed, report->epoch);
	for (size_t i = 0; i < report->matched_count; i++) {
		for (struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
			if (sketch->number == report->matched[i].task)
				sketch->figures[feed] = report->matched[i].figures;
		}
	}
	for (size_t i = 0; i < report->sealed_count; i++) {
		struct store_sketch *sketch;
		struct store_counter *counter = store_find_number(store, report->sealed[i].counter, &sketch);

		if (counter && epoch_ring_add(counter->ring, report->epoch, report->sealed[i].sketch, err) < 0)
			result = -1;
	}
	return result;
}
